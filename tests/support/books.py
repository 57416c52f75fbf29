"""The centre's books without HTTP: commands through the one writer, on a real database.

After every batch three things are checked, whatever the test is about: the rows in memory equal those in
the database, balances equal the fold of their postings, and nothing is out of balance.
"""

import atexit
import datetime
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import postgres
import reference_data as reference
from centre import Clock, ready_centre, state_hash, write_config
from fake_device import Chained, FakeDevice, promised
from matched import match_all
from sqlalchemy import Connection, Engine, make_url, text
from taken_moves import TAKEN

from settlement.app import Centre
from settlement.claims.build import BuildClaim
from settlement.config import read_settings
from settlement.db import rights
from settlement.db.connection import engine_on, reading, writing
from settlement.db.place import Place, Postgres
from settlement.devices.enrol import Enrol
from settlement.devices.make_code import make_code
from settlement.funds.gather_facts import Question
from settlement.funds.place_hold import PlaceHold
from settlement.intake.accept import Stated, TakeUpload
from settlement.intake.read_upload import read_entry
from settlement.ledger import read_books
from settlement.ledger.accounts import Account
from settlement.system import random_bytes
from settlement.writer import store
from settlement.writer.apply import Command
from settlement.writer.batch import Rows
from settlement.writer.rows import Device, Difference, Record, Row
from settlement.writer.step import Acks, Answer, Claimed, Denied, Setting, Signed
from settlement.writer.writer import Writer
from subsidy import calendar, seal
from subsidy.policy.model import Pack
from subsidy.seal import Sealed
from subsidy.wire import v1

NOON_MS = 1_772_337_600_000  # 2026-03-01 12:00 in Shanghai


class FixedClock(Clock):
    """A clock that stands still until a test moves it."""

    def __init__(self, at_ms: int = NOON_MS) -> None:
        super().__init__()
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms + self.ahead_ms


SQLITE = "sqlite"
POSTGRES = "postgres"
ENGINES = (SQLITE, POSTGRES)
# A whole run can be made on PostgreSQL: what is for both databases is tested on both in every run.
USUAL = os.environ.get("TESTS_ON", SQLITE)


@functools.cache
def template(on: str = USUAL) -> tuple[Path, Centre]:
    """Return a centre with reference data and money and its folder, made once for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="centre-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    changes = {}
    name = postgres.shared().make() if on == POSTGRES else ""
    if name:
        changes["database"] = f'"{postgres.shared().url(name)}"'
    settings = read_settings(write_config(folder, **changes), environment={}).settings
    centre, token = ready_centre(settings, folder, FixedClock())
    (folder / "token").write_text(token)
    if name:
        rights.let_in(centre.engine, postgres.SERVICE)
        write_config(folder, database=f'"{postgres.shared().url(name, postgres.SERVICE)}"')
    # Nobody may be connected to a database that others are made of.
    centre.engine.dispose()
    return folder, centre


def copy_template(folder: Path, on: str = USUAL) -> Path:
    """Copy the prepared centre into `folder` and return its configuration file."""
    return copy_books(template(on)[0], folder)


def copy_books(original: Path, folder: Path) -> Path:
    """Copy a centre that nobody has open, its database too, and return the copy's configuration file."""
    shutil.copytree(original, folder, dirs_exist_ok=True)
    config = folder / "settlement.yaml"
    database = read_settings(config, environment={}).settings.database
    if isinstance(database, Postgres):
        cluster = postgres.shared()
        old = make_url(database.url)
        new = cluster.url(cluster.make(old.database or ""), old.username or "")
        config.write_text(config.read_text().replace(database.url, new))
    return config


class Books:
    """A centre's books in a folder of their own, at noon of a day that is open.

    On PostgreSQL they are used as the service's role, which has the rights that `settlement init` gives it.
    """

    def __init__(self, folder: Path, is_new: bool = True, on: str = USUAL) -> None:
        self.clock = FixedClock()
        self.folder, self.on = folder, on
        if is_new:
            copy_template(folder, on)
        settings = read_settings(folder / "settlement.yaml", environment={}).settings
        # Reading the packs again would take most of a test's time.
        self.centre: Centre = msgspec.structs.replace(
            template(on)[1],
            settings=settings,
            engine=engine_on(settings.database),
            now_ms=self.clock.now_ms,
        )
        self.engine = self.centre.engine
        self.owner = _as_owner(self.engine, settings.database)
        self.pack = self.centre.pack
        self.happened: list[str] = []
        self.writer = Writer(self.engine, self.setting, self.clock.now_ms, _raise)

    def copy(self, folder: Path) -> None:
        """Copy the books as they stand into `folder`."""
        self.engine.dispose()
        self.owner.dispose()
        copy_books(self.folder, folder)

    @classmethod
    def reopen(cls, folder: Path, like: "Books") -> "Books":
        """Return the books in `folder`, a copy of older ones, with the clock of `like`."""
        books = cls(folder, is_new=False, on=like.on)
        books.clock.ahead_ms = like.clock.ahead_ms
        return books

    def close(self) -> None:
        """Let go of the database; one on a server is dropped."""
        self.engine.dispose()
        self.owner.dispose()
        if isinstance(self.centre.settings.database, Postgres):
            postgres.shared().drop(make_url(self.centre.settings.database.url).database or "")

    def setting(self) -> Setting:
        """Return what the steps may know: the pack may be changed by a test."""
        return msgspec.structs.replace(self.centre.setting(), pack=self.pack)

    def write(self, *commands: Command) -> list[Answer]:
        """Run the commands as one batch, then check the books."""
        seen: list[dict[Any, Row | None]] = []

        def spy(connection: Any, rows: Rows, happened: Any) -> None:
            seen.append(dict(rows.all_loaded()))
            note_moves(connection, rows)
            self.happened += [str(one.event.__struct_config__.tag) for one in happened]
            write(connection, rows, happened)

        write, store.write = store.write, spy
        try:
            answers = self.writer.write_now(list(commands))
        finally:
            store.write = write
        self.check(*seen)
        return answers

    def check(self, *in_memory: dict[Any, Row | None]) -> None:
        """Check the books, and that the database holds what was in memory."""
        with reading(self.engine) as connection:
            assert list(read_books.faults(connection)) == []
            for rows in in_memory:
                again = Rows()
                store.load(connection, list(rows), again)
                assert dict(again.all_loaded()) == rows

    def enrol(self, seed: str = "device", shop: str = reference.SHOP) -> FakeDevice:
        """Return an enrolled device."""
        device = FakeDevice(seed, self.clock.now_ms)
        with writing(self.engine) as connection:
            made = make_code(
                connection, shop, self.centre.keys.kid, 900_000, random_bytes, self.clock.now_ms()
            )
        assert made is not None
        code_hash = seal.sha256_hex(made.code.encode())
        (answer,) = self.write(Enrol(code_hash, device.public_text, "till-1"))
        assert not isinstance(answer, Denied), answer
        return device

    def asked(self, device: FakeDevice, request: v1.HoldRequest) -> PlaceHold:
        """Return a hold request as the web hands it to the writer."""
        question = Question(
            device=device.name,
            item=request.item,
            prices=request.prices,
            qualification=self.centre.keys.qualification_index(request.qualification_code),
            terminal_no=request.terminal_no,
            tender=request.tender,
        )
        mac = self.centre.keys.request_mac(msgspec.json.encode(request))
        return PlaceHold(request, question, device.epoch, mac)

    def ask(self, device: FakeDevice, request: v1.HoldRequest) -> Answer:
        """Ask for a hold and return the answer as it is."""
        return self.write(self.asked(device, request))[0]

    def hold(self, device: FakeDevice, **changes: Any) -> Sealed:
        """Place a hold and return its sealed promise."""
        answer = self.ask(device, device.hold_request(self.pack.hash, **changes))
        assert isinstance(answer, Signed), answer
        assert answer.typ == v1.PROMISE, answer.payload
        return self.sealed(answer)

    def refusals(self, device: FakeDevice, **changes: Any) -> list[str]:
        """Ask for a hold that is refused and return the reasons."""
        answer = self.ask(device, device.hold_request(self.pack.hash, **changes))
        assert isinstance(answer, Signed)
        assert answer.typ == v1.REFUSAL, answer.payload
        return [one.value for one in msgspec.json.decode(answer.payload, type=v1.Refused).reasons]

    def uploaded(self, device: FakeDevice, upload: v1.Upload, stated: bool = True) -> TakeUpload:
        """Return an upload as the web hands it to the writer."""
        keys = self.centre.keys.public()
        entries = tuple(read_entry(device.name, device.epoch, one, keys) for one in upload.entries)
        more = Stated(upload.upload_no, upload.statement, upload.refused) if stated else None
        return TakeUpload(device.name, device.epoch, entries, more)

    def take(self, device: FakeDevice, *entries: Chained, **changes: Any) -> list[str]:
        """Take a batch and return what its acks say. Open holds stay open unless `still_open` is given."""
        changes.setdefault("still_open", self.open_of(device))
        (answer,) = self.write(self.uploaded(device, device.upload(entries, **changes)))
        return self.answers(answer, entries)

    def take_early(self, device: FakeDevice, entry: Chained) -> list[str]:
        """Take one entry on its own, without a statement."""
        (answer,) = self.write(self.uploaded(device, device.upload([entry]), stated=False))
        return self.answers(answer, (entry,))

    def sell(self, device: FakeDevice, **changes: Any) -> Sealed:
        """Place a hold, report it paid, and return its sealed promise."""
        sealed = self.hold(device, **changes)
        assert self.take(device, device.chain(device.paid(sealed))) == ["accepted"]
        return sealed

    def give_back(self, device: FakeDevice, sealed: Sealed, refunded: bool = True) -> None:
        """Report a return of a sale's goods, begun and ended."""
        promise = promised(sealed)
        begun, ended = device.returning(promise), device.returned(promise, refunded)
        assert self.take(device, device.chain(begun), device.chain(ended)) == ["accepted"] * 2

    def next_day(self, *devices: FakeDevice) -> datetime.date:
        """Let a day end, the devices state their open holds and its night match; return the day."""
        ended = calendar.business_day(calendar.from_ms(self.clock.now_ms()))
        self.clock.ahead_ms += 86_400_000
        for device in devices:
            self.take(device)
        self.match()
        return ended

    def match(self) -> None:
        """Let the night match every payment of which the centre has heard."""
        match_all(self.engine, self.write)

    def claim(self, *devices: FakeDevice, merchant: str = reference.MERCHANT) -> Claimed:
        """Build a merchant's claim for a day that ends now, and return what became of it."""
        return self.done(BuildClaim(merchant, self.next_day(*devices)))

    def done(self, command: Command) -> Any:
        """Run a command that is not denied and return its answer."""
        (answer,) = self.write(command)
        assert not isinstance(answer, Denied), answer
        return answer

    def denied(self, command: Command) -> str:
        """Run a command that is denied and return the code; it has changed nothing."""
        before = self.state_hash()
        (answer,) = self.write(command)
        assert isinstance(answer, Denied), answer
        assert self.state_hash() == before
        assert answer.detail
        return answer.code

    def answers(self, answer: Answer, entries: tuple[Chained, ...]) -> list[str]:
        """Return what the acks say, having checked that each names its entry's hash."""
        assert isinstance(answer, Acks), answer
        acks = [msgspec.json.decode(one.payload, type=v1.Ack) for one in answer.acks]
        assert [(ack.seq, ack.hash) for ack in acks] == [(one.seq, one.hash) for one in entries]
        assert {one.typ for one in answer.acks} <= {v1.ACK}
        return [ack.answer for ack in acks]

    def frozen(self, device: FakeDevice, *commands: Command) -> str:
        """Run commands whose last one freezes the device, and return why."""
        answer = self.write(*commands)[-1]
        assert isinstance(answer, Denied), answer
        assert (answer.status, answer.code) == (403, "DEVICE_FROZEN")
        why = self.device(device).frozen
        assert why
        assert "device_frozen" in self.differences(device.name)
        return why

    def open_of(self, device: FakeDevice) -> tuple[v1.OpenHold, ...]:
        """Return what the device would state as open: every hold of its that is HELD."""
        with reading(self.engine) as connection:
            query = "SELECT record_id, hold_no FROM record WHERE device = :device AND state = 'HELD'"
            found = connection.execute(text(query), {"device": device.name})
            return tuple(v1.OpenHold(record_id=row.record_id, hold_no=row.hold_no) for row in found)

    def sealed(self, answer: Signed) -> Sealed:
        """Seal an answer as the web does once it is committed."""
        return seal.seal(answer.typ, answer.payload, self.centre.keys.signing(answer.kid))

    def row(self, kind: type[Row], *key: Any) -> Any:
        """Return a row, or None."""
        rows = Rows()
        with reading(self.engine) as connection:
            store.load(connection, [(kind, key)], rows)
        return rows.get(kind, *key)

    def record(self, sealed: Sealed | str) -> Record:
        """Return the record of a promise, or of a record id."""
        name = sealed if isinstance(sealed, str) else promised(sealed).record_id
        found = self.row(Record, name)
        assert isinstance(found, Record), name
        return found

    def device(self, device: FakeDevice) -> Device:
        """Return a device's row."""
        found = self.row(Device, device.name)
        assert isinstance(found, Device)
        return found

    def differences(self, subject: str) -> list[str]:
        """Return the kinds of what waits about a subject; each has an owner."""
        with reading(self.engine) as connection:
            found = store.read_where(connection, Difference)
        mine = [
            one
            for one in found
            if isinstance(one, Difference) and one.subject == subject and one.closed_ms is None
        ]
        assert all(one.owner for one in mine)
        return [one.kind for one in mine]

    def total(self, account: Account) -> int:
        """Return the sum of an account over all funders and years."""
        with reading(self.engine) as connection:
            return sum(fen for slot, fen in read_books.balances(connection).items() if slot[1] is account)

    def money(self) -> dict[str, int]:
        """Return what is not zero, over all funders and years, without what was given and is left."""
        found = {account.value: self.total(account) for account in Account}
        beside = (Account.APPROPRIATED.value, Account.AVAILABLE.value)
        return {name: fen for name, fen in found.items() if fen and name not in beside}

    def sql(self, statement: str) -> None:
        """Run a statement behind the application's back, as whoever owns the tables."""
        with writing(self.owner) as connection:
            connection.execute(text(statement))

    def unguard(self, table: str) -> None:
        """Take away what the database itself refuses of a table, as whoever owns it can."""
        if self.engine.dialect.name == "postgresql":
            self.sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            return
        query = f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'"
        for (trigger,) in self.sql_rows(query):
            self.sql(f"DROP TRIGGER {trigger}")

    def sql_rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with reading(self.engine) as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def state_hash(self) -> str:
        """Return one hash over everything in the database."""
        return state_hash(self.centre)


def _as_owner(engine: Engine, place: Place) -> Engine:
    """Return an engine on the books as whoever owns their tables."""
    if not isinstance(place, Postgres):
        return engine
    return engine_on(Postgres(postgres.shared().url(make_url(place.url).database or "")))


def note_moves(connection: Connection, rows: Rows) -> None:
    """Note which moves the records of a batch make, from where they stand in the database."""
    states: dict[str, str | None] = {}
    for changed in rows.changed():
        for row in changed.of(Record):
            if row.record_id not in states:
                query = text("SELECT state FROM record WHERE record_id = :record_id")
                states[row.record_id] = connection.execute(query, {"record_id": row.record_id}).scalar()
            before = states[row.record_id]
            if before not in (None, row.state):
                TAKEN.add(("record", str(before), row.state))
            states[row.record_id] = row.state


def changed_pack(pack: Pack, **changes: Any) -> Pack:
    """Return `pack` with other numbers from the beginning on: `held_for_s=60`, and its hash changed."""
    fields = {}
    for name, value in changes.items():
        rows = getattr(pack, name)
        last = msgspec.structs.replace(rows.rows[0], value=value)
        fields[name] = msgspec.structs.replace(rows, rows=(last,))
    return msgspec.structs.replace(pack, hash=seal.sha256_hex(repr(changes).encode()), **fields)


def changed_rule(pack: Pack, category: str, change: Callable[[Any], Any]) -> Pack:
    """Return `pack` with another rule for a category, and its hash changed."""
    (rules,) = pack.rule_sets
    categories = {**rules.categories, category: change(rules.categories[category])}
    again = msgspec.structs.replace(rules, categories=categories)
    return msgspec.structs.replace(pack, hash="f" * 64, rule_sets=(again,))


def _raise(wrong: BaseException) -> None:
    raise wrong
