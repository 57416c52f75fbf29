"""What do we know of one merchant's WeChat Pay?

A profile is a YAML file (`config/channels/`), read at start; its key files are read when they are used. Times
stand in it as whole milliseconds and leave here as seconds, as `Clocks` has them.
"""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node
from terminal_agent.channels.signed_client import Limits
from terminal_agent.checkout.ports import Clocks

FAMILY = "wechat_v3"

_EMULATOR = re.compile(r"EMU|PUB_KEY_ID_EMU", re.ASCII)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_APPID = re.compile(r"[0-9A-Za-z]{8,32}", re.ASCII)
_MCHID = re.compile(r"[0-9]{8,32}|EMU[0-9A-Z]{1,29}", re.ASCII)
_SERIAL = re.compile(r"[0-9A-F]{8,64}", re.ASCII)
_KEY_ID = re.compile(r"PUB_KEY_ID_[0-9A-Z]{1,64}|[0-9A-F]{8,64}", re.ASCII)
_STORE_ID = re.compile(r"[0-9A-Za-z_-]{1,32}", re.ASCII)
_WORD = re.compile(r"[A-Z_]{1,32}", re.ASCII)
_LONGEST_DESCRIPTION = 127
_AN_HOUR_MS = 3_600_000
_WHO = ("family", "base_url", "appid", "mchid", "description", "store", "merchant", "platform")
_MEANINGS = ("trade_states", "refused", "pending", "not_found", "cannot_reverse", "refund_refused")


class States(msgspec.Struct, frozen=True):
    """Which states of a payment are a sure no, and which say that it may still come."""

    not_paid: frozenset[str]
    pending: frozenset[str]


class Profile(msgspec.Struct, frozen=True):
    """One merchant's WeChat Pay. The files are paths; what they hold is not here.

    `refused` has, for each error code that is a sure no, what the cashier reads. `states` are those of a
    payment by code, `shown` those of an order whose code we show, None when this shop shows none.
    """

    base_url: str
    appid: str
    mchid: str
    description: str
    store_id: str
    device_ip: str
    serial: str
    private_key: Path
    platform_keys: Mapping[str, Path]
    connect_s: float
    clocks: Clocks
    states: States
    shown: States | None
    notify_url: str
    refused: Mapping[str, str]
    pending: frozenset[str]
    not_found: frozenset[str]
    cannot_reverse: frozenset[str]
    refund_refused: frozenset[str]

    @property
    def limits(self) -> Limits:
        """How long one call may take."""
        return Limits(self.connect_s, self.clocks.answer_wait_s, self.clocks.answer_cap_s)


def read_profile(text: str, file_name: str, folder: Path, *, training: bool = False) -> Profile:
    """Return the profile that `text` describes, or raise an error with file, line and remedy.

    Key files are relative to `folder`. An emulator's numbers, keys and address are taken only in training.
    """
    root = yaml_text.read(text, file_name).mapping(
        required=(*_WHO, "connect_ms", "clocks", *_MEANINGS), optional=("shown",)
    )
    root["family"].choice((FAMILY,))
    store = root["store"].mapping(required=("id", "device_ip"))
    merchant = root["merchant"].mapping(required=("serial", "private_key"))
    shown = root["shown"].mapping(required=("trade_states", "notify_url")) if "shown" in root else None
    return Profile(
        base_url=_base_url(root["base_url"], training=training),
        appid=_code(root["appid"], _APPID, "an appid"),
        mchid=_no_emulator(root["mchid"], _code(root["mchid"], _MCHID, "a merchant number"), training),
        description=_description(root["description"]),
        store_id=_code(store["id"], _STORE_ID, "a store's number"),
        device_ip=_address(store["device_ip"]),
        serial=_code(merchant["serial"], _SERIAL, "a certificate's serial number"),
        private_key=folder / merchant["private_key"].text(),
        platform_keys=_platform_keys(root["platform"], folder, training=training),
        connect_s=_seconds(root["connect_ms"]),
        clocks=_read_clocks(root["clocks"]),
        states=_states(root["trade_states"]),
        shown=_states(shown["trade_states"]) if shown else None,
        notify_url=_notify_url(shown["notify_url"]) if shown else "",
        refused=_refused(root["refused"], root["pending"]),
        pending=_words(root["pending"]),
        not_found=_words(root["not_found"]),
        cannot_reverse=_words(root["cannot_reverse"]),
        refund_refused=_words(root["refund_refused"]),
    )


def _states(node: Node) -> States:
    keys = node.mapping(required=("not_paid", "pending"))
    states = States(_words(keys["not_paid"]), _words(keys["pending"]))
    if states.not_paid & states.pending or {"SUCCESS", "REFUND"} & (states.not_paid | states.pending):
        raise node.wrong("a state with two meanings", "Keep one of them")
    return states


def _notify_url(node: Node) -> str:
    url = node.text()
    if not re.fullmatch(r"https://[!-~]{1,240}", url, re.ASCII) or "?" in url:
        raise node.wrong("no https address without a query", 'Write it as in "https://shop.example/none"')
    return url


def _base_url(node: Node, *, training: bool) -> str:
    url = node.text()
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
        raise node.wrong("no address", 'Write it as in "https://api.mch.weixin.qq.com"')
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise node.wrong("an address with a path", "Write scheme and host only")
    if parts.scheme == "http" and not (training and parts.hostname in _LOOPBACK):
        raise node.wrong(
            "an address over plain http", "Use https: only an emulator on this host may do without"
        )
    return url.rstrip("/")


def _platform_keys(node: Node, folder: Path, *, training: bool) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for key_id, file in node.items():
        if _KEY_ID.fullmatch(key_id) is None:
            raise file.wrong("no key id", "Write the id from the merchant platform, PUB_KEY_ID_...")
        files[_no_emulator(file, key_id, training)] = folder / file.text()
    if not files:
        raise node.wrong("no key", "Add WeChat Pay's public key")
    return files


def _no_emulator(node: Node, value: str, training: bool) -> str:
    if _EMULATOR.match(value) and not training:
        raise node.wrong(
            f"{value} is an emulator's", "Write the real one, or set `training: true` where no money moves"
        )
    return value


def _code(node: Node, shape: re.Pattern[str], what: str) -> str:
    code = node.code()
    if shape.fullmatch(code) is None:
        raise node.wrong(f"not {what}", "Write it as the merchant platform shows it")
    return code


def _description(node: Node) -> str:
    text = node.text()
    if len(text.encode()) > _LONGEST_DESCRIPTION:
        raise node.wrong(f"longer than {_LONGEST_DESCRIPTION} bytes", "Write less")
    return text


def _address(node: Node) -> str:
    text = node.text()
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise node.wrong("no IP address", 'Write it as in "192.0.2.10"') from None


def _words(node: Node) -> frozenset[str]:
    found: set[str] = set()
    for member in node.sequence():
        word = member.text()
        if _WORD.fullmatch(word) is None:
            raise member.wrong("no code", "Write capital letters and underscores, as in SYSTEM_ERROR")
        if word in found:
            raise member.wrong(f"{word} stands twice", "Keep one of them")
        found.add(word)
    return frozenset(found)


def _refused(node: Node, pending: Node) -> dict[str, str]:
    found: dict[str, str] = {}
    undecided = _words(pending)
    for code, text in node.items():
        if _WORD.fullmatch(code) is None:
            raise text.wrong("no error code", "Write capital letters and underscores, as in NOT_ENOUGH")
        if code in undecided:
            raise text.wrong(f"{code} stands under pending too", "Keep one of them")
        found[code] = text.text()
    return found


def _read_clocks(node: Node) -> Clocks:
    names = [field.removesuffix("_s") for field in Clocks.__struct_fields__]
    keys = node.mapping(required=[f"{name}_ms" for name in names])
    may_be_nothing = ("reverse_not_before",)
    waits = {f"{n}_s": _seconds(keys[f"{n}_ms"], least_ms=0 if n in may_be_nothing else 1) for n in names}
    clocks = Clocks(**waits)
    if clocks.answer_cap_s < clocks.answer_wait_s:
        raise keys["answer_cap_ms"].wrong("shorter than answer_wait_ms", "Write at least as much")
    return clocks


def _seconds(node: Node, least_ms: int = 1) -> float:
    return node.integer(least_ms, _AN_HOUR_MS) / 1000
