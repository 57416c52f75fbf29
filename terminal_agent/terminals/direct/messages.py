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
OTHER_MERCHANT = Evidence(code="OTHER_MERCHANT", text="该笔属于另一商户号或终端号，未发出任何请求")
BATCH_FULL = Evidence(code="BATCH_FULL", text="本终端批次笔数已满，未发出任何请求；请先结算批次")
MOST_COUNTED = 999
"""So many sales, and so many that went back, field 48 can say of one batch: three digits for each."""

_CURRENCY = "156"
_NO_FUNCTION, _ECHO, _SETTLE = "000", "301", "201"
_NO_BATCH = "000000"
_COUNTED = ("debit_fen", "debits", "credit_fen", "credits")
_ECHOED = ("3", "11", "41")
_TIMED_OUT, _MAC_ERROR, _OTHER = "98", "A0", "06"
_AT = r"(?:@([0-9A-Z]{15}\.[0-9A-Z]{8}))?"  # older marks do not say where they are from
_SALE_MARK = re.compile(r"S\.([0-9]{6})\.([0-9]{6})\.([0-9]{4})\.([0-9A-Za-z-]{1,64})" + _AT, re.ASCII)
_BACK_MARK = re.compile(r"B\.([0-9]{6})\.([0-9]{6})\.([0-9]{6})" + _AT, re.ASCII)


class SaleMark(msgspec.Struct, frozen=True):
    """Under which numbers a sale goes out, on which day (MMDD), and how the pinpad finds its card again.

    `at` is the merchant and terminal whose numbers they are, None in a mark of before that was said.
    """

    batch: str
    trace: str
    day: str
    token: str
    at: str | None = None

    def __str__(self) -> str:
        return f"S.{self.batch}.{self.trace}.{self.day}.{self.token}{_at(self.at)}"


class BackMark(msgspec.Struct, frozen=True):
    """Under which numbers money is given back: the void's, and the refund's if there is no void."""

    batch: str
    void_trace: str
    refund_trace: str
    at: str | None = None

    def __str__(self) -> str:
        return f"B.{self.batch}.{self.void_trace}.{self.refund_trace}{_at(self.at)}"


def read_sale_mark(text: str | None) -> SaleMark | None:
    """Return the mark that `text` is, None when it is none of ours."""
    found = _SALE_MARK.fullmatch(text or "")
    return None if found is None else SaleMark(*found.groups())


def read_back_mark(text: str | None) -> BackMark | None:
    """Return the mark that `text` is, None when it is none of ours."""
    found = _BACK_MARK.fullmatch(text or "")
    return None if found is None else BackMark(*found.groups())


def place(profile: Profile) -> str:
    """Return whose numbers we use, as a mark names it."""
    return f"{profile.merchant_no}.{profile.terminal_no}"


def is_anothers(profile: Profile, mark: SaleMark | BackMark | None) -> bool:
    """Whether a mark is of another merchant or terminal; one that does not say is ours."""
    return mark is not None and mark.at not in (None, place(profile))


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


class Totals(msgspec.Struct, frozen=True):
    """What one batch comes to, in fen: sales that stood, and what was given back by voids and refunds."""

    sold_fen: int
    sales: int
    back_fen: int
    backs: int

    @property
    def can_be_said(self) -> bool:
        """Whether a settlement has room for the counts."""
        return max(self.sales, self.backs) <= MOST_COUNTED


def settlement(profile: Profile, trace: str, batch: str, totals: Totals) -> Fields:
    """Return the 0500 that closes a batch. Foreign cards count as domestic: we cannot tell them apart.

    Its totals are such that can be said.
    """
    assert totals.can_be_said
    nothing = {
        "debit_fen": "0" * 12,
        "debits": "000",
        "credit_fen": "0" * 12,
        "credits": "000",
        "balanced": "0",
    }
    ours = {
        "debit_fen": f"{totals.sold_fen:012d}",
        "debits": f"{totals.sales:03d}",
        "credit_fen": f"{totals.back_fen:012d}",
        "credits": f"{totals.backs:03d}",
        "balanced": "0",
    }
    return {
        "11": trace,
        **_who(profile),
        "48": {f"domestic_{name}": text for name, text in ours.items()}
        | {f"foreign_{name}": text for name, text in nothing.items()},
        "60": {"kind": "00", "batch": batch, "function": _SETTLE},
        "63": {"who": "01 "},
    }


def settled_totals(heard: Message) -> tuple[Totals, bool] | None:
    """Return the host's own totals, both kinds of cards together, and whether it found ours the same."""
    parts = heard.parts.get("48", {})
    if not parts:
        return None
    both = [{name: int(parts[f"{cards}_{name}"]) for name in _COUNTED} for cards in ("domestic", "foreign")]
    summed = [sum(one[name] for one in both) for name in _COUNTED]
    balanced = all(parts[f"{cards}_balanced"] == "1" for cards in ("domestic", "foreign"))
    return Totals(*summed), balanced


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


def _at(at: str | None) -> str:
    return "" if at is None else f"@{at}"


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
