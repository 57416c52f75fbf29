"""What does the address of the till API do where somebody says that something was looked at?"""

from litestar import Controller, post
from litestar.params import FromPath, JSONBody

from subsidy.problem import Problem
from terminal_agent.till import documents
from terminal_agent.till.requests import ByOperator
from terminal_agent.till.routes import Document, Till


class SeenToBody(ByOperator, frozen=True):
    """Says that something was looked at, and that nothing is left to be done at the terminal."""


def controllers(till: Till) -> list[type[Controller]]:
    """Return the handlers around `till`."""

    class SeenTo(Controller):
        path = "/v1/look-at"

        @post("/{no:int}/done", status_code=200, sync_to_thread=True, summary="Something was looked at")
        def done(self, no: FromPath[int], data: JSONBody[SeenToBody]) -> Document:
            # A number of any size is no reason for a fault of the journal's.
            if not till.journal.is_seen_to(min(no, 2**63 - 1), data.operator):
                raise Problem(
                    404, "NOTHING_TO_LOOK_AT", "There is no such number. See `look_at` in /v1/status"
                )
            return {"look_at": documents.look_documents(till.journal.to_look_at())}

    return [SeenTo]
