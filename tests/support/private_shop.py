"""A centre, a shop and its terminals as real processes in one folder, where everything that is said is kept.

What they leave in the folder is theirs; what they answered and printed is kept in `folder/heard/`, one file
each. `secrets` has every code, number and key that went in.
"""

import json
import os
import re
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from emulator import EmulatedTerminal, short_profile_text
from scanner import Secret
from story import shop_files
from story.people import add_people
from story.processes import BIN, Process, answers, free_port, wait_for
from typer.testing import CliRunner

from settlement.cli import app as settlement
from terminal_agent.checkout.ports import Secret as PinSecret
from terminal_agent.checkout.supervisor import hash_of
from terminal_agent.emulators import answers as emulated

TILLS = shop_files.TILLS
PIN = "482913650172"  # long enough that no number of ours has it by chance
# Nobody waits for people and hosts here; a terminal that stays silent is parked soon.
CLOCKS_MS = {"ack_wait_ms": 300, "status_wait_ms": 500, "host_timeout_ms": 200, "resolver_ms": 900}


class PrivateShop:
    """Use `PrivateShop.open`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.centre_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.centre_url = f"http://127.0.0.1:{self.centre_port}"
        self.agent = Process(folder, "agent", ["terminal-agent", "run", "--config", "agent.yaml"])
        self.centre = Process(folder, "centre", ["settlement", "serve", "--config", "settlement.yaml"])
        self.terminals: dict[str, EmulatedTerminal] = {}
        self.token = ""
        self._heard = folder / "heard"
        self._heard.mkdir()
        self._lock = threading.Lock()
        self._people = 0
        self._secrets: dict[str, str] = {}
        self.keep_secret("emulator's card number", emulated.MADE_UP_CARD)
        self.keep_secret("emulator's track", emulated.MADE_UP_TRACK)
        self.keep_secret("emulator's phone number", emulated.MADE_UP_PHONE)
        self.keep_secret("emulator's identity number", emulated.MADE_UP_IDENTITY)

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator["PrivateShop"]:
        """Start everything; at the end of the block everything is stopped."""
        shop = cls(folder)
        try:
            shop._set_up()
            yield shop
        finally:
            shop.agent.stop()
            for terminal in shop.terminals.values():
                terminal.stop()
            shop.centre.stop()

    def keep_secret(self, name: str, text: str) -> str:
        """Note that `text` must not be left anywhere, and return it."""
        with self._lock:
            self._secrets[text] = name
        return text

    @property
    def secrets(self) -> list[Secret]:
        """Everything that must not be left, the keys of both sides included."""
        keys = {self.folder / "agent-data" / "device.key", *(self.folder / "keys").glob("*.key")}
        found = dict(self._secrets)
        found.update({path.read_text().strip(): f"the private key {path.name}" for path in keys})
        return [Secret(name, text) for text, name in found.items()]

    @property
    def of_the_other_side(self) -> list[Path]:
        """The emulated acquirer's own files: a terminal knows the card that is in it."""
        return [path for number in self.terminals for path in (self._books(number), self._transcript(number))]

    @property
    def key_files(self) -> list[Path]:
        """Where the private keys are kept."""
        return [self.folder / "agent-data" / "device.key", *sorted((self.folder / "keys").glob("*.key"))]

    def transcripts(self) -> list[Path]:
        """What went over the serial lines, in hex."""
        return [self._transcript(number) for number in self.terminals]

    # Setting up.

    def _set_up(self) -> None:
        shop_files.write_centre_files(self.folder, self.centre_port)
        pin = self.keep_secret("supervisor's PIN", PIN)
        pin_hash = hash_of(PinSecret(pin), os.urandom)
        shop_files.write_agent_files(self.folder, self.port, self.centre_port, pin_hash=pin_hash)
        profile = short_profile_text(**CLOCKS_MS)
        (self.folder / "demo-terminal.yaml").write_text(profile, encoding="utf-8")
        made = self._settle("init", "--json")
        self.token = self.keep_secret("API token", json.loads(made)["api_token"])
        for kind in ("shops.yaml", "products.csv", "prices.csv"):
            self.settle("import", kind.partition(".")[0], str(self.folder / kind))
        parts = [word for part in shop_files.YEAR_PARTS for word in ("--part", part)]
        rules = (shop_files.ROOT / "config" / "policies" / "TRAINING-RULES.yaml").read_text(encoding="utf-8")
        year = re.search(r"(?m)^programme_year: ([0-9]+)", rules)
        assert year is not None
        people = add_people(self.folder, ["--config", "settlement.yaml"])
        proposer = self.keep_secret("proposer's token", people.proposer)
        approver = self.keep_secret("approver's token", people.approver)
        top_up = ("top-up", "--year", year[1], *parts, "--reference", "private", "--json")
        proposal = json.loads(self._settle(*top_up, token=proposer))["proposal"]
        self._settle("approve", proposal, token=approver)
        for person in range(shop_files.PEOPLE):
            self.keep_secret("identity number", shop_files.identity_no(person))
        self.centre.start()
        for number in shop_files.TERMINALS:
            self.terminals[number] = EmulatedTerminal.start(
                self.folder,
                f"tty-{number}",
                terminal_no=number,
                work_ms=10,
                books=self._books(number),
                transcript=self._transcript(number),
            )
        wait_for("the centre", lambda: answers(f"{self.centre_url}/readyz"))

    def enrol_code(self) -> str:
        """Return a one-time code."""
        made = self._settle("enrol-code", "--shop", "S0031", "--json")
        return self.keep_secret("one-time code", json.loads(made)["code"])

    def start_agent(self) -> None:
        """Start the agent and wait until it serves."""
        self.agent.start()
        wait_for("the agent", lambda: answers(f"{self.url}/v1/status"))

    def command(self, *words: str, code: int = 0) -> None:
        """Run a command of the agent, which must end with `code`, and keep what it prints."""
        done = subprocess.run(
            [str(BIN / "terminal-agent"), *words, "--config", "agent.yaml"],
            cwd=self.folder,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        self._hear(words[0], done.stdout + b"\n" + done.stderr)

    def settle(self, *words: str, code: int = 0) -> None:
        """Run a command of the centre, which must end with `code`, and keep what it prints."""
        self._hear(words[0], self._settle(*words, code=code).encode())

    def _settle(self, *words: str, code: int = 0, token: str = "") -> str:
        # In this process: a dozen starts of Python would take longer than everything else here.
        config = str(self.folder / "settlement.yaml")
        done = CliRunner().invoke(
            settlement, [*words, "--config", config], env={"SETTLEMENT_TOKEN": token} if token else None
        )
        assert done.exit_code == code, done.output
        return done.stdout + done.stderr

    # At the till, and at the operator's desk.

    def sale(self, category: str = "FRIDGE", *, till: str = "01", **changes: Any) -> dict[str, Any]:
        """Return the body of a sale to a person who has not bought anything yet."""
        with self._lock:
            person = self._people
            self._people += 1
        product = next(one for one in shop_files.PRODUCTS if one.category == category)
        yuan, _, cents = product.filed_yuan.partition(".")
        code = shop_files.qualification(person, category)
        return {
            "item": {
                "gtin": product.gtin,
                "serial_no": f"SN{person:08d}",
                "initial_price_fen": int(yuan) * 100 + int(cents),
                "merchant_discount_fen": 0,
                **changes.pop("item", {}),
            },
            "qualification_code": self.keep_secret("qualification code", code),
            "till_no": till,
            "operator": "cashier-1",
            "tender": {"kind": "card"},
            **changes,
        }

    def post(
        self, path: str, body: Any, *, status: int | None = 200, key: str = "", **headers: str
    ) -> dict[str, Any]:
        """POST to the till API, keep the answer, and return it. Every key is a secret."""
        key = self.keep_secret("idempotency key", key or f"key-{uuid.uuid4().hex}")
        return self.send(
            "POST", self.url + path, body, status=status, headers={"Idempotency-Key": key, **headers}
        )

    def send(
        self, method: str, url: str, body: Any = None, *, status: int | None = 200, headers: Any = None
    ) -> dict[str, Any]:
        """Send anything to till API or centre and keep what comes back."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        answer = requests.request(
            method,
            url,
            data=content,
            headers={"Content-Type": "application/json", **(headers or {})},
            timeout=60,
        )
        assert status is None or answer.status_code == status, answer.text
        self._hear(f"{method}-{answer.status_code}", repr(answer.headers).encode() + b"\n\n" + answer.content)
        try:
            found = answer.json()
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def read(self, path: str) -> dict[str, Any]:
        """GET from the till API."""
        return self.send("GET", self.url + path)

    def ask_centre(self, path: str) -> dict[str, Any]:
        """GET from the centre as an operator's program."""
        return self.send("GET", self.centre_url + path, headers={"Authorization": f"Bearer {self.token}"})

    def terminal(self, till: str = "01") -> EmulatedTerminal:
        """Return the terminal beside a till."""
        return self.terminals[TILLS[till]]

    def _books(self, number: str) -> Path:
        return self.folder / f"acquirer-{number}.jsonl"

    def _transcript(self, number: str) -> Path:
        return self.folder / f"line-{number}.jsonl"

    def _hear(self, what: str, content: bytes) -> None:
        with self._lock:
            number = sum(1 for _ in self._heard.iterdir())
            (self._heard / f"{number:04d}-{what}").write_bytes(content)
