"""What do the night's commands print and exit with, and does the service run the night and show it?"""

import datetime
import json
import signal
import subprocess
import sys
import time

import msgspec
import pytest
import reference_data as reference
import requests
from centre import REPO, RunningCentre, write_config
from fake_device import promised
from night import CARD_NO, SOURCES
from night_files import card_bytes
from typer.testing import CliRunner

from settlement.cli import app
from settlement.web.metrics import exposition
from subsidy import calendar, ids

DAY_MS = 86_400_000


def days_ago(days):
    """Return a day as files name it. Asked anew by each test: the next may begin after midnight."""
    today = calendar.business_day(datetime.datetime.now(datetime.UTC))
    return (today - datetime.timedelta(days=days)).isoformat()


class Shop:
    """A centre that runs, with one paid sale of yesterday, and the folder of its files."""

    def __init__(self, folder, centre):
        self.folder = folder
        self.centre = centre
        self.day = days_ago(1)
        self.incoming = folder / "incoming"
        self.incoming.mkdir()
        (folder / "night.yaml").write_text(SOURCES, encoding="utf-8")
        (folder / f"incoming/wechat-{self.day}.csv.none").touch()
        centre.clock.ahead_ms = -DAY_MS
        client = centre.enrol()
        said = client.hold()
        self.promise = promised(said.sealed)
        assert client.send_upload(client.chain(client.paid(said.sealed)))[0].answer == "accepted"
        centre.clock.ahead_ms = 0

    @property
    def pay_ref(self):
        return ids.pay_ref(self.promise.record_id, 1)

    @property
    def to_pay(self):
        return self.promise.amounts.to_pay_fen

    def row(self, **changes):
        row = {
            "settle_date": self.day,
            "mid": CARD_NO,
            "tid": reference.TERMINAL,
            "batch": "000001",
            "trace": "000001",
            "rrn": "000000000001",
            "auth": "E00001",
            "kind": "sale",
            "fen": str(self.to_pay),
            "pay_ref": self.pay_ref,
        }
        return row | changes

    def write(self, *rows):
        (self.incoming / f"acquirer-{self.day}.csv").write_bytes(card_bytes(list(rows)))

    def run(self, *words, exit_code=0, command="run"):
        file = self.folder / "settlement.yaml"
        date = [] if "--date" in words else ["--date", self.day]
        result = CliRunner().invoke(app, ["night", command, "--config", str(file), *date, *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        self.stderr = result.stderr
        return result.stdout

    def alarms(self):
        words = ["alarms", "--config", str(self.folder / "settlement.yaml"), "--set", "night_at=00:00"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code in (0, 4), result.output
        return result.stdout

    def json(self, *words, exit_code=0, command="run"):
        return json.loads(self.run(*words, "--json", exit_code=exit_code, command=command))


@pytest.fixture
def shop(tmp_path):
    with RunningCentre.start(tmp_path, night="night.yaml") as centre:
        yield Shop(tmp_path, centre)


def test_a_day_that_agrees_exits_0_and_says_so(shop):
    shop.write(shop.row())
    found = shop.json()
    assert (found["day"], found["matched"], found["differences"], found["waiting"]) == (shop.day, 1, [], [])
    assert found["proof"]["debited"]["holds"] is True
    assert [one["source"] for one in found["files"]] == ["acquirer", "wechat"]
    assert "1 matched" in shop.run()


def test_a_difference_exits_4_with_what_to_do(shop):
    shop.write(shop.row(fen=str(shop.to_pay + 100)))
    found = shop.json(exit_code=4)
    (one,) = found["differences"]
    assert (one["kind"], one["pay_ref"], one["fen"]) == ("amount", shop.pay_ref, 100)
    assert one["record_id"] == shop.promise.record_id
    assert {"owner", "next_step", "zh", "en"} <= one.keys()
    printed = shop.run(exit_code=4)
    assert one["next_step"] in printed
    assert one["zh"] in printed
    listed = shop.centre.get("/v1/differences").json()["differences"]
    assert [(item["kind"], item["fen"], item["day"]) for item in listed] == [("amount", 100, shop.day)]


def test_a_second_run_prints_the_same_bytes(shop):
    shop.write(shop.row(fen="1"))
    assert shop.run("--json", exit_code=4) == shop.run("--json", exit_code=4)


def test_a_missing_file_exits_4_and_is_named(shop):
    printed = shop.run(exit_code=4)
    assert f"acquirer-{shop.day}.csv has not come" in printed


def test_a_file_that_comes_before_its_day_is_over_exits_4_with_what_to_do(shop):
    shop.day = days_ago(0)
    shop.write()
    (shop.incoming / f"wechat-{shop.day}.csv.none").touch()
    found = shop.json(exit_code=4)
    assert (found["complete"], [one["whole"] for one in found["files"]]) == (False, [False, False])
    printed = shop.run(exit_code=4)
    assert "taken before its day was over" in printed
    assert f"settlement night run --date {shop.day} --replace acquirer" in printed


def test_a_bad_file_exits_3_with_file_line_and_remedy(shop):
    shop.write(shop.row())
    file = shop.incoming / f"acquirer-{shop.day}.csv"
    file.write_bytes(file.read_bytes().replace(b",sale,", b",sold,"))
    before = shop.centre.state_hash()
    assert "error" in shop.json(exit_code=3)
    assert f"acquirer-{shop.day}.csv, line 2, column kind: not what belongs in kind" in shop.stderr
    assert shop.centre.state_hash() == before


def test_other_bytes_exit_6_and_replace_takes_them(shop):
    shop.write(shop.row())
    shop.run()
    shop.write(shop.row(), shop.row(trace="000002", rrn="000000000002", pay_ref=""))
    shop.run(exit_code=6)
    assert "--replace acquirer" in shop.stderr
    assert shop.json("--replace", "acquirer")["matched"] == 1


def test_another_file_of_a_complete_day_is_an_alarm_that_says_what_to_run(shop):
    shop.write(shop.row())
    shop.run()
    told = f"{shop.day} acquirer: acquirer-{shop.day}.csv"
    edge = msgspec.structs.replace(
        shop.centre._server.config.app.edge,
        night_at=datetime.time(0),
        sources=shop.centre.centre.sources(),
    )
    figure = 'settlement_alarm{code="FILE_NOT_TAKEN",severity="warning"}'
    assert told not in shop.alarms()
    assert f"{figure} 0.0" in exposition(edge).decode()
    shop.write(shop.row(), shop.row(trace="000002", rrn="000000000002", pay_ref=""))
    assert told in shop.alarms()
    assert "settlement night run --date DAY --replace SOURCE" in shop.alarms()
    assert f"{figure} 1.0" in exposition(edge).decode()
    shop.run("--replace", "acquirer")
    assert told not in shop.alarms()


def test_a_dry_run_changes_nothing(shop):
    shop.write(shop.row(fen="1"))
    before = shop.centre.state_hash()
    dry = shop.json("--dry-run", exit_code=4)
    assert shop.centre.state_hash() == before
    assert dry == shop.json(exit_code=4)
    assert "dry run" in shop.run("--dry-run", exit_code=4)


def test_another_folder_and_other_sources_can_be_named(shop, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shop.write(shop.row())
    (shop.incoming / f"acquirer-{shop.day}.csv").rename(elsewhere / f"bank-{shop.day}.csv")
    sources = tmp_path / "other.yaml"
    text = SOURCES.partition("  - source: wechat")[0].replace("acquirer-{date}", "bank-{date}")
    sources.write_text(text, encoding="utf-8")
    assert shop.json("--files", str(elsewhere), "--sources", str(sources))["matched"] == 1


@pytest.mark.parametrize("date", ["tomorrow", "2026-3-1", "", "2999-01-01"])
def test_a_date_that_cannot_be_is_usage(shop, date):
    shop.run("--date", date, exit_code=2)
    assert "--date" in shop.stderr or "has not come" in shop.stderr


def test_without_sources_the_night_says_what_to_write(tmp_path):
    with RunningCentre.start(tmp_path) as centre:
        (tmp_path / "night.yaml").write_text("", encoding="utf-8")
        file = tmp_path / "settlement.yaml"
        result = CliRunner().invoke(app, ["night", "run", "--config", str(file), "--date", days_ago(0)])
        assert (result.exit_code, centre.centre.settings.night) == (3, None)
        assert "night: night.yaml" in result.stderr


@pytest.mark.parametrize("content", ["", "files: incoming\n", "\x00", "sources: [1]\nfiles: a\n"])
def test_sources_that_cannot_be_read_are_refused(shop, content):
    (shop.folder / "night.yaml").write_text(content, encoding="utf-8")
    shop.run(exit_code=3)
    assert "night.yaml, line " in shop.stderr


def test_the_report_is_kept_and_shown(shop):
    shop.run(command="report", exit_code=2)
    assert "settlement night run" in shop.stderr
    shop.write(shop.row())
    found = shop.json()
    assert shop.json(command="report") == found
    assert shop.centre.get(f"/v1/night?date={shop.day}").json() == found
    assert "1 matched" in shop.run(command="report")


def test_the_reports_address_wants_a_token_a_day_and_a_night(shop):
    assert shop.centre.get(f"/v1/night?date={shop.day}", token="guessed").status_code == 401
    assert shop.centre.get("/v1/night").status_code == 400
    assert shop.centre.get("/v1/night?date=today").status_code == 400
    assert shop.centre.get("/v1/night?date=2026-02-30").status_code == 400
    assert shop.centre.get(f"/v1/night?date={shop.day}").status_code == 404


def test_sales_go_on_while_the_night_writes(shop):
    """The night is another process at the same books: the service waits its turn, and sells."""
    shop.write(shop.row(fen="1"))
    command = [sys.executable, "-c", "from settlement.cli import main; main()", "night", "run"]
    words = ["--config", str(shop.folder / "settlement.yaml"), "--date", shop.day]
    client = shop.centre.enrol()
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE) as running:
        held = 0
        while running.poll() is None:
            if held < 25:  # the people there are
                assert client.hold(person=10 + held).promise is not None
                held += 1
        assert running.stdout.read()
    assert running.returncode == 4
    assert held > 0


def test_the_script_runs_the_night_of_yesterday_and_says_what_to_do(shop):
    command = [sys.executable, str(REPO / "scripts/nightly_reconcile.py")]
    words = ["--config", str(shop.folder / "settlement.yaml")]
    # The checkout's own environment may not be made here: the tests' Python stands in for it.
    code = (
        "import pathlib, runpy, sys; sys.path.insert(0, sys.argv[1]); import venv_here; "
        "venv_here.python_with = lambda _extra: pathlib.Path(sys.executable); "
        "sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", code, str(REPO / "scripts"), command[1]]
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4, done.stderr
    assert f"acquirer-{shop.day}.csv has not come" in done.stdout
    assert "a late file closes its items" in done.stderr
    shop.write(shop.row())
    words += ["--dry-run", "--json"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["matched"] == 1


def test_the_service_runs_what_it_has_missed_and_raises_the_alarm_for_what_it_cannot(tmp_path):
    """It comes up two days after a sale: one night's files are there, the other's have not come."""
    folder = tmp_path / "centre"
    folder.mkdir()
    with RunningCentre.start(folder, night="night.yaml") as centre:
        Shop(folder, centre)
        # The sale was made three days ago, in books that no night has looked at.
        centre.sql(f"UPDATE record SET placed_at_ms = placed_at_ms - 2 * {DAY_MS}")
    first = days_ago(3)
    (folder / f"incoming/acquirer-{first}.csv").write_bytes(card_bytes([]))
    (folder / f"incoming/wechat-{first}.csv.none").touch()
    write_config(folder, folder / "policies", night="night.yaml", night_at='"00:00"')
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        "from settlement.cli import main; main()",
        "serve",
        "--json",
    ]
    log = folder / "log.jsonl"
    with log.open("wb") as stderr:
        service = subprocess.Popen(
            [*command, "--config", str(folder / "settlement.yaml")], stdout=subprocess.PIPE, stderr=stderr
        )
    try:
        address = json.loads(service.stdout.readline())["listening"]
        token = (folder / "token").read_text() if (folder / "token").exists() else centre.token
        for _ in range(200):
            if log.read_bytes().count(b"night.run") >= 3:
                break
            time.sleep(0.1)
        told = [json.loads(line) for line in log.read_text().splitlines()]
        nights = {one["day"]: one["complete"] for one in told if one["event"] == "night.run"}
        days = [days_ago(number) for number in (3, 2, 1)]
        assert nights == dict(zip(days, (True, False, False), strict=True))
        found = requests.get(
            f"http://{address}/v1/night?date={first}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        ).json()
        assert (found["day"], found["complete"]) == (first, True)
        metrics = requests.get(f"http://{address}/metrics", timeout=10).text
        assert "settlement_nights_overdue" in metrics
        assert "settlement_night_last_complete_day_end" in metrics
        assert requests.get(f"http://{address}/readyz", timeout=10).status_code == 200
    finally:
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=30) == 0
        service.stdout.close()


def test_a_service_whose_nights_have_an_hour_needs_their_sources(tmp_path):
    with RunningCentre.start(tmp_path):
        pass
    write_config(tmp_path, tmp_path / "policies", night_at='"10:30"')
    result = CliRunner().invoke(app, ["serve", "--config", str(tmp_path / "settlement.yaml")])
    assert result.exit_code == 3
    assert "no sources are named" in result.stderr


def test_the_alarm_is_a_figure_only_where_the_service_runs_the_nights(shop):
    edge = shop.centre._server.config.app.edge
    text = exposition(edge).decode()
    assert "settlement_nights_overdue" not in text
