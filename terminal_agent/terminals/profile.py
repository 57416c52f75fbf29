"""What do we know about one kind of card terminal?

A profile is a YAML file (`config/terminals/`), read at start. Times stand in it as whole milliseconds and
leave here as seconds, as `Clocks` has them.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from subsidy.strict import yaml_text
from terminal_agent.checkout.ports import Clocks
from terminal_agent.terminals.dialect import TAGGED, Dialect, read_dialect
from terminal_agent.terminals.read_answer import REFUND

FAMILIES = ("serial_ecr", "stx_lrc")
"""Names of the one family; the second is the older."""

_PARITIES = ("none", "even", "odd")
_MOST_BAUD = 921_600
_AN_HOUR_MS = 3_600_000
_CODE = re.compile(r"[0-9A-Z]{2}", re.ASCII)


class CodeClass(StrEnum):
    """What a response code says about the money."""

    APPROVED = "approved"
    PARTIAL = "partial"
    UNCLEAR = "unclear"
    BUSY = "busy"
    DECLINED = "declined"  # every code that the profile does not name


_NAMED = [one for one in CodeClass if one is not CodeClass.DECLINED]
_UNSURE_BACK = "unsure_back"


class Line(msgspec.Struct, frozen=True):
    """How the serial port is set. Eight data bits and no flow control, always."""

    baud: int
    parity: str
    stop_bits: int


class Manners(msgspec.Struct, frozen=True):
    """How a frame is handed over: waits in seconds, and how often at most."""

    ack_wait_s: float
    sends: int
    naks: int
    gap_s: float
    status_wait_s: float


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """What the response codes of one kind of terminal mean."""

    codes: Mapping[str, CodeClass]
    unsure_back: frozenset[str]

    def class_of(self, code: str) -> CodeClass:
        """Return what `code`, which the terminal gave, says. No code at all says nothing clear."""
        if code == "":
            return CodeClass.UNCLEAR
        return self.codes.get(code, CodeClass.DECLINED)

    def refuses_back(self, code: str) -> bool:
        """Whether `code`, given to a void or a refund, says that no money went back by it."""
        return self.class_of(code) is CodeClass.DECLINED and code not in self.unsure_back


class Profile(Codes, frozen=True, kw_only=True):
    """One kind of terminal."""

    line: Line
    manners: Manners
    clocks: Clocks
    dialect: Dialect = TAGGED

    @property
    def refunds(self) -> bool:
        """Whether the terminal has a refund, beside the void of an open batch."""
        return self.dialect.separated is None or REFUND in self.dialect.separated.messages


def read_profile(text: str, file_name: str) -> Profile:
    """Return the profile that `text` describes, or raise an error with file, line and remedy."""
    root = yaml_text.read(text, file_name).mapping(
        required=("family", "line", "exchange", "clocks", "codes"), optional=("frame", "messages")
    )
    root["family"].choice(FAMILIES)
    codes = read_codes(root["codes"])
    return Profile(
        line=read_line(root["line"]),
        manners=_read_manners(root["exchange"]),
        clocks=read_clocks(root["clocks"]),
        codes=codes.codes,
        unsure_back=codes.unsure_back,
        dialect=read_dialect(root.get("frame"), root.get("messages")),
    )


def read_line(node: yaml_text.Node) -> Line:
    """Return how a serial port is set."""
    keys = node.mapping(required=("baud", "parity", "stop_bits"))
    return Line(
        baud=keys["baud"].integer(300, _MOST_BAUD),
        parity=keys["parity"].choice(_PARITIES),
        stop_bits=keys["stop_bits"].integer(1, 2),
    )


def _read_manners(node: yaml_text.Node) -> Manners:
    keys = node.mapping(required=("ack_wait_ms", "sends", "naks", "gap_ms", "status_wait_ms"))
    return Manners(
        ack_wait_s=seconds(keys["ack_wait_ms"]),
        sends=keys["sends"].integer(1, 10),
        naks=keys["naks"].integer(1, 10),
        gap_s=seconds(keys["gap_ms"]),
        status_wait_s=seconds(keys["status_wait_ms"]),
    )


def read_clocks(node: yaml_text.Node) -> Clocks:
    """Return the waits of a payment profile, whole milliseconds there and seconds here. Raises FileError."""
    names = [field.removesuffix("_s") for field in Clocks.__struct_fields__]
    keys = node.mapping(required=[f"{name}_ms" for name in names])
    # A reversal may follow at once; every other wait must be one.
    may_be_nothing = ("reverse_not_before",)
    waits = {f"{n}_s": seconds(keys[f"{n}_ms"], least_ms=0 if n in may_be_nothing else 1) for n in names}
    clocks = Clocks(**waits)
    if clocks.answer_cap_s < clocks.answer_wait_s:
        raise keys["answer_cap_ms"].wrong("shorter than answer_wait_ms", "Write at least as much")
    return clocks


def read_codes(node: yaml_text.Node) -> Codes:
    """Return what a profile says of response codes. Raises FileError."""
    keys = node.mapping(required=[*(one.value for one in _NAMED), _UNSURE_BACK])
    return Codes(codes=_read_codes(keys), unsure_back=_read_unsure_back(keys))


def _read_codes(keys: Mapping[str, yaml_text.Node]) -> dict[str, CodeClass]:
    found: dict[str, CodeClass] = {}
    for one in _NAMED:
        for member in keys[one.value].sequence():
            code = _read_code(member)
            if code in found:
                raise member.wrong(f"{code} stands under {found[code].value} too", "Keep one of them")
            found[code] = one
    return found


def _read_unsure_back(keys: Mapping[str, yaml_text.Node]) -> frozenset[str]:
    return frozenset(_read_code(member) for member in keys[_UNSURE_BACK].sequence())


def _read_code(member: yaml_text.Node) -> str:
    code = member.code()
    if _CODE.fullmatch(code) is None:
        raise member.wrong("not a response code", 'Write two digits or capital letters, as in "00"')
    return code


def seconds(node: yaml_text.Node, least_ms: int = 1) -> float:
    """Return whole milliseconds as seconds."""
    return node.integer(least_ms, _AN_HOUR_MS) / 1000
