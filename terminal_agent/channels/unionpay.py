"""How is money taken, looked up and given back by UnionPay QR, whichever side shows the code?

Its answer to a payment never is a yes: 00 says that the payment was accepted, and what became of it is said
when it is asked for. A payment is named by our pay_ref together with the time it was begun, so that time is
stored before money may move. Reversed (冲正) is on the same settlement day only; after it, a refund.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeGuard

import msgspec
from msgspec.structs import replace

from subsidy import calendar, ids
from subsidy.records.payment import Evidence
from subsidy.strict import json_bytes
from subsidy.strict.digits import read_count
from subsidy.strict.json_bytes import NotStrict
from terminal_agent.bounded_http import BoundedSession, HttpNote
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.one_exchange import MOST_BYTES, Silence
from terminal_agent.channels.shared_answers import NO_KEYS, NO_PAY_CODE
from terminal_agent.channels.shown_codes import ShownCodes
from terminal_agent.channels.unionpay_client import Said, UnionPayClient
from terminal_agent.channels.unionpay_keys import UnionPayKeyFiles, UnionPayKeys
from terminal_agent.channels.unionpay_profile import Profile
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Say

CNY = "156"
TIME_FORM = "%Y%m%d%H%M%S"

_TRADE, _QUERY = "/gateway/api/backTransReq.do", "/gateway/api/queryTrans.do"
_DONE = "00"
_SAYS_NOTHING = ("03", "04")  # timed out, not clear
_PAY, _REFUND, _REVERSE, _ASK = "01", "04", "99", "00"
_BY_THEIR_CODE, _BY_OUR_CODE = "06", "07"
_CODE = re.compile(r"[0-9A-Z]{2}", re.ASCII)
_QUERY_ID = re.compile(r"[0-9]{20,21}", re.ASCII)
_TIME = re.compile(r"[0-9]{14}", re.ASCII)
_TRACE = re.compile(r"[0-9]{6}", re.ASCII)
_SHOWN = re.compile(r"https://[!-~]{8,200}", re.ASCII)
_MOST_FEN = 10**12 - 1


class UnionPay:
    """UnionPay QR of one merchant, by the code that the shopper shows. Fits `checkout.ports.Payment`."""

    not_found_is_no = False
    reverses_blind = True

    def __init__(
        self, profile: Profile, client: UnionPayClient, keys: Callable[[], UnionPayKeys], clock: Clock
    ) -> None:
        self.clocks = profile.clocks
        self._profile = profile
        self._client = client
        self._keys = keys
        self._clock = clock

    def prepare(self, ask: Ask) -> str | None:
        """Return the time of the order, which names it with its number. None when we have no keys."""
        try:
            self._keys()
        except KeyTrouble:
            return None
        return f"{calendar.from_ms(self._clock.wall_ms()):{TIME_FORM}}"

    def take(self, ask: Ask) -> Answer:
        """Have the amount taken from the wallet whose code was shown. This moves money; sent once."""
        if ask.pay_code is None:
            return NO_PAY_CODE
        heard = self._order(ask, {"txnSubType": _BY_THEIR_CODE, "qrNo": ask.pay_code.reveal()})
        if (no := self._refused(ask, heard)) is not None:
            return no
        if self._is_about(heard, ask.pay_ref, ask.mark) and self._is_accepted(heard):
            return Answer(Say.PENDING, evidence=self._evidence(heard, "respCode"))
        return _unclear(heard)

    def query(self, ask: Ask) -> Answer:
        """Say what became of the attempt. "No such payment" is NOT_FOUND, and never a no."""
        return self._judge(ask.pay_ref, ask.mark, self._look_up(ask.pay_ref, ask.mark))

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Undo the attempt whole, paid or not, on its settlement day. May be repeated."""
        heard = self._send(
            {
                "txnType": _REVERSE,
                "txnSubType": "01",
                "orderId": ask.pay_ref,
                "txnTime": ask.mark or "",
                "txnAmt": str(ask.amount_fen),
                "currencyCode": CNY,
            }
        )
        if isinstance(heard, Silence) or not self._is_about(heard, ask.pay_ref, ask.mark):
            return _unclear(heard)
        code = heard.get("respCode")
        said = self._evidence(heard, "respCode")
        if code == _DONE:
            return Answer(Say.APPROVED, evidence=said)
        if code in self._profile.not_found:
            return Answer(Say.NOT_FOUND, evidence=said)
        if code in self._profile.cannot_reverse:
            return self._judge_unreversed(ask)
        return Answer(Say.PENDING if code in self._profile.pending else Say.UNCLEAR, evidence=said)

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give back `back.fen` of a paid attempt. This moves money, once per `back.refund_no`.

        May be repeated with the same mark: UnionPay does an order number and time once, and we ask what
        became of it.
        """
        assert 0 < back.fen <= ask.amount_fen
        assert ids.read_pay_ref(back.refund_no) is not None
        heard = self._send(
            {
                "txnType": _REFUND,
                "txnSubType": "00",
                "orderId": back.refund_no,
                "txnTime": back.mark or "",
                "txnAmt": str(back.fen),
                "currencyCode": CNY,
                "origOrderId": ask.pay_ref,
                "origTxnTime": ask.mark or "",
                "backUrl": self._profile.back_url,
            }
        )
        if isinstance(heard, Silence) or not self._is_about(heard, back.refund_no, back.mark):
            return _unclear(heard)
        if heard.get("respCode") in _SAYS_NOTHING:
            return _unclear(heard)
        found = self._judge(back.refund_no, back.mark, self._look_up(back.refund_no, back.mark))
        refused = heard.get("respCode") in self._profile.refund_refused
        if refused and found.say is Say.NOT_FOUND:
            return Answer(Say.DECLINED, evidence=self._evidence(heard, "respCode"))
        return found if found.say is not Say.NOT_FOUND else _unclear(heard)

    def _judge_unreversed(self, ask: Ask) -> Answer:
        """Say what a reversal that will not be done means: DECLINED only when the payment stands.

        Who refuses it may know an order that a question does not find yet: that is no NOT_FOUND.
        """
        found = self.query(ask)
        if found.say is Say.APPROVED:
            return Answer(Say.DECLINED, evidence=found.evidence)
        if found.say is Say.DECLINED:
            return Answer(Say.APPROVED, evidence=found.evidence)
        return Answer(Say.UNCLEAR, evidence=found.evidence)

    def _order(self, ask: Ask, more: Mapping[str, str]) -> Said | Silence:
        assert ask.amount_fen > 0
        return self._send(
            {
                "txnType": _PAY,
                "orderId": ask.pay_ref,
                "txnTime": ask.mark or "",
                "txnAmt": str(ask.amount_fen),
                "currencyCode": CNY,
                "termId": self._profile.term_id,
                "backUrl": self._profile.back_url,
                **more,
            }
        )

    def _send(self, fields: Mapping[str, str]) -> Said | Silence:
        return self._client.call(_TRADE, fields)

    def _look_up(self, order_no: str, mark: str | None) -> Said | Silence:
        fields = {"txnType": _ASK, "txnSubType": "00", "orderId": order_no, "txnTime": mark or ""}
        return self._client.call(_QUERY, fields)

    def _refused(self, ask: Ask, heard: Said | Silence) -> Answer | None:
        """Return the sure no that an answer to a payment is, None when it is none.

        A refusal that names no order, or another one, may be the answer to something else.
        """
        if heard is Silence.NO_KEYS:
            return NO_KEYS
        if not self._is_about(heard, ask.pay_ref, ask.mark):
            return None
        code = heard.get("respCode")
        if code in self._profile.refused:
            return Answer(Say.DECLINED, evidence=Evidence(code=code, text=self._profile.refused[code]))
        return None

    def _is_accepted(self, heard: Said) -> bool:
        return heard.get("respCode") in (_DONE, *self._profile.pending)

    def _is_about(self, heard: Said | Silence, order_no: str, mark: str | None) -> TypeGuard[Said]:
        """Whether an answer is about that order of ours, and not of another or at another merchant."""
        return isinstance(heard, Said) and (
            heard.get("merId"),
            heard.get("orderId"),
            heard.get("txnTime"),
        ) == (self._profile.mer_id, order_no, mark)

    def _judge(self, order_no: str, mark: str | None, heard: Said | Silence) -> Answer:
        """Say what the answer to a question says of the payment or refund that was asked about."""
        if isinstance(heard, Silence) or not self._is_about(heard, order_no, mark):
            return _unclear(heard)
        if heard.get("respCode") in self._profile.not_found:
            return Answer(Say.NOT_FOUND, evidence=self._evidence(heard, "respCode"))
        if heard.get("respCode") != _DONE:
            return _unclear(heard)
        code, evidence = heard.get("origRespCode"), self._evidence(heard, "origRespCode")
        if code in self._profile.pending:
            return Answer(Say.PENDING, evidence=evidence)
        if code in self._profile.refused or code in self._profile.failed:
            return Answer(Say.DECLINED, evidence=evidence)
        fen = _fen(heard.get("txnAmt"))
        if code != _DONE or fen is None or heard.get("currencyCode") != CNY:
            # A yes to no amount is no yes.
            return Answer(Say.UNCLEAR, evidence=evidence)
        theirs, ours = _offers(heard.get("couponInfo"), self._profile.mer_id, fen)
        return Answer(Say.APPROVED, fen, replace(evidence, offer_fen=theirs, shop_offer_fen=ours))

    def _evidence(self, heard: Said, code_in: str) -> Evidence:
        """Return what may be kept of an answer, each part only in its own shape."""
        time = _shaped(heard.get("txnTime"), _TIME)
        return Evidence(
            code=_shaped(heard.get(code_in), _CODE),
            merchant_no=self._profile.mer_id,
            trace=_shaped(heard.get("traceNo"), _TRACE),
            channel_no=_shaped(heard.get("queryId"), _QUERY_ID),
            host_date=time[:8],
            host_time=time[8:],
        )


class UnionPayShown(UnionPay):
    """The same by a code that we show and the shopper scans. Fits `checkout.ports.Payment`."""

    def __init__(
        self, profile: Profile, client: UnionPayClient, keys: Callable[[], UnionPayKeys], clock: Clock
    ) -> None:
        super().__init__(profile, client, keys, clock)
        self._codes = ShownCodes(clock, self.clocks.host_timeout_s)
        self._without_code: set[str] = set()

    def take(self, ask: Ask) -> Answer:
        """Make the order that the shopper pays by scanning, and return its code. Sent once."""
        self._codes.see(ask)
        answer = self._make_order(ask)
        if not answer.show:
            self._without_code.add(ask.pay_ref)
        return answer

    def _make_order(self, ask: Ask) -> Answer:
        assert ask.show_until_ms is not None
        until = f"{calendar.from_ms(ask.show_until_ms):{TIME_FORM}}"
        heard = self._order(ask, {"txnSubType": _BY_OUR_CODE, "payTimeout": until})
        if (no := self._refused(ask, heard)) is not None:
            return no
        if not self._is_about(heard, ask.pay_ref, ask.mark) or heard.get("respCode") != _DONE:
            return _unclear(heard)
        code = _shaped(heard.get("qrCode"), _SHOWN)
        if not code:
            return _unclear(heard)
        return Answer(Say.PENDING, evidence=self._evidence(heard, "respCode"), show=code)

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Undo the attempt whole, scanned or not. APPROVED: nothing of it stands, and nobody can pay it."""
        found = super().reverse(ask, evidence)
        # There may be no payment to be known before somebody scans the code, if anybody can have it.
        may_come = found.say is Say.NOT_FOUND and ask.pay_ref not in self._without_code
        return self._judge_unreversed(ask) if may_come else found

    def _judge_unreversed(self, ask: Ask) -> Answer:
        """Say the same of an order that may not have been scanned yet.

        Nobody can pay it any more once its time is over; one host time-out later that is what its state says.
        """
        is_over = self._codes.is_over(ask)
        found = self.query(ask)
        if found.say is Say.APPROVED:
            return Answer(Say.DECLINED, evidence=found.evidence)
        if found.say is Say.DECLINED or (is_over and found.say in (Say.PENDING, Say.NOT_FOUND)):
            return Answer(Say.APPROVED, evidence=found.evidence)
        return Answer(Say.UNCLEAR, evidence=found.evidence)


def open_unionpay(
    profile: Profile, clock: Clock, session: BoundedSession | None = None, note: HttpNote | None = None
) -> UnionPay:
    """Return UnionPay by payment codes as `profile` describes it; `note` takes down each exchange."""
    client, keys = _line(profile, clock, session, note)
    return UnionPay(profile, client, keys, clock)


def open_unionpay_shown(
    profile: Profile, clock: Clock, session: BoundedSession | None = None, note: HttpNote | None = None
) -> UnionPayShown:
    """Return UnionPay by codes that we show as `profile` describes it; `note` takes down each exchange."""
    client, keys = _line(profile, clock, session, note)
    return UnionPayShown(profile, client, keys, clock)


def _line(
    profile: Profile, clock: Clock, session: BoundedSession | None, note: HttpNote | None
) -> tuple[UnionPayClient, Callable[[], UnionPayKeys]]:
    keys = UnionPayKeyFiles(profile.files, profile.platform_name)
    session = session or BoundedSession(clock)
    session.note = note
    client = UnionPayClient(
        session=session,
        base_url=profile.base_url,
        mer_id=profile.mer_id,
        keys=keys.current,
        clock=clock,
        limits=profile.limits,
    )
    return client, keys.current


def _unclear(heard: Said | Silence) -> Answer:
    """Return that nothing is clear. The code is ours or has the shape of one; it proves nothing."""
    code = heard if isinstance(heard, Silence) else _shaped(heard.get("respCode"), _CODE)
    return Answer(Say.UNCLEAR, evidence=Evidence(code=str(code)))


def _shaped(text: str, shape: re.Pattern[str]) -> str:
    return text if shape.fullmatch(text) else ""


class _Coupon(msgspec.Struct, frozen=True):
    """A coupon of a payment: who sponsors it, and how much it bore, in fen."""

    spnsrId: str = ""
    offstAmt: str = ""


def _offers(coupons: str, mer_id: str, fen: int) -> tuple[int, int]:
    """Return what others bore of a payment, and what the shop bore. Coupons never say whether it was paid."""
    try:
        read = json_bytes.decode(coupons.encode("utf-8"), tuple[_Coupon, ...], MOST_BYTES)
    except NotStrict:
        return 0, 0
    theirs = sum(_fen(one.offstAmt) or 0 for one in read if one.spnsrId != mer_id)
    ours = sum(_fen(one.offstAmt) or 0 for one in read if one.spnsrId == mer_id)
    return (theirs, ours) if theirs + ours <= fen else (0, 0)


def _fen(text: str) -> int | None:
    try:
        fen = read_count(text, _MOST_FEN)
    except ValueError:
        return None
    return fen or None
