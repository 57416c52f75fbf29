"""What can be found in the night, what can a payment still wait for, and what is to be done about it?"""

from enum import StrEnum


class Kind(StrEnum):
    """The differences between files and records, most decisive first.

    Values are stored and printed: add new ones, never rename or reuse one.
    """

    FOREIGN_MERCHANT = "foreign_merchant"
    DOUBLED = "doubled"
    DATE = "date"
    AMOUNT = "amount"
    MISSING_IN_RECORD = "missing_in_record"
    MISSING_IN_FILE = "missing_in_file"
    REFUND_WITHOUT_RETURN = "refund_without_return"
    RETURN_WITHOUT_REFUND = "return_without_refund"
    CHANNEL_DISCOUNT = "channel_discount"
    TWO_FIT = "two_fit"
    MAY_BE_THIS_PAYMENT = "may_be_this_payment"
    CHARGED_BESIDE = "charged_beside"

    @property
    def zh(self) -> str:
        """What was found, for operators."""
        return _KINDS[self][0]

    @property
    def en(self) -> str:
        """The same in English."""
        return _KINDS[self][1]

    @property
    def next_zh(self) -> str:
        """What its owner does next."""
        return _KINDS[self][2]

    @property
    def next_en(self) -> str:
        """The same in English."""
        return _KINDS[self][3]


class Wait(StrEnum):
    """Why a payment is not judged yet. None of these is a difference."""

    SALE_OPEN = "sale_open"
    ATTEMPT_OPEN = "attempt_open"
    RECORD_KEPT = "record_kept"
    FILE_TO_COME = "file_to_come"
    NO_SOURCE = "no_source"

    @property
    def zh(self) -> str:
        """What is waited for, for operators."""
        return _WAITS[self][0]

    @property
    def en(self) -> str:
        """The same in English."""
        return _WAITS[self][1]


_KINDS = {
    Kind.FOREIGN_MERCHANT: (
        "对账文件中的商户号不属于本活动，或不属于该门店。",
        "The row's merchant number is not ours, or not that shop's.",
        "请与收单机构核对商户号与门店的对应关系；属实则更正 night.yaml，否则要求更正文件。",
        "Check with the acquirer whose number it is; correct night.yaml if it is ours, else have the file "
        "corrected and run with --replace.",
    ),
    Kind.DOUBLED: (
        "同一笔资金在对账文件中出现两次。",
        "The same movement of money stands twice in the files.",
        "请与渠道核实是重复入账还是重复扣款；重复扣款须退还消费者。",
        "Ask the channel whether it is listed twice or charged twice; what was charged twice goes back to "
        "the shopper.",
    ),
    Kind.DATE: (
        "该行日期不是文件的清算日，或与销售日不符。",
        "The row's date is not the file's day, or not a day on which the sale can have been paid.",
        "请与渠道核实该笔的清算日。",
        "Ask the channel on which day it settled the payment.",
    ),
    Kind.AMOUNT: (
        "文件金额与记录金额不一致。",
        "The amount in the file is not the amount of the record.",
        "请与渠道和门店核对小票；差额未查明前该笔不予清算。",
        "Compare the slip with the channel and the shop; the line is not paid until it is explained.",
    ),
    Kind.MISSING_IN_RECORD: (
        "渠道已扣款，但没有相应的已支付记录。",
        "The channel took money of which there is no paid record.",
        "请核查门店终端未上传的记录；确无销售的，须退还消费者。",
        "Look for the record at the shop's agent (terminal-agent outbox ls); when there was no sale, the "
        "money goes back to the shopper.",
    ),
    Kind.MISSING_IN_FILE: (
        "记录为已支付，但对账文件中没有该笔。",
        "The record says paid and the files do not have it.",
        "请与渠道核实是否入账；未入账前该笔不予清算。",
        "Ask the channel whether it was paid; the line is not paid until the file has it.",
    ),
    Kind.REFUND_WITHOUT_RETURN: (
        "渠道已退款，但没有退货记录。",
        "The channel gave money back and no return is recorded.",
        "请核查门店是否在系统外退款；属实则补做退货。",
        "Ask the shop whether it refunded past the till; if so, enter the return.",
    ),
    Kind.RETURN_WITHOUT_REFUND: (
        "记录为已退款，但对账文件中没有退款。",
        "The record says refunded and the files have no refund.",
        "请与渠道核实退款；未退款的须尽快退还消费者。",
        "Ask the channel about the refund number; when nothing went back, the shopper is owed the money.",
    ),
    Kind.CHANNEL_DISCOUNT: (
        "对账文件显示该笔的一部分由他方优惠承担，而门店记录没有同样的记载。",
        "The file says that others bore part of the payment, and the shop's record does not say the same.",
        "请与渠道核实优惠由谁出资，再由两人登记（settlement offers explain）；"
        "如为政府补贴，则该笔不得再次清算。",
        "Ask the channel who pays for it; then two people say so (settlement offers explain). If it was the "
        "subsidy itself, it may not be claimed again.",
    ),
    Kind.TWO_FIT: (
        "文件中一行无订单号，且与两笔支付（或两行与同一笔支付）的终端号、参考号或批次流水号相符。",
        "A row names no order, and by terminal and reference it fits two payments, or two rows fit this one.",
        "请与收单机构和门店核对签购单，查明该行属于哪一笔；重复申报的记录须驳回。",
        "Compare the slips with the acquirer and the shop: find out whose row it is, and reject the record "
        "that has no payment of its own.",
    ),
    Kind.MAY_BE_THIS_PAYMENT: (
        "该终端在预占期间有一笔同金额、无订单号且无人认领的收款，可能就是该笔支付。",
        "A row at this terminal has this amount, names no order and is nobody's: it may be this payment.",
        "请门店核对该行的签购单；属于该笔的，由门店收银端上报，否则由两人释放预占。",
        "Let the shop look for the row's slip: when it is of this sale, its till reports it; else two people "
        "end the hold.",
    ),
    Kind.CHARGED_BESIDE: (
        "该终端有一笔同金额、无订单号且无人认领的收款，而该单门店上报为未支付：顾客可能已付款却未享受补贴。",
        "The shop reported this sale unpaid, and a row at its terminal has its amount, names no order and is "
        "nobody's: the shopper may have paid without a grant.",
        "请门店核对该行的签购单：属于该商品的，须在终端上撤销后重新开单；撤销到账后自动关闭。",
        "Let the shop look for the row's slip: when it was for these goods, it voids it at the terminal and "
        "sells again. Once the void is in a file this closes by itself.",
    ),
}

_WAITS = {
    Wait.SALE_OPEN: (
        "该笔销售尚未结束，等待门店上报或次日对账文件。",
        "The sale is open: its shop has not reported, and the files of its days are not all here or agree on "
        "nothing.",
    ),
    Wait.ATTEMPT_OPEN: (
        "该笔支付正由门店主机冲正、退款或退货；主机已丢失的，请更换设备，之后以对账文件为准。",
        "This payment is being reversed or given back by its host. Where that is lost, have it replaced: "
        "then the files decide.",
    ),
    Wait.RECORD_KEPT: (
        "该记录无法读取，已转人工处理。",
        "The shop's record cannot be read and waits for its owner.",
    ),
    Wait.FILE_TO_COME: ("等待相应日期的对账文件。", "The file that should have it has not come."),
    Wait.NO_SOURCE: (
        "night.yaml 中没有覆盖该门店此支付方式的来源。",
        "No source of night.yaml covers this way of paying in this shop.",
    ),
}
