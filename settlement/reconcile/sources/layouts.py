"""Which layouts can be read, and by which reader? A new layout is a file beside this one and a line here."""

from collections.abc import Callable

from settlement.reconcile.lines import Called, FileRead, Line
from settlement.reconcile.sources import acquirer_csv, alipay_bill, unionpay_zm, wechat_bill
from settlement.reconcile.sources.text import Place
from subsidy import seal

LAYOUTS: dict[str, Callable[[bytes, Place], FileRead]] = {
    acquirer_csv.LAYOUT: acquirer_csv.read,
    alipay_bill.LAYOUT: alipay_bill.read,
    unionpay_zm.LAYOUT: unionpay_zm.read,
    wechat_bill.LAYOUT: wechat_bill.read,
}
"""Each reader takes a file whole or raises FileError."""

CALLED: dict[str, Callable[[Line], Called | None]] = {
    acquirer_csv.LAYOUT: acquirer_csv.called,
    unionpay_zm.LAYOUT: unionpay_zm.called,
}
"""The layouts whose rows may name no order, and what they call one. Channels name the order that we gave."""

UNNAMED_BY_CARD_ONLY = frozenset({unionpay_zm.LAYOUT})
"""Of these, the layouts whose QR payments always name the order: only a card payment may not."""

MAY_SAY_NONE = frozenset({alipay_bill.LAYOUT, unionpay_zm.LAYOUT, wechat_bill.LAYOUT})
"""The layouts of senders that give no file for a day on which nothing moved."""


def nothing_moved(layout: str, raw: bytes, place: Place) -> FileRead:
    """Return what the marker beside a file's place says: the channel has told that nothing moved."""
    return FileRead(place.source, place.day, layout, seal.sha256_hex(raw), (), 0, 0, 0, 0, is_none=True)
