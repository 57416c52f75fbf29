"""How is money taken by WeChat Pay with a code that we show and the shopper scans?

An order is made (Native), which nobody can pay without its code; asking and refunding are as with a payment
code. There is no reversal: an order that was not paid is closed, and is not paid only when WeChat Pay, asked
afterwards, says so itself; one that was paid stands, and is refunded.
"""

import re
from collections.abc import Callable

import msgspec

from subsidy import calendar
from subsidy.records.payment import Evidence
from terminal_agent.bounded_http import BoundedSession, HttpNote
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.channels.profile import Profile, States
from terminal_agent.channels.read_answer import CURRENCY, NativeOrder, code_of, evidence_of, read
from terminal_agent.channels.shared_answers import unclear
from terminal_agent.channels.signed_client import Reply, SignedClient
from terminal_agent.channels.wechat import WechatPay, client_of, order_path
from terminal_agent.channels.wechat_keys import Keys
from terminal_agent.checkout.ports import Answer, Ask, Clock, Say

_CODE = re.compile(r"weixin://[!-~]{1,500}", re.ASCII)


class WechatNative(WechatPay):
    """WeChat Pay of one merchant, by codes that we show. Fits `checkout.ports.Payment`."""

    def __init__(
        self, profile: Profile, states: States, client: SignedClient, keys: Callable[[], Keys]
    ) -> None:
        super().__init__(profile, client, keys, states)

    def take(self, ask: Ask) -> Answer:
        """Make the order that the shopper pays by scanning, and return its code. Sent once."""
        assert ask.amount_fen > 0
        assert ask.show_until_ms is not None
        heard = self._post(
            "/v3/pay/transactions/native",
            {
                "appid": self._profile.appid,
                "mchid": self._profile.mchid,
                "description": self._profile.description,
                "out_trade_no": ask.pay_ref,
                "time_expire": calendar.from_ms(ask.show_until_ms).isoformat(timespec="seconds"),
                # There is a page for those who take no notifications: we ask, and believe only answers.
                "notify_url": self._profile.notify_url,
                "amount": {"total": ask.amount_fen, "currency": CURRENCY},
                "scene_info": {
                    "payer_client_ip": self._profile.device_ip,
                    "store_info": {"id": self._profile.store_id},
                },
            },
        )
        if (no := self._refused(heard)) is not None:
            return no
        if isinstance(heard, Silence):
            return unclear(heard)
        order = read(heard, NativeOrder) if heard.status == 200 else None
        if order is None or not _CODE.fullmatch(order.code_url):
            return unclear(code_of(heard))
        return Answer(Say.PENDING, evidence=Evidence(code="NOTPAY"), show=order.code_url)

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Close the order, then ask. APPROVED: nobody has paid it and nobody can. May be repeated."""
        heard = self._post(f"{order_path(ask)}/close", {"mchid": self._profile.mchid})
        found = self.query(ask)
        if found.say is Say.DECLINED:
            return msgspec.structs.replace(found, say=Say.APPROVED)
        if found.say is Say.APPROVED:
            # Paid first: a refund is what is left.
            return Answer(Say.DECLINED, evidence=found.evidence)
        if found.say is Say.PENDING:
            code = code_of(heard) if isinstance(heard, Reply) else heard
            return Answer(Say.UNCLEAR, evidence=evidence_of(code=code))
        if found.say is Say.NOT_FOUND and not self._is_known_to_be_none(heard):
            return unclear(code_of(heard) if isinstance(heard, Reply) else heard)
        return found


def open_wechat_native(
    profile: Profile,
    states: States,
    clock: Clock,
    random_bytes: Callable[[int], bytes],
    session: BoundedSession | None = None,
    note: HttpNote | None = None,
) -> WechatNative:
    """Return WeChat Pay by codes that we show, as `profile` describes it; `note` takes down each exchange."""
    client, keys = client_of(profile, clock, random_bytes, note, session)
    return WechatNative(profile, states, client, keys)
