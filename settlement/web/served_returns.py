"""Which addresses serve a return when the host that sold is gone?"""

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from settlement.db.connection import reading
from settlement.people.roles import Permission
from settlement.proposals.read_proposals import ProposalShown
from settlement.returns.serve import BeginReturn, EndReturn
from settlement.web.edge import Edge, ask_writer
from settlement.web.guard import actor_of, may
from settlement.web.problems import ANSWERS
from settlement.web.proposals import proposed
from settlement.web.strict_request import StrictRequest, has_json
from settlement.web.what_goes_back import GoesBack, goes_back
from settlement.web.words import Reason, Words, name_in


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the shopper has the money back, and the document that shows it."""

    refunded: bool
    reference: Words


@post(
    "/v1/records/{record_id:str}/return",
    status_code=200,
    sync_to_thread=True,
    guards=[may(Permission.FREEZE), has_json],
    responses=ANSWERS,
)
def begin_return(
    request: StrictRequest, record_id: FromPath[str], data: JSONBody[Reason], edge: NamedDependency[Edge]
) -> GoesBack:
    """Begin a return whose host is gone: its line is held back at once. Says what the merchant gives back."""
    ask_writer(edge, BeginReturn(name_in(record_id), data.reason, actor_of(request).name))
    with reading(edge.engine) as connection:
        found = goes_back(connection, record_id)
    assert found is not None, "the writer has found it a moment ago, and records stay"
    return found


@post(
    "/v1/records/{record_id:str}/return/end",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def end_return(
    request: StrictRequest, record_id: FromPath[str], data: JSONBody[Ended], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose to book what came of a return that the centre serves."""
    command = EndReturn(name_in(record_id), data.refunded, data.reference)
    return proposed(request, edge, command)


ROUTES = (begin_return, end_return)
