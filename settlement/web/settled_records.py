"""Which addresses propose to reject a record, or to lift a difference from its line?"""

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from settlement.claims.settle_record import AcceptDifference, RejectRecord
from settlement.people.roles import Permission
from settlement.proposals.read_proposals import ProposalShown
from settlement.web.edge import Edge
from settlement.web.guard import may
from settlement.web.problems import ANSWERS
from settlement.web.proposals import proposed
from settlement.web.strict_request import StrictRequest, has_json
from settlement.web.words import Words, name_in


class ToReject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, and whether person and serial number are free with it."""

    reason: Words
    frees_goods: bool


class ToAccept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which difference, as the record's `blocks` name it, and why it is no reason not to pay."""

    difference: Words
    reason: Words


@post(
    "/v1/records/{record_id:str}/reject",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def reject_record(
    request: StrictRequest, record_id: FromPath[str], data: JSONBody[ToReject], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose that a blocked or kept record, or a late grant, is never paid."""
    command = RejectRecord(name_in(record_id), data.frees_goods, data.reason)
    return proposed(request, edge, command)


@post(
    "/v1/records/{record_id:str}/accept",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def accept_difference(
    request: StrictRequest, record_id: FromPath[str], data: JSONBody[ToAccept], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose to lift one difference from a record's line."""
    command = AcceptDifference(name_in(record_id), data.difference, data.reason)
    return proposed(request, edge, command)


ROUTES = (reject_record, accept_difference)
