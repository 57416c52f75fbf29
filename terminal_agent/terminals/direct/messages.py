"""What do we say to an acquirer's host, and which answer is ours?

Pure. Amounts are fen. A mark is what stands in the journal before anything leaves: with it, and the card that
the pinpad remembers, a reversal can be written after any power cut.
"""

import re
from collections.abc import Mapping

import msgspec

from subsidy.records.payment import Evidence
from terminal_agent.iso8583.codec import Message
from terminal_agent.terminals.direct.profile import NONE, Profile

Fields = dict[str, str | Mapping[str, str]]

SALE, VOID, REFUND = "22", "23", "25"  # the kinds in field 60
MAC_WRONG = Evidence(code="A0", text="MAC 校验失败")
NO_LINE = Evidence(code="NO_LINE", text="the line to the acquirer could not be opened; nothing was sent")

_CURRENCY = "156"
_NO_FUNCTION, _ECHO = "000", "301"
_NO_BATCH = "000000"
_ECHOED = ("3", "11", "41")
_TIMED_OUT, _MAC_ERROR, _OTHER = "98", "A0", "06"
_SALE_MARK = re.compile(r"S\.([0-9]{6})\.([0-9]{6})\.([0-9]{4})\.([0-9A-Za-z-]{1,64})", re.ASCII)
_BACK_MARK = re.compile(r"B\.([0-9]{6})\.([0-9]{6})\.([0-9]{6})", re.ASCII)


class SaleMark(msgspec.Struct, frozen=True):
    """Under which numbers a sale goes out, on which day (MMDD), and how the pinpad finds its card again."""

    batch: str
    trace: str
    day: str
    token: str

    def __str__(self) -> str:
        return f"S.{self.batch}.{self.trace}.{self.day}.{self.token}"


class BackMark(msgspec.Struct, frozen=True):
    """Under which numbers money is given back: the void's, and the refund's if there is no void."""

    batch: str
    void_trace: str
    refund_trace: str

    def __str__(self) -> str:
        return f"B.{self.batch}.{self.void_trace}.{self.refund_trace}"


def read_sale_mark(text: str | None) -> SaleMark | None:
    """Return the mark that `text` is, None when it is none of ours."""
    found = _SALE_MARK.fullmatch(text or "")
    return None if found is None else SaleMark(*found.groups())


def read_back_mark(text: str | None) -> BackMark | None:
    """Return the mark that `text` is, None when it is none of ours."""
    found = _BACK_MARK.fullmatch(text or "")
    return None if found is None else BackMark(*found.groups())


def sign_in(profile: Profile, trace: str) -> Fields:
    """Return an 0800."""
    return {
        "11": trace,
        **_who(profile),
        "60": {"kind": "00", "batch": _NO_BATCH, "function": profile.sign_in},
        "62": {"serial_no": profile.terminal_no},
        "63": {"who": "01 "},
    }


def echo(profile: Profile, trace: str, batch: str) -> Fields:
    """Return an 0820 that asks whether the host is there."""
    return {"11": trace, **_who(profile), "60": {"kind": "00", "batch": batch, "function": _ECHO}}


def sale(profile: Profile, mark: SaleMark, fen: int, order: str) -> Fields:
    """Return an 0200 without its card."""
    return {"3": "000000", **_money(profile, SALE, mark.batch, mark.trace, fen, order)}


def reversal(profile: Profile, mark: SaleMark, fen: int, order: str, said: Evidence) -> Fields:
    """Return the 0400 that undoes a sale, of which `said` is all that was heard."""
    reason = {"": _TIMED_OUT, MAC_WRONG.code: _MAC_ERROR}.get(said.code, _OTHER)
    auth: Fields = {"38": said.auth.ljust(6)} if said.auth else {}
    return sale(profile, mark, fen, order) | auth | {"39": reason}


def void(profile: Profile, mark: BackMark, original: SaleMark, fen: int, order: str) -> Fields:
    """Return the 0200 that voids a whole sale of the open batch, without its card."""
    money = _money(profile, VOID, mark.batch, mark.void_trace, fen, order)
    return {"3": "200000", **money, "61": {"batch": original.batch, "trace": original.trace}}


def reversal_of_void(profile: Profile, mark: BackMark, original: SaleMark, fen: int, order: str) -> Fields:
    """Return the 0400 that undoes a void of which nothing was heard."""
    return void(profile, mark, original, fen, order) | {"39": _TIMED_OUT}


def refund(
    profile: Profile, mark: BackMark, original: SaleMark, fen: int, order: str, said: Evidence
) -> Fields:
    """Return the 0220 that gives back `fen` of a sale, without its card."""
    rrn: Fields = {"37": said.rrn} if said.rrn else {}
    return {
        "3": "200000",
        **_money(profile, REFUND, mark.batch, mark.refund_trace, fen, order),
        **rrn,
        "61": {"batch": original.batch, "trace": original.trace, "date": said.host_date or original.day},
    }


def is_answer(mti: str, asked: Mapping[str, object], heard: Message) -> bool:
    """Whether `heard` answers this very request, and not an earlier one or another terminal's."""
    if heard.mti != f"{int(mti) + 10:04d}":
        return False
    return all(asked[key] == heard.fields.get(key) for key in _ECHOED if key in asked)


def evidence_of(heard: Message) -> Evidence:
    """Return what of an answer may be kept."""
    fields = heard.fields
    return Evidence(
        code=fields.get("39", ""),
        terminal_no=fields.get("41", ""),
        merchant_no=fields.get("42", ""),
        batch=heard.part(60, "batch"),
        trace=fields.get("11", ""),
        rrn=fields.get("37", ""),
        auth=fields.get("38", "").strip(),
        masked_pan=fields.get("2", ""),
        host_date=fields.get("13", ""),
        host_time=fields.get("12", ""),
    )


def _who(profile: Profile) -> Fields:
    return {"41": profile.terminal_no, "42": profile.merchant_no}


def _money(profile: Profile, kind: str, batch: str, trace: str, fen: int, order: str) -> Fields:
    assert 0 < fen < 10**12
    ours: Fields = {}
    if profile.order_field != NONE:
        ours = {profile.order_field: order.encode("ascii").hex().upper()}
    return {
        "4": f"{fen:012d}",
        "11": trace,
        "25": "00",
        **_who(profile),
        "49": _CURRENCY,
        **ours,
        "60": {"kind": kind, "batch": batch, "function": _NO_FUNCTION},
    }
