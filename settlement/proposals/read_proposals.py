"""Which proposals are there, and what does each say?"""

import msgspec
from sqlalchemy import Connection, select

from settlement.db import tables
from settlement.proposals import shown as shown_text
from settlement.proposals.approve import LASTS_MS
from settlement.proposals.shown import Shown
from settlement.writer import store
from settlement.writer.rows import Proposal


class ProposalShown(msgspec.Struct, frozen=True):
    """A proposal as people see it. `state` is EXPIRED when nobody has decided in time.

    Whoever approves sends `shown_hash` back: it stands for everything under `shown`.
    """

    proposal: str
    state: str
    kind: str
    proposed_by: str
    proposed_ms: int
    expires_ms: int
    decided_by: str
    decided_ms: int | None
    why: str
    shown_hash: str
    shown: Shown


def proposal(connection: Connection, name: str, at_ms: int) -> ProposalShown | None:
    """Return a proposal, or None."""
    found = store.read_where(connection, Proposal, tables.proposal.c.proposal == name)
    return next((_shown(one, at_ms) for one in found if isinstance(one, Proposal)), None)


def proposals(
    connection: Connection, only_open: bool, after: str, most: int, at_ms: int
) -> list[ProposalShown]:
    """Return up to `most` proposals behind the name `after`; only those that can be approved, or all."""
    c = tables.proposal.c
    conditions = [c.proposal > after]
    if only_open:
        conditions += [c.state == "OPEN", c.proposed_ms > at_ms - LASTS_MS]
    query = select(c.proposal).where(*conditions).order_by(c.proposal).limit(most)
    names = list(connection.execute(query).scalars())
    found = store.read_where(connection, Proposal, c.proposal.in_(names))
    return [_shown(one, at_ms) for one in found if isinstance(one, Proposal)]


def _shown(one: Proposal, at_ms: int) -> ProposalShown:
    expires_ms = one.proposed_ms + LASTS_MS
    return ProposalShown(
        proposal=one.proposal,
        state="EXPIRED" if one.state == "OPEN" and at_ms >= expires_ms else one.state,
        kind=one.kind,
        proposed_by=one.proposed_by,
        proposed_ms=one.proposed_ms,
        expires_ms=expires_ms,
        decided_by=one.decided_by,
        decided_ms=one.decided_ms,
        why=one.why,
        shown_hash=one.shown_hash,
        shown=shown_text.for_people(shown_text.read(one.shown)),
    )
