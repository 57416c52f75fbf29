"""What becomes, after a restart, of sales that had no payment under way?

A hold that is not yet PAYING never survives a restart: nobody knows how long the power was off.
Attempts are the lanes' (`lane.py`); a PAYING sale moves on when its attempts are resolved.
"""

from subsidy.policy.refusals import Refusal
from terminal_agent.checkout.ports import Journal
from terminal_agent.checkout.states import SaleState

RESTARTED = "the agent was restarted"


def close_after_restart(journal: Journal) -> None:
    """Refuse what was not asked for yet, and close every hold without a payment under way."""
    for sale in journal.unfinished():
        if sale.state is SaleState.NEW:
            journal.refuse(sale.record_id, (Refusal.SALE_INTERRUPTED,))
        elif sale.state in (SaleState.ASKING, SaleState.HELD):
            journal.close(sale.record_id, RESTARTED)
