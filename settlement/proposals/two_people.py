"""Which commands need two people, and how does one stand in a proposal?

This is the one list. Whoever adds a command that moves money, or decides for good, adds it here; it
then reaches the books through a proposal only.
"""

from collections.abc import Iterable
from typing import Any, TypeVar, get_args

import msgspec
from msgspec.structs import replace

from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.claims.settle_record import AcceptDifference, RejectRecord
from settlement.devices.by_people import ReplaceDevice, UnfreezeDevice
from settlement.funds.close_year import CloseYear
from settlement.funds.freezings import LiftFreeze
from settlement.funds.move_authority import MoveAuthority
from settlement.funds.release_hold import FreeGoods, ReleaseHold
from settlement.funds.top_up import TopUp
from settlement.intake.settle_entry import SettleEntry
from settlement.invoices.take import TakeInvoice
from settlement.offers.explain import ExplainOffer
from settlement.people.agreed import OfPeople
from settlement.returns.serve import EndReturn
from settlement.writer.step import Decision
from subsidy.masking import scrub

OfBooks = (
    TopUp
    | MoveAuthority
    | PayClaim
    | SendBack
    | Repay
    | EnterLate
    | RejectRecord
    | AcceptDifference
    | SettleEntry
    | CloseYear
    | ReleaseHold
    | FreeGoods
    | EndReturn
    | TakeInvoice
    | ExplainOffer
    | LiftFreeze
    | UnfreezeDevice
    | ReplaceDevice
)
NeedsTwo = OfBooks | OfPeople
"""What is about people is proposed and approved by administrators, the rest by operations and approvers."""

BookedOnce = TopUp | MoveAuthority | PayClaim
"""What books money by a document, and never twice by the same."""

LONGEST_TEXT = 200
MOST_NUMBER = 10**15
"""In fen more than a country gives in a year, and far below what a database or a JSON reader loses."""
V = TypeVar("V")

_OF_PEOPLE = {str(one.__struct_config__.tag) for one in get_args(OfPeople)}


def kind_of(command: NeedsTwo) -> str:
    """Return the name of a command's kind, as it stands in its JSON under `type`."""
    return str(command.__struct_config__.tag)


def is_about_people(kind: str) -> bool:
    """Whether administrators decide about commands of this kind."""
    return kind in _OF_PEOPLE


def written(command: NeedsTwo) -> str:
    """Return the command as JSON, always the same text for the same command."""
    return msgspec.json.encode(command, order="sorted").decode()


def read(text: str) -> NeedsTwo:
    """Return the command that `written` has written."""
    command: NeedsTwo = msgspec.json.decode(text, type=NeedsTwo)
    return command


def decided_by(command: NeedsTwo, people: Iterable[str]) -> NeedsTwo:
    """Return the command as it is carried out: with the people who have decided it, where it names them."""
    return replace(command, by=", ".join(people)) if isinstance(command, Decision) else command


def problem_of_texts(command: NeedsTwo) -> str | None:
    """Return what is wrong with a text of the command, or None.

    Documents, reasons and names are read by a second person: a text must show all that is in it.
    """
    if isinstance(command, Decision) and command.by:
        return "$.by: the proposal itself says who decides; leave it out"
    for where, text in _values(msgspec.to_builtins(command), "$", str):
        if not text and where.rpartition(".")[2] == "pool":
            continue  # the undivided year
        if not text.strip() or len(text) > LONGEST_TEXT or not text.isprintable():
            return f"{where}: not one line of at most {LONGEST_TEXT} characters that can all be seen"
    if isinstance(command, BookedOnce) and scrub(command.reference) != command.reference:
        return (
            "$.reference: it has digits like a card, identity or phone number, and none is kept in clear; if "
            "they are the document's own, put a letter or a slash between them"
        )
    return None


def problem_of_numbers(command: NeedsTwo) -> str | None:
    """Return which number of the command no books can hold, or None."""
    for where, number in _values(msgspec.to_builtins(command), "$", int):
        if abs(number) > MOST_NUMBER:
            return f"{where}: beyond {MOST_NUMBER}, and no amount or year of any books is"
    return None


def _values(value: Any, where: str, kind: type[V]) -> list[tuple[str, V]]:
    if isinstance(value, kind):
        return [(where, value)]
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in _values(one, f"{where}.{key}", kind)]
    if isinstance(value, list | tuple):
        return [
            found for number, one in enumerate(value) for found in _values(one, f"{where}[{number}]", kind)
        ]
    return []
