"""Which address takes in an invoice that was verified?"""

from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from settlement.invoices.take import TakeInvoice
from settlement.people.roles import Permission
from settlement.proposals.read_proposals import ProposalShown
from settlement.web.edge import Edge
from settlement.web.guard import may
from settlement.web.problems import ANSWERS
from settlement.web.proposals import proposed
from settlement.web.strict_request import StrictRequest, has_json
from settlement.web.words import Words, name_in
from subsidy.money import MOST_FEN


class Verified(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The invoice as it was verified: its number, its total with tax in fen, and what shows it."""

    invoice_no: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{8}|[0-9]{20})\Z")]
    total_fen: Annotated[int, msgspec.Meta(ge=1, le=MOST_FEN)]
    reference: Words


@post(
    "/v1/records/{record_id:str}/invoice",
    status_code=202,
    sync_to_thread=True,
    guards=[may(Permission.PROPOSE), has_json],
    responses=ANSWERS,
)
def take_invoice(
    request: StrictRequest, record_id: FromPath[str], data: JSONBody[Verified], edge: NamedDependency[Edge]
) -> ProposalShown:
    """Propose to take in the verified invoice of a sale that was paid in cash, so that it can be claimed."""
    command = TakeInvoice(name_in(record_id), data.invoice_no, data.total_fen, data.reference)
    return proposed(request, edge, command)


ROUTES = (take_invoice,)
