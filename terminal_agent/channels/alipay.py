"""How is money taken, looked up and given back by Alipay, when the shopper shows a payment code?

Our own pay_ref is its order number, so everything can be asked for and undone without having heard an
answer. Only a payment of our order that is done, in CNY, is a yes, of the amount it names; only what the
profile lists is a no. Alipay's answers carry no time: nothing is believed that does not name our own number.
"""

from collections.abc import Callable

from msgspec.structs import replace

from subsidy import ids
from subsidy.money import yuan
from subsidy.records.payment import Evidence
from terminal_agent.bounded_http import BoundedSession, HttpNote
from terminal_agent.channels.alipay_answer import (
    CURRENCY,
    Said,
    evidence_of,
    fen_of,
    kept_code,
    offers_of,
    read,
)
from terminal_agent.channels.alipay_client import GatewayClient
from terminal_agent.channels.alipay_keys import AlipayKeys
from terminal_agent.channels.alipay_profile import Profile
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.channels.shared_answers import NO_KEYS, NO_PAY_CODE, mark_with, unclear
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Say

_REFUNDED = "REFUND_SUCCESS"
_OF_THE_PAYMENT = "ACQ."


class Alipay:
    """Alipay of one application. Fits `checkout.ports.Payment`."""

    not_found_is_no = False
    reverses_blind = True

    def __init__(self, profile: Profile, client: GatewayClient, keys: Callable[[], AlipayKeys]) -> None:
        self.clocks = profile.clocks
        self._profile = profile
        self._client = client
        self._keys = keys

    def prepare(self, ask: Ask) -> str | None:
        """Return "-": nothing must be stored before money may move. None when we have no keys."""
        return mark_with(self._keys)

    def take(self, ask: Ask) -> Answer:
        """Take the amount from the wallet whose code was shown. This moves money; sent once."""
        assert ask.amount_fen > 0
        if ask.pay_code is None:
            return NO_PAY_CODE
        heard = self._call(
            "alipay.trade.pay",
            {
                "out_trade_no": ask.pay_ref,
                "scene": "bar_code",
                "auth_code": ask.pay_code.reveal(),
                "product_code": "FACE_TO_FACE_PAYMENT",
                "subject": self._profile.subject,
                "total_amount": yuan(ask.amount_fen),
                "timeout_express": f"{self._profile.pay_within_minutes}m",
                "store_id": self._profile.store_id,
            },
        )
        if (no := self._refused(heard, ask)) is not None:
            return no
        if isinstance(heard, Silence):
            return unclear(heard)
        if _names(heard, ask) and heard.code in self._profile.waiting:
            return Answer(Say.PENDING, evidence=self._evidence(heard, heard.code))
        if _names(heard, ask) and heard.code in self._profile.done:
            return self._yes(heard, heard.code)
        return self._unclear(heard, ask)

    def query(self, ask: Ask) -> Answer:
        """Say what became of the attempt. "No such order" is NOT_FOUND, and never a no."""
        heard = self._call("alipay.trade.query", {"out_trade_no": ask.pay_ref})
        if isinstance(heard, Silence):
            return unclear(heard)
        if self._knows_none(heard, ask):
            return Answer(Say.NOT_FOUND, evidence=Evidence(code=heard.sub_code))
        if heard.code not in self._profile.done or not _names(heard, ask):
            return self._unclear(heard, ask)
        state = heard.trade_status
        if state in self._profile.pending_states:
            return Answer(Say.PENDING, evidence=self._evidence(heard, state))
        if state in self._profile.no_states:
            # Never paid, or given back whole: nothing of it stands.
            return Answer(Say.DECLINED, evidence=self._evidence(heard, state))
        if state in self._profile.paid_states:
            return self._yes(heard, state)
        return Answer(Say.UNCLEAR, evidence=self._evidence(heard, state))

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Undo the attempt whole, paid or not. APPROVED: nothing of it stands. May be repeated.

        Alipay says done of an order that it does not know, too, and such a one could still be paid: what
        counts is what the order itself says after. NOT_FOUND: it knows of none, and took the cancel or said
        so to that too. Who refuses it otherwise may know an order that a question does not find yet.
        """
        heard = self._call("alipay.trade.cancel", {"out_trade_no": ask.pay_ref})
        if isinstance(heard, Silence):
            return unclear(heard)
        found = self.query(ask)
        if found.say is Say.DECLINED:
            return replace(found, say=Say.APPROVED)
        if found.say is Say.APPROVED:
            never = heard.code in self._profile.failed and heard.sub_code in self._profile.cannot_reverse
            if not never:
                return self._unclear(heard, ask)
            return Answer(Say.DECLINED, evidence=found.evidence)
        if found.say is Say.NOT_FOUND and not (
            heard.code in self._profile.done or self._knows_none(heard, ask)
        ):
            return self._unclear(heard, ask)
        return found

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give back `back.fen` of a paid attempt. This moves money, once per `back.refund_no`.

        May be repeated. Alipay answers with the sum of all refunds of the order, so what became of this
        one is asked for by its own number.
        """
        assert 0 < back.fen <= ask.amount_fen
        assert ids.read_pay_ref(back.refund_no) is not None
        heard = self._call(
            "alipay.trade.refund",
            {"out_trade_no": ask.pay_ref, "refund_amount": yuan(back.fen), "out_request_no": back.refund_no},
        )
        if isinstance(heard, Silence):
            return unclear(heard)
        if heard.code in self._profile.done and _names(heard, ask):
            return self.refund_query(ask, back.refund_no)
        refused = heard.code in self._profile.failed and heard.sub_code in self._profile.refund_refused
        if refused and _names_no_other(heard, ask):
            # An earlier try under the same number may have been taken all the same.
            found = self.refund_query(ask, back.refund_no)
            no = Answer(Say.DECLINED, evidence=Evidence(code=heard.sub_code))
            return no if found.say is Say.NOT_FOUND else found
        return self._unclear(heard, ask)

    def refund_query(self, ask: Ask, refund_no: str) -> Answer:
        """Say what became of a refund. "No such refund" is NOT_FOUND, and never a no."""
        heard = self._call(
            "alipay.trade.fastpay.refund.query", {"out_trade_no": ask.pay_ref, "out_request_no": refund_no}
        )
        if isinstance(heard, Silence):
            return unclear(heard)
        if self._knows_none(heard, ask):
            return Answer(Say.NOT_FOUND, evidence=Evidence(code=heard.sub_code))
        if heard.code not in self._profile.done:
            return self._unclear(heard, ask)
        evidence = self._evidence(heard, heard.refund_status)
        named = (heard.out_trade_no, heard.out_request_no)
        if named in (("", ""), (ask.pay_ref, ""), (ask.pay_ref, refund_no)) and not heard.refund_status:
            # The question was answered, and there is no such refund.
            return Answer(Say.NOT_FOUND, evidence=evidence)
        if named != (ask.pay_ref, refund_no):
            return self._unclear(heard, ask)
        fen = fen_of(heard.refund_amount)
        if heard.refund_status != _REFUNDED or fen is None:
            return Answer(Say.UNCLEAR, evidence=evidence)
        return Answer(Say.APPROVED, approved_fen=fen, evidence=evidence)

    def _refused(self, heard: Said | Silence, ask: Ask) -> Answer | None:
        """Return the sure no that an answer to a payment is, None when it is none."""
        if heard is Silence.NO_KEYS:
            return NO_KEYS
        if isinstance(heard, Silence) or heard.code not in self._profile.failed:
            return None
        # The gateway's own refusals come before it has looked at any order, and name none.
        of_the_gateway = not heard.out_trade_no and not heard.sub_code.startswith(_OF_THE_PAYMENT)
        of_ours = _names(heard, ask) or of_the_gateway
        if not of_ours or heard.sub_code not in self._profile.refused:
            return None
        text = self._profile.refused[heard.sub_code]
        return Answer(Say.DECLINED, evidence=Evidence(code=heard.sub_code, text=text))

    def _yes(self, said: Said, code: str) -> Answer:
        evidence = self._evidence(said, code)
        fen = fen_of(said.total_amount)
        if fen is None or said.trans_currency != CURRENCY:
            # A yes to no amount is no yes.
            return Answer(Say.UNCLEAR, evidence=evidence)
        theirs, ours = offers_of(said)
        return Answer(Say.APPROVED, fen, replace(evidence, offer_fen=theirs, shop_offer_fen=ours))

    def _knows_none(self, said: Said, ask: Ask) -> bool:
        known = said.code in self._profile.failed and said.sub_code in self._profile.not_found
        return known and _names_no_other(said, ask)

    def _unclear(self, said: Said, ask: Ask) -> Answer:
        """Return that nothing is clear, with the reason, unless it is said of somebody else's order."""
        return unclear(kept_code(said.reason) if _names_no_other(said, ask) else "")

    def _evidence(self, said: Said, code: str) -> Evidence:
        return evidence_of(said, self._profile.app_id, code)

    def _call(self, method: str, content: dict[str, object]) -> Said | Silence:
        heard = self._client.call(method, content)
        if isinstance(heard, Silence):
            return heard
        # What is signed and cannot be read says nothing, in its own code.
        return read(heard) or Said()


def open_alipay(
    profile: Profile, clock: Clock, session: BoundedSession | None = None, note: HttpNote | None = None
) -> Alipay:
    """Return Alipay as `profile` describes it, over the network; `note` takes down each exchange."""
    client, keys = line_of(profile, clock, session, note)
    return Alipay(profile, client, keys)


def line_of(
    profile: Profile, clock: Clock, session: BoundedSession | None, note: HttpNote | None
) -> tuple[GatewayClient, Callable[[], AlipayKeys]]:
    """Return the line of one application over the network, and the keys that hold at present."""
    keys = profile.keys.reread()
    session = session or BoundedSession(clock)
    session.note = note
    client = GatewayClient(
        session=session,
        gateway=profile.gateway,
        app_id=profile.app_id,
        keys=keys.current,
        clock=clock,
        limits=profile.limits,
    )
    return client, keys.current


def _names(said: Said, ask: Ask) -> bool:
    return said.out_trade_no == ask.pay_ref


def _names_no_other(said: Said, ask: Ask) -> bool:
    return said.out_trade_no in ("", ask.pay_ref)
