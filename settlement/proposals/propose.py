"""How does one person put something before another?"""

import msgspec

from settlement.people import agreed
from settlement.people.agreed import OfPeople
from settlement.proposals import shown as shown_text
from settlement.proposals import two_people
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Proposal
from settlement.writer.step import Answer, Denied, Done, Emit, Event


class Propose(msgspec.Struct, frozen=True):
    """`by` proposes a command, having been shown what it would do. Both are JSON."""

    proposal: str
    by: str
    kind: str
    command: str
    shown: str


class Proposed(Event, frozen=True, kw_only=True, tag="proposed"):
    """Something waits for another person."""

    proposal: Proposal

    def fold(self, rows: Rows) -> None:
        """Keep it, open."""
        rows.put(self.proposal)


def keys(command: Propose) -> list[Wanted]:
    """Ask for the proposal of this name, which should not be there, and who proposes what is about people."""
    people = (command.by,) if two_people.is_about_people(command.kind) else ()
    return [(Proposal, (command.proposal,)), *agreed.keys_of_people(people)]


def decide(rows: Rows, command: Propose, at_ms: int, emit: Emit) -> Answer:
    """Keep the proposal; nothing of what it proposes happens yet."""
    if rows.get(Proposal, command.proposal) is not None:
        return Denied(409, "PROPOSAL_EXISTS", f"{command.proposal} is there already. Propose it again")
    if two_people.is_about_people(command.kind):
        inner = two_people.read(command.command)
        assert isinstance(inner, OfPeople)
        against = agreed.refuse_people(rows, inner, (command.by,))
        if against is not None:
            return against
    proposal = Proposal(
        proposal=command.proposal,
        state="OPEN",
        kind=command.kind,
        command=command.command,
        shown=command.shown,
        shown_hash=shown_text.hash_of(command.shown),
        proposed_by=command.by,
        proposed_ms=at_ms,
    )
    emit(Proposed(proposal=proposal))
    return Done()
