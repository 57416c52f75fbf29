"""How does a command become a proposal, with what it would do now?

It is tried out on the books as they stand, in memory: what they would refuse is not proposed at all.
"""

import base64
from collections.abc import Callable

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Engine

from settlement.db import tables
from settlement.db.connection import reading
from settlement.funds import read_freezings
from settlement.funds.freezings import Kind, LiftFreeze
from settlement.proposals import shown as shown_text
from settlement.proposals import two_people
from settlement.proposals.approve import LASTS_MS
from settlement.proposals.propose import Propose
from settlement.proposals.two_people import NeedsTwo
from settlement.registers import shared
from settlement.registers.shared import Registers
from settlement.writer import apply, free_texts, store
from settlement.writer.rows import Proposal
from settlement.writer.step import Answer, Denied, Happened, Setting


class Desk(msgspec.Struct, frozen=True):
    """What making a proposal needs. `submit` gives a command to the writer."""

    engine: Engine
    setting: Setting
    at_ms: int
    random_bytes: Callable[[int], bytes]
    submit: Callable[[Propose], Answer]
    registers: Registers | None = None


def try_out(
    connection: Connection,
    command: NeedsTwo,
    setting: Setting,
    at_ms: int,
    registers: Registers | None = None,
) -> tuple[Answer, list[Happened]]:
    """Return what the books would answer and what would happen. Nothing is changed."""
    rows = shared.empty_rows(registers)
    happened: list[Happened] = []
    for missing in apply.asks(command, rows, setting, at_ms):
        shared.load(registers, connection, missing, rows)
    return apply.run(command, rows, setting, at_ms, happened.append), happened


def look(desk: Desk, command: NeedsTwo) -> shown_text.Shown | Denied:
    """Return what both people are shown of a command, or why the books refuse it."""
    wrong = two_people.problem_of_texts(command)
    if wrong is not None:
        return Denied(422, "TEXT_WRONG", f"{wrong}. Correct it")
    wrong = two_people.problem_of_numbers(command)
    if wrong is not None:
        return Denied(422, "NUMBER_WRONG", f"{wrong}. Correct it")
    command = free_texts.blotted(command)
    with reading(desk.engine) as connection:
        command = _in_full(connection, command)
        answer, happened = try_out(connection, command, desk.setting, desk.at_ms, desk.registers)
    if isinstance(answer, Denied):
        return answer
    return shown_text.show(shown_text.agreed(command, answer), answer, happened)


def make(desk: Desk, command: NeedsTwo, by: str) -> str | Denied:
    """Propose a command and return the proposal's name, or why the books refuse it.

    Asked again while it is open it is the same proposal, so that a caller who got no answer may repeat.
    """
    shown = look(desk, command)
    if isinstance(shown, Denied):
        return shown
    text = two_people.written(shown.command)
    with reading(desk.engine) as connection:
        before = _open_one(connection, by, text, desk.at_ms)
    if before is not None:
        return before
    # Forty bits: two open at once under one name are denied, and the caller asks again.
    name = "P-" + base64.b32encode(desk.random_bytes(5)).decode()
    asked = Propose(name, by, two_people.kind_of(shown.command), text, shown_text.written(shown))
    answer = desk.submit(asked)
    return answer if isinstance(answer, Denied) else name


def _in_full(connection: Connection, command: NeedsTwo) -> NeedsTwo:
    """Return the command with the whole index of a person whose freeze is named as people see it."""
    if not isinstance(command, LiftFreeze) or command.kind is not Kind.PERSON:
        return command
    return replace(command, name=read_freezings.person_called(connection, command.name) or command.name)


def _open_one(connection: Connection, by: str, command: str, at_ms: int) -> str | None:
    c = tables.proposal.c
    found = store.read_where(
        connection,
        Proposal,
        c.state == "OPEN",
        c.proposed_by == by,
        c.command == command,
        c.proposed_ms > at_ms - LASTS_MS,
    )
    return next((one.proposal for one in found if isinstance(one, Proposal)), None)
