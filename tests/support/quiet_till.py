"""The till API in the test's own process: a real journal on disk, and fakes where the outside begins.

    with QuietTill(tmp_path) as till:
        answer = till.post("/v1/sales", till.sale_body())

Terminals do nothing until a test says what they have said; the centre knows every fact and promises
everything that the small pack of these tests grants; the clock stands still.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import small_pack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import Response
from litestar.testing import TestClient

from subsidy import calendar, seal
from subsidy.policy.decide import Because, Granted, decide
from subsidy.policy.facts import Facts
from subsidy.policy.model import Pack
from subsidy.policy.next_action import NextAction
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent import system
from terminal_agent.channels.codes import RULES, Wallet, shown_link_name
from terminal_agent.checkout.apply_subsidy import Checkout
from terminal_agent.checkout.cash import CashDesk
from terminal_agent.checkout.cash import link_name as cash_link_name
from terminal_agent.checkout.give_back_goods import Returns
from terminal_agent.checkout.lane import GOODS_BACK
from terminal_agent.checkout.sale import Held, Sale
from terminal_agent.checkout.supervisor import Supervisors
from terminal_agent.checkout.why_granted import why_granted
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import open_journal
from terminal_agent.sync.device_key import DeviceKey
from terminal_agent.system import Changes
from terminal_agent.till import app as till_app
from terminal_agent.till.board import Board
from terminal_agent.till.guard import own_hosts
from terminal_agent.till.routes import Till

HOST = "127.0.0.1:8610"
NOON_MS = 1_772_337_600_000  # 2026-03-01 12:00 in Shanghai
FRIDGE = "6901234500011"
SUPERVISOR = "supervisor-1"
PIN = "246813"
PIN_HASH = "$argon2id$v=19$m=32768,t=4,p=1$AAECAwQFBgcICQoLDA0ODw$ZHPY6xi+zg36jNesuL+YBq2n7qxNOrQY9SoqB6R2oG0"
UNLISTED = "6901234500028"
FILED_FEN = 459_900
TERMINALS = {"01": "EMU00001", "02": "EMU00002"}
ENROLLED = v1.Enrolled(
    v=1,
    device="0123456789abcdef",
    epoch=1,
    programme="P",
    training=True,
    shop="S0031",
    shop_name="示例电器海陵店",
    merchant_name="示例电器有限公司",
    terminals=tuple(TERMINALS.values()),
    centre_keys=(),
    lag_target_s=300,
)


def problem_of(answer: Response) -> dict[str, Any]:
    """Return the problem that an answer is, whole and with nothing else in it (RFC 9457)."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    for name in ("type", "title", "code", "detail"):
        assert isinstance(problem[name], str)
        assert problem[name]
    assert NextAction(problem["next_action"])
    assert isinstance(problem["retryable"], bool)
    known = {"type", "title", "status", "code", "detail", "next_action", "retryable", "record_id"}
    known |= {"tries_left"}
    assert set(problem) <= known
    return problem


class StandingClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_ms = NOON_MS

    def wall_ms(self) -> int:
        return self.at_ms

    def steady_ms(self) -> int:
        return self.at_ms

    def sleep(self, seconds: float) -> None:
        self.at_ms += int(seconds * 1000)


class KnowingCentre:
    """A centre that answers at once. `asked` has what reached it, in order."""

    def __init__(self, clock: StandingClock) -> None:
        self._clock = clock
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"centre").digest())
        self._pack = self.kept = small_pack.pack()
        self.asked: list[msgspec.Struct] = []

    def facts(self, request: v1.FactsRequest, within_s: float) -> v1.FactsAnswer:
        self.asked.append(request)
        facts = self._facts(request.item, request.prices, request.tender)
        return v1.FactsAnswer(v=1, facts=facts, pack_hash=self._pack.hash, centre_ms=self._clock.wall_ms())

    def pack(self, pack_hash: str, within_s: float) -> Pack:
        assert pack_hash == self._pack.hash
        return self._pack

    def hold(self, request: v1.HoldRequest, within_s: float) -> Held | v1.Refused:
        self.asked.append(request)
        facts = self._facts(request.item, request.prices, request.tender)
        granted = decide(self._pack, facts)
        assert isinstance(granted, Granted)
        raw = msgspec.json.encode(facts)
        to_pay_fen = granted.final_price_fen - granted.subsidy_fen - request.prices.trade_in_fen
        promise = v1.Promise(
            v=1,
            record_id=request.record_id,
            device=ENROLLED.device,
            epoch=1,
            hold_no=request.hold_no,
            programme="P",
            programme_year=granted.programme_year,
            category=granted.category,
            item=request.item,
            amounts=v1.Amounts(
                initial_price_fen=request.prices.initial_price_fen,
                merchant_discount_fen=request.prices.merchant_discount_fen,
                final_price_fen=granted.final_price_fen,
                subsidy_fen=granted.subsidy_fen,
                trade_in_fen=request.prices.trade_in_fen,
                to_pay_fen=to_pay_fen,
            ),
            split=granted.funders,
            payee=v1.Payee(merchant="M001", uscc="91110000600037341L", shop="S0031"),
            terminal_no=request.terminal_no,
            tender=request.tender,
            pack_hash=request.pack_hash,
            facts=msgspec.Raw(raw),
            facts_hash=seal.sha256_hex(raw),
            placed_at_ms=self._clock.wall_ms(),
            held_for_s=900,
        )
        return Held(seal.seal(v1.PROMISE, msgspec.json.encode(promise), self._key), promise)

    def release(self, record_id: str, within_s: float) -> None:
        raise AssertionError("nothing is given up here")

    def block(self, record_id: str, within_s: float) -> None:
        raise AssertionError("nothing is returned here")

    def _facts(self, item: v1.Item, prices: v1.Prices, tender: Any) -> Facts:
        listed = item.gtin == FRIDGE
        return Facts(
            sold_at=calendar.from_ms(self._clock.wall_ms()),
            programme="P",
            initial_price_fen=prices.initial_price_fen,
            merchant_discount_fen=prices.merchant_discount_fen,
            trade_in_fen=prices.trade_in_fen,
            merchant_active=True,
            terminal_registered=True,
            region="321202",
            tender=tender,
            product_listed=listed,
            category="FRIDGE" if listed else None,
            energy_level=1 if listed else None,
            serial_no=item.serial_no,
            serial_taken=False,
            filed_price_fen=FILED_FEN if listed else None,
            qualification_known=True,
            qualification_valid=True,
            qualification_category="FRIDGE" if listed else None,
            qualification_in_use=False,
            used_in_category=0,
            payer_matches=None,
            risk_blocked=False,
            fund_left_fen=10**10,
        )


class QuietTill:
    """The till API over one journal. Use as a context."""

    def __init__(
        self, folder: Path, showing: Sequence[Wallet] = (), cash: bool = False, listen: str = HOST
    ) -> None:
        """Open it, at the address `listen`.

        `showing` are the wallets whose codes it can show; with `cash` shop and pack take it.
        """
        links = [
            *TERMINALS.values(),
            *(cash_link_name(number) for number in TERMINALS.values() if cash),
            *(shown_link_name(one, number) for one in showing for number in TERMINALS.values()),
        ]
        self.may_have_forgotten = False
        self.clock = StandingClock()
        self.centre = KnowingCentre(self.clock)
        if cash:
            self.centre._pack = small_pack.pack(("qr_show]", "qr_show, cash]"))
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.handed_over: list[tuple[str, int]] = []
        self._connection = open_journal(folder / "journal.db")
        changes = Changes()
        self.board = Board(changes.announce)
        self.journal = SqliteJournal(
            self._connection,
            system.new_lock(),
            self.clock,
            "this boot",
            changed=changes.announce,
            entry_written=lambda: None,
        )
        if self.journal.enrolled() is None:
            self.journal.enrol(ENROLLED, "https://centre.example")
        self._serials = itertools.count(1)
        random = (hashlib.sha256(b"%d" % n).digest() for n in itertools.count())
        till = Till(
            checkout=Checkout(
                journal=self.journal,
                centre=self.centre,
                clock=self.clock,
                randomness=lambda count: next(random)[:count],
                boot="this boot",
                hold_budget_s=5,
                lanes=dict.fromkeys(
                    links, lambda record_id, no, _code: self.handed_over.append((record_id, no))
                ),
                has_room=lambda: True,
            ),
            journal=self.journal,
            key=DeviceKey(bytes(range(32))),
            clock=self.clock,
            changes=changes,
            terminals_of_tills=TERMINALS,
            links=frozenset(links),
            payment_codes=RULES,
            board=self.board,
            wait_s=0,
            status=lambda: {"online": True},
            returns=Returns(
                journal=self.journal,
                centre=self.centre,
                clock=self.clock,
                report=lambda _record_id, _within_s: False,
                within_s=5,
                lanes=dict.fromkeys(
                    TERMINALS.values(), lambda record_id: self.handed_over.append((record_id, GOODS_BACK))
                ),
            ),
            cash=CashDesk(
                self.journal,
                dict.fromkeys(links, lambda record_id, no, _code: self.handed_over.append((record_id, no))),
            ),
            supervisors=Supervisors({SUPERVISOR: PIN_HASH}, self.journal, system.new_lock()),
            rules=self.rules,
            may_have_forgotten=lambda _: self.may_have_forgotten,
        )
        name, _, port = listen.rpartition(":")
        self.app = till_app.build(till, own_hosts(name, int(port)), self._log)
        self._client = TestClient(self.app, base_url=f"http://{HOST}", raise_server_exceptions=False)

    def __enter__(self) -> "QuietTill":
        self._client.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, wrong, trace)
        self.journal.shut()

    def rules(self, sale: Sale) -> Sequence[Because]:
        """Return the rules by which a sale's subsidy was granted."""
        return why_granted(self.centre.kept, sale.held) if sale.held else ()

    # What a till sends.

    def quote_body(self) -> dict[str, Any]:
        """Return the body of a quote of an item that was not asked about before."""
        serial_no = f"SN{next(self._serials):08d}"
        return {
            "item": {
                "gtin": FRIDGE,
                "serial_no": serial_no,
                "initial_price_fen": 459_900,
                "merchant_discount_fen": 60_000,
                "trade_in_fen": 10_000,
            },
            "qualification_code": f"QC-{serial_no}",
        }

    def sale_body(self) -> dict[str, Any]:
        """Return the body of a sale of an item that was not sold before."""
        return {
            **self.quote_body(),
            "till_no": "01",
            "operator": "cashier-1",
            "tender": {"kind": "card", "pay_code": None},
            "expected_paid_fen": None,
        }

    def key(self) -> str:
        """Return an Idempotency-Key that was not used before."""
        return f"key-of-a-test-{next(self._serials):08d}"

    def post(self, path: str, body: Any, **headers: str | None) -> Response:
        """POST a body, which may be bytes, with a new key; a header that is None is not sent."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        wanted = {"Content-Type": "application/json", "Idempotency-Key": self.key()}
        wanted |= {name.replace("_", "-"): value for name, value in headers.items()}  # type: ignore[dict-item]
        sent = {name: value for name, value in wanted.items() if value is not None}
        return self._client.post(path, content=content, headers=sent)

    def send(self, method: str, path: str, **how: Any) -> Response:
        """Send anything."""
        return self._client.request(method, path, **how)

    def not_paid_sale(self) -> Sale:
        """Return a sale whose card was declined: another may follow."""
        record_id = self.post("/v1/sales", self.sale_body()).json()["record_id"]
        return self.journal.not_paid(record_id, 1, Evidence(code="51"), keep_hold=True)

    # What came of it.

    def must_refuse(self, ask: Callable[[], Response], status: int, code: str, place: str = "") -> Response:
        """Do what must be refused as a problem that names the `place`, and see that it changed nothing."""
        before = (self.state_hash(), len(self.centre.asked), len(self.handed_over), len(self.logged))
        answer = ask()
        after = (self.state_hash(), len(self.centre.asked), len(self.handed_over), len(self.logged))
        problem = problem_of(answer)
        assert (answer.status_code, problem["code"]) == (status, code), problem
        assert place in problem["detail"]
        assert after == before
        return answer

    def state_hash(self) -> str:
        """Return one hash over every row of every table but how far the black box goes, which says when."""
        tables = self._connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'black_box' ORDER BY name"
        ).fetchall()
        rows = [[name, *self._connection.execute(f'SELECT * FROM "{name}"').fetchall()] for (name,) in tables]
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])

    def _log(self, event: str, **fields: Any) -> None:
        self.logged.append((event, fields))
