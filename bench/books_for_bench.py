"""Books with goods, money, shops and as many people as a bench sells to, and the holds they ask for."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The tests' devices and goods: a bench sells what the tests sell.
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support"), str(ROOT / "scripts")]

import reference_data as reference  # noqa: E402
from centre import Clock, import_all, write_config  # noqa: E402
from fake_device import FakeDevice  # noqa: E402

from settlement.app import Centre  # noqa: E402
from settlement.config import read_settings  # noqa: E402
from settlement.db.connection import writing  # noqa: E402
from settlement.devices.enrol import Enrol  # noqa: E402
from settlement.devices.make_code import make_code  # noqa: E402
from settlement.funds.gather_facts import Question  # noqa: E402
from settlement.funds.place_hold import PlaceHold  # noqa: E402
from settlement.funds.top_up import TopUp  # noqa: E402
from settlement.set_up import set_up  # noqa: E402
from settlement.system import random_bytes  # noqa: E402
from settlement.writer import store  # noqa: E402
from settlement.writer.batch import Rows  # noqa: E402
from settlement.writer.rows import Qualification, Shop, Terminal  # noqa: E402
from subsidy import seal  # noqa: E402
from subsidy.policy.split import Part  # noqa: E402
from subsidy.wire import v1  # noqa: E402

MUCH = (
    Part("central", 85_000_000_000_000),
    Part("province", 5_000_000_000_000),
    Part("city", 5_000_000_000_000),
    Part("county", 5_000_000_000_000),
)
# As long as the wire allows: requests are made before the clock runs.
GIVE_UP_MS = 60_000
PER_TERMINAL = 1000
_AT_ONCE = 20_000


def make_books(folder: Path, database: str, people: int, **config: str) -> Centre:
    """Return a centre whose fund is large, with `people` who may each buy a fridge."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = read_settings(write_config(folder, database=database, **config), environment={}).settings
    centre = set_up(settings, Clock().now_ms)
    import_all(centre, folder)
    centre.writer(_raise).write_now([TopUp(2026, MUCH, "bench")])
    add_people(centre, range(people))
    return centre


def code(person: int) -> str:
    """Return the qualification code of one of the bench's people."""
    return f"BENCH-FRIDGE-{person:08d}"


def add_people(centre: Centre, people: range) -> None:
    """Let people in, each with a code for a fridge."""
    index = centre.keys.qualification_index
    for start in range(people.start, people.stop, _AT_ONCE):
        rows = Rows()
        for one in range(start, min(start + _AT_ONCE, people.stop)):
            rows.put(Qualification(index(code(one)), f"p{one:031d}", "FRIDGE", 0, 2**50, None))
        with writing(centre.engine) as connection:
            store.write(connection, rows, ())


class BenchShop:
    """A shop with a device and terminals enough for all its open holds."""

    def __init__(self, centre: Centre, number: int, most_holds: int) -> None:
        self.device = FakeDevice(f"bench {number}", centre.now_ms)
        self.shop = f"B{number:05d}"
        count = -(-most_holds // PER_TERMINAL)
        self.terminals = [f"EMUB{number:05d}{one:03d}" for one in range(count)]
        self._pack_hash = centre.pack.hash
        rows = Rows()
        rows.put(Shop(self.shop, reference.MERCHANT, "bench", "321202", True))
        for one in self.terminals:
            rows.put(Terminal(one, self.shop))
        with writing(centre.engine) as connection:
            store.write(connection, rows, ())
            made = make_code(connection, self.shop, centre.keys.kid, 900_000, random_bytes, centre.now_ms())
        assert made is not None
        enrol = Enrol(seal.sha256_hex(made.code.encode()), self.device.public_text, "bench")
        centre.writer(_raise).write_now([enrol])

    def request(self, person: int) -> v1.HoldRequest:
        """Return the next hold that the shop asks for."""
        return self.device.hold_request(
            self._pack_hash,
            qualification_code=code(person),
            terminal_no=self.terminals[self.device.hold_no % len(self.terminals)],
            give_up_after_ms=GIVE_UP_MS,
        )


def make_shops(centre: Centre, shops: int, holds: int) -> list[BenchShop]:
    """Return `shops` shops that can have `holds` open holds together."""
    return [BenchShop(centre, number, -(-holds // shops)) for number in range(shops)]


def hold_commands(centre: Centre, shops: Sequence[BenchShop], people: range) -> Iterator[PlaceHold]:
    """Yield a hold for each of `people`, shop by shop in turn, as the edge hands it to the writer."""
    for place, person in enumerate(people):
        shop = shops[place % len(shops)]
        request = shop.request(person)
        question = Question(
            device=shop.device.name,
            item=request.item,
            prices=request.prices,
            qualification=centre.keys.qualification_index(request.qualification_code),
            terminal_no=request.terminal_no,
            tender=request.tender,
        )
        yield PlaceHold(request, question, 1, centre.keys.request_mac(str(person).encode()))


def _raise(wrong: BaseException) -> None:
    raise wrong
