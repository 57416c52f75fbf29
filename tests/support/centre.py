"""A centre that runs: in a folder of its own, under the training programme, with reference data and money.

    with RunningCentre.start(tmp_path) as centre:
        client = centre.enrol()
        promise = client.hold().promise

It serves from a thread of the test's process; `python tests/support/centre.py FOLDER` serves from a
process of its own until Ctrl-C, for trying things by hand.
"""

import contextlib
import dataclasses
import json
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import reference_data as reference
import requests
from fake_device import Chained, FakeDevice, promised
from matched import match_all
from sqlalchemy import inspect, text

from settlement.app import Centre, open_centre
from settlement.config import Listen, Settings, read_settings
from settlement.db.connection import reading, writing
from settlement.devices.make_code import make_code
from settlement.funds.top_up import TopUp
from settlement.people import tokens, users
from settlement.people.roles import Grant, Role
from settlement.set_up import set_up
from settlement.sources.prices import read_prices
from settlement.sources.products import read_products
from settlement.sources.qualifications import read_qualifications
from settlement.sources.shops import read_shops
from settlement.sources.take_in import take_in
from settlement.system import random_bytes
from settlement.web import serve
from settlement.web.start import start_web
from settlement.writer.apply import Direct
from settlement.writer.step import Answer
from subsidy import calendar, seal
from subsidy.policy.split import Part
from subsidy.seal import Sealed
from subsidy.wire import v1

REPO = Path(__file__).resolve().parents[2]
POLICIES = REPO / "config/policies"
YEAR = 2026
PASSWORD = "four horses drink tea"
PROPOSER, APPROVER = "wang", "li"
FUNDED = (
    Part("central", 85_000_000),
    Part("province", 5_000_000),
    Part("city", 5_000_000),
    Part("county", 5_000_000),
)


class Clock:
    """The centre's clock, which a test moves. It runs like the real one, plus `ahead_ms`."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


def write_config(folder: Path, policies: Path | None = None, **changes: str) -> Path:
    """Write a configuration for a training centre into `folder` and return its file.

    Without `policies` it gets a copy of the training packs alone: reading them all takes a while.
    """
    if policies is None:
        policies = folder / "policies"
        policies.mkdir(exist_ok=True)
        for file in POLICIES.glob("TRAINING*.yaml"):
            shutil.copy(file, policies)
    values = {
        "programme": '"TRAINING"',
        "policies": str(policies),
        "database": "centre.sqlite3",
        "keys": "keys",
        "listen": '"127.0.0.1:0"',
        "training": "true",
    }
    file = folder / "settlement.yaml"
    lines = [f"{key}: {value}\n" for key, value in (values | changes).items()]
    file.write_text("".join(lines), encoding="utf-8")
    return file


def import_all(centre: Centre, folder: Path) -> None:
    """Take in the reference data of the tests."""
    files = {kind: (path.read_bytes(), path.name) for kind, path in reference.write(folder).items()}
    categories = {name for rules in centre.pack.rule_sets for name in rules.categories}
    today = calendar.business_day(calendar.from_ms(centre.now_ms()))
    take_in(centre.engine, read_shops(*files["shops"], centre.pack.training))
    take_in(centre.engine, read_products(*files["products"]))
    take_in(centre.engine, read_prices(*files["prices"]))
    take_in(centre.engine, read_qualifications(*files["qualifications"], centre.keys, categories, today))


def fund(centre: Centre, parts: tuple[Part, ...] = FUNDED, reference_no: str = "培训〔2026〕1号") -> None:
    """Give the fund money."""
    centre.writer(_raise).write_now([TopUp(YEAR, parts, reference_no)])


def add_person(centre: Centre, name: str, *grants: Grant) -> str:
    """Add a person with roles and return a token of theirs."""
    at_ms = centre.now_ms()
    with writing(centre.engine) as connection:
        users.add_human(connection, name, PASSWORD, centre.keys, random_bytes, "os:tests", at_ms)
        users.change_roles(connection, name, grants, [], "os:tests", at_ms)
        return tokens.make(connection, name, "tests", random_bytes, "tests", at_ms)


def state_hash(centre: Centre) -> str:
    """Return one hash over every row of every table, but `meta`, the batches and what notes who has asked."""
    dump = []
    with reading(centre.engine) as connection:
        for name in sorted(inspect(connection).get_table_names()):
            if name not in ("meta", "writer", "audit_entry", "user_session"):
                dump.append(name)
                dump += sorted(repr(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {name}")))
    return seal.sha256_hex("\n".join(dump).encode())


@dataclasses.dataclass
class Said:
    """What the centre answered to a hold: one of the two."""

    sealed: Sealed
    promise: v1.Promise | None
    refused: v1.Refused | None


class CentreClient(FakeDevice):
    """A device that talks HTTP to the centre."""

    def __init__(self, url: str, seed: str, now_ms: Callable[[], int], session: requests.Session) -> None:
        super().__init__(seed, now_ms)
        self.url = url
        self.session = session
        self.pack_hash = ""
        self.centre_keys: dict[str, Any] = {}
        self._nonces = 0

    def nonce(self) -> str:
        """Return a nonce that was not used before."""
        self._nonces += 1
        return f"{self.name}-{self._nonces:08d}"

    def send(self, path: str, body: bytes, headers: dict[str, str]) -> requests.Response:
        """POST exactly these bytes and headers."""
        return self.session.post(f"{self.url}{path}", data=body, headers=headers, timeout=30)

    def post(self, path: str, message: msgspec.Struct | bytes, **changes: Any) -> requests.Response:
        """POST a message, signed. `changes` replace what the signature says."""
        body = message if isinstance(message, bytes) else msgspec.json.encode(message)
        nonce = changes.pop("nonce", None) or self.nonce()
        headers = {"Content-Type": "application/json", **self.signature(path, body, nonce, **changes)}
        return self.send(path, body, headers)

    def enrol(self, code: str) -> v1.Enrolled:
        """Enrol with a one-time code, and pin the centre's keys."""
        request = v1.EnrolmentRequest(
            v=1, code=code, public_key=self.public_text, host="till-1", agent_version="test"
        )
        answer = self.send(
            "/v1/enrolments", msgspec.json.encode(request), {"Content-Type": "application/json"}
        )
        assert answer.status_code == 200, answer.text[:500]
        sealed = msgspec.json.decode(answer.content, type=Sealed)
        enrolled = msgspec.json.decode(sealed.payload_bytes(), type=v1.Enrolled)
        keys = [seal.public_key(one) for one in enrolled.centre_keys]
        self.centre_keys = {seal.key_id(key): key for key in keys}
        assert code.rpartition("-")[2] in self.centre_keys
        seal.unseal(sealed, v1.ENROLLED, self.centre_keys)
        return enrolled

    def facts(self, request: v1.FactsRequest) -> v1.FactsAnswer:
        """Ask for facts, and note which pack counts."""
        sealed = self.sealed_answer(self.post("/v1/facts", request))
        answer = msgspec.json.decode(seal.unseal(sealed, v1.FACTS, self.centre_keys), type=v1.FactsAnswer)
        self.pack_hash = answer.pack_hash
        return answer

    def hold(self, **changes: Any) -> Said:
        """Ask for a hold."""
        return self.said(self.post("/v1/holds", self.hold_request(self.pack_hash, **changes)))

    def said(self, answer: requests.Response) -> Said:
        """Return what the centre said to a hold, its seal checked."""
        sealed = self.sealed_answer(answer)
        payload = seal.unseal(sealed, sealed.typ, self.centre_keys)
        if sealed.typ == v1.PROMISE:
            return Said(sealed, promised(sealed), None)
        return Said(sealed, None, msgspec.json.decode(payload, type=v1.Refused))

    def release(self, record_id: str, hold_no: int) -> requests.Response:
        """Release a hold."""
        entry = self.chain(self.closed(record_id, hold_no))
        return self.post(f"/v1/holds/{record_id}/release", entry.wire)

    def send_return(self, entry: Chained) -> v1.Ack:
        """Send one `returning` or `returned` entry early and return its ack."""
        answer = self.post("/v1/returns", entry.wire)
        assert answer.status_code == 200, answer.text[:500]
        (ack,) = self.acks(answer)
        return ack

    def send_upload(self, *entries: Chained, **more: Any) -> list[v1.Ack]:
        """Send a batch and return its acks, each checked."""
        answer = self.post("/v1/records", self.sealed(self.upload(entries, **more)))
        assert answer.status_code == 200, answer.text[:500]
        return self.acks(answer)

    def acks(self, answer: requests.Response) -> list[v1.Ack]:
        """Return the acks of an answer, each seal checked."""
        acks = msgspec.json.decode(answer.content, type=v1.UploadAnswer).acks
        return [msgspec.json.decode(seal.unseal(one, v1.ACK, self.centre_keys), type=v1.Ack) for one in acks]

    def sealed_answer(self, answer: requests.Response) -> Sealed:
        """Return a sealed answer."""
        assert answer.status_code == 200, answer.text[:500]
        return msgspec.json.decode(answer.content, type=Sealed)


class RunningCentre:
    """A centre that serves from a thread."""

    def __init__(self, centre: Centre, token: str, clock: Clock, folder: Path) -> None:
        self.centre = centre
        self.token = token
        self.second_token = (folder / "second-token").read_text()
        self.clock = clock
        self.folder = folder
        self.session = requests.Session()
        self._bound = serve.bind(Listen("127.0.0.1", 0))
        self.port: int = self._bound.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._web = start_web(centre)
        self._server = serve.server(self._web)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._bound]}, daemon=True
        )
        self._enrolled = 0

    @classmethod
    @contextlib.contextmanager
    def start(cls, folder: Path, **config: Any) -> Iterator["RunningCentre"]:
        """Set up a centre in `folder`, with reference data and money, and serve until the block ends."""
        settings = read_settings(write_config(folder, **config), environment={}).settings
        clock = Clock()
        centre, token = ready_centre(settings, folder, clock)
        with cls(centre, token, clock, folder) as running:
            yield running

    @classmethod
    @contextlib.contextmanager
    def start_again(cls, folder: Path) -> Iterator["RunningCentre"]:
        """Serve what stands in `folder`, whose API token lies in the file `token`."""
        clock = Clock()
        settings = read_settings(folder / "settlement.yaml", environment={}).settings
        token = (folder / "token").read_text()
        with cls(open_centre(settings, clock.now_ms), token, clock, folder) as running:
            yield running

    def __enter__(self) -> "RunningCentre":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self.session.close()
        self._thread.join(timeout=15)
        assert not self._thread.is_alive()
        self._bound.close()
        self._web.edge.writer.stop()
        self.centre.engine.dispose()

    def let_a_night_match(self) -> None:
        """Let the night match every payment of which the centre has heard."""
        match_all(self.centre.engine, self.submit)

    def submit(self, command: Direct) -> Answer:
        """Give a command to the centre's writer."""
        return self._web.edge.writer.submit(command)

    def make_code(self, shop: str = reference.SHOP, valid_ms: int = 900_000) -> str:
        """Return a one-time code."""
        with writing(self.centre.engine) as connection:
            made = make_code(
                connection, shop, self.centre.keys.kid, valid_ms, random_bytes, self.clock.now_ms()
            )
        assert made is not None
        return made.code

    def client(self, seed: str | None = None) -> CentreClient:
        """Return a host that is not enrolled yet."""
        self._enrolled += 1
        return CentreClient(self.url, seed or f"host {self._enrolled}", self.clock.now_ms, self.session)

    def enrol(self, shop: str = reference.SHOP) -> CentreClient:
        """Return an enrolled device that knows which pack counts."""
        client = self.client()
        client.enrol(self.make_code(shop))
        client.pack_hash = self.centre.pack.hash
        return client

    def get(self, path: str, token: str | None = None) -> requests.Response:
        """GET as an operator's program."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return self.session.get(f"{self.url}{path}", headers=headers, timeout=30)

    def post(self, path: str, document: Any, token: str | None = None) -> requests.Response:
        """POST JSON as an operator's program."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return self.session.post(f"{self.url}{path}", json=document, headers=headers, timeout=30)

    def approve(self, proposal: dict[str, Any], token: str | None = None) -> requests.Response:
        """Approve a proposal as the second person, having been shown it."""
        approval = {"shown_hash": proposal["shown_hash"]}
        path = f"/v1/proposals/{proposal['proposal']}/approve"
        return self.post(path, approval, self.second_token if token is None else token)

    def agree(self, path: str, document: Any) -> dict[str, Any]:
        """Propose as one person, approve as the other, and return what was carried out."""
        proposed = self.post(path, document)
        assert proposed.status_code == 202, proposed.text
        approved = self.approve(proposed.json())
        assert approved.status_code == 200, approved.text
        return dict(approved.json())

    def raw(self, path: str, headers: list[str], body: bytes) -> bytes:
        """POST exactly these header lines and return the whole answer."""
        lines = [f"POST {path} HTTP/1.1", "Host: centre", "Connection: close", f"Content-Length: {len(body)}"]
        with self.connect() as connection:
            connection.sendall("\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body)
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def sql(self, statement: str) -> None:
        """Run a statement behind the application's back."""
        with writing(self.centre.engine) as connection:
            connection.execute(text(statement))

    def state_hash(self) -> str:
        """Return one hash over everything in the database."""
        return state_hash(self.centre)

    def connect(self) -> socket.socket:
        """Return a bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


def ready_centre(settings: Settings, folder: Path, clock: Clock) -> tuple[Centre, str]:
    """Return a centre with reference data and money, and the token of who proposes.

    The token of who approves lies in the file `second-token`.
    """
    centre = set_up(settings, clock.now_ms)
    token = add_person(centre, PROPOSER, Grant(Role.OPERATIONS))
    (folder / "second-token").write_text(add_person(centre, APPROVER, Grant(Role.APPROVER)))
    import_all(centre, folder)
    fund(centre)
    return centre, token


def _raise(wrong: BaseException) -> None:
    raise wrong


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    with RunningCentre.start(place) as serving:
        print(
            json.dumps({"url": serving.url, "token": serving.token, "code": serving.make_code()}), flush=True
        )
        threading.Event().wait()
