"""What do we know of one merchant's WeChat Pay?

A profile is a YAML file (`config/channels/`), read at start; its key files are read when they are used, and
which files they are is read again when the profile changes.
"""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import FileError, Node
from terminal_agent.channels import profile_parts as parts
from terminal_agent.channels.key_files import KeyTrouble, Reread, content_of
from terminal_agent.channels.one_exchange import Limits
from terminal_agent.channels.wechat_keys import KeyPlaces
from terminal_agent.checkout.ports import Clocks

FAMILY = "wechat_v3"

_EMULATOR = re.compile(r"EMU|PUB_KEY_ID_EMU", re.ASCII)
_APPID = re.compile(r"[0-9A-Za-z]{8,32}", re.ASCII)
_MCHID = re.compile(r"[0-9]{8,32}|EMU[0-9A-Z]{1,29}", re.ASCII)
_KEY_ID = re.compile(r"PUB_KEY_ID_[0-9A-Z]{1,64}|[0-9A-F]{8,64}", re.ASCII)
_STORE_ID = re.compile(r"[0-9A-Za-z_-]{1,32}", re.ASCII)
_LONGEST_DESCRIPTION = 127
_WHO = ("family", "base_url", "appid", "mchid", "description", "store", "merchant", "platform")
_NOT_PAID_YET = frozenset({"NOTPAY", "USERPAYING", "ACCEPT"})
_MEANINGS = ("trade_states", "refused", "pending", "not_found", "cannot_reverse", "refund_refused")


class States(msgspec.Struct, frozen=True):
    """Which states of a payment are a sure no, and which say that it may still come."""

    not_paid: frozenset[str]
    pending: frozenset[str]


class Source(msgspec.Struct, frozen=True):
    """Where a profile was read: its file, what stood there, the folder of its keys, whether in training."""

    file: Path
    text: str
    folder: Path
    training: bool


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
    keys: KeyPlaces
    source: Source
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
    shown = root["shown"].mapping(required=("trade_states", "notify_url")) if "shown" in root else None
    pending = parts.words(root["pending"])
    return Profile(
        base_url=parts.address(root["base_url"], training=training),
        appid=parts.code(root["appid"], _APPID, "an appid"),
        mchid=parts.no_emulator(
            root["mchid"], parts.code(root["mchid"], _MCHID, "a merchant number"), _EMULATOR, training
        ),
        description=parts.short_text(root["description"], _LONGEST_DESCRIPTION),
        store_id=parts.code(store["id"], _STORE_ID, "a store's number"),
        device_ip=_address(store["device_ip"]),
        keys=_key_places(root, folder, training=training),
        source=Source(Path(file_name), text, folder, training),
        connect_s=parts.seconds(root["connect_ms"]),
        clocks=parts.read_clocks(root["clocks"]),
        states=_states(root["trade_states"]),
        shown=_states(shown["trade_states"]) if shown else None,
        notify_url=_notify_url(shown["notify_url"]) if shown else "",
        refused=parts.refused(root["refused"], pending),
        pending=pending,
        not_found=parts.words(root["not_found"]),
        cannot_reverse=parts.words(root["cannot_reverse"]),
        refund_refused=parts.words(root["refund_refused"]),
    )


def key_places(profile: Profile) -> Reread[KeyPlaces]:
    """Return where the keys are, as the profile's file says at present. All else in it is read at start."""
    source = profile.source

    def read() -> KeyPlaces:
        try:
            text = content_of(source.file).decode("utf-8")
            now = read_profile(text, str(source.file), source.folder, training=source.training)
        except (FileError, UnicodeDecodeError) as wrong:
            raise KeyTrouble(f"The keys stay as they were: the profile cannot be read ({wrong})") from None
        if now.mchid != profile.mchid:
            raise KeyTrouble(
                f"The keys stay as they were: {source.file} is another merchant's now. Start the agent again"
            )
        return now.keys

    places = Reread(lambda: content_of(source.file), read)
    places.begin_with(source.text.encode(), profile.keys)
    return places


def _key_places(root: Mapping[str, Node], folder: Path, *, training: bool) -> KeyPlaces:
    merchant = root["merchant"].mapping(required=("certificate", "private_key"))
    return KeyPlaces(
        private_key=folder / merchant["private_key"].text(),
        certificate=folder / merchant["certificate"].text(),
        platform=_platform_keys(root["platform"], folder, training=training),
    )


def _states(node: Node) -> States:
    keys = node.mapping(required=("not_paid", "pending"))
    states = States(parts.words(keys["not_paid"]), parts.words(keys["pending"]))
    if may_still_come := states.not_paid & _NOT_PAID_YET:
        # A shop's own copy may be older than this rule, and would have a shopper charged twice.
        raise keys["not_paid"].wrong(
            f"{', '.join(sorted(may_still_come))} is no no: the money may still be taken",
            "Write it under pending, as in the shipped file",
        )
    if states.not_paid & states.pending or {"SUCCESS", "REFUND"} & (states.not_paid | states.pending):
        raise node.wrong("a state with two meanings", "Keep one of them")
    return states


def _notify_url(node: Node) -> str:
    url = node.text()
    if not re.fullmatch(r"https://[!-~]{1,240}", url, re.ASCII) or "?" in url:
        raise node.wrong("no https address without a query", 'Write it as in "https://shop.example/none"')
    return url


def _platform_keys(node: Node, folder: Path, *, training: bool) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for key_id, file in node.items():
        if _KEY_ID.fullmatch(key_id) is None:
            raise file.wrong("no key id", "Write the id from the merchant platform, PUB_KEY_ID_...")
        files[parts.no_emulator(file, key_id, _EMULATOR, training)] = folder / file.text()
    if not files:
        raise node.wrong("no key", "Add WeChat Pay's public key")
    return files


def _address(node: Node) -> str:
    text = node.text()
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise node.wrong("no IP address", 'Write it as in "192.0.2.10"') from None
