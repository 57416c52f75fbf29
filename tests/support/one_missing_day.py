"""A shop's day of whose sales the acquirer's file lacks one, on the morning after."""

from pathlib import Path

from night import NEXT_DAY, NightDay

from subsidy.policy.model import Tender


class OneMissingDay(NightDay):
    """A day with one sale by card and one by phone, a hold, and a sale that is `gone`: no file has it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sold = self.sell()
        self.sold_by_phone = self.sell(Tender.QR_SCAN)
        self.held = self.hold()
        self.gone = self.sell()  # of which the acquirer knows nothing
        self.card.pop()
        self.write_files()
        self.pass_to(NEXT_DAY)
