"""Is it this merchant's payment that is asked about, or one of who the shop was before?

An order number means something at its own merchant only. Any other is told "no such order", also when it is
asked to undo it, and that would be taken for a no: so with each attempt it is stored whose it is.
"""

from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Payment, Say

OTHER_MERCHANT = Answer(
    Say.UNCLEAR, evidence=Evidence(code="OTHER_MERCHANT", text="该笔属于另一商户号，未发出任何请求")
)


class AtOneMerchant:
    """A way to pay that leaves another merchant's payments alone. Fits `checkout.ports.Payment`."""

    def __init__(self, payment: Payment, merchant: str) -> None:
        self.clocks = payment.clocks
        self.not_found_is_no = payment.not_found_is_no
        self.reverses_blind = payment.reverses_blind
        self._payment = payment
        self._merchant = merchant

    def prepare(self, ask: Ask) -> str | None:
        """Return what the link needs stored, and whose it is; None of another merchant's payment."""
        mark = self._payment.prepare(ask) if self._is_ours(ask.mark) else None
        return None if mark is None else f"{mark}@{self._merchant}"

    def take(self, ask: Ask) -> Answer:
        """Take the money."""
        return self._payment.take(_bare(ask))

    def query(self, ask: Ask) -> Answer:
        """Ask what became of an attempt."""
        return self._payment.query(_bare(ask)) if self._is_ours(ask.mark) else OTHER_MERCHANT

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Undo an attempt."""
        return self._payment.reverse(_bare(ask), evidence) if self._is_ours(ask.mark) else OTHER_MERCHANT

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give money back."""
        if not self._is_ours(ask.mark):
            return OTHER_MERCHANT
        return self._payment.refund(_bare(ask), replace(back, mark=_without_merchant(back.mark)))

    def _is_ours(self, mark: str | None) -> bool:
        """Whether a mark is this merchant's; one that names none is of before they did."""
        return mark is None or mark.partition("@")[2] in ("", self._merchant)


def _bare(ask: Ask) -> Ask:
    return replace(ask, mark=_without_merchant(ask.mark))


def _without_merchant(mark: str | None) -> str | None:
    return None if mark is None else mark.partition("@")[0]
