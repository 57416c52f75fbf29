"""What does one command do to the rows? Pure: the batch, the simulator and the rebuild run it."""

from collections.abc import Callable

from settlement.claims import build, enter_late, pay, repaid, send_back
from settlement.devices import by_people, enrol
from settlement.funds import close_year, freezings, place_hold, release_hold, top_up
from settlement.intake import accept
from settlement.ledger import balances
from settlement.reconcile import apply_night
from settlement.writer.batch import Rows, Wanted
from settlement.writer.step import Answer, Event, Happened, MoneyEvent, Setting

Command = (
    place_hold.PlaceHold
    | accept.TakeUpload
    | top_up.TopUp
    | enrol.Enrol
    | build.BuildClaim
    | pay.PayClaim
    | send_back.SendBack
    | repaid.Repay
    | enter_late.EnterLate
    | close_year.CloseYear
    | apply_night.ApplyNight
    | freezings.ImposeFreeze
    | freezings.LiftFreeze
    | release_hold.ReleaseHold
    | release_hold.FreeGoods
    | by_people.FreezeDevice
    | by_people.UnfreezeDevice
    | by_people.ReplaceDevice
)


def keys(command: Command, rows: Rows, setting: Setting, at_ms: int) -> list[Wanted]:
    """Return the rows that `command` needs and that are not loaded yet; none when all are there.

    Asked again after each load: a hold names a qualification, and only its row names the person.
    """
    match command:
        case place_hold.PlaceHold():
            wanted = place_hold.keys(command, rows, setting, at_ms)
        case accept.TakeUpload():
            wanted = accept.keys(command, rows)
        case top_up.TopUp():
            wanted = top_up.keys(command, rows)
        case enrol.Enrol():
            wanted = enrol.keys(command, rows)
        case build.BuildClaim():
            wanted = build.keys(command, rows, setting)
        case pay.PayClaim():
            wanted = pay.keys(command, rows, setting)
        case send_back.SendBack():
            wanted = send_back.keys(command, rows)
        case repaid.Repay():
            wanted = repaid.keys(command, rows)
        case enter_late.EnterLate():
            wanted = enter_late.keys(command, rows)
        case close_year.CloseYear():
            wanted = close_year.keys(command, rows, setting)
        case apply_night.ApplyNight():
            wanted = apply_night.keys(command, rows)
        case freezings.ImposeFreeze() | freezings.LiftFreeze():
            wanted = freezings.keys(command, rows)
        case release_hold.ReleaseHold() | release_hold.FreeGoods():
            wanted = release_hold.keys(command, rows)
        case by_people.FreezeDevice() | by_people.UnfreezeDevice() | by_people.ReplaceDevice():
            wanted = by_people.keys(command, rows)
    return [one for one in wanted if not rows.has(one)]


def run(
    command: Command, rows: Rows, setting: Setting, at_ms: int, happened: Callable[[Happened], None]
) -> Answer:
    """Run `command` on loaded rows, fold what happens into them, and return its answer."""

    def emit(event: Event) -> None:
        posted = balances.book(rows, event.booking) if isinstance(event, MoneyEvent) else ()
        event.fold(rows)
        happened(Happened(at_ms, event, posted))

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
        case close_year.CloseYear():
            return close_year.decide(rows, command, setting, at_ms, emit)
        case apply_night.ApplyNight():
            return apply_night.decide(rows, command, setting, at_ms, emit)
        case freezings.ImposeFreeze() | freezings.LiftFreeze():
            return freezings.decide(rows, command, setting, at_ms, emit)
        case release_hold.ReleaseHold() | release_hold.FreeGoods():
            return release_hold.decide(rows, command, setting, at_ms, emit)
        case by_people.FreezeDevice() | by_people.UnfreezeDevice() | by_people.ReplaceDevice():
            return by_people.decide(rows, command, setting, at_ms, emit)
