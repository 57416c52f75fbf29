"""Planted where wallets take money by codes, and give it back."""

from sim.bugs import Patch, bug
from subsidy.records.payment import Evidence
from terminal_agent.channels.shown_codes import ShownCodes
from terminal_agent.channels.wechat_native import WechatNative
from terminal_agent.checkout.ports import Answer, Ask, Say
from terminal_agent.checkout.sale import Sale
from terminal_agent.checkout.send_refund import Refunds


@bug("a refund that a wallet refuses is over, though an earlier try of it may still be on its way")
def refused_refund_is_over_at_once() -> list[Patch]:
    return [(Refunds, "_may_be_late", lambda _self: False)]


@bug("a code that is shown ends with its hold by the shop's own clock, which may be wrong")
def code_shown_by_the_shops_clock() -> list[Patch]:
    return [(Sale, "promised_until_ms", Sale.held_until_ms)]


@bug("an offer that no wallet knows of is called not paid while its code can still be scanned")
def offer_called_over_too_early() -> list[Patch]:
    return [(ShownCodes, "is_over", lambda _self, _ask: True)]


@bug("an order whose close was confirmed is called closed without a look at it")
def close_not_looked_at() -> list[Patch]:
    reverse = WechatNative.reverse

    def believed(self: WechatNative, ask: Ask, evidence: Evidence) -> Answer:
        found = reverse(self, ask, evidence)
        is_open = found.say is Say.UNCLEAR and found.evidence.code == ""
        return Answer(Say.APPROVED, evidence=found.evidence) if is_open else found

    return [(WechatNative, "reverse", believed)]
