"""What do all worlds begin with? Made once: books with reference data and money, enrolled hosts, packs.

Its chance is its own and its time is fixed, so that every machine begins with the same.
"""

import functools
import hashlib
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing.util import Finalize
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import centre as tests_centre
import msgspec
import reference_data as reference
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine
from story.shop_files import with_values

from settlement.app import Centre
from settlement.config import read_settings
from settlement.db.connection import writing
from settlement.devices.enrol import Enrol, device_name
from settlement.devices.make_code import make_code
from settlement.funds.top_up import TopUp
from settlement.set_up import set_up
from settlement.system import random_bytes
from settlement.web import agents
from settlement.web.edge import PackFiles
from sim import threads, wallets
from sim.cards.kinds import KINDS, read_terminal
from sim.disk import Kept, keep_open
from sim.lend import lent
from sim.scheduler import Process, Scheduler
from sim.threads import Here
from subsidy import seal
from subsidy.policy.split import Part
from subsidy.wire import v1
from terminal_agent import config as agent_config
from terminal_agent import system
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import open_journal
from terminal_agent.terminals.terminal import Terminal

T = TypeVar("T")
BEGAN_MS = 1_772_424_000_000
"""2026-03-02 12:00 in Shanghai."""
YEARS = (2026, 2027)
FUNDS_FEN = {"small": 150_000, "middle": 600_000, "large": 100_000_000}
"""How much the funders give a year: a handful of grants, a dozen, or more than anybody can take."""
URL = "http://127.0.0.1:8600"


class Shop(msgspec.Struct, frozen=True):
    """A shop and its terminals; a till stands beside each."""

    shop: str
    terminals: tuple[str, ...]

    @property
    def tills(self) -> dict[str, str]:
        """The shop's tills and the terminal beside each."""
        return {f"{no:02d}": terminal for no, terminal in enumerate(self.terminals, 1)}


SHOPS = (
    Shop(reference.SHOP, (reference.TERMINAL, reference.OTHER_TERMINAL)),
    Shop(reference.OTHER_SHOP, (reference.TERMINAL_OF_OTHER_SHOP,)),
)


class Template(msgspec.Struct, frozen=True):
    """What worlds are copied from: `hosts` has each shop's data folder, `books` the centre's by its funds.

    `journals` has each shop's journal, open: for worlds in which nobody copies a shop's disk.
    """

    folder: Path
    centre: Centre
    packs: Mapping[str, PackFiles]
    hosts: Mapping[str, Path]
    journals: Mapping[str, Kept]
    books: Mapping[str, Path]
    configs: Mapping[str, agent_config.Config]
    devices: Mapping[str, str]
    wallet_keys: Mapping[str, Any]
    terminals: Mapping[tuple[str, str], Terminal]
    """Each terminal as each kind, by (kind, number)."""


# Half as often as shipped: most of what happens here is that nothing has changed.
_RHYTHM = {"poll_every_ms": 10_000}
_SHARES = "shares_bp:\n"
_OTHER_SHARES = """
  - from: {0}
    value: {{central: {1}, province: {2}, city: {2}, county: {2}}}
    source: {{title: for the simulator, clause: from midnight on}}"""
_CHANGES = (("2026-03-03", 7000, 1000), ("2027-01-01", 8500, 500))
_NOTES_MOVES = (
    "CREATE TABLE move_of_record (record_id TEXT, before TEXT, after TEXT)",
    "CREATE TRIGGER note_move AFTER UPDATE OF state ON record WHEN OLD.state <> NEW.state BEGIN "
    "INSERT INTO move_of_record VALUES (NEW.record_id, OLD.state, NEW.state); END",
)
"""A book of the simulator's own: which moves a record made, of those that were committed."""


def _now_ms() -> int:
    return threads.time.time_ns() // 1_000_000


@functools.cache
def template() -> Template:
    """Return the template of this process, made at the first call."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="sim-", dir=shm if shm.is_dir() else None))
    # Processes of a pool leave without `atexit`.
    Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=0)
    return in_the_beginning("template", lambda: _make(folder))


def in_the_beginning(name: str, make: Callable[[], T]) -> T:
    """Return what `make` makes on the day before all worlds, with a chance that goes by `name`."""
    made: list[T] = []
    scheduler = Scheduler(BEGAN_MS - 86_400_000, random.Random(0), _raise)
    Here.scheduler, Here.chance = scheduler, random.Random(name)
    Here.disk_of, Here.at_port = (lambda _process: None), (lambda _what: None)
    with lent():
        scheduler.spawn(Process(name), "make", lambda: made.append(make()))
        assert scheduler.run(lambda: bool(made), scheduler.now_ms)
    return made[0]


def _make(folder: Path) -> Template:
    config = tests_centre.write_config(folder, _policies(folder / "policies"))
    settings = read_settings(config, environment={}).settings
    centre = set_up(settings, _now_ms)
    tests_centre.import_all(centre, folder)
    packs = centre.packs()
    edge: Any = SimpleNamespace(
        engine=centre.engine, keys=centre.keys, setting=centre.setting, now_ms=_now_ms
    )
    writer = centre.writer(_raise_alone)
    keys = {name: one.keys_in(folder / f"{name}-keys") for name, one in wallets.WALLETS.items()}
    hosts, configs, devices = {}, {}, {}
    for shop in SHOPS:
        raw = hashlib.sha256(f"device of {shop.shop}".encode()).digest()
        key = Ed25519PrivateKey.from_private_bytes(raw)
        with writing(centre.engine) as connection:
            code = make_code(connection, shop.shop, centre.keys.kid, 900_000, random_bytes, _now_ms())
        assert code is not None
        public = seal.public_text(key.public_key())
        writer.write_now([Enrol(seal.sha256_hex(code.code.encode()), public, f"host of {shop.shop}")])
        enrolled = agents._enrolled(edge, device_name(public))
        devices[shop.shop] = enrolled.device
        hosts[shop.shop] = _make_host(folder / f"host-{shop.shop}", raw, enrolled, packs)
        configs[shop.shop] = _config(folder, shop, keys)
    with writing(centre.engine) as connection:
        for statement in _NOTES_MOVES:
            connection.exec_driver_sql(statement)
    books = {}
    checkpoint(centre.engine)
    for name, fen in FUNDS_FEN.items():
        parts = tuple(Part(one.funder, one.fen * fen // 100_000_000) for one in tests_centre.FUNDED)
        path = folder / f"books-{name}.sqlite3"
        shutil.copyfile(centre.settings.database.path, path)  # type: ignore[union-attr]
        books[name] = path
        # Each from the same beginning: the file behind the engine is put back before the next.
        for year in YEARS:
            writer.write_now([TopUp(year, parts, f"培训〔{year}〕1号")])
        checkpoint(centre.engine)
        funded = centre.settings.database.path.read_bytes()  # type: ignore[union-attr]
        shutil.copyfile(path, centre.settings.database.path)  # type: ignore[union-attr]
        path.write_bytes(funded)
    keep_open(centre.engine)
    terminals = {
        (kind, number): read_terminal(kind, number, with_values)
        for kind in KINDS
        for shop in SHOPS
        for number in shop.terminals
    }
    journals = {shop: _keep_journal(host, folder / f"journal-{shop}") for shop, host in hosts.items()}
    return Template(folder, centre, packs, hosts, journals, books, configs, devices, keys, terminals)


def _policies(folder: Path) -> Path:
    """Write the training packs, with other shares from the days on that some worlds begin before."""
    folder.mkdir()
    for file in tests_centre.POLICIES.glob("TRAINING*.yaml"):
        text = file.read_text(encoding="utf-8")
        if (rows := text.find(_SHARES)) >= 0:
            end = text.index("\n\n", rows)
            text = text[:end] + "".join(_OTHER_SHARES.format(*one) for one in _CHANGES) + text[end:]
        (folder / file.name).write_text(text, encoding="utf-8")
    return folder


def checkpoint(engine: Engine) -> None:
    """Let a database be one file that nobody has open, as it is copied and put back."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


def _make_host(data: Path, raw: bytes, enrolled: v1.Enrolled, packs: Mapping[str, PackFiles]) -> Path:
    (data / "packs").mkdir(parents=True)
    (data / "device.key").write_text(raw.hex() + "\n")
    (data / "device.key").chmod(0o600)
    journal = SqliteJournal(
        open_journal(data / "journal.db"),
        system.new_lock(),
        system.SystemClock(),
        "",
        lambda: None,
        lambda: None,
    )
    journal.enrol(enrolled, URL)
    journal.shut()
    return data


def _keep_journal(host: Path, folder: Path) -> Kept:
    shutil.copytree(host, folder)
    return Kept(folder / "journal.db")


def _config(folder: Path, shop: Shop, keys: Mapping[str, Any]) -> agent_config.Config:
    """Read an agent's configuration as shop IT would have written it."""
    place = folder / f"config-{shop.shop}"
    place.mkdir()
    profile = (tests_centre.REPO / "config/terminals/stx_lrc.yaml").read_text()
    (place / "stx_lrc.yaml").write_text(with_values(profile, _RHYTHM))
    terminals = "".join(
        f'  "{one}":\n    driver: stx_lrc\n    port: "{one}"\n    profile: stx_lrc.yaml\n'
        for one in shop.terminals
    )
    tills = "".join(f'  "{till}": "{terminal}"\n' for till, terminal in shop.tills.items())
    channels = wallets.profiles(place, keys, _RHYTHM)
    pin = "$argon2id$v=19$m=32768,t=4,p=1$" + "A" * 22 + "$" + "A" * 43
    (place / "agent.yaml").write_text(
        f'centre: "{URL}"\ndata: data\ntraining: true\nwait_s: 25\nterminals:\n{terminals}tills:\n{tills}'
        f'{channels}supervisors:\n  "manager-1": "{pin}"\n'
    )
    return agent_config.read_config(place / "agent.yaml")


def uri(path: Path) -> str:
    """Return by what name a centre opens a database file."""
    return f"{path.absolute().as_uri()}?mode=rw"


def _raise(_task: object, wrong: BaseException) -> None:
    raise wrong


def _raise_alone(wrong: BaseException) -> None:
    raise wrong
