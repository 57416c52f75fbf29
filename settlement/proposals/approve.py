"""What makes a proposal happen: another person's approval of exactly what was shown.

The proposed command is decided on the same rows, in the same transaction: when the books say no to it, or
it comes to something else by now than both were shown, the proposal stays open and the caller hears that.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from settlement.people import agreed
from settlement.people.agreed import OfPeople
from settlement.proposals import shown as shown_text
from settlement.proposals import two_people
from settlement.proposals.two_people import NeedsTwo
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import CentreUser, Proposal
from settlement.writer.step import Answer, Denied, Emit, Event, Happened

LASTS_MS = 7 * 86_400_000

CarryOut = Callable[[NeedsTwo, Rows, Callable[[Happened], None]], Answer]
"""Runs a command on rows and tells what happens."""


class Approve(msgspec.Struct, frozen=True):
    """`by` approves what was shown under `shown_hash`."""

    proposal: str
    by: str
    shown_hash: str


class ProposalApproved(Event, frozen=True, kw_only=True, tag="proposal_approved"):
    """A second person has agreed, and it was carried out."""

    proposal: str
    by: str
    shown_hash: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Note who approved what."""
        known = rows.want(Proposal, self.proposal)
        approved = replace(
            known,
            state="APPROVED",
            decided_by=self.by,
            decided_hash=self.shown_hash,
            decided_ms=self.at_ms,
        )
        rows.put(approved)


def keys(command: Approve, rows: Rows, keys_of: Callable[[NeedsTwo], list[Wanted]]) -> list[Wanted]:
    """Ask for the proposal, then for what its command needs."""
    key = (Proposal, (command.proposal,))
    found = rows.get(Proposal, command.proposal) if rows.has(key) else None
    if found is None or found.state != "OPEN":
        return [key]
    inner = two_people.read(found.command)
    people = (found.proposed_by, command.by) if isinstance(inner, OfPeople) else ()
    return [key, (CentreUser, (found.proposed_by,)), *keys_of(inner), *agreed.keys_of_people(people)]


def decide(
    rows: Rows,
    command: Approve,
    at_ms: int,
    emit: Emit,
    happened: Callable[[Happened], None],
    carry_out: CarryOut,
) -> Answer:
    """Carry the proposal out, when another person approves what was shown, in time."""
    found = rows.get(Proposal, command.proposal)
    if found is None or found.state != "OPEN":
        return not_open(command.proposal, found)
    if found.proposed_by == command.by:
        detail = f"{found.proposed_by} has proposed {found.proposal}. Another person approves it"
        return Denied(403, "SAME_PERSON", detail)
    # The row is asked too, not only the caller: it may have been changed past the application.
    same = shown_text.hash_of(found.shown) == found.shown_hash == command.shown_hash
    if not same or two_people.written(shown_text.read(found.shown).command) != found.command:
        detail = f"what you were shown is not what {found.proposal} says. Look at it again, then approve that"
        return Denied(409, "SHOWN_DIFFERS", detail)
    if at_ms >= found.proposed_ms + LASTS_MS:
        detail = f"{found.proposal} is older than {LASTS_MS // 86_400_000} days. Propose it again"
        return Denied(409, "PROPOSAL_EXPIRED", detail)
    people = (found.proposed_by, command.by)
    inner = two_people.read(found.command)
    if isinstance(inner, OfPeople) and (against := agreed.refuse_people(rows, inner, people)) is not None:
        return against
    proposer = rows.get(CentreUser, found.proposed_by)
    if proposer is not None and proposer.disabled_ms is not None:
        detail = f"{found.proposed_by}, who has proposed {found.proposal}, is disabled since. Decline it"
        return Denied(409, "PROPOSER_DISABLED", f"{detail}; who wants it too proposes it again")
    decided = two_people.decided_by(inner, people)
    would_happen: list[Happened] = []
    answer = carry_out(decided, rows.copy(), would_happen.append)
    if isinstance(answer, Denied):
        return answer
    if not shown_text.is_same(shown_text.read(found.shown), shown_text.show(inner, answer, would_happen)):
        detail = (
            f"{found.proposal} comes to something else now than was shown: the books have changed since. "
            "Withdraw it, and propose it again"
        )
        return Denied(409, "COMES_TO_ANOTHER", detail)
    answer = carry_out(decided, rows, happened)
    emit(ProposalApproved(proposal=found.proposal, by=command.by, shown_hash=command.shown_hash, at_ms=at_ms))
    return answer


def not_open(name: str, found: Proposal | None) -> Denied:
    """Return what is said of a proposal that nobody can decide on."""
    if found is None:
        return unknown(name)
    detail = f"{name} is {found.state} by {found.decided_by}. A proposal is decided once"
    return Denied(409, "PROPOSAL_CLOSED", detail)


def unknown(name: str) -> Denied:
    """Return what is said of a proposal that is not here."""
    return Denied(
        404, "PROPOSAL_UNKNOWN", f"there is no proposal {name}. `settlement proposals ls` lists them"
    )
