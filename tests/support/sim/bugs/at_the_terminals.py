"""Planted in the drivers of card terminals, each tried in worlds of its own kind of terminal alone."""

from typing import Any

from msgspec.structs import replace

from sim.bugs import Patch, bug
from terminal_agent.checkout import what_was_undone
from terminal_agent.checkout.ports import Answer, Ask, Say
from terminal_agent.terminals.direct.driver import DirectTerminal
from terminal_agent.terminals.mis_fixed import MisTerminal
from terminal_agent.terminals.nexo_tcp import NexoTerminal
from terminal_agent.terminals.relay import watch
from terminal_agent.terminals.relay.seen import Seen
from terminal_agent.terminals.relay.watch import Watch


@bug("behind a MIS client the last transaction is a payment's although another of ours came after it", "mis")
def last_transaction_of_another_sale_taken() -> list[Patch]:
    return [(MisTerminal, "_may_be_last", lambda _self, _ask, _number: True)]


@bug("at a nexo terminal the amount that was asked counts as the one that was approved", "nexo")
def approved_amount_of_nexo_not_read() -> list[Patch]:
    judge = NexoTerminal._judge

    def as_asked(self: Any, said: Any, ask: Ask) -> Answer:
        answer = judge(self, said, ask)
        return replace(answer, approved_fen=ask.amount_fen) if answer.say is Say.APPROVED else answer

    return [(NexoTerminal, "_judge", as_asked)]


@bug("a reversal that the host has not confirmed counts as done", "direct")
def unconfirmed_reversal_counts() -> list[Patch]:
    reverse = DirectTerminal.reverse

    def sure(self: Any, ask: Ask, evidence: Any) -> Answer:
        answer = reverse(self, ask, evidence)
        return replace(answer, say=Say.APPROVED) if answer.say is Say.UNCLEAR else answer

    return [(DirectTerminal, "reverse", sure)]


@bug("on a line that is watched a yes counts for what was asked, whatever amount it names", "relay")
def amount_that_passes_not_read() -> list[Patch]:
    answered = Watch._sale_answered

    def as_asked(self: Any, request: Seen, answer: Seen, connection: int, sent_ms: int) -> None:
        answered(self, request, replace(answer, fen=request.fen), connection, sent_ms)

    return [(Watch, "_sale_answered", as_asked)]


@bug("the till asks for a charge until the moment from which it counts no more", "relay")
def asks_until_it_counts_no_more() -> list[Patch]:
    return [(watch, "_KEYING_IN", 10**9)]


@bug("how long ago a sale was at a watched terminal is told by the host's clock alone", "relay")
def sale_aged_by_the_hosts_clock() -> list[Patch]:
    limit_ms = what_was_undone._LONGEST_IN_BATCH_MS
    return [(what_was_undone, "_is_older_than_a_batch", lambda _undone, known: known.age_ms > limit_ms)]
