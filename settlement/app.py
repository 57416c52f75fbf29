"""How is the centre put together? The only place that wires database, keys, pack and writer.

What makes one is in `set_up.py`, what serves one in `web/start.py`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from catalog_sync.packs import read_texts
from settlement.config import Settings
from settlement.copies.restored import KIND, SUBJECT
from settlement.db import moved, rights, version
from settlement.db.connection import open_database, reading
from settlement.db.whose import programme_of, refuse_foreign
from settlement.keys import Keys
from settlement.people.acting import Task, acting
from settlement.people.sessions import Actor
from settlement.reconcile.config import NightConfig
from settlement.reconcile.run import NightParts
from settlement.reconcile.wiring import night_parts, sources_of
from settlement.registers.config import PERSON
from settlement.registers.enter import enter, entered
from settlement.registers.shared import Registers
from settlement.sources.key_files import read_keys
from settlement.sources.pack_files import PackFiles, files_of_packs
from settlement.system import clock_us, random_bytes, wall_ms
from settlement.writer import store
from settlement.writer.apply import Direct
from settlement.writer.batch import Rows
from settlement.writer.rows import Difference
from settlement.writer.step import Answer, Setting
from settlement.writer.writer import Committed, Writer
from subsidy.policy.model import Pack
from subsidy.policy.read_pack import read_packs
from subsidy.strict.yaml_text import FileError

# The programme's pack, those that are handed out, and the texts of their folder.
Packs = tuple[Pack, dict[str, Pack], dict[str, str]]
_LET_IN = "Run `settlement init --service-role` with this software, as the owner of the tables"


class Centre(msgspec.Struct, frozen=True):
    """A centre that is set up: its parts, as commands and the service use them."""

    settings: Settings
    engine: Engine
    keys: Keys
    pack: Pack
    offered: dict[str, Pack]
    texts: dict[str, str]
    now_ms: Callable[[], int]
    registers: Registers | None = None

    def acting(self, task: Task, token_file: Path | None = None) -> AbstractContextManager[Actor]:
        """Return a context in which a command is done by whoever may, audited. Raises NotAllowed."""
        return acting(self.engine, self.now_ms, task, token_file)

    def setting(self) -> Setting:
        """Return what a step may know."""
        return Setting(self.pack, self.keys.kid, self.keys.public())

    def packs(self) -> dict[str, PackFiles]:
        """Return the files of every pack that this centre hands out, by hash."""
        files = files_of_packs(self.offered, self.texts)
        return {one.hash: PackFiles(one.programme, files[one.hash]) for one in self.offered.values()}

    def writer(self, failed: Callable[[BaseException], None], committed: Committed | None = None) -> Writer:
        """Return the writer, not started."""
        setting = self.setting()
        return Writer(
            self.engine,
            lambda: setting,
            self.now_ms,
            failed,
            clock_us,
            committed=committed,
            registers=self.registers,
        )

    def enter_registers(self) -> None:
        """Enter the registers again: are they still the same? Raises FileError, DatabaseDown."""
        settings = self.settings
        enter(self.engine, settings.registers, settings.programme, self.now_ms(), random_bytes)

    def night_parts(self, submit: Callable[[Direct], Answer], sources: Path | None = None) -> NightParts:
        """Return what a night works with. Raises FileError."""
        return night_parts(self.settings, self.pack, self.engine, submit, self.now_ms, sources)

    def sources(self) -> NightConfig | None:
        """Return the night's sources, None when none are named or they cannot be read."""
        return sources_of(self.settings, self.pack)

    def restored(self) -> Difference | None:
        """Return the item of a restore that nobody has settled yet."""
        rows = Rows()
        with reading(self.engine) as connection:
            store.load(connection, [(Difference, (SUBJECT, KIND))], rows)
        item = rows.get(Difference, SUBJECT, KIND)
        return item if item is not None and item.closed_ms is None else None


def open_centre(settings: Settings, now_ms: Callable[[], int] = wall_ms, even_moved: bool = False) -> Centre:
    """Return the centre that was set up. Raises FileError, or DatabaseDown.

    Books that were moved elsewhere are not opened, unless `even_moved`.
    """
    packs = packs_of(settings)
    file = str(settings.database)
    if programme_of(settings.database) is None:
        raise FileError(file, 1, "", "there is no database", "Run `settlement init`")
    refuse_foreign(settings.database, settings.programme)
    engine = open_database(settings.database)
    with reading(engine) as connection:
        if not version.is_current(connection):
            raise FileError(file, 1, "", "its tables are of another version", "Run `settlement init`")
        if lacking := rights.missing(connection):
            raise FileError(file, 1, "", f"its role lacks {', '.join(lacking)}", _LET_IN)
        gone = moved.moved_to(connection)
    if gone is not None and not even_moved:
        raise FileError(file, 1, "", f"its books were moved to {gone}", "Name that one under `database:`")
    return put_together(settings, engine, packs, now_ms)


def centre_on(settings: Settings, engine: Engine, now_ms: Callable[[], int] = wall_ms) -> Centre:
    """Return the centre of books that are not in their place yet. Raises FileError."""
    return put_together(settings, engine, packs_of(settings), now_ms)


def put_together(
    settings: Settings,
    engine: Engine,
    packs: Packs,
    now_ms: Callable[[], int],
) -> Centre:
    """Return the centre on books that are there, with the registers that they have entered."""
    person = settings.registers.of(PERSON)
    keys = read_keys(settings.keys, None if person is None else person.key)
    with reading(engine) as connection:
        registers = entered(connection, settings.registers, settings.programme)
    return Centre(settings, engine, keys, *packs, now_ms, registers)


def packs_of(settings: Settings) -> Packs:
    """Return the programme's pack, and every pack that this centre may hand out with the folder's texts."""
    folder = str(settings.policies)
    texts = read_texts(settings.policies)
    packs = read_packs(texts)
    pack = packs.get(settings.programme)
    if pack is None:
        known = ", ".join(sorted(packs))
        raise FileError(
            folder, 1, "", f"no pack is of programme {settings.programme}", f"Known here: {known}"
        )
    if pack.training and not settings.training:
        raise FileError(
            folder,
            1,
            "",
            f"{pack.programme} is for training and moves no real money",
            "Name a real programme, or write `training: true`",
        )
    offered = {name: one for name, one in packs.items() if settings.training or not one.training}
    return pack, offered, texts
