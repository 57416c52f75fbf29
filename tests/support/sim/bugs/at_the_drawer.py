"""Planted where cash is asked about and claimed."""

from typing import Any

from settlement.invoices import take
from sim.bugs import Patch, bug
from terminal_agent.checkout.cash import Cash, Place
from terminal_agent.checkout.ports import Answer, Say


@bug("a sale in cash counts as paid when it is asked for")
def cash_is_paid_when_asked_for() -> list[Patch]:
    return [(Cash, "query", lambda _self, ask: Answer(Say.APPROVED, ask.amount_fen))]


@bug("a cashier who says nothing has taken nothing")
def silence_is_no() -> list[Patch]:
    query = Cash.query

    def deaf(self: Any, ask: Any) -> Answer:
        answer = query(self, ask)
        return Answer(Say.DECLINED) if answer.say is Say.PENDING else answer

    return [(Cash, "query", deaf), (Cash, "take", query)]


@bug("the money of a sale that was given up counts as given back once it is in the till")
def cash_goes_back_by_itself() -> list[Patch]:
    reverse = Cash.reverse

    def at_once(self: Any, ask: Any, evidence: Any) -> Answer:
        word = self._word(ask.mark)
        is_there = word is not None and word.place is Place.IN_TILL
        return Answer(Say.APPROVED) if is_there else reverse(self, ask, evidence)

    return [(Cash, "reverse", at_once)]


@bug("a return in cash takes the word on the payment for its own")
def old_word_answers_a_return() -> list[Patch]:
    refund = Cash.refund

    def by_any_word(self: Any, ask: Any, back: Any) -> Answer:
        answer = refund(self, ask, back)
        return (
            Answer(Say.APPROVED, back.fen) if answer.say is Say.PENDING and self._word(ask.mark) else answer
        )

    return [(Cash, "refund", by_any_word)]


@bug("a sale in cash is claimed without its invoice")
def cash_is_claimed_at_once() -> list[Patch]:
    return [(take, "needs_invoice", lambda _entry: False)]
