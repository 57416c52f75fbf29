"""Is the emulated Alipay a process that others can start, ask, kill and start again?"""

import http.client
import json
import subprocess
import sys
import urllib.error
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from alipay import REPO, EmulatedAlipay, new_ask
from typer.testing import CliRunner

from terminal_agent.channels.alipay_client import believed
from terminal_agent.checkout.ports import Say
from terminal_agent.emulators.alipay_faults import KNOWN
from terminal_agent.emulators.cli import app


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with EmulatedAlipay.start(tmp_path_factory.mktemp("alipay")) as running:
        yield running


@pytest.fixture
def alipay(shared):
    shared.clear_faults()
    return shared


def post(alipay, parameters):
    connection = http.client.HTTPConnection(urlsplit(alipay.base_url).netloc, timeout=5)
    try:
        connection.request("POST", "/gateway.do", urlencode(parameters))
        return connection.getresponse().read()
    finally:
        connection.close()


def test_it_says_where_it_is_and_who(alipay):
    ready = alipay.ready
    assert ready["gateway"].startswith("http://127.0.0.1:")
    assert ready["app_id"].startswith("EMU")
    assert ready["account"].startswith("EMU")
    assert Path(ready["keys"]["private_key"]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, "isv.invalid-app-id"),
        ({"app_id": "2021000000000000"}, "isv.invalid-app-id"),
        ({"app_id": "EMU0000000000001"}, "isv.invalid-signature-type"),
        (
            {
                "app_id": "EMU0000000000001",
                "sign_type": "RSA2",
                "charset": "utf-8",
                "version": "1.0",
                "sign": "AAAA",
            },
            "isv.invalid-signature",
        ),
    ],
)
def test_a_request_that_is_not_signed_is_refused_with_a_signed_answer(parameters, reason, alipay):
    method = "alipay.trade.query"
    body = post(alipay, {"method": method, **parameters})
    platform = alipay.profile().keys.reread().current().platform
    answer = believed(body, method, platform)
    assert json.loads(answer.body)["sub_code"] == reason


def test_keys_and_books_outlive_it(tmp_path):
    first = EmulatedAlipay.start(tmp_path)
    ask = new_ask(100)
    waiting = new_ask(200_000)
    channel = first.channel()
    assert channel.take(ask).say is Say.APPROVED
    assert channel.take(waiting).say is Say.PENDING
    first.kill()
    with first.books_file.open("ab") as books:
        books.write(b'{"no": 4, "kind": "pa')  # a power cut in the middle of a line
    with EmulatedAlipay.start(tmp_path) as second:
        assert second.ready["keys"] == first.ready["keys"]
        channel = second.channel()
        assert channel.query(ask).approved_fen == 100
        while channel.query(waiting).say is Say.PENDING:
            pass
        assert channel.query(waiting).approved_fen == 200_000
        assert second.moved(ask.pay_ref) == [("pay", 100)]


def test_a_payment_code_is_not_in_its_books(alipay):
    ask = new_ask(100)
    alipay.channel().take(ask)
    assert ask.pay_code.reveal() not in alipay.books_file.read_text()


@pytest.mark.parametrize(
    ("point", "booked"),
    [("request_received", []), ("after_booking", [("pay", 100)]), ("after_answer", [("pay", 100)])],
)
def test_it_kills_the_till_at_a_point_and_goes_on(alipay, point, booked):
    ask = new_ask(100)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as till:
        alipay.fault("kill", point=point, pid=till.pid)
        took = alipay.channel().take(ask)
        assert till.wait(timeout=5) == -9
    assert took.say is (Say.APPROVED if point != "request_received" else Say.UNCLEAR)
    assert alipay.moved(ask.pay_ref) == booked


def test_faults_are_armed_shown_and_cleared(alipay):
    alipay.fault("declined", code="ACQ.SYSTEM_ERROR", times=3)
    shown = alipay.call("GET", "/faults")
    assert shown["faults"] == [{"fault": "declined", "times": 3, "on": "any", "code": "ACQ.SYSTEM_ERROR"}]
    assert set(shown["known"]) == set(KNOWN)
    for wrong in ("bad_lrc", "reverse_lost"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            alipay.fault(wrong)
        with refused.value as answer:
            assert json.load(answer)["known"] == sorted(KNOWN)


def test_faults_may_be_given_at_the_start(tmp_path):
    wishes = ["lost_answer", "declined:code=ACQ.SYSTEM_ERROR"]
    with EmulatedAlipay.start(tmp_path, fault=wishes) as running:
        armed = [one["fault"] for one in running.call("GET", "/faults")["faults"]]
        assert armed == ["lost_answer", "declined"]


def test_two_never_write_the_same_books(tmp_path):
    with EmulatedAlipay.start(tmp_path) as first, pytest.raises(RuntimeError, match="held by another"):
        EmulatedAlipay.start(tmp_path, books=first.books_file)


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "alipay_public_key.pem").write_text("{}")
    with pytest.raises(RuntimeError, match="Name an empty folder"):
        EmulatedAlipay.start(tmp_path, keys=tmp_path / "keys")


def test_an_application_that_does_not_begin_with_emu_is_refused(tmp_path):
    paths = ["--books", str(tmp_path / "b"), "--keys", str(tmp_path / "k")]
    for wrong in (["--app-id", "2021000000000000"], ["--account", "2088"], ["--fault", "earthquake"]):
        assert CliRunner().invoke(app, ["alipay", *paths, *wrong]).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_its_help_shows_a_command_to_copy():
    assert "terminal-agent emulate alipay --books" in CliRunner().invoke(app, ["alipay", "--help"]).output


def test_every_fault_stands_in_the_readme():
    readme = Path(REPO / "terminal_agent/emulators/README.md").read_text(encoding="utf-8")
    table = readme.partition("## Alipay")[2]
    assert [name for name in KNOWN if f"`{name}`" not in table] == []
