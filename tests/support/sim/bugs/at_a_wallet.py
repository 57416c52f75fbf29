"""Planted where wallets take money by codes, and give it back."""

from typing import Any

from msgspec.structs import replace

from sim.bugs import Patch, bug
from terminal_agent.channels.shown_codes import ShownCodes
from terminal_agent.channels.unionpay import UnionPay
from terminal_agent.channels.unionpay_client import Said
from terminal_agent.channels.wechat import WechatPay
from terminal_agent.channels.wechat_native import WechatNative
from terminal_agent.checkout.ports import Answer, Say
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


@bug("an order of a payment code that is not paid yet (NOTPAY) is called not paid")
def not_paid_yet_is_a_no() -> list[Patch]:
    judge = WechatPay._judge

    def hasty(self: Any, ask: Any, heard: Any) -> Answer:
        answer = judge(self, ask, heard)
        is_yet = answer.evidence.code == "NOTPAY" and not isinstance(self, WechatNative)
        return replace(answer, say=Say.DECLINED) if is_yet else answer

    return [(WechatPay, "_judge", hasty)]


@bug("a refusal of another order is taken for one of ours")
def strangers_refusal_is_a_no() -> list[Patch]:
    refused = UnionPay._refused

    def of_anybody(self: Any, ask: Any, heard: Any) -> Answer | None:
        if isinstance(heard, Said) and heard.get("respCode") in self._profile.refused:
            return Answer(Say.DECLINED)
        return refused(self, ask, heard)

    return [(UnionPay, "_refused", of_anybody)]


@bug("a code that nobody waits for any more is called not paid and is not closed")
def code_not_closed() -> list[Patch]:
    return [(WechatNative, "reverse", lambda _self, _ask, evidence: Answer(Say.APPROVED, evidence=evidence))]
