"""What can one try to take money have ended in, and what proves it?"""

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """The three answers. Only an explicit yes or no counts; everything else is UNKNOWN."""

    PAID = "PAID"
    NOT_PAID = "NOT_PAID"
    UNKNOWN = "UNKNOWN"


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the other side said about a payment, masked: this is all that is ever kept of it.

    Drivers build it from an allow-list of fields; a field that is not here is dropped in the
    parser. `masked_pan` holds at most the first six and last four digits. All are as the other side
    wrote them; an empty text means it said nothing.
    """

    code: str = ""
    text: str = ""
    terminal_no: str = ""
    merchant_no: str = ""
    batch: str = ""
    trace: str = ""
    rrn: str = ""
    auth: str = ""
    masked_pan: str = ""
    host_date: str = ""
    host_time: str = ""
    channel_no: str = ""  # what a QR channel calls the payment, such as WeChat's transaction_id
