"""Which addresses propose, approve, decline and show what needs two people?"""

from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from settlement.db.connection import reading
from settlement.people.roles import Permission
from settlement.proposals import make, read_proposals
from settlement.proposals.approve import Approve, unknown
from settlement.proposals.make import Desk
from settlement.proposals.read_proposals import ProposalShown
from settlement.proposals.turn_down import Decline, Withdraw
from settlement.proposals.two_people import OfBooks, is_about_people
from settlement.registers.database import RegisterDown
from settlement.system import random_bytes
from settlement.web.edge import Edge, ask_writer
from settlement.web.guard import actor_of, may
from settlement.web.problems import ANSWERS, no_register, problem_of
from settlement.web.strict_request import StrictRequest, has_json
from settlement.web.words import After, Reason
from settlement.writer.step import Claimed, Denied
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem

MOST = 100


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `shown_hash` of the proposal as the approver has seen it."""

    shown_hash: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class CarriedOut(msgspec.Struct, frozen=True):
    """An approved proposal; `claimed` says what a payment came to, None when it was none."""

    proposal: ProposalShown
    claimed: Claimed | None


class Proposals(msgspec.Struct, frozen=True):
    """Proposals by name; `next` is what to send as `after`."""

    next: str | None
    proposals: tuple[ProposalShown, ...]


@post(
    "/v1/proposals",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def propose(request: StrictRequest, data: JSONBody[OfBooks], edge: NamedDependency[Edge]) -> ProposalShown:
    """Propose a command, `{"type": "top_up", ...}`; another person approves it."""
    return proposed(request, edge, data)


@get("/v1/proposals", sync_to_thread=True, guards=[may(Permission.READ_PROPOSALS)], responses=ANSWERS)
def show_proposals(
    edge: NamedDependency[Edge],
    only: Annotated[str, QueryParameter(name="open", required=False, max_length=5)] = "",
    after: After = "",
) -> Proposals:
    """Return the proposals, only those that wait with `?open=1`, up to 100 at a time."""
    with reading(edge.engine) as connection:
        found = read_proposals.proposals(connection, only == "1", after, MOST, edge.now_ms())
    return Proposals(found[-1].proposal if len(found) == MOST else None, tuple(found))


@get(
    "/v1/proposals/{proposal:str}",
    sync_to_thread=True,
    guards=[may(Permission.READ_PROPOSALS)],
    responses=ANSWERS,
)
def show_proposal(proposal: FromPath[str], edge: NamedDependency[Edge]) -> ProposalShown:
    """Return a proposal with all that it would do, and the hash that stands for it."""
    return _shown(edge, proposal)


@post(
    "/v1/proposals/{proposal:str}/approve",
    status_code=200,
    sync_to_thread=True,
    guards=[may(Permission.APPROVE), has_json],
    responses=ANSWERS,
)
def approve(
    request: StrictRequest,
    proposal: FromPath[str],
    data: JSONBody[Approval],
    edge: NamedDependency[Edge],
) -> CarriedOut:
    """Carry a proposal out, as another person than its proposer."""
    _refuse_people(edge, proposal)
    answer = ask_writer(edge, Approve(proposal, actor_of(request).name, data.shown_hash))
    return CarriedOut(_shown(edge, proposal), answer if isinstance(answer, Claimed) else None)


@post(
    "/v1/proposals/{proposal:str}/decline",
    status_code=200,
    sync_to_thread=True,
    guards=[may(Permission.APPROVE), has_json],
    responses=ANSWERS,
)
def decline(
    request: StrictRequest, proposal: FromPath[str], data: JSONBody[Reason], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Say no to another person's proposal."""
    _refuse_people(edge, proposal)
    ask_writer(edge, Decline(proposal, actor_of(request).name, data.reason))
    return _shown(edge, proposal)


@post(
    "/v1/proposals/{proposal:str}/withdraw",
    status_code=200,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def withdraw(
    request: StrictRequest, proposal: FromPath[str], data: JSONBody[Reason], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Take one's own proposal back."""
    _refuse_people(edge, proposal)
    ask_writer(edge, Withdraw(proposal, actor_of(request).name, data.reason))
    return _shown(edge, proposal)


def proposed(request: StrictRequest, edge: Edge, command: OfBooks) -> ProposalShown:
    """Propose a command as whoever sent the request; the address answers 202, with the proposal."""
    desk = Desk(
        edge.engine,
        edge.setting(),
        edge.now_ms(),
        random_bytes,
        lambda one: ask_writer(edge, one),
        edge.registers,
    )
    try:
        made = make.make(desk, command, actor_of(request).name)
    except RegisterDown:
        raise no_register() from None
    if isinstance(made, Denied):
        raise problem_of(made)
    return _shown(edge, made)


def _refuse_people(edge: Edge, name: str) -> None:
    """Raise Problem for what is about people: administrators decide it, by command."""
    with reading(edge.engine) as connection:
        found = read_proposals.proposal(connection, name, edge.now_ms())
    if found is not None and is_about_people(found.kind):
        raise Problem(
            403,
            "FOR_ADMINISTRATORS",
            f"{name} is about people. Administrators decide it: `settlement approve`",
            next_action=NextAction.CALL_SUPPORT,
        )


def _shown(edge: Edge, name: str) -> ProposalShown:
    with reading(edge.engine) as connection:
        found = read_proposals.proposal(connection, name, edge.now_ms())
    if found is None:
        raise problem_of(unknown("of this name"))
    return found


ROUTES: tuple[Any, ...] = (
    propose,
    show_proposals,
    show_proposal,
    approve,
    decline,
    withdraw,
)
