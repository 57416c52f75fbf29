"""Planted where a payment is taken, asked about and given back."""

from typing import Any

from msgspec.structs import replace

from sim.bugs import Patch, bug
from subsidy.records.payment import Evidence
from terminal_agent.channels.wechat import WechatPay
from terminal_agent.checkout import attempt, resolve
from terminal_agent.checkout.attempt import Verdict
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.resolve import Resolver
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import AttemptState
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.terminals import serial_ecr
from terminal_agent.terminals.exchange import Wanted
from terminal_agent.terminals.give_back import Step
from terminal_agent.terminals.profile import CodeClass
from terminal_agent.terminals.serial_ecr import DrivenTerminal


@bug("the attempt's mark is not stored before the sale command leaves")
def no_durable_intent() -> list[Patch]:
    return [(SqliteJournal, "mark_attempt", lambda _self, _record_id, _no, _mark: True)]


@bug("silence is taken for a no")
def time_out_is_declined() -> list[Patch]:
    judge = attempt.judge

    def careless(one: Attempt, answer: Answer) -> Verdict:
        return Verdict.NOT_PAID if answer.say is Say.UNCLEAR else judge(one, answer)

    return [(attempt, "judge", careless)]


@bug("after a time-out the payment is tried again under a new order number")
def new_order_number_on_time_out() -> list[Patch]:
    look = Resolver.look

    def again(self: Any, record_id: str, no: int) -> Sale:
        sale = self._journal.sale(record_id)
        one = sale.attempt(no)
        if one.state is AttemptState.UNKNOWN and no < 3:
            self._journal.not_paid(record_id, no, Evidence(code="TIME_OUT"), keep_hold=True)
            begun = self._journal.begin_attempt(record_id, one.tender, one.terminal_no, one.operator)
            if begun.no is not None:
                return self._paying.carry_out(record_id, begun.no)
        return look(self, record_id, no)

    return [(Resolver, "look", again)]


@bug('the first "not found" is taken for a no')
def not_found_trusted() -> list[Patch]:
    def at_once(_self: Any, _attempt: Attempt, answer: Answer) -> bool:
        return answer.say is Say.NOT_FOUND

    return [(Resolver, "_is_certainly_not_there", at_once)]


@bug('"not found" is believed of a payment whose reversal was refused')
def not_found_trusted_after_a_refusal() -> list[Patch]:
    return [(WechatPay, "_is_known_to_be_none", lambda _self, _heard: True)]


@bug('"no original" (25, 12) to a void counts as voided')
def no_original_closes_a_reversal() -> list[Patch]:
    judge_void = DrivenTerminal._judge_void

    def judged(self: Any, said: Any, sale_stood: bool) -> Answer:
        if said.evidence.code in ("25", "12", "05"):
            return Answer(Say.APPROVED, evidence=said.evidence)
        return judge_void(self, said, sale_stood)

    return [(DrivenTerminal, "_judge_void", judged)]


@bug("a yes that comes after the reversal has begun makes the attempt paid")
def reversal_not_one_way() -> list[Patch]:
    look = Resolver.look

    def both_ways(self: Any, record_id: str, no: int) -> Sale:
        sale = self._journal.sale(record_id)
        one = sale.attempt(no)
        if one.state is AttemptState.REVERSING and not sale.stop and sale.paid_attempt is None:
            answer = self._payment.query(attempt.ask_of(sale, one))
            if answer.say is Say.APPROVED and answer.approved_fen == one.amount_fen:
                with self._journal._transaction() as db:
                    db.execute("DROP TRIGGER IF EXISTS attempt_moves")
                    db.execute(
                        "UPDATE attempt SET state = 'UNKNOWN' WHERE record_id = ? AND no = ?", (record_id, no)
                    )
                return self._journal.paid(record_id, no, answer.approved_fen, answer.evidence)
        return look(self, record_id, no)

    return [(Resolver, "look", both_ways)]


@bug("a reversal that is refused as settled ends the attempt as not paid")
def refused_reversal_ignored() -> list[Patch]:
    reverse = Resolver._reverse

    def careless(self: Any, sale: Sale, one: Attempt) -> Sale:
        found = reverse(self, sale, one)
        if found.attempt(one.no).state is AttemptState.GIVING_BACK:
            with self._journal._transaction() as db:
                db.execute("DROP TRIGGER IF EXISTS attempt_moves")
                db.execute(
                    "UPDATE attempt SET state = 'REVERSING' WHERE record_id = ? AND no = ?",
                    (sale.record_id, one.no),
                )
            return self._paying.not_paid(sale, one.no, one.evidence)
        return found

    return [(Resolver, "_reverse", careless)]


@bug("an approval of a part (code 10) is taken for the whole")
def partial_approval_taken() -> list[Patch]:
    judge = DrivenTerminal._judge
    asked: dict[int, int] = {}
    take = DrivenTerminal.take

    def remember(self: Any, ask: Any) -> Answer:
        asked[id(self)] = ask.amount_fen
        return take(self, ask)

    def whole(self: Any, said: Any) -> Answer:
        answer = judge(self, said)
        if self._class_of(said) is CodeClass.PARTIAL:
            return replace(answer, approved_fen=asked.get(id(self), answer.approved_fen))
        return answer

    return [(DrivenTerminal, "take", remember), (DrivenTerminal, "_judge", whole)]


@bug("any approved amount is a yes")
def approved_amount_not_compared() -> list[Patch]:
    judge = attempt.judge

    def any_amount(one: Attempt, answer: Answer) -> Verdict:
        found = judge(one, answer)
        return Verdict.PAID if found is Verdict.UNDO else found

    return [(attempt, "judge", any_amount), (resolve, "judge", any_amount)]


@bug("the terminal's answer to the sale before is taken for this one's")
def answer_of_previous_sale_taken() -> list[Patch]:
    return [(Wanted, "is_answered_by", lambda self, said: said.kind == self.kind)]


@bug("a yes that comes after the cashier has given up is taken")
def late_yes_after_stop_taken() -> list[Patch]:
    paid = SqliteJournal.paid

    def taken(self: Any, record_id: str, no: int, approved_fen: int, evidence: Evidence) -> Sale:
        with self._transaction() as db:
            before = self.sale(record_id).stop
            db.execute("UPDATE sale SET stop = 0 WHERE record_id = ?", (record_id,))
        found = paid(self, record_id, no, approved_fen, evidence)
        with self._transaction() as db:
            db.execute("UPDATE sale SET stop = ? WHERE record_id = ?", (int(before), record_id))
        return found

    return [(SqliteJournal, "paid", taken)]


@bug("a payment may begin after the hold's time is over")
def payment_outlives_its_hold() -> list[Patch]:
    return [(Sale, "hold_is_over", lambda *_: False)]


@bug("a steady clock that began anew with the host is trusted")
def steady_clock_reset_trusted() -> list[Patch]:
    def by_one_clock(self: Any, _wall_ms: int, steady_ms: int, _boot: str) -> bool:
        return self.held is None or steady_ms >= self.asked_steady_ms + self.held.promise.held_for_s * 1000

    return [(Sale, "hold_is_over", by_one_clock)]


@bug("a refund is sent again without a look at what became of the first")
def refund_twice() -> list[Patch]:
    return [(serial_ecr, "next_step", lambda *_: Step.REFUND)]


@bug("more is refunded than was paid")
def refund_above_the_original() -> list[Patch]:
    send = DrivenTerminal._send_refund

    def above(self: Any, conversation: Any, ask: Any, back: Any) -> Any:
        return send(self, conversation, ask, replace(back, fen=back.fen + 100))

    return [(DrivenTerminal, "_send_refund", above)]
