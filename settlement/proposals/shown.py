"""What are both people shown of a command before it is carried out?

What it would do to the books as they stand when it is proposed: in a sentence, as events, and as the
money that it moves. The command itself stands in it, so that one hash binds all of it.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.claims.settle_record import AcceptDifference, RejectRecord
from settlement.devices.by_people import ReplaceDevice, UnfreezeDevice
from settlement.funds.close_year import CloseYear
from settlement.funds.freezings import LiftFreeze, name_shown
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.funds.release_hold import FreeGoods, ReleaseHold
from settlement.funds.top_up import TopUp
from settlement.intake.settle_entry import SettleEntry
from settlement.invoices.take import TakeInvoice
from settlement.offers.bearers import BorneBy
from settlement.offers.explain import ExplainOffer
from settlement.people.agreed import AddUser, ChangeRoles, DisableUser, ResetCredentials
from settlement.proposals.two_people import NeedsTwo
from settlement.returns.serve import EndReturn
from settlement.writer.step import Answer, Claimed, Happened, LeftOut
from subsidy import seal
from subsidy.money import yuan


class Move(msgspec.Struct, frozen=True):
    """Money that one account of a funder, year and pool gains, or loses when negative; in fen as posted."""

    funder: str
    account: str
    year: int
    pool: str
    fen: int


class Shown(msgspec.Struct, frozen=True):
    """A command and what it would do. `events` counts each kind of event."""

    command: NeedsTwo
    says: str
    events: dict[str, int]
    moves: tuple[Move, ...]
    left_out: tuple[LeftOut, ...] = ()


def agreed(command: NeedsTwo, answer: Answer) -> NeedsTwo:
    """Return the command with what it came to: a payment of another amount is not what was agreed."""
    if isinstance(command, PayClaim) and isinstance(answer, Claimed):
        return replace(command, lines=answer.lines, fen=answer.fen)
    return command


def show(command: NeedsTwo, answer: Answer, happened: Sequence[Happened]) -> Shown:
    """Return what is shown of a command that was tried out with `answer`, and what would happen."""
    moved: Counter[tuple[str, str, int, str]] = Counter()
    for one in happened:
        for posting in one.postings:
            moved[posting.funder, posting.account.value, posting.year, posting.pool] += posting.fen
    return Shown(
        command=command,
        says=_says(command, answer),
        events=dict(sorted(Counter(str(one.event.__struct_config__.tag) for one in happened).items())),
        moves=tuple(Move(*slot, fen) for slot, fen in sorted(moved.items()) if fen),
        left_out=answer.left_out if isinstance(answer, Claimed) else (),
    )


def is_same(before: Shown, now: Shown) -> bool:
    """Whether a command still does what was shown: the same happens, of the same lines, and moves as much."""
    # Two lines of one amount may have changed places: what is paid comes to as much, and is another line.
    left_out = [{one.record_id for one in shown.left_out} for shown in (before, now)]
    return (before.events, before.moves, left_out[0]) == (now.events, now.moves, left_out[1])


def for_people(shown: Shown) -> Shown:
    """Return it as people see it: of a blind index the beginning only."""
    command = shown.command
    if not isinstance(command, LiftFreeze):
        return shown
    return replace(shown, command=replace(command, name=name_shown(command.kind, command.name)))


def written(shown: Shown) -> str:
    """Return it as JSON, always the same text for the same thing shown."""
    return msgspec.json.encode(shown, order="sorted").decode()


def read(text: str) -> Shown:
    """Return what `written` has written."""
    return msgspec.json.decode(text, type=Shown)


def hash_of(text: str) -> str:
    """Return what both people name as having seen."""
    return seal.sha256_hex(text.encode())


_BEARERS = {
    BorneBy.BANK: "a bank, which owes it to the shop",
    BorneBy.WECHAT: "WeChat Pay, which owes it to the shop",
    BorneBy.ALIPAY: "Alipay, which owes it to the shop",
    BorneBy.UNIONPAY: "UnionPay, which owes it to the shop",
    BorneBy.OTHER: "somebody else, who owes it to the shop",
    BorneBy.SHOP: "the shop",
    BorneBy.SHOPPER: "the shopper",
}


def _says(command: NeedsTwo, answer: Answer) -> str:
    match command:
        case TopUp():
            given = ", ".join(f"{part.funder} {yuan(part.fen)}" for part in command.parts)
            return f"add to {Place(command.year, command.pool)}, by {command.reference}: {given}"
        case MoveAuthority():
            given = ", ".join(f"{part.funder} {yuan(part.fen)}" for part in command.parts)
            here, there = command.taken_from, command.given_to
            return f"move from {here} to {there}, by {command.reference}: {given}"
        case PayClaim():
            assert isinstance(answer, Claimed)
            withheld = sum(one.fen for one in answer.left_out)
            return (
                f"book that {command.reference} has paid {command.claim}: {answer.lines} lines, "
                f"{yuan(answer.fen)}; withheld {len(answer.left_out)} lines, {yuan(withheld)}"
            )
        case SendBack(to_correct=True):
            return f"send {command.record_id} of {command.claim} back to be corrected: {command.reason}"
        case SendBack():
            return f"reject {command.record_id} of {command.claim} for good: {command.reason}"
        case Repay():
            return f"book that {command.reference} has repaid the grant of {command.record_id}"
        case EnterLate():
            return f"let the late grant of {command.record_id} enter the pool, by {command.reference}"
        case RejectRecord():
            frees = "its person and serial number are free"
            goods = frees if command.frees_goods else "which frees no person and no serial number"
            return f"reject {command.record_id} for good, {goods}: {command.reason}"
        case AcceptDifference():
            return f"lift {command.difference} from the line of {command.record_id}: {command.reason}"
        case SettleEntry():
            return f"let entry {command.entry}, which could not be taken, wait no longer: {command.reason}"
        case ReleaseHold():
            return f"end the hold of {command.record_id} unpaid: {command.reason}"
        case FreeGoods():
            return f"free person and serial number of {command.record_id}, not its money: {command.reason}"
        case EndReturn(refunded=True):
            return f"book that the shopper of {command.record_id} has the money back, by {command.reference}"
        case EndReturn():
            return f"end the return of {command.record_id}, by {command.reference}: no money went back"
        case TakeInvoice():
            return (
                f"take in invoice {command.invoice_no} over {yuan(command.total_fen)} "
                f"for {command.record_id}, by {command.reference}"
            )
        case ExplainOffer(borne_by=BorneBy.SUBSIDY):
            return (
                f"say that {yuan(command.fen)} of payment {command.pay_ref} was the subsidy itself, by "
                f"{command.reference}: its line stays held back"
            )
        case ExplainOffer():
            return (
                f"say that {yuan(command.fen)} of payment {command.pay_ref} was borne by "
                f"{_BEARERS[command.borne_by]}, by {command.reference}"
            )
        case LiftFreeze():
            return (
                f"let {command.kind.value} {name_shown(command.kind, command.name)} go again: {command.why}"
            )
        case UnfreezeDevice():
            return f"let device {command.device} go again: {command.why}"
        case ReplaceDevice():
            return f"freeze device {command.device} for good, another host takes its place: {command.why}"
        case AddUser():
            kind = "service" if command.is_service else "person"
            return f"make {command.name} a user, a {kind}, with {', '.join(command.roles) or 'no role'}"
        case ChangeRoles():
            changes = [*(f"+{one}" for one in command.give), *(f"-{one}" for one in command.take)]
            return f"change the roles of {command.name}: {' '.join(changes)}"
        case DisableUser():
            return f"let {command.name} do nothing any more, for good"
        case ResetCredentials():
            return (
                f"let {command.name} set a new password and second factor without the old ones: whoever "
                "approves lets them in, with the code that the proposer gives them"
            )
        case CloseYear():
            return f"close {command.year} for good: nothing of it is promised again"
