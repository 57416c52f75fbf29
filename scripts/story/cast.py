"""How is the story's stage set: a centre with money and goods, a shop with two terminals?"""

import json
import uuid
from pathlib import Path
from typing import Any

import requests

from story import shop_files
from story.people import People, add_people
from story.processes import (
    Cable,
    EmulatedTerminal,
    EmulatedWechat,
    Emulator,
    Process,
    StoryBroken,
    answers,
    ask,
    must_be_free,
    run,
    wait_for,
)
from story.shop_files import PRODUCTS, Product

CENTRE_PORT = 8600
AGENT_PORT = 8610


class Stage:
    """Everything that runs, and how the story talks to it: over HTTP, as a till and as an operator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cable = Cable(CENTRE_PORT)
        self.terminals = {number: EmulatedTerminal(folder, number) for number in shop_files.TERMINALS}
        self.wechat = EmulatedWechat(folder)
        self.centre = Process(folder, "centre", ["settlement", "serve", "--config", "settlement.yaml"])
        self.agent = Process(folder, "agent", ["terminal-agent", "run", "--config", "agent.yaml"])
        self.token = ""
        self.people = People("", "")
        self._serials = 1000
        self._people = 0
        self._codes = 0

    # Setting up and taking down.

    def set_up(self) -> None:
        """Set up the centre, enrol the shop, and start everything."""
        must_be_free(CENTRE_PORT)
        must_be_free(AGENT_PORT)
        shop_files.write_centre_files(self.folder, CENTRE_PORT)
        config = ["--config", "settlement.yaml"]
        made = json.loads(run(self.folder, ["settlement", "init", *config, "--json"]))
        self.token = str(made["api_token"])
        self.people = add_people(self.folder, config)
        for kind, file in (
            ("shops", "shops.yaml"),
            ("products", "products.csv"),
            ("prices", "prices.csv"),
            ("qualifications", "qualifications.csv"),
        ):
            run(self.folder, ["settlement", "import", kind, *config, file])
        parts = [word for part in shop_files.YEAR_PARTS for word in ("--part", part)]
        year = str(self._programme_year())
        top_up = ["settlement", "top-up", *config, "--year", year, *parts, "--reference", "demo", "--json"]
        proposal = json.loads(run(self.folder, top_up, token=self.people.proposer))["proposal"]
        run(self.folder, ["settlement", "approve", *config, proposal], token=self.people.approver)
        self.centre.start()
        wait_for("the centre", lambda: answers(f"http://127.0.0.1:{CENTRE_PORT}/readyz"))
        for emulator in self.emulators():
            emulator.start()
        pin_hash = run(self.folder, ["terminal-agent", "pin-hash"], typed=f"{shop_files.PIN}\n").strip()
        shop_files.write_agent_files(self.folder, AGENT_PORT, self.cable.port, self.wechat.ready, pin_hash)
        code = json.loads(
            run(self.folder, ["settlement", "enrol-code", *config, "--shop", "S0031", "--json"])
        )
        run(self.folder, ["terminal-agent", "enrol", code["code"], "--config", "agent.yaml"])
        self.start_agent()

    def start_agent(self) -> None:
        """Start the agent and wait until it serves."""
        self.agent.start()
        wait_for("the agent", lambda: answers(f"http://127.0.0.1:{AGENT_PORT}/v1/status"))

    def take_down(self) -> None:
        """Stop everything that was started."""
        for process in (self.agent, *self.emulators(), self.centre):
            process.stop()

    def emulators(self) -> list[Emulator]:
        """Return the other side of every way of paying."""
        return [*self.terminals.values(), self.wechat]

    def _programme_year(self) -> int:
        rules = (shop_files.ROOT / "config" / "policies" / "TRAINING-RULES.yaml").read_text()
        line = next(one for one in rules.splitlines() if one.startswith("programme_year:"))
        return int(line.partition(":")[2])

    # At the till.

    def new_item(self, product: Product, *, discount_fen: int = 0) -> dict[str, Any]:
        """Return the next item of a product off the shelf."""
        self._serials += 1
        yuan, _, cents = product.filed_yuan.partition(".")
        return {
            "gtin": product.gtin,
            "serial_no": f"SN{self._serials:08d}",
            "initial_price_fen": int(yuan) * 100 + int(cents),
            "merchant_discount_fen": discount_fen,
        }

    def next_person(self) -> int:
        """Return a person who has not bought anything yet."""
        self._people += 1
        return self._people - 1

    def sale(self, product: Product, *, till: str = "01", **more: Any) -> dict[str, Any]:
        """Return the body of a sale of one item of `product` to the next person."""
        return {
            "item": self.new_item(product),
            "qualification_code": shop_files.qualification(self.next_person(), product.category),
            "till_no": till,
            "operator": "cashier-1",
            "tender": {"kind": "card"},
            **more,
        }

    def by_phone(self, wallet: str = "13") -> dict[str, str]:
        """Return how a shopper pays who shows a payment code, by default of WeChat Pay."""
        self._codes += 1
        return {"kind": "qr_scan", "pay_code": f"{wallet}{self._codes:016d}"}

    def answer(self, path: str, body: dict[str, Any], *, key: str = "") -> requests.Response:
        """Call the till API and return its answer, whatever it is."""
        return ask(
            "POST",
            f"http://127.0.0.1:{AGENT_PORT}{path}",
            json=body,
            headers={"Idempotency-Key": key or uuid.uuid4().hex},
            timeout=60,
        )

    def post(self, path: str, body: dict[str, Any], *, key: str = "") -> dict[str, Any]:
        """Call the till API and return its document."""
        answer = self.answer(path, body, key=key)
        if answer.status_code != 200:
            raise StoryBroken(f"POST {path} answered {answer.status_code}: {answer.text}")
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        """Ask the till API."""
        return dict(ask("GET", f"http://127.0.0.1:{AGENT_PORT}{path}", timeout=10).json())

    # At the operator's desk.

    def ask_centre(self, path: str) -> dict[str, Any]:
        """Ask the centre as an operator."""
        answer = ask(
            "GET",
            f"http://127.0.0.1:{CENTRE_PORT}{path}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=10,
        )
        return dict(answer.json())

    def acquirer(self) -> list[dict[str, Any]]:
        """Return the books of every emulated acquirer."""
        return [line for emulator in self.terminals.values() for line in emulator.lines()]


def product_of(category: str) -> Product:
    """Return the story's product of a category."""
    return next(one for one in PRODUCTS if one.category == category)
