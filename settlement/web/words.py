"""Which texts do operators' requests carry, and how are they written?"""

from typing import Annotated

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta

from settlement.proposals.two_people import LONGEST_TEXT
from subsidy.problem import Problem

# No control character, and nothing that turns the direction of what stands around it or is not seen.
_SEEN = r"[^\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"

Words = Annotated[str, Meta(min_length=1, max_length=200, pattern=rf"^{_SEEN}*(?!\s){_SEEN}{_SEEN}*\Z")]
"""A reference or a reason: one line, not empty."""

After = Annotated[str, QueryParameter(name="after", required=False, max_length=200)]


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, in a line."""

    reason: Words


def name_in(text: str) -> str:
    """Return a name from the address. Raises Problem for one that nothing here can have."""
    if not text.isprintable() or len(text) > LONGEST_TEXT or not text.strip():
        raise Problem(404, "NOT_FOUND", "Nothing here has such a name. Correct the address")
    return text
