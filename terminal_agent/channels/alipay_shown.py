"""How is money taken by Alipay with a code that we show and the shopper scans?

The code is an offer (precreate): Alipay knows of no payment until somebody scans it, and confirms the cancel
of one that it does not know. So what is stopped stays being reversed until the code's own time is over:
nobody can pay it then, and one host time-out later "no such payment" says that nobody did. What was paid
before that is cancelled, as with a payment code.
"""

import re
from collections.abc import Callable

from msgspec.structs import replace

from subsidy import calendar
from subsidy.money import yuan
from subsidy.records.payment import Evidence
from terminal_agent.bounded_http import BoundedSession, HttpNote
from terminal_agent.channels.alipay import Alipay, line_of
from terminal_agent.channels.alipay_client import TIME_FORM, GatewayClient
from terminal_agent.channels.alipay_keys import AlipayKeys
from terminal_agent.channels.alipay_profile import Profile
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.channels.shared_answers import unclear
from terminal_agent.channels.shown_codes import ShownCodes
from terminal_agent.checkout.ports import Answer, Ask, Clock, Say

_CODE = re.compile(r"https://qr\.alipay\.com/[0-9A-Za-z]{1,64}", re.ASCII)


class AlipayShown(Alipay):
    """Alipay of one application, by codes that we show. Fits `checkout.ports.Payment`."""

    def __init__(
        self, profile: Profile, client: GatewayClient, keys: Callable[[], AlipayKeys], clock: Clock
    ) -> None:
        super().__init__(profile, client, keys)
        self._codes = ShownCodes(clock, self.clocks.host_timeout_s)

    def take(self, ask: Ask) -> Answer:
        """Make the offer that the shopper pays by scanning, and return its code. Sent once."""
        assert ask.amount_fen > 0
        assert ask.show_until_ms is not None
        self._codes.see(ask)
        heard = self._call(
            "alipay.trade.precreate",
            {
                "out_trade_no": ask.pay_ref,
                "subject": self._profile.subject,
                "total_amount": yuan(ask.amount_fen),
                "time_expire": f"{calendar.from_ms(ask.show_until_ms):{TIME_FORM}}",
                "store_id": self._profile.store_id,
            },
        )
        if (no := self._refused(heard, ask)) is not None:
            return no
        if isinstance(heard, Silence):
            return unclear(heard)
        offered = heard.code in self._profile.done and heard.out_trade_no == ask.pay_ref
        if not offered or _CODE.fullmatch(heard.qr_code) is None:
            return self._unclear(heard, ask)
        return Answer(Say.PENDING, evidence=Evidence(code=heard.code), show=heard.qr_code)

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Undo the attempt whole, scanned or not. APPROVED: nothing of it stands, and nobody can pay it."""
        # Before the question: what is not there now was not paid while its time ran.
        is_over = self._codes.is_over(ask)
        found = super().reverse(ask, evidence)
        if found.say is Say.NOT_FOUND:
            return replace(found, say=Say.APPROVED if is_over else Say.UNCLEAR)
        return found


def open_alipay_shown(
    profile: Profile, clock: Clock, session: BoundedSession | None = None, note: HttpNote | None = None
) -> AlipayShown:
    """Return Alipay by codes that we show, as `profile` describes it, over the network."""
    client, keys = line_of(profile, clock, session, note)
    return AlipayShown(profile, client, keys, clock)
