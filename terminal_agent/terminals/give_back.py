"""What is to be done at a terminal whose last transaction is known, so that money goes back once and no more?

Pure, and nothing is remembered of earlier tries: the last transaction tells of them. A void is free and at
once, so it comes first, while the sale's batch is open and the whole amount goes back; a refund follows
when the void was certainly refused. Something is sent only when nothing has happened since `prepare` but a
refused void of ours: after any doubt the answer is UNCLEAR, for a second refund would be a gift.
"""

from enum import Enum, auto

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Say
from terminal_agent.terminals.last_transaction import differ, directly_follows, is_our_void, is_trace
from terminal_agent.terminals.profile import CodeClass, Profile
from terminal_agent.terminals.read_answer import REFUND, Said

UNCLEAR = Answer(Say.UNCLEAR)
_REFUND_MEMO = f"{REFUND:02d}"
_NO_ORIGINAL = Evidence(code="NO_ORIGINAL", text="原交易缺少参考号或日期，未发出退货")
_NO_REFUND = Evidence(code="NO_REFUND", text="终端不支持退货，未发出")
_TAKEN = (CodeClass.APPROVED, CodeClass.PARTIAL)


class Step(Enum):
    """What may be sent now."""

    VOID = auto()
    REFUND = auto()


def next_step(last: Said, ask: Ask, back: Back, profile: Profile) -> Answer | Step:
    """Return what to send now, or what became of an earlier try."""
    refused = profile.refuses_back(last.evidence.code)
    moved = last.evidence.trace != back.mark
    if profile.class_of(last.evidence.code) is CodeClass.BUSY:
        return Answer(Say.PENDING) if last.order in (back.refund_no, ask.pay_ref) else UNCLEAR
    if is_our_void(last, ask):
        if not refused:
            return after_void(last, ask, back, profile)
        if moved and not directly_follows(last.evidence.trace, back.mark or ""):
            return UNCLEAR
        return _refund_of(back.evidence, profile) if _stands(back.evidence, last, profile) else UNCLEAR
    if last.order == back.refund_no and (moved or not refused):
        return after_refund(last, back, profile) if last.memo in ("", _REFUND_MEMO) else UNCLEAR
    # A refused refund that stood there when this return was prepared belongs to an earlier return.
    if moved or not _stands(back.evidence, last, profile):
        return UNCLEAR
    # By its trace alone a sale of a closed batch could be somebody else's in the open one.
    is_open = back.evidence.batch != "" and back.evidence.batch == last.evidence.batch
    return Step.VOID if is_open and _is_whole(ask, back) else _refund_of(back.evidence, profile)


def after_void(said: Said, ask: Ask, back: Back, profile: Profile) -> Answer | Step:
    """Return what follows from what the terminal said of our void."""
    if differ(said.evidence.terminal_no, back.evidence.terminal_no):
        return UNCLEAR
    if profile.class_of(said.evidence.code) is CodeClass.APPROVED and _is_whole(ask, back):
        fen = back.fen if said.amount_fen is None else said.amount_fen
        return Answer(Say.APPROVED, approved_fen=fen, evidence=said.evidence)
    return _refund_of(back.evidence, profile) if profile.refuses_back(said.evidence.code) else UNCLEAR


def after_refund(said: Said, back: Back, profile: Profile) -> Answer:
    """Return what the terminal said of our refund."""
    if differ(said.evidence.terminal_no, back.evidence.terminal_no):
        return UNCLEAR
    if profile.refuses_back(said.evidence.code):
        return Answer(Say.DECLINED, evidence=said.evidence)
    if profile.class_of(said.evidence.code) in _TAKEN and said.amount_fen is not None:
        return Answer(Say.APPROVED, approved_fen=said.amount_fen, evidence=said.evidence)
    return Answer(Say.UNCLEAR, evidence=said.evidence)


def _stands(sale: Evidence, last: Said, profile: Profile) -> bool:
    """Whether `sale` says of a payment that it was taken, at this very terminal."""
    here = sale.terminal_no != "" and sale.terminal_no == last.evidence.terminal_no
    return here and is_trace(sale.trace) and profile.class_of(sale.code) in _TAKEN


def _is_whole(ask: Ask, back: Back) -> bool:
    return back.fen == ask.amount_fen


def _refund_of(sale: Evidence, profile: Profile) -> Answer | Step:
    if not profile.refunds:
        return Answer(Say.DECLINED, evidence=_NO_REFUND)
    if sale.rrn == "" or sale.host_date == "":
        return Answer(Say.DECLINED, evidence=_NO_ORIGINAL)
    return Step.REFUND
