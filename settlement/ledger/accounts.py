"""Which accounts does every funder have, and which of them may never be overdrawn?

A posting of `fen` to an account adds to it; every set of postings adds up to zero per funder.
Authority (what may be spent) and cash (what was moved) are two layers that meet only when a
claim is paid. In each funder and programme year:

    -appropriated = available + held + payable + in_claim + paid + suspense
"""

from enum import StrEnum


class Account(StrEnum):
    """The chart of accounts. Values are stored: add new ones, never rename or reuse one."""

    # Authority.
    APPROPRIATED = "appropriated"  # what the funder gave, as a negative balance: the source
    AVAILABLE = "available"  # may still be promised
    HELD = "held"  # promised to sales that are under way
    PAYABLE = "payable"  # owed to merchants for paid sales
    IN_CLAIM = "in_claim"  # in a submitted claim
    PAID = "paid"  # paid to merchants, net of what came back
    SUSPENSE = "suspense"  # of records that cannot be read: nobody's until explained
    # Beside the identity.
    LATE_GRANTS_CLAIMED = "late_grants_claimed"  # paid records that came after their hold had ended
    LATE_GRANTS_CONTRA = "late_grants_contra"
    MERCHANT_RECEIVABLE = "merchant_receivable"  # returned after payout: the merchant owes it
    RECOVERY_DUE = "recovery_due"
    BANK_OFFER_RECEIVABLE = "bank_offer_receivable"  # a bank's own offer: never the pool's money
    BANK_OFFER_DUE = "bank_offer_due"
    # Cash.
    BANK = "bank"
    PAID_OUT = "paid_out"
    RECOVERED = "recovered"
    DUE_TO_TREASURY = "due_to_treasury"  # came back after its year was closed


NEVER_OVERDRAWN = frozenset(
    {
        Account.AVAILABLE,
        Account.HELD,
        Account.PAYABLE,
        Account.IN_CLAIM,
        Account.PAID,
        Account.SUSPENSE,
        Account.LATE_GRANTS_CLAIMED,
        Account.MERCHANT_RECEIVABLE,
        Account.BANK_OFFER_RECEIVABLE,
        Account.PAID_OUT,
    }
)

IDENTITY = (
    Account.AVAILABLE,
    Account.HELD,
    Account.PAYABLE,
    Account.IN_CLAIM,
    Account.PAID,
    Account.SUSPENSE,
)
