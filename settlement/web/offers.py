"""Which address says who bore a part of a payment?"""

from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from settlement.offers.bearers import BorneBy
from settlement.offers.explain import ExplainOffer
from settlement.people.roles import Permission
from settlement.proposals.read_proposals import ProposalShown
from settlement.web.edge import Edge
from settlement.web.guard import may
from settlement.web.problems import ANSWERS
from settlement.web.proposals import proposed
from settlement.web.strict_request import StrictRequest, has_json
from settlement.web.words import Words, name_in
from subsidy.money import MOST_FEN


class Explained(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who bore it, how much in fen as the difference says, and what shows it."""

    borne_by: BorneBy
    fen: Annotated[int, msgspec.Meta(ge=1, le=MOST_FEN)]
    reference: Words


@post(
    "/v1/payments/{pay_ref:str}/offer",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def explain_offer(
    request: StrictRequest, pay_ref: FromPath[str], data: JSONBody[Explained], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose who bore a part of a payment, as the channel has said: that settles the difference in it."""
    command = ExplainOffer(name_in(pay_ref), data.borne_by, data.fen, data.reference)
    return proposed(request, edge, command)


ROUTES = (explain_offer,)
