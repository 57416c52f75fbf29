"""How does a proposal end without being carried out?

Its proposer withdraws it, or another person declines it; either says why.
"""

import msgspec
from msgspec.structs import replace

from settlement.proposals.approve import not_open
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Proposal
from settlement.writer.step import Answer, Denied, Done, Emit, Event


class Withdraw(msgspec.Struct, frozen=True):
    """`by`, who proposed it, takes it back."""

    proposal: str
    by: str
    why: str


class Decline(msgspec.Struct, frozen=True):
    """`by`, who did not propose it, says no."""

    proposal: str
    by: str
    why: str


class ProposalEnded(Event, frozen=True, kw_only=True, tag="proposal_ended"):
    """A proposal is not carried out. `state` is DECLINED or WITHDRAWN."""

    proposal: str
    state: str
    by: str
    why: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Note who ended it."""
        known = rows.want(Proposal, self.proposal)
        rows.put(replace(known, state=self.state, decided_by=self.by, decided_ms=self.at_ms, why=self.why))


def keys(command: Withdraw | Decline) -> list[Wanted]:
    """Ask for the proposal."""
    return [(Proposal, (command.proposal,))]


def decide(rows: Rows, command: Withdraw | Decline, at_ms: int, emit: Emit) -> Answer:
    """End it, once."""
    found = rows.get(Proposal, command.proposal)
    if found is None or found.state != "OPEN":
        return not_open(command.proposal, found)
    is_own = found.proposed_by == command.by
    if isinstance(command, Withdraw) and not is_own:
        return Denied(403, "NOT_YOURS", f"{found.proposed_by} has proposed it. Decline it instead")
    if isinstance(command, Decline) and is_own:
        return Denied(403, "SAME_PERSON", "you have proposed it. Withdraw it instead")
    state = "WITHDRAWN" if is_own else "DECLINED"
    emit(ProposalEnded(proposal=found.proposal, state=state, by=command.by, why=command.why, at_ms=at_ms))
    return Done()
