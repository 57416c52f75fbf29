"""By which rules was a sale's subsidy granted? Decided again, on the facts of the fund's own promise."""

import msgspec

from subsidy.policy.decide import Because, Granted, decide
from subsidy.policy.facts import Facts
from subsidy.policy.model import Pack
from terminal_agent.checkout.sale import Held


def why_granted(pack: Pack | None, held: Held) -> tuple[Because, ...]:
    """Return the rules of `pack` that the grant rests on; none when the pack is missing or says otherwise."""
    if pack is None or pack.hash != held.promise.pack_hash:
        return ()
    decision = decide(pack, msgspec.json.decode(bytes(held.facts), type=Facts))
    same = isinstance(decision, Granted) and decision.subsidy_fen == held.promise.amounts.subsidy_fen
    return decision.because if isinstance(decision, Granted) and same else ()
