"""A centre as a process of its own, with goods, people and money, for tests that watch it from outside."""

import csv
import datetime
import itertools
import json
import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

import reference_data as reference
import requests
from centre import CentreClient, Clock, ready_centre, write_config
from sqlalchemy import text
from story.processes import BIN, Process, answers, free_port, wait_for

from settlement.app import Centre
from settlement.config import read_settings
from settlement.db.connection import writing
from settlement.devices.make_code import make_code
from settlement.keys import Keys
from settlement.sources.qualifications import read_qualifications
from settlement.sources.take_in import take_in
from settlement.system import random_bytes
from subsidy import calendar

_MOST_PEOPLE = 999
# A machine that runs everybody's tests may be slow to start it.
READY_S = 90


class RealCentre:
    """A running `settlement serve`, on a file or on the database at `url`. Use as a context."""

    def __init__(self, folder: Path, url: str | None = None, policies: Path | None = None) -> None:
        self.port = free_port()
        self.folder = folder
        database = {} if url is None else {"database": f'"{url}"'}
        config = write_config(folder, policies, listen=f'"127.0.0.1:{self.port}"', **database)
        self._centre, self._token = ready_centre(
            read_settings(config, environment={}).settings, folder, Clock()
        )
        self._second_token = (folder / "second-token").read_text()
        _add_people(self._centre, folder / "more-people.csv")
        self._process = Process(folder, "centre", ["settlement", "serve", "--config", config.name])
        self._people = itertools.count(1)
        self._serials = itertools.count(1)

    def __enter__(self) -> "RealCentre":
        self._process.start()
        self.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()
        self._centre.engine.dispose()

    def kill(self) -> None:
        """Kill it as a power cut would, and wait until it is gone."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait_dead()

    def restart(self) -> None:
        """Start it again, once it is dead, on the books it left."""
        self._process.wait_dead()
        self._process.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it answers out of its books; one that has ended says why."""

        def is_ready() -> bool:
            assert self._process.is_running(), self.log()[-2000:]
            return answers(f"{self._url}/readyz")

        wait_for("the centre", is_ready, READY_S)

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> Keys:
        """The keys that its words are sealed with."""
        return self._centre.keys

    def next_person(self) -> int:
        """Return a person who has not bought anything yet."""
        person = next(self._people)
        assert person <= _MOST_PEOPLE, "the tests have used up everybody"
        return person

    def next_serial(self) -> str:
        """Return a serial number that was not sold before."""
        return f"SN{next(self._serials):08d}"

    def make_code(self) -> str:
        """Return a one-time code for the shop."""
        centre = self._centre
        with writing(centre.engine) as connection:
            made = make_code(
                connection, reference.SHOP, centre.keys.kid, 900_000, random_bytes, centre.now_ms()
            )
        assert made is not None
        return made.code

    @property
    def centre(self) -> Centre:
        """The same books as this process sees them."""
        return self._centre

    def device(self, seed: str = "device") -> CentreClient:
        """Return an enrolled device that knows which pack counts."""
        client = CentreClient(self._url, seed, self._centre.now_ms, requests.Session())
        client.enrol(self.make_code())
        client.pack_hash = self._centre.pack.hash
        return client

    def tell(self, path: str, document: dict[str, Any], second: bool = False) -> requests.Response:
        """POST as an operator, or as the second person."""
        return requests.post(
            f"{self._url}{path}",
            json=document,
            headers={"Authorization": f"Bearer {self._second_token if second else self._token}"},
            timeout=30,
        )

    def agree(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """Propose as one person, approve as the other, and return what was carried out."""
        proposed = self.tell(path, document)
        assert proposed.status_code == 202, proposed.text
        shown_hash = proposed.json()["shown_hash"]
        path = f"/v1/proposals/{proposed.json()['proposal']}/approve"
        approved = self.tell(path, {"shown_hash": shown_hash}, second=True)
        assert approved.status_code == 200, approved.text
        return dict(approved.json())

    def command(self, *words: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of the centre beside the running one, as the server's account or under a token."""
        return subprocess.run(
            [BIN / "settlement", *words, "--config", "settlement.yaml", "--json"],
            cwd=self.folder,
            env={**os.environ, **({} if token is None else {"SETTLEMENT_TOKEN": token})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def agreed_command(self, *words: str) -> None:
        """Propose with a command as one person, and approve with one as the other."""
        proposed = self.command(*words, token=self._token)
        assert proposed.returncode in (0, 4), proposed.stderr
        name = json.loads(proposed.stdout)["proposal"]
        approved = self.command("approve", name, token=self._second_token)
        assert approved.returncode in (0, 4), approved.stderr

    def let_a_day_pass(self) -> datetime.date:
        """Put every sale a day further back, as the centre's clock cannot be moved; return yesterday."""
        with writing(self._centre.engine) as connection:
            connection.execute(text("UPDATE record SET placed_at_ms = placed_at_ms - 86400000"))
        now = calendar.from_ms(self._centre.now_ms())
        return calendar.business_day(now) - datetime.timedelta(days=1)

    def let_a_night_match(self) -> None:
        """Say of every sale that its night has matched it: for who looks at what comes after that."""
        with writing(self._centre.engine) as connection:
            connection.execute(text("UPDATE record SET night = 'matched'"))

    def run_night(self, day: str, sources: str) -> dict[str, Any]:
        """Run the night of a day with its command, over the files of `sources`, and return its report."""
        (self.folder / "night.yaml").write_text(sources, encoding="utf-8")
        (self.folder / "incoming").mkdir(exist_ok=True)
        ran = self.command("night", "run", "--date", day, "--sources", "night.yaml")
        assert ran.returncode in (0, 4), ran.stderr
        return dict(json.loads(ran.stdout))

    def ask(self, path: str) -> dict[str, Any] | None:
        """Ask as an operator's program; None when there is no such thing."""
        answer = requests.get(
            f"{self._url}{path}",
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=30,
        )
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def record(self, record_id: str) -> dict[str, Any] | None:
        """Return the centre's record of a sale, or None."""
        return self.ask(f"/v1/records/{record_id}")

    def log(self) -> str:
        """Return what it wrote to its log."""
        return self._process.log()


def _add_people(centre: Centre, file: Path) -> None:
    """Let in people enough for every test of a run, each with a code for every category."""
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["qualification_code", "id_no", "category", "valid_from", "valid_until"])
        rows.writerows(
            [
                reference.code(person, category),
                reference.identity_no(person),
                category,
                "2025-01-01",
                "2098-12-31",
            ]
            for person in range(reference.PEOPLE, _MOST_PEOPLE)
            for category in ("FRIDGE", "AC", "PHONE")
        )
    categories = {name for rules in centre.pack.rule_sets for name in rules.categories}
    today = calendar.business_day(calendar.from_ms(centre.now_ms()))
    look = read_qualifications(file.read_bytes(), file.name, centre.keys, categories, today)
    take_in(centre.engine, look)
