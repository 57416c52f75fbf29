"""Does money go back at most once, whatever a terminal does, also one that checks nothing itself?

A terminal in memory that does everything it is told, as often as it is told: it voids a void sale and refunds
a refunded one. So only the rules of `give_back.py` stand between the shop and a second refund.
"""

import msgspec
import pytest
from emulator import short_profile
from hypothesis import given, settings
from hypothesis import strategies as st

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Say
from terminal_agent.terminals.give_back import Step, after_refund, after_void, next_step
from terminal_agent.terminals.read_answer import LAST_TRANSACTION, REFUND, SALE, VOID, Said

PROFILE = short_profile()
FEN = 12_000
REF = ids.pay_ref(ids.record_id(1_780_000_000_000, bytes(10)), 1)
ASK = Ask(REF, FEN, operator="07", till_no="1")
SOLD = Evidence(
    code="00", terminal_no="EMU00001", batch="000001", trace="000007", rrn="000000000007", host_date="1123"
)
UNCLEAR = Answer(Say.UNCLEAR)


def said(trace="000007", code="00", order=REF, memo=SALE, amount_fen=FEN, **changes):
    named = {"terminal_no": "EMU00001", "batch": "000001", **changes}
    evidence = Evidence(code=code, trace=trace, **named)
    return Said(LAST_TRANSACTION, "", order, f"{memo:02d}" if memo else "", amount_fen, evidence)


def back(fen=FEN, mark="000007", **changes):
    return Back(ids.refund_no(REF), fen, msgspec.structs.replace(SOLD, **changes), mark)


R = ids.refund_no(REF)


@pytest.mark.parametrize(
    ("last", "asked", "step"),
    [
        (said(), back(), Step.VOID),
        (said("000009", order="", memo=VOID), back(mark="000009"), Step.VOID),  # a stranger's, before
        (said(), back(FEN - 1), Step.REFUND),
        (said(), back(batch=""), Step.REFUND),
        (said(batch=""), back(batch=""), Step.REFUND),
        (said(batch="000002"), back(), Step.REFUND),
        (said("000000", code="", order="", memo=0, batch=""), back(mark="000000"), Step.REFUND),
        (said("000008", "25", memo=VOID), back(), Step.REFUND),
        (said("000001", "25", memo=VOID), back(mark="999999", trace="999998"), Step.REFUND),
        (said("000008", "61", R, REFUND), back(mark="000008"), Step.VOID),  # an earlier return's no
    ],
    ids=str,
)
def test_what_may_be_sent(last, asked, step):
    assert next_step(last, ASK, asked, PROFILE) is step


@pytest.mark.parametrize(
    ("last", "asked"),
    [
        (said("000008", order="", memo=SALE), back()),  # others were here
        (said("000009", "25", memo=VOID), back()),  # and between the void and now
        (said("000008", "98", memo=VOID), back()),
        (said("000008", "94", memo=VOID), back()),  # the void may be done already
        (said("000008", "00", memo=VOID), back(FEN - 1)),  # all is back, a part was asked
        (said("000008", "98", R, REFUND), back()),
        (said("000008", "94", R, REFUND), back()),
        (said("000007", "98", R, REFUND), back(trace="000003")),  # in doubt before this return, too
        (said("000008", "00", R, REFUND, None), back()),  # a yes to no amount
        (said("000008", "00", R, SALE), back()),
        (said("000008", "", R, REFUND), back()),
        (said("000008", "00", R, REFUND, terminal_no="EMU00002"), back()),
        (said(), back(mark=None)),
        (said("", memo=0), back(mark=None)),
        (said(terminal_no="EMU00002"), back()),
        (said(terminal_no=""), back(terminal_no="")),
        (said(), back(trace="")),
        (said(), back(code="51")),
        (said("000008", "25", memo=VOID), back(code="51")),
        (said("000008", "00", memo=VOID, terminal_no="EMU00002"), back()),
        (said(code="B1", order="", memo=0), back()),  # at work on somebody else's
        (said(code="B1", order="?", memo=0), back()),
    ],
    ids=str,
)
def test_after_any_doubt_nothing_is_sent(last, asked):
    found = next_step(last, ASK, asked, PROFILE)
    assert isinstance(found, Answer)
    assert found.say is Say.UNCLEAR


@pytest.mark.parametrize(
    ("last", "asked", "answer"),
    [
        (said("000008", "00", memo=VOID), back(), (Say.APPROVED, FEN)),
        (said("000008", "00", memo=VOID, amount_fen=None), back(), (Say.APPROVED, FEN)),
        (said("000008", "00", memo=VOID, amount_fen=1), back(), (Say.APPROVED, 1)),
        (said("000008", "00", memo=VOID), back(mark="000008"), (Say.APPROVED, FEN)),
        (said("000009", "00", R, REFUND), back(), (Say.APPROVED, FEN)),
        (said("000009", "00", R, 0), back(), (Say.APPROVED, FEN)),
        (said("000009", "00", R, REFUND, 5), back(), (Say.APPROVED, 5)),
        (said("000009", "61", R, REFUND), back(), (Say.DECLINED, None)),
        (said(code="B1", order=R, memo=0), back(), (Say.PENDING, None)),
        (said(code="B1", order=REF, memo=0), back(), (Say.PENDING, None)),
        (said(), back(FEN - 1, rrn=""), (Say.DECLINED, None)),
        (said(), back(FEN - 1, host_date=""), (Say.DECLINED, None)),
    ],
    ids=str,
)
def test_what_became_of_an_earlier_try(last, asked, answer):
    found = next_step(last, ASK, asked, PROFILE)
    assert (found.say, found.approved_fen) == answer


class Terminal:
    """Does what it is told. `gave_back` counts how often the shopper got money."""

    def __init__(self):
        self.trace, self.batch, self.gave_back = 7, 1, 0
        self.last = said()

    def others(self):
        self.trace += 1
        self.last = self._said("00", "", SALE)

    def settle(self):
        self.batch += 1

    def do(self, kind, outcome):
        """Carry out a void or refund; return its answer, or None when it does not arrive."""
        if outcome == "never arrived":
            return None
        done = outcome.startswith("done")
        closed = kind == VOID and self.batch != 1
        code = "25" if closed else {"done": "00", "not done": "61"}.get(outcome.split(",")[0], "98")
        self.gave_back += done and not closed
        self.trace += 1
        self.last = self._said(code, R if kind == REFUND else REF, kind)
        return None if outcome.endswith("unheard") else self.last

    def _said(self, code, order, kind):
        return said(f"{self.trace:06d}", code, order, kind, batch=f"{self.batch:06d}")


def try_once(terminal, asked, outcomes):
    """Carry out one call of `refund`, as `serial_ecr.py` does."""
    step = next_step(terminal.last, ASK, asked, PROFILE)
    if step is Step.VOID:
        heard = terminal.do(VOID, next(outcomes))
        step = UNCLEAR if heard is None else after_void(heard, ASK, asked, PROFILE)
    if step is Step.REFUND:
        heard = terminal.do(REFUND, next(outcomes))
        step = UNCLEAR if heard is None else after_refund(heard, asked, PROFILE)
    assert isinstance(step, Answer)
    return step


OUTCOMES = st.sampled_from(
    ["done", "not done", "done, unheard", "not done, unheard", "unclear", "done unclear", "never arrived"]
)
EVENTS = st.lists(st.sampled_from(["try", "try", "try", "others", "settle"]), max_size=12)


@settings(max_examples=500)
@given(EVENTS, st.lists(OUTCOMES, min_size=24, max_size=24), st.booleans())
def test_money_goes_back_once_at_most_and_answers_are_true(events, outcomes, whole):
    terminal, outcome = Terminal(), iter(outcomes)
    asked = back(FEN if whole else FEN - 1)
    for event in events:
        if event != "try":
            getattr(terminal, event)()
            continue
        answer = try_once(terminal, asked, outcome)
        assert terminal.gave_back <= 1
        if answer.say is Say.APPROVED:
            assert terminal.gave_back == 1
        if answer.say is Say.DECLINED:
            assert terminal.gave_back == 0
            # Only after a no is a return begun anew, and prepared anew.
            asked = msgspec.structs.replace(asked, mark=f"{terminal.trace:06d}")
