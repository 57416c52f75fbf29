"""Which addresses do merchants' claims, repayments and returns under way have, for operators' programs?"""

import datetime
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from settlement.claims import read_claims
from settlement.claims.build_day import build_day
from settlement.claims.pay import PayClaim, unknown
from settlement.claims.read_claims import ClaimShown, ClaimSummary, ReturnShown
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.db.connection import reading
from settlement.people.roles import Permission
from settlement.proposals.read_proposals import ProposalShown
from settlement.web.edge import Edge, ask_writer
from settlement.web.guard import may, reach_of
from settlement.web.problems import ANSWERS, problem_of
from settlement.web.proposals import proposed
from settlement.web.strict_request import StrictRequest, has_json
from settlement.web.words import After, Reason, Words, name_in
from settlement.writer.step import Claimed
from subsidy.problem import Problem

MOST = 500


class DayToClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The day, in Shanghai, up to whose end sales are claimed; `merchant` limits it to one."""

    date: datetime.date
    merchant: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class Payment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document of a payment. For one claim a reference counts once."""

    reference: Words


class Built(msgspec.Struct, frozen=True):
    """What became of each merchant's lines: a claim, or none, and what was left out."""

    claims: tuple[Claimed, ...]


class Claims(msgspec.Struct, frozen=True):
    """Claims with their totals, by name; `next` is what to send as `after`."""

    next: str | None
    claims: tuple[ClaimSummary, ...]


class Returns(msgspec.Struct, frozen=True):
    """Returns under way, oldest sale first; `next` is what to send as `after`."""

    next: str | None
    returns: tuple[ReturnShown, ...]


@post(
    "/v1/claims",
    status_code=200,
    sync_to_thread=True,
    guards=[may(Permission.BUILD_CLAIMS), has_json],
    responses=ANSWERS,
)
def build_claims(data: JSONBody[DayToClaim], edge: NamedDependency[Edge]) -> Built:
    """Build the claims of a day. Safe to repeat: what is claimed is not claimed again."""
    built = build_day(edge.engine, data.date, data.merchant, lambda one: ask_writer(edge, one), again=True)
    return Built(tuple(built))


@get("/v1/claims", sync_to_thread=True, guards=[may(Permission.READ_CLAIMS)], responses=ANSWERS)
def show_claims(request: StrictRequest, edge: NamedDependency[Edge], after: After = "") -> Claims:
    """Return the claims with their totals, up to 500 at a time."""
    with reading(edge.engine) as connection:
        found = read_claims.claims(connection, after, MOST, reach_of(request))
    return Claims(found[-1].claim if len(found) == MOST else None, tuple(found))


@get("/v1/claims/{claim:str}", sync_to_thread=True, guards=[may(Permission.READ_CLAIMS)], responses=ANSWERS)
def show_claim(request: StrictRequest, claim: FromPath[str], edge: NamedDependency[Edge]) -> ClaimShown:
    """Return a claim with its payments and lines."""
    with reading(edge.engine) as connection:
        found = read_claims.claim(connection, claim, reach_of(request))
    if found is None:
        raise problem_of(unknown("with this name"))
    return found


@post(
    "/v1/claims/{claim:str}/pay",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def pay_claim(
    request: StrictRequest, claim: FromPath[str], data: JSONBody[Payment], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose that every line of a claim that is not held back is paid, with both totals."""
    return proposed(request, edge, PayClaim(name_in(claim), data.reference))


@post(
    "/v1/claims/{claim:str}/lines/{record_id:str}/reject",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def reject_line(
    request: StrictRequest,
    claim: FromPath[str],
    record_id: FromPath[str],
    data: JSONBody[Reason],
    edge: NamedDependency[Edge],
) -> ProposalShown:
    """Propose that a line is rejected: the fund does not pay it."""
    command = SendBack(name_in(claim), name_in(record_id), data.reason, to_correct=False)
    return proposed(request, edge, command)


@post(
    "/v1/claims/{claim:str}/lines/{record_id:str}/correct",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def send_line_to_correct(
    request: StrictRequest,
    claim: FromPath[str],
    record_id: FromPath[str],
    data: JSONBody[Reason],
    edge: NamedDependency[Edge],
) -> ProposalShown:
    """Propose that a line is sent back to be corrected: it may be claimed again."""
    command = SendBack(name_in(claim), name_in(record_id), data.reason, to_correct=True)
    return proposed(request, edge, command)


@post(
    "/v1/records/{record_id:str}/repaid",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def note_repayment(
    request: StrictRequest,
    record_id: FromPath[str],
    data: JSONBody[Payment],
    edge: NamedDependency[Edge],
) -> ProposalShown:
    """Propose to book that the merchant has repaid the grant of returned goods."""
    return proposed(request, edge, Repay(name_in(record_id), data.reference))


@get("/v1/returns", sync_to_thread=True, guards=[may(Permission.READ_RECORDS)], responses=ANSWERS)
def show_returns(
    request: StrictRequest,
    edge: NamedDependency[Edge],
    only: Annotated[str, QueryParameter(name="open", required=False)] = "",
    after: After = "",
) -> Returns:
    """Return the returns that are under way, `?open=1`, with their age, up to 500 at a time."""
    if only != "1":
        raise Problem(400, "BAD_REQUEST", "?open: only open returns are listed here. Send ?open=1")
    at_ms = edge.now_ms()
    with reading(edge.engine) as connection:
        found = read_claims.open_returns(
            connection, after, MOST, at_ms, edge.setting().lag_target_s(at_ms), reach_of(request)
        )
    return Returns(found[-1].record_id if len(found) == MOST else None, tuple(found))


ROUTES = (
    build_claims,
    show_claims,
    show_claim,
    pay_claim,
    reject_line,
    send_line_to_correct,
    note_repayment,
    show_returns,
)
