"""What do we know of one acquirer that we speak ISO 8583 to directly?

A profile is a YAML file (`config/terminals/iso8583_direct.yaml` shows every key), read at start. Each
terminal has its own, since it has its own number.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node
from terminal_agent.checkout.ports import Clocks
from terminal_agent.terminals.profile import read_clocks
from terminal_agent.terminals.tls import TLS_KEYS, TlsFiles, read_tls

FAMILY = "iso8583_direct"
TRAINING = "training"
NONE = "none"

_CODE = re.compile(r"[0-9A-Z]{2}", re.ASCII)
_TERMINAL_NO = re.compile(r"[0-9A-Z]{8}", re.ASCII)
_MERCHANT_NO = re.compile(r"[0-9A-Z]{15}", re.ASCII)
_ORDER_FIELDS = ("57", "59", NONE)
_SIGN_INS = ("001", "003", "004")


class CodeClass(StrEnum):
    """What field 39 says about the money."""

    APPROVED = "approved"
    PARTIAL = "partial"
    UNCLEAR = "unclear"
    SIGN_IN = "sign_in"
    NO_ORIGINAL = "no_original"
    SETTLED = "settled"
    DECLINED = "declined"  # every code that the profile does not name


_NAMED = [one for one in CodeClass if one is not CodeClass.DECLINED]
_UNSURE_BACK, _REPEATED, _NOTHING_LEFT = "unsure_back", "repeated_refund", "nothing_left"


class Profile(msgspec.Struct, frozen=True):
    """One terminal at one acquirer. Files are named as the profile names them, relative to it."""

    terminal_no: str
    merchant_no: str
    dialect: str
    pinpad: str
    memory: str
    tls: TlsFiles | None
    connect_s: float
    status_wait_s: float
    sign_in: str
    order_field: str
    card_wait_s: float
    clocks: Clocks
    codes: Mapping[str, CodeClass]
    unsure_back: frozenset[str]
    repeated_refund: frozenset[str]
    nothing_left: frozenset[str]

    def class_of(self, code: str) -> CodeClass:
        """Return what `code` says. No code at all says nothing clear."""
        return CodeClass.UNCLEAR if code == "" else self.codes.get(code, CodeClass.DECLINED)

    def refuses(self, code: str) -> bool:
        """Whether `code`, given to a void or a refund, says that no money went back by it."""
        says_no = self.class_of(code) in (CodeClass.DECLINED, CodeClass.NO_ORIGINAL, CodeClass.SETTLED)
        return says_no and code not in self.unsure_back


def read_profile(text: str, file_name: str) -> Profile:
    """Return the profile that `text` describes, or raise FileError with file, line and remedy."""
    root = yaml_text.read(text, file_name).mapping(
        required=("family", "dialect", "terminal", "pinpad", "line", "messages", "clocks", "codes")
    )
    root["family"].choice((FAMILY,))
    terminal = root["terminal"].mapping(required=("number", "merchant"))
    pinpad = root["pinpad"].mapping(required=("kind", "memory", "card_wait_ms"))
    messages = root["messages"].mapping(required=("sign_in", "order_field"))
    codes = root["codes"].mapping(
        required=[*(one.value for one in _NAMED), _UNSURE_BACK, _REPEATED, _NOTHING_LEFT]
    )
    line = root["line"].mapping(
        required=("connect_ms", "status_wait_ms"),
        optional=("plaintext_private_line", *TLS_KEYS),
    )
    return Profile(
        terminal_no=_shaped(terminal["number"], _TERMINAL_NO, "the 8 characters of the terminal"),
        merchant_no=_shaped(terminal["merchant"], _MERCHANT_NO, "the 15 characters of the merchant"),
        dialect=root["dialect"].text(),
        # Real pinpads are added here, each with a class that fits `Pinpad`.
        pinpad=pinpad["kind"].choice((TRAINING,)),
        memory=pinpad["memory"].text(),
        tls=_read_privacy(root["line"], line),
        connect_s=line["connect_ms"].integer(1, 60_000) / 1000,
        status_wait_s=line["status_wait_ms"].integer(1, 60_000) / 1000,
        sign_in=messages["sign_in"].choice(_SIGN_INS),
        order_field=messages["order_field"].choice(_ORDER_FIELDS),
        card_wait_s=pinpad["card_wait_ms"].integer(1, 600_000) / 1000,
        clocks=read_clocks(root["clocks"]),
        codes=_read_codes(codes),
        unsure_back=_read_set(codes[_UNSURE_BACK]),
        repeated_refund=_read_set(codes[_REPEATED]),
        nothing_left=_read_set(codes[_NOTHING_LEFT]),
    )


def _read_privacy(node: Node, keys: Mapping[str, Node]) -> TlsFiles | None:
    """Return what a profile says of TLS, None on a line in clear, which it has to call private."""
    plain = "plaintext_private_line" in keys and keys["plaintext_private_line"].flag()
    tls = read_tls(node, keys)
    if plain is (tls is not None):
        raise node.wrong(
            "neither TLS nor a private line, or both",
            "Write `authorities` and `server_name`, or `plaintext_private_line: true` for a line of your own",
        )
    return tls


def _read_set(node: Node) -> frozenset[str]:
    return frozenset(_shaped(one, _CODE, "two digits or capital letters") for one in node.sequence())


def _read_codes(keys: Mapping[str, Node]) -> dict[str, CodeClass]:
    found: dict[str, CodeClass] = {}
    for one in _NAMED:
        for member in keys[one.value].sequence():
            code = _shaped(member, _CODE, "two digits or capital letters")
            if code in found:
                raise member.wrong(f"{code} stands under {found[code].value} too", "Keep one of them")
            found[code] = one
    return found


def _shaped(node: Node, pattern: re.Pattern[str], described: str) -> str:
    text = node.code()
    if pattern.fullmatch(text) is None:
        raise node.wrong(f"{text!r} does not fit", f"Write {described} in quotes")
    return text
