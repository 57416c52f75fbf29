"""What does one command do to the rows? Pure: the batch, the simulator and the rebuild run it."""

from collections.abc import Callable, Iterator

from settlement.claims import build, enter_late, pay, repaid, send_back, settle_record
from settlement.copies import restored
from settlement.devices import by_people, enrol
from settlement.funds import close_year, freezings, move_authority, place_hold, release_hold, top_up
from settlement.intake import accept, settle_entry
from settlement.invoices import take as invoices
from settlement.ledger import balances
from settlement.offers import explain
from settlement.people import agreed
from settlement.proposals import approve, propose, turn_down
from settlement.proposals.two_people import NeedsTwo
from settlement.reconcile import apply_night
from settlement.returns import serve
from settlement.writer import free_texts
from settlement.writer.batch import Rows, Wanted
from settlement.writer.step import Answer, Event, Happened, MoneyEvent, Setting

Direct = (
    place_hold.PlaceHold
    | accept.TakeUpload
    | enrol.Enrol
    | build.BuildClaim
    | apply_night.ApplyNight
    | freezings.ImposeFreeze
    | by_people.FreezeDevice
    | serve.BeginReturn
    | propose.Propose
    | approve.Approve
    | turn_down.Withdraw
    | turn_down.Decline
    | restored.NoteRestore
    | restored.SettleRestore
)
"""What an address or a command may give to the writer: the rest needs two people."""

Command = Direct | NeedsTwo


def asks(command: Command, rows: Rows, setting: Setting, at_ms: int) -> Iterator[list[Wanted]]:
    """Yield the rows that `command` needs and that are not loaded yet, until all are there.

    What is yielded is loaded before the next is asked for: a hold names a qualification, and only its
    row names the person.
    """
    if isinstance(command, place_hold.PlaceHold):
        for wanted in place_hold.asks(command, rows, setting, at_ms):
            if missing := [one for one in wanted if not rows.has(one)]:
                yield missing
        return
    while missing := [one for one in _keys(command, rows, setting) if not rows.has(one)]:
        yield missing


def _keys(command: Command, rows: Rows, setting: Setting) -> list[Wanted]:
    match command:
        case accept.TakeUpload():
            return accept.keys(command, rows, setting)
        case top_up.TopUp():
            return top_up.keys(command, rows)
        case enrol.Enrol():
            return enrol.keys(command, rows)
        case build.BuildClaim():
            return build.keys(command, rows, setting)
        case pay.PayClaim():
            return pay.keys(command, rows, setting)
        case send_back.SendBack():
            return send_back.keys(command, rows)
        case repaid.Repay():
            return repaid.keys(command, rows)
        case enter_late.EnterLate():
            return enter_late.keys(command, rows)
        case settle_record.RejectRecord() | settle_record.AcceptDifference():
            return settle_record.keys(command, rows)
        case settle_entry.SettleEntry():
            return settle_entry.keys(command)
        case close_year.CloseYear():
            return close_year.keys(command, rows)
        case move_authority.MoveAuthority():
            return move_authority.keys(command, rows)
        case apply_night.ApplyNight():
            return apply_night.keys(command, rows)
        case freezings.ImposeFreeze() | freezings.LiftFreeze():
            return freezings.keys(command, rows)
        case release_hold.ReleaseHold() | release_hold.FreeGoods():
            return release_hold.keys(command, rows)
        case by_people.FreezeDevice() | by_people.UnfreezeDevice() | by_people.ReplaceDevice():
            return by_people.keys(command, rows)
        case serve.BeginReturn() | serve.EndReturn():
            return serve.keys(command, rows)
        case invoices.TakeInvoice():
            return invoices.keys(command)
        case explain.ExplainOffer():
            return explain.keys(command, rows)
        case agreed.AddUser() | agreed.ChangeRoles() | agreed.DisableUser() | agreed.ResetCredentials():
            return agreed.keys(command)
        case propose.Propose():
            return propose.keys(command)
        case approve.Approve():
            return approve.keys(command, rows, lambda inner: _keys(inner, rows, setting))
        case turn_down.Withdraw() | turn_down.Decline():
            return turn_down.keys(command)
        case restored.NoteRestore() | restored.SettleRestore():
            return restored.keys(command)
    raise AssertionError(f"{type(command).__name__} asks for nothing")


def is_settled(command: Command) -> bool:
    """Whether no command of a batch can change which rows this one needs, once it has them all."""
    return isinstance(command, place_hold.PlaceHold)


def happen(event: Event, rows: Rows, at_ms: int) -> Happened:
    """Fold an event into the rows, its money too: the writer does it here, and so do books made anew."""
    posted = balances.book(rows, event.booking) if isinstance(event, MoneyEvent) else ()
    event.fold(rows)
    return Happened(at_ms, event, posted)


def run(
    command: Command, rows: Rows, setting: Setting, at_ms: int, happened: Callable[[Happened], None]
) -> Answer:
    """Run `command` on loaded rows, fold what happens into them, and return its answer."""

    def emit(event: Event) -> None:
        happened(happen(event, rows, at_ms))

    command = free_texts.blotted(command)
    match command:
        case place_hold.PlaceHold():
            return place_hold.decide(rows, command, setting, at_ms, emit)
        case accept.TakeUpload():
            return accept.decide(rows, command, setting, at_ms, emit)
        case top_up.TopUp():
            return top_up.decide(rows, command, setting, at_ms, emit)
        case enrol.Enrol():
            return enrol.decide(rows, command, setting, at_ms, emit)
        case build.BuildClaim():
            return build.decide(rows, command, setting, at_ms, emit)
        case pay.PayClaim():
            return pay.decide(rows, command, setting, at_ms, emit)
        case send_back.SendBack():
            return send_back.decide(rows, command, setting, at_ms, emit)
        case repaid.Repay():
            return repaid.decide(rows, command, setting, at_ms, emit)
        case enter_late.EnterLate():
            return enter_late.decide(rows, command, setting, at_ms, emit)
        case settle_record.RejectRecord() | settle_record.AcceptDifference():
            return settle_record.decide(rows, command, setting, at_ms, emit)
        case settle_entry.SettleEntry():
            return settle_entry.decide(rows, command, at_ms, emit)
        case close_year.CloseYear():
            return close_year.decide(rows, command, setting, at_ms, emit)
        case move_authority.MoveAuthority():
            return move_authority.decide(rows, command, setting, at_ms, emit)
        case apply_night.ApplyNight():
            return apply_night.decide(rows, command, setting, at_ms, emit)
        case freezings.ImposeFreeze() | freezings.LiftFreeze():
            return freezings.decide(rows, command, setting, at_ms, emit)
        case release_hold.ReleaseHold() | release_hold.FreeGoods():
            return release_hold.decide(rows, command, setting, at_ms, emit)
        case by_people.FreezeDevice() | by_people.UnfreezeDevice() | by_people.ReplaceDevice():
            return by_people.decide(rows, command, setting, at_ms, emit)
        case serve.BeginReturn() | serve.EndReturn():
            return serve.decide(rows, command, setting, at_ms, emit)
        case invoices.TakeInvoice():
            return invoices.decide(rows, command, at_ms, emit)
        case explain.ExplainOffer():
            return explain.decide(rows, command, at_ms, emit)
        case agreed.AddUser() | agreed.ChangeRoles() | agreed.DisableUser() | agreed.ResetCredentials():
            return agreed.decide(rows, command, at_ms, emit)
        case propose.Propose():
            return propose.decide(rows, command, at_ms, emit)
        case approve.Approve():

            def carry_out(inner: NeedsTwo, rows: Rows, happened: Callable[[Happened], None]) -> Answer:
                return run(inner, rows, setting, at_ms, happened)

            return approve.decide(rows, command, at_ms, emit, happened, carry_out)
        case turn_down.Withdraw() | turn_down.Decline():
            return turn_down.decide(rows, command, at_ms, emit)
        case restored.NoteRestore() | restored.SettleRestore():
            return restored.decide(rows, command, setting, at_ms, emit)
