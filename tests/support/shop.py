"""A shop that runs: agent and terminals as processes, and the line to a real centre in a test's hands.

    with Shop.open(folder, centre, moves) as shop:
        sold = shop.sell()

What is asked of it goes over HTTP; what is said of it is read from other people's books (`seen_by_others`),
and from the journal's file once the agent is dead.
"""

import functools
import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import reference_data as reference
import requests
from alipay import EmulatedAlipay
from alipay import new_code as new_alipay_code
from emulator import MIS_FILE, NEXO_FILE, PROFILE_FILES, EmulatedTerminal, short_profile_text, short_text
from killing_proxy import Proxy
from real_centre import READY_S, RealCentre
from seen_by_others import SeenByOthers
from shop_journal import JournalSeen, Move
from story import shop_files
from story.processes import Process, answers, free_port, run, wait_for
from unionpay import EmulatedUnionPay
from unionpay import new_code as new_unionpay_code
from wechat import EmulatedWechat, new_code

from terminal_agent.checkout.ports import Secret
from terminal_agent.checkout.supervisor import hash_of

GTINS = {"FRIDGE": reference.FRIDGE, "AC": reference.AC, "PHONE": reference.PHONE}
PRICES = {"FRIDGE": 459_900, "AC": 319_900, "PHONE": 399_900}
SETTLED = ("paid", "not_paid", "refused")
AT_REST = ("PAID", "CLOSED", "REFUSED", "RETURNED")
RETURN = {
    "operator": "cashier-1",
    "supervisor": shop_files.SUPERVISOR,
    "supervisor_pin": shop_files.PIN,
    "reason": "不喜欢颜色",
}

# Nobody waits for people and hosts here. Long enough for a busy machine.
CLOCKS_MS = {
    "ack_wait_ms": 400,
    "status_wait_ms": 1500,
    "answer_wait_ms": 1000,
    "answer_cap_ms": 4000,
    "host_timeout_ms": 200,
    "resolver_ms": 2500,
}
PHONE_CLOCKS_MS = {
    "connect_ms": 800,
    "answer_wait_ms": 600,
    "answer_cap_ms": 900,
    "host_timeout_ms": 200,
    "poll_every_ms": 60,
    "poll_for_ms": 900,
    "reverse_not_before_ms": 100,
    "resolver_ms": 1500,
}


class Shop(SeenByOthers):
    """One shop with an enrolled agent. `Shop.open` starts it."""

    def __init__(
        self,
        folder: Path,
        centre: RealCentre,
        proxy: Proxy,
        terminals: list[EmulatedTerminal],
        wechat: EmulatedWechat | None = None,
        alipay: EmulatedAlipay | None = None,
        unionpay: EmulatedUnionPay | None = None,
    ) -> None:
        super().__init__(folder, centre, terminals, wechat, alipay, unionpay)
        self.proxy = proxy
        self.pay_codes: list[str] = []
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.agent = Process(folder, "agent", ["terminal-agent", "run", "--config", "agent.yaml"])
        self._tills = ThreadPoolExecutor(60)

    @classmethod
    @contextmanager
    def open(
        cls,
        folder: Path,
        centre: RealCentre,
        moves: set[Move],
        *,
        hold_budget_ms: int = 5000,
        work_ms: int = 30,
        phones: bool = False,
        alipay: bool = False,
        unionpay: bool = False,
        cash: bool = False,
        kinds: tuple[str, str] = ("allinpay", "allinpay"),
        **clocks_ms: int,
    ) -> Iterator["Shop"]:
        """Start a shop with two terminals and close it at the end, when its books must be true.

        With `phones` it takes WeChat Pay's payment codes too, and with `alipay` or `unionpay` besides those
        Alipay's or UnionPay's. With `cash` its tills may take that, where the pack allows it.
        `kinds` are the terminals', as the emulator calls them.

        The moves that its journal has seen are added to `moves`.
        """
        with ExitStack() as stack:
            proxy = stack.enter_context(Proxy(centre.port))
            with ThreadPoolExecutor(2) as starting:
                started = [
                    starting.submit(
                        EmulatedTerminal.start,
                        folder,
                        f"tty-{one}",
                        terminal_no=one,
                        work_ms=work_ms,
                        transcript=folder / f"{one}.transcript",
                        kind=kind,
                        **({} if kind in PROFILE_FILES else {"link": "127.0.0.1:0"}),
                    )
                    for one, kind in zip(shop_files.TERMINALS, kinds, strict=True)
                ]
                terminals = [stack.enter_context(one.result()) for one in started]
            wechat = stack.enter_context(EmulatedWechat.start(folder, password_ms=100)) if phones else None
            other = stack.enter_context(EmulatedAlipay.start(folder, password_ms=100)) if alipay else None
            third = stack.enter_context(EmulatedUnionPay.start(folder, password_ms=100)) if unionpay else None
            shop = cls(folder, centre, proxy, terminals, wechat, other, third)
            shop.write_files(hold_budget_ms, **clocks_ms)
            for terminal, kind in zip(terminals, kinds, strict=True):
                shop.drive(terminal, kind, **clocks_ms)
            if cash:
                with (folder / "agent.yaml").open("a", encoding="utf-8") as config:
                    config.write("cash: true\n")
            run(folder, ["terminal-agent", "enrol", centre.make_code(), "--config", "agent.yaml"])
            stack.callback(shop._tills.shutdown)
            stack.callback(shop.agent.stop)
            shop.start()
            yield shop
            proxy.clear()
            shop.agent.stop()
            moves |= shop.journal().moves

    def write_files(self, hold_budget_ms: int, **clocks_ms: int) -> None:
        """Write the agent's configuration and the terminals' profile."""
        ready = self.wechat.ready if self.wechat else None
        shop_files.write_agent_files(self.folder, self.port, self.proxy.port, ready, _pin_hash())
        if ready is not None:
            profile = shop_files.wechat_profile(ready, PHONE_CLOCKS_MS)
            (self.folder / "demo-wechat.yaml").write_text(profile, encoding="utf-8")
        profile = short_profile_text(**{**CLOCKS_MS, **clocks_ms})
        (self.folder / "demo-terminal.yaml").write_text(profile, encoding="utf-8")
        config = self.folder / "agent.yaml"
        text = config.read_text(encoding="utf-8") + f"hold_budget_ms: {hold_budget_ms}\n"
        if self.alipay is not None:
            profile = self.alipay.profile_text(**PHONE_CLOCKS_MS)
            (self.folder / "demo-alipay.yaml").write_text(profile, encoding="utf-8")
            text = text.replace("channels:\n", "channels:\n  alipay:\n    profile: demo-alipay.yaml\n")
        if self.unionpay is not None:
            profile = self.unionpay.profile_text(**PHONE_CLOCKS_MS)
            (self.folder / "demo-unionpay.yaml").write_text(profile, encoding="utf-8")
            text = text.replace("channels:\n", "channels:\n  unionpay:\n    profile: demo-unionpay.yaml\n")
        config.write_text(re.sub(r"(?m)^sync_every_ms: .*$", "sync_every_ms: 200", text), encoding="utf-8")

    def drive(self, terminal: EmulatedTerminal, kind: str, **clocks_ms: int) -> None:
        """Let the agent drive a terminal of another kind than `write_files` has written down."""
        if kind == "allinpay":
            return
        waits = {**CLOCKS_MS, **clocks_ms}
        no = shop_files.TERMINALS[self.terminals.index(terminal)]
        if kind in PROFILE_FILES:
            driver, port, profile = "serial_ecr", str(terminal.link), short_profile_text(kind, **waits)
        elif kind == "mis":
            driver, port, profile = "mis_fixed", f"tcp:{terminal.link}", short_text(MIS_FILE, **waits)
        else:
            driver, port = "nexo_tcp", f"{terminal.link}/{no}"
            profile = short_text(NEXO_FILE, **waits, abort_wait_ms=300)
        (self.folder / f"{kind}.yaml").write_text(profile, encoding="utf-8")
        config = self.folder / "agent.yaml"
        lines = rf'(?m)^  "{no}":\n    driver: .*\n    port: .*\n    profile: .*\n'
        block = f'  "{no}":\n    driver: {driver}\n    port: "{port}"\n    profile: {kind}.yaml\n'
        text, found = re.subn(lines, block, config.read_text(encoding="utf-8"))
        assert found == 1
        config.write_text(text, encoding="utf-8")

    # The agent's life.

    def start(self) -> None:
        """Start the agent and wait until it serves."""
        self.agent.start()

        def serves() -> bool:
            assert self.agent.is_running(), self.agent.log()[-2000:]
            return answers(f"{self.url}/v1/status")

        wait_for("the agent", serves, READY_S)

    def kill(self) -> None:
        """Kill the agent from outside, as a power cut would, and wait until it is gone."""
        os.kill(self.agent.pid, signal.SIGKILL)
        self.agent.wait_dead()

    def restart(self) -> None:
        """Start the agent again on the journal it left."""
        assert not self.agent.is_running()
        self.start()

    def forget_packs(self) -> None:
        """Take away the policy packs that the agent has on disk: it must fetch them again."""
        for file in (self.folder / "agent-data" / "packs").glob("*.json"):
            file.unlink()

    def journal(self) -> JournalSeen:
        """Return what the journal says. The agent must be dead: it has the file for itself."""
        assert not self.agent.is_running()
        return JournalSeen(self.folder / "agent-data" / "journal.db")

    # At the till.

    def terminal(self, till: str = "01") -> EmulatedTerminal:
        """Return the terminal beside a till."""
        return self.terminals[shop_files.TERMINALS.index(shop_files.TILLS[till])]

    def body(self, category: str = "FRIDGE", *, till: str = "01", **changes: Any) -> dict[str, Any]:
        """Return the body of a sale of a new item to a new person.

        `serial_no` and `person` name others; every other change replaces a field.
        """
        serial_no = changes.pop("serial_no", None) or self.centre.next_serial()
        person = changes.pop("person", None) or self.centre.next_person()
        item = {
            "gtin": GTINS[category],
            "serial_no": serial_no,
            "initial_price_fen": PRICES[category],
            "merchant_discount_fen": 0,
            **changes.pop("item", {}),
        }
        return {
            "item": item,
            "qualification_code": reference.code(person, category),
            "till_no": till,
            "operator": "cashier-1",
            "tender": {"kind": "card"},
            **changes,
        }

    def sell(self, category: str = "FRIDGE", **more: Any) -> dict[str, Any]:
        """Sell one item and return the sale as the till sees it once nothing more is under way."""
        return self.post("/v1/sales", self.body(category, **more))

    def selling(self, body: dict[str, Any], *, key: str | None = None) -> "Future[requests.Response]":
        """Begin a sale at a till of its own; its answer, or the error that the till met, comes later."""
        return self.submit(lambda: self.call("/v1/sales", body, key=key))

    def submit(self, work: Callable[[], Any]) -> "Future[Any]":
        """Do something at a till of its own."""
        return self._tills.submit(work)

    def by_phone(self) -> dict[str, str]:
        """Return how a shopper pays by phone, with a code that nobody has shown before."""
        self.pay_codes.append(new_code())
        return {"kind": "qr_scan", "pay_code": self.pay_codes[-1]}

    def by_alipay(self) -> dict[str, str]:
        """Return how a shopper pays with Alipay, with a code that nobody has shown before."""
        self.pay_codes.append(new_alipay_code())
        return {"kind": "qr_scan", "pay_code": self.pay_codes[-1]}

    def by_unionpay(self) -> dict[str, str]:
        """Return how a shopper pays with UnionPay, with a code that nobody has shown before."""
        self.pay_codes.append(new_unionpay_code())
        return {"kind": "qr_scan", "pay_code": self.pay_codes[-1]}

    def by_shown_code(self, wallet: str = "wechat") -> dict[str, str]:
        """Return how a shopper pays by scanning a code that the till shows."""
        return {"kind": "qr_show", "wallet": wallet}

    def wait_for_code(self, record_id: str) -> str:
        """Wait until a sale's code is shown, and return it."""
        return str(self.wait_for_sale(record_id, lambda sale: sale["show"])["show"]["code"])

    def pay(self, record_id: str, *, tender: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Try another card, or another way of paying."""
        body = {"operator": "cashier-1", "tender": tender or {"kind": "card"}}
        return self.post(f"/v1/sales/{record_id}/pay", body, **more)

    def give_back(self, record_id: str, **more: Any) -> dict[str, Any]:
        """Return the goods of a sale, allowed by a supervisor."""
        return self.post(f"/v1/sales/{record_id}/return", RETURN, **more)

    def stop(self, record_id: str, **more: Any) -> dict[str, Any]:
        """Give a sale up."""
        return self.post(f"/v1/sales/{record_id}/stop", {"operator": "cashier-1"}, **more)

    def call(
        self, path: str, body: dict[str, Any], *, key: str | None = None, wait_s: int | None = None
    ) -> requests.Response:
        """POST to the till API and return its answer, whatever it is."""
        return requests.post(
            f"{self.url}{path}",
            json=body,
            params=None if wait_s is None else {"wait_s": wait_s},
            headers={"Idempotency-Key": key or uuid.uuid4().hex},
            timeout=90,
        )

    def post(self, path: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
        """POST to the till API and return the document."""
        answer = self.call(path, body, **more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        """Ask the till API."""
        answer = requests.get(f"{self.url}{path}", timeout=30)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def sale(self, record_id: str) -> dict[str, Any]:
        """Return a sale as the till sees it now."""
        return self.get(f"/v1/sales/{record_id}")

    def open_sale_of(self, serial_no: str, till: str = "01") -> dict[str, Any] | None:
        """Return the open sale of an item at a till, or None."""
        found = self.get(f"/v1/sales?till_no={till}&open=1")["sales"]
        return next((one for one in found if one["item"]["serial_no"] == serial_no), None)

    def wait_for_sale(self, record_id: str, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until a sale is as wanted, and return it."""

        def look() -> dict[str, Any] | None:
            sale = self.sale(record_id)
            return sale if holds(sale) else None

        found: dict[str, Any] = wait_for(f"sale {record_id}", look)
        return found

    def wait_for_attempt(self, serial_no: str, state: str, till: str = "01") -> dict[str, Any]:
        """Wait until the last attempt to pay for an item stands so, and return its sale."""

        def look() -> dict[str, Any] | None:
            sale = self.open_sale_of(serial_no, till)
            return sale if sale and sale["attempts"] and sale["attempts"][-1]["state"] == state else None

        found: dict[str, Any] = wait_for(f"an attempt for {serial_no} is {state}", look)
        return found

    def wait_until_at_work(self, till: str = "01") -> None:
        """Wait until the sale for which a fault was armed has reached the terminal.

        Only then may queries be disturbed: the agent asks one before each sale.
        """
        terminal = self.terminal(till)
        wait_for("the terminal is at work", lambda: terminal.call("GET", "/faults")["faults"] == [])

    def wait_for_empty_outbox(self) -> None:
        """Wait until the centre has acknowledged everything."""
        wait_for("the outbox drains", lambda: self.waiting() == 0)

    def waiting(self) -> int:
        """Return how many entries wait for the centre."""
        return int(self.get("/v1/status")["outbox"]["depth"])


@functools.cache
def _pin_hash() -> str:
    return hash_of(Secret(shop_files.PIN), os.urandom)
