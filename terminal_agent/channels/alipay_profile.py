"""What do we know of one application at Alipay?

A profile is a YAML file (`config/channels/`), read at start; its key files are read when they are used.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node
from terminal_agent.channels import profile_parts as parts
from terminal_agent.channels.alipay_keys import ByCertificate, ByPublicKey
from terminal_agent.channels.one_exchange import Limits
from terminal_agent.checkout.ports import Clocks

FAMILY = "alipay_openapi"
GATEWAY_PATH = "/gateway.do"

_EMULATOR = re.compile(r"EMU", re.ASCII)
_SANDBOX = re.compile(r"(?:.*\.)?alipaydev\.com", re.ASCII)
_APP_ID = re.compile(r"[0-9]{16}|EMU[0-9]{13}", re.ASCII)
_STORE_ID = re.compile(r"[0-9A-Za-z_-]{1,32}", re.ASCII)
_CODE = re.compile(r"[0-9]{5}", re.ASCII)
_REASON = re.compile(r"ACQ\.[A-Z_]{1,60}|(?:isv|isp|aop)\.[a-z-]{1,60}", re.ASCII)
_LONGEST_SUBJECT = 128
_WHO = ("family", "gateway", "app_id", "subject", "store_id", "pay_within_minutes", "shows_codes", "keys")
_MEANINGS = ("codes", "trade_states", "refused", "not_found", "cannot_reverse", "refund_refused")


class Profile(msgspec.Struct, frozen=True):
    """One application at Alipay. The files are paths; what they hold is not here.

    `refused` has, for each sub_code that is a sure no, what the cashier reads.
    """

    gateway: str
    app_id: str
    subject: str
    store_id: str
    pay_within_minutes: int
    shows_codes: bool
    keys: ByPublicKey | ByCertificate
    connect_s: float
    clocks: Clocks
    done: frozenset[str]
    waiting: frozenset[str]
    failed: frozenset[str]
    paid_states: frozenset[str]
    no_states: frozenset[str]
    pending_states: frozenset[str]
    refused: Mapping[str, str]
    not_found: frozenset[str]
    cannot_reverse: frozenset[str]
    refund_refused: frozenset[str]

    @property
    def limits(self) -> Limits:
        """How long one call may take."""
        return Limits(self.connect_s, self.clocks.answer_wait_s, self.clocks.answer_cap_s)


def read_profile(text: str, file_name: str, folder: Path, *, training: bool = False) -> Profile:
    """Return the profile that `text` describes, or raise an error with file, line and remedy.

    Key files are relative to `folder`. An emulator's numbers and address, and the sandbox, are taken only in
    training.
    """
    root = yaml_text.read(text, file_name).mapping(required=(*_WHO, "connect_ms", "clocks", *_MEANINGS))
    root["family"].choice((FAMILY,))
    done, waiting, failed = _each_once(root["codes"], ("done", "waiting", "failed"), _CODE)
    paid, not_paid, pending = _each_once(root["trade_states"], ("paid", "not_paid", "pending"), parts.WORD)
    not_found = parts.words(root["not_found"], _REASON)
    app_id = parts.code(root["app_id"], _APP_ID, "an application's number")
    return Profile(
        gateway=_gateway(root["gateway"], training=training),
        app_id=parts.no_emulator(root["app_id"], app_id, _EMULATOR, training),
        subject=parts.short_text(root["subject"], _LONGEST_SUBJECT),
        store_id=parts.code(root["store_id"], _STORE_ID, "a store's number"),
        pay_within_minutes=root["pay_within_minutes"].integer(1, 60),
        shows_codes=root["shows_codes"].flag(),
        keys=_keys(root["keys"], folder),
        connect_s=parts.seconds(root["connect_ms"]),
        clocks=parts.read_clocks(root["clocks"]),
        done=done,
        waiting=waiting,
        failed=failed,
        paid_states=paid,
        no_states=not_paid,
        pending_states=pending,
        refused=parts.refused(root["refused"], not_found, _REASON),
        not_found=not_found,
        cannot_reverse=parts.words(root["cannot_reverse"], _REASON),
        refund_refused=parts.words(root["refund_refused"], _REASON),
    )


def _gateway(node: Node, *, training: bool) -> str:
    url = parts.address(node, training=training, path=GATEWAY_PATH)
    if _SANDBOX.fullmatch(urlsplit(url).hostname or "") and not training:
        remedy = "Write the real one, or set `training: true`"
        raise node.wrong("Alipay's sandbox, which takes no money", remedy)
    return url


def _keys(node: Node, folder: Path) -> ByPublicKey | ByCertificate:
    mode = node.mapping(
        required=("mode", "private_key"),
        optional=("alipay_public_key", "app_certificate", "alipay_certificate", "root_certificates"),
    )["mode"].choice(("public_key", "certificate"))

    def paths(*names: str) -> list[Path]:
        named = node.mapping(required=("mode", *names))
        return [folder / named[name].text() for name in names]

    if mode == "public_key":
        return ByPublicKey(*paths("private_key", "alipay_public_key"))
    return ByCertificate(*paths("private_key", "app_certificate", "alipay_certificate", "root_certificates"))


def _each_once(node: Node, names: tuple[str, ...], shape: re.Pattern[str]) -> list[frozenset[str]]:
    lists = node.mapping(required=names)
    found = [parts.words(lists[name], shape) for name in names]
    if len(frozenset().union(*found)) < sum(map(len, found)):
        raise node.wrong("one with two meanings", "Keep one of them")
    return found
