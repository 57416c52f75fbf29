"""What can the cashier do next? A closed list: the till shows the sentence, programs read the code."""

from enum import StrEnum


class NextAction(StrEnum):
    """Stored and printed: add new ones, never rename or reuse one."""

    NONE = "NONE"
    WAIT = "WAIT"
    HAND_OVER = "HAND_OVER"
    DO_NOT_CHARGE = "DO_NOT_CHARGE"
    PAY_AGAIN_OR_STOP = "PAY_AGAIN_OR_STOP"
    PAY_ANOTHER_WAY = "PAY_ANOTHER_WAY"
    SELL_AGAIN = "SELL_AGAIN"
    SELL_AT_FULL_PRICE = "SELL_AT_FULL_PRICE"
    CHECK_THE_ITEM = "CHECK_THE_ITEM"
    CHECK_THE_PRICE = "CHECK_THE_PRICE"
    CHECK_THE_CODE = "CHECK_THE_CODE"
    USE_ANOTHER_TENDER = "USE_ANOTHER_TENDER"
    QUOTE_AGAIN = "QUOTE_AGAIN"
    TRY_LATER = "TRY_LATER"
    CALL_SUPPORT = "CALL_SUPPORT"
    ASK_HANDED_OVER_OR_REFUND = "ASK_HANDED_OVER_OR_REFUND"
    CORRECT_THE_REQUEST = "CORRECT_THE_REQUEST"
    CHECK_THE_PIN = "CHECK_THE_PIN"
    ASK_ANOTHER_SUPERVISOR = "ASK_ANOTHER_SUPERVISOR"
    RETURN_LATER = "RETURN_LATER"
    RETURN_AGAIN = "RETURN_AGAIN"
    DO_NOT_REFUND_AGAIN = "DO_NOT_REFUND_AGAIN"
    REFUND_REFUSED = "REFUND_REFUSED"
    TAKE_THE_GOODS_BACK = "TAKE_THE_GOODS_BACK"
    CHARGE_AT_TERMINAL = "CHARGE_AT_TERMINAL"
    VOID_AT_TERMINAL = "VOID_AT_TERMINAL"
    TAKE_CASH = "TAKE_CASH"
    SAY_WHERE_THE_CASH_IS = "SAY_WHERE_THE_CASH_IS"
    GIVE_CASH_BACK = "GIVE_CASH_BACK"
    VOID_THE_OTHER_CHARGE = "VOID_THE_OTHER_CHARGE"

    @property
    def zh(self) -> str:
        """The sentence the till shows."""
        return _TEXTS[self][0]

    @property
    def en(self) -> str:
        """The same in English."""
        return _TEXTS[self][1]


_TEXTS = {
    NextAction.NONE: ("无需操作。", "Nothing to do."),
    NextAction.WAIT: ("请稍候，正在等待支付结果。", "Wait: the payment is under way."),
    NextAction.HAND_OVER: ("支付成功，请交付商品和小票。", "Paid: hand over the goods and the receipt."),
    NextAction.DO_NOT_CHARGE: (
        "支付结果待确认，请勿重复收款，请稍后查询。",
        "The result is not known: do not charge again, look at the sale later.",
    ),
    NextAction.PAY_AGAIN_OR_STOP: (
        "未扣款。可换卡或换支付方式再付，或取消本单。",
        "Nothing was charged: pay by another card or way, or stop the sale.",
    ),
    NextAction.PAY_ANOTHER_WAY: (
        "前一笔支付正在撤销，款项将退回。可换卡或换支付方式再付，或取消本单。",
        "The earlier payment is being taken back: pay by another card or way, or stop the sale.",
    ),
    NextAction.SELL_AGAIN: (
        "本单未扣款已关闭，请重新开单。",
        "Nothing was charged and the sale is closed: sell again.",
    ),
    NextAction.SELL_AT_FULL_PRICE: (
        "本单不能享受补贴，可按原价销售。",
        "No subsidy for this sale: it can be sold at full price.",
    ),
    NextAction.CHECK_THE_ITEM: (
        "请核对商品条码和序列号后重试。",
        "Check the bar code and serial number, then try again.",
    ),
    NextAction.CHECK_THE_PRICE: ("请核对销售价格和备案价格。", "Check the price against the filed price."),
    NextAction.CHECK_THE_CODE: (
        "请顾客出示本品类有效的资格码后重试。",
        "Ask the shopper for a valid qualification code of this category.",
    ),
    NextAction.USE_ANOTHER_TENDER: ("请换一种支付方式。", "Use another way of paying."),
    NextAction.QUOTE_AGAIN: (
        "应付金额已变化，请重新询价并告知顾客。",
        "The amount has changed: quote again, tell the shopper.",
    ),
    NextAction.TRY_LATER: ("请稍后重试，或按原价销售。", "Try again later, or sell at full price."),
    NextAction.CALL_SUPPORT: ("请联系服务平台处理。", "Call the service platform."),
    NextAction.ASK_HANDED_OVER_OR_REFUND: (
        "该单已迟到付款成功：商品是否已交付？未交付请退款。",
        "The sale was found paid late: were the goods handed over? If not, refund it.",
    ),
    NextAction.CORRECT_THE_REQUEST: ("请更正请求内容。", "Correct the request."),
    NextAction.CHECK_THE_PIN: (
        "请主管核对姓名和密码后重试。",
        "Have the supervisor check name and PIN, then try again.",
    ),
    NextAction.ASK_ANOTHER_SUPERVISOR: (
        "该主管已锁定15分钟，请稍后再试或请另一位主管办理。",
        "This supervisor is locked for 15 minutes: wait, or ask another supervisor.",
    ),
    NextAction.RETURN_LATER: (
        "退货尚未开始，未退任何款项。网络恢复后再办理退货。",
        "The return has not begun, nothing was refunded: return the goods when the line is back.",
    ),
    NextAction.RETURN_AGAIN: (
        "退货已登记，尚未退款。请再次提交退货以继续。",
        "The return is noted, nothing is refunded yet: send the return again to go on.",
    ),
    NextAction.DO_NOT_REFUND_AGAIN: (
        "退款结果待确认，请勿用其他方式退款，请稍后查询。",
        "The result of the refund is not known: refund by no other way, look at the sale later.",
    ),
    NextAction.REFUND_REFUSED: (
        "退款未成功，未退任何款项。可再次办理退货，或联系服务平台。",
        "The refund was refused and nothing was refunded: return again, or call the service platform.",
    ),
    NextAction.TAKE_THE_GOODS_BACK: (
        "退款成功，请收回商品并交付退货小票。",
        "Refunded: take the goods back and hand over the receipt of the return.",
    ),
    NextAction.CHARGE_AT_TERMINAL: (
        "请在刷卡终端上按应付金额收款，只收一次。",
        "Key in exactly the amount to pay at the terminal and charge it, once.",
    ),
    NextAction.VOID_AT_TERMINAL: (
        "请在刷卡终端上撤销该笔支付，已结算的请在终端上退货。",
        "Void this payment at the terminal; once its batch is settled, refund it there.",
    ),
    NextAction.TAKE_CASH: (
        "请按应付金额收取现金，只收一次；收妥或未收成，都请在收银机上确认。",
        "Take exactly the amount to pay in cash, once, then say at the till whether it was taken.",
    ),
    NextAction.SAY_WHERE_THE_CASH_IS: (
        "请确认现金是否已收进钱箱。确认前请勿再收，本机也不能再收其他现金。",
        "Say whether the cash is in the till. Until then take none again, for this sale or another one.",
    ),
    NextAction.GIVE_CASH_BACK: (
        "请将现金退给顾客，只退一次；退妥或未退成，都请在收银机上确认。",
        "Give the shopper the cash back, once, then say at the till whether the shopper has it.",
    ),
    NextAction.VOID_THE_OTHER_CHARGE: (
        "终端上另收了一笔同金额款项，不属于本单，不享受补贴。请先在终端上撤销该笔，再重新支付或重新开单。",
        "The terminal charged this amount outside the sale, without the subsidy: void that there first, then "
        "pay again or sell again.",
    ),
}
