"""How is money taken, looked up and given back by WeChat Pay, when the shopper shows a payment code?

Our own pay_ref is its order number, so everything can be asked for and undone without having heard an
answer. Only an explicit SUCCESS of our order, at our merchant, in CNY, is a yes, of the amount it names; only
what the profile lists is a no. Over 1000 yuan WeChat asks for the password, so PENDING is the usual
first answer to a payment of ours.
"""

from collections.abc import Callable
from urllib.parse import quote, urlencode

import msgspec
from msgspec.structs import replace

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.bounded_http import BoundedSession, HttpNote
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.channels.profile import Profile, States, key_places
from terminal_agent.channels.read_answer import (
    CURRENCY,
    RefundSaid,
    Trade,
    code_of,
    evidence_of,
    offers_of,
    read,
)
from terminal_agent.channels.shared_answers import NO_KEYS, NO_PAY_CODE, mark_with, unclear
from terminal_agent.channels.signed_client import Reply, SignedClient
from terminal_agent.channels.wechat_keys import KeyFiles, Keys
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Say

_ORDERS = "/v3/pay/transactions/out-trade-no/"
_REFUNDS = "/v3/refund/domestic/refunds"


class WechatPay:
    """WeChat Pay of one merchant. Fits `checkout.ports.Payment`."""

    not_found_is_no = False
    reverses_blind = True

    def __init__(
        self, profile: Profile, client: SignedClient, keys: Callable[[], Keys], states: States
    ) -> None:
        self.clocks = profile.clocks
        self._profile = profile
        self._states = states
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
        heard = self._post(
            "/v3/pay/transactions/codepay",
            {
                "appid": self._profile.appid,
                "mchid": self._profile.mchid,
                "description": self._profile.description,
                "out_trade_no": ask.pay_ref,
                "payer": {"auth_code": ask.pay_code.reveal()},
                "amount": {"total": ask.amount_fen, "currency": CURRENCY},
                "scene_info": {
                    "device_ip": self._profile.device_ip,
                    "store_info": {"out_id": self._profile.store_id},
                },
            },
        )
        return self._refused(heard) or self._judge(ask, heard)

    def query(self, ask: Ask) -> Answer:
        """Say what became of the attempt. "No such order" is NOT_FOUND, and never a no."""
        path = f"{order_path(ask)}?{urlencode({'mchid': self._profile.mchid})}"
        heard = self._client.call("GET", path)
        if isinstance(heard, Reply) and heard.status == 404 and code_of(heard) in self._profile.not_found:
            return Answer(Say.NOT_FOUND, evidence=evidence_of(code=code_of(heard)))
        return self._judge(ask, heard)

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Undo the attempt whole, paid or not. APPROVED: nothing of it stands. May be repeated.

        WeChat Pay has been seen to confirm reversals that it did not do, so each is looked up, and counts
        when the order itself says that nothing is charged. NOTPAY does not say so: it still could be.
        That ends too: WeChat Pay itself revokes an order of a payment code that is not paid within 45 s.
        """
        heard = self._post(
            f"{order_path(ask)}/reverse", {"appid": self._profile.appid, "mchid": self._profile.mchid}
        )
        if isinstance(heard, Silence):
            return unclear(heard)
        code = code_of(heard)
        if code in self._profile.pending:
            return Answer(Say.PENDING, evidence=evidence_of(code=code))
        found = self.query(ask)
        if found.say is Say.DECLINED:
            return msgspec.structs.replace(found, say=Say.APPROVED)
        if found.say is Say.APPROVED:
            never = 400 <= heard.status < 500 and code in self._profile.cannot_reverse
            return Answer(Say.DECLINED, evidence=found.evidence) if never else unclear(code)
        if found.say is Say.NOT_FOUND and not self._is_known_to_be_none(heard):
            return unclear(code)
        return found

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give back `back.fen` of a paid attempt. This moves money, once per `back.refund_no`.

        May be repeated: WeChat Pay answers a refund number that it knows with what became of it.
        """
        assert 0 < back.fen <= ask.amount_fen
        assert ids.read_pay_ref(back.refund_no) is not None
        heard = self._post(
            _REFUNDS,
            {
                "out_trade_no": ask.pay_ref,
                "out_refund_no": back.refund_no,
                "amount": {"refund": back.fen, "total": ask.amount_fen, "currency": CURRENCY},
            },
        )
        if isinstance(heard, Reply) and 400 <= heard.status < 500:
            code = code_of(heard)
            if code in self._profile.refund_refused:
                # An earlier try under the same number may have been taken all the same.
                found = self.refund_query(ask, back.refund_no)
                no = Answer(Say.DECLINED, evidence=evidence_of(code=code))
                return no if found.say is Say.NOT_FOUND else found
            # "No such order" is seen here for paid ones too.
            return unclear(code)
        return self._judge_refund(ask, back.refund_no, heard)

    def refund_query(self, ask: Ask, refund_no: str) -> Answer:
        """Say what became of a refund. "No such refund" is NOT_FOUND, and never a no."""
        heard = self._client.call("GET", f"{_REFUNDS}/{quote(refund_no, safe='')}")
        if isinstance(heard, Reply) and heard.status == 404 and code_of(heard) in self._profile.not_found:
            return Answer(Say.NOT_FOUND, evidence=evidence_of(code=code_of(heard)))
        return self._judge_refund(ask, refund_no, heard)

    def _refused(self, heard: Reply | Silence) -> Answer | None:
        """Return the sure no that an answer to a payment is, None when it is none."""
        if heard is Silence.NO_KEYS:
            return NO_KEYS
        if isinstance(heard, Reply) and 400 <= heard.status < 500:
            code = code_of(heard)
            if code in self._profile.refused:
                return Answer(Say.DECLINED, evidence=evidence_of(code=code, text=self._profile.refused[code]))
        return None

    def _judge(self, ask: Ask, heard: Reply | Silence) -> Answer:
        if isinstance(heard, Silence):
            return unclear(heard)
        if heard.status not in (200, 202):
            code = code_of(heard)
            if code in self._profile.pending:
                return Answer(Say.PENDING, evidence=evidence_of(code=code))
            return unclear(code)
        trade = read(heard, Trade)
        if trade is None or not self._is_ours(ask, trade):
            # Somebody else's order, so its numbers are not ours to keep either.
            return unclear("")
        evidence = evidence_of(
            code=trade.trade_state,
            merchant_no=self._profile.mchid,
            channel_no=trade.transaction_id,
            success_time=trade.success_time,
        )
        state = trade.trade_state
        if state in self._states.pending:
            return Answer(Say.PENDING, evidence=evidence)
        if heard.status != 200:
            return Answer(Say.UNCLEAR, evidence=evidence)
        if state in self._states.not_paid:
            return Answer(Say.DECLINED, evidence=evidence)
        if state == "REFUND":
            return self._judge_given_back(ask, trade, evidence)
        total = trade.amount.total
        if state != "SUCCESS" or total is None or total <= 0 or trade.amount.currency != CURRENCY:
            # A yes to no amount is no yes.
            return Answer(Say.UNCLEAR, evidence=evidence)
        theirs, ours = offers_of(heard)
        return Answer(Say.APPROVED, total, replace(evidence, offer_fen=theirs, shop_offer_fen=ours))

    def _judge_given_back(self, ask: Ask, trade: Trade, evidence: Evidence) -> Answer:
        """Say whether an order in state REFUND is given back whole: WeChat says so of a part, too."""
        refund = self.refund_query(ask, ids.refund_no(ask.pay_ref))
        total = trade.amount.total
        if refund.say is Say.APPROVED and total is not None and refund.approved_fen == total:
            return Answer(Say.DECLINED, evidence=evidence)
        return Answer(Say.PENDING if refund.say is Say.PENDING else Say.UNCLEAR, evidence=evidence)

    def _judge_refund(self, ask: Ask, refund_no: str, heard: Reply | Silence) -> Answer:
        if isinstance(heard, Silence):
            return unclear(heard)
        if heard.status != 200:
            return unclear(code_of(heard))
        said = read(heard, RefundSaid)
        if said is None or (said.out_refund_no, said.out_trade_no) != (refund_no, ask.pay_ref):
            return unclear("")
        evidence = evidence_of(
            code=said.status,
            merchant_no=self._profile.mchid,
            channel_no=said.refund_id,
            success_time=said.success_time,
        )
        fen = said.amount.refund
        if said.status == "PROCESSING":
            return Answer(Say.PENDING, evidence=evidence)
        if said.status == "CLOSED":
            return Answer(Say.DECLINED, evidence=evidence)
        if said.status == "SUCCESS" and fen is not None and fen > 0 and said.amount.currency == CURRENCY:
            return Answer(Say.APPROVED, approved_fen=fen, evidence=evidence)
        # ABNORMAL too: the money lies between, and a person has to send it on.
        return Answer(Say.UNCLEAR, evidence=evidence)

    def _is_known_to_be_none(self, heard: Reply | Silence) -> bool:
        """Whether an undo was taken, or says itself that there is nothing to undo.

        Who refuses it for another reason, such as being too late, may know an order that a question does not
        find yet.
        """
        if isinstance(heard, Silence):
            return False
        return heard.status in (200, 204) or code_of(heard) in self._profile.not_found

    def _is_ours(self, ask: Ask, trade: Trade) -> bool:
        return (trade.mchid, trade.out_trade_no) == (self._profile.mchid, ask.pay_ref)

    def _post(self, path: str, body: dict[str, object]) -> Reply | Silence:
        return self._client.call("POST", path, msgspec.json.encode(body))


def open_wechat(
    profile: Profile,
    clock: Clock,
    random_bytes: Callable[[int], bytes],
    note: HttpNote | None = None,
    session: BoundedSession | None = None,
) -> WechatPay:
    """Return WeChat Pay as `profile` describes it, over the network; `note` takes down each exchange."""
    client, keys = client_of(profile, clock, random_bytes, note, session)
    return WechatPay(profile, client, keys, profile.states)


def client_of(
    profile: Profile,
    clock: Clock,
    random_bytes: Callable[[int], bytes],
    note: HttpNote | None = None,
    session: BoundedSession | None = None,
) -> tuple[SignedClient, Callable[[], Keys]]:
    """Return the line of one merchant over the network, and the keys that hold at present."""
    keys = KeyFiles(key_places(profile))
    session = session or BoundedSession(clock)
    session.note = note
    client = SignedClient(
        session=session,
        base_url=profile.base_url,
        mchid=profile.mchid,
        keys=keys.current,
        clock=clock,
        random_bytes=random_bytes,
        limits=profile.limits,
    )
    return client, keys.current


def order_path(ask: Ask) -> str:
    """Return the address of an attempt's order."""
    return _ORDERS + quote(ask.pay_ref, safe="")
