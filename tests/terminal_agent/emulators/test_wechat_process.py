"""How does a running emulator of WeChat Pay start, take requests, and go, also by a power cut?"""

import http.client
import json
import subprocess
import sys
import urllib.error
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner
from wechat import REPO, EmulatedWechat, new_ask

from subsidy.records.payment import Evidence
from terminal_agent.channels.profile import key_places
from terminal_agent.channels.signed_client import doubt_of
from terminal_agent.channels.wechat_keys import KeyFiles
from terminal_agent.checkout.ports import Say
from terminal_agent.emulators.cli import app
from terminal_agent.emulators.faults import FaultRefused, Faults
from terminal_agent.emulators.wechat_faults import KNOWN, QUESTIONS, TARGETS


@pytest.fixture(scope="module")
def wechat(tmp_path_factory):
    with EmulatedWechat.start(tmp_path_factory.mktemp("wechat")) as running:
        yield running


def raw(wechat, method, path, body=b"", **headers):
    connection = http.client.HTTPConnection(urlsplit(wechat.base_url).netloc, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_it_says_where_it_is_and_who(wechat):
    ready = wechat.ready
    assert ready["base_url"].startswith("http://127.0.0.1:")
    assert ready["mchid"].startswith("EMU")
    assert ready["platform_key_id"].startswith("PUB_KEY_ID_EMU")
    assert Path(ready["merchant_key"]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "header",
    ["", "Bearer x", 'WECHATPAY2-SHA256-RSA2048 mchid="EMU00000001"'],
)
def test_a_request_that_is_not_signed_is_refused_with_a_signed_answer(wechat, header):
    status, headers, body = raw(
        wechat, "GET", "/v3/pay/transactions/out-trade-no/X?mchid=1", Authorization=header
    )
    assert (status, json.loads(body)["code"]) == (401, "SIGN_ERROR")
    keys = KeyFiles(key_places(wechat.profile())).current()
    at_ms = int(headers["Wechatpay-Timestamp"]) * 1000
    assert doubt_of(headers, body, keys.platform, at_ms) is None
    assert doubt_of(headers, body + b" ", keys.platform, at_ms) is not None


def test_keys_and_books_outlive_it(tmp_path):
    first = EmulatedWechat.start(tmp_path)
    paid, typing, gone = new_ask(100), new_ask(200_000), new_ask(100)
    channel = first.channel()
    channel.take(paid)
    channel.take(typing)
    channel.reverse(gone, Evidence())
    first.kill()
    with first.books_file.open("ab") as file:
        file.write(b'{"no": 99, "half a line')  # a power cut while writing
    with EmulatedWechat.start(tmp_path) as second:
        assert second.ready["platform_key_id"] == first.ready["platform_key_id"]
        channel = second.channel()
        assert channel.query(paid).approved_fen == 100
        assert channel.query(gone).say is Say.DECLINED
        answer = channel.query(typing)
        while answer.say is Say.PENDING:
            answer = channel.query(typing)
        assert answer.approved_fen == 200_000
        assert second.moved(typing.pay_ref) == [("charge", 200_000)]
        # A code that was used before the power cut is still used.
        assert channel.take(new_ask(100, paid.pay_code.reveal())).say is Say.DECLINED


def test_a_payment_code_is_not_in_its_books(wechat):
    ask = new_ask(100)
    wechat.channel().take(ask)
    assert ask.pay_code.reveal() not in wechat.books_file.read_text()


def test_an_order_number_is_paid_once(wechat):
    channel = wechat.channel()
    ask = new_ask(100)
    for expected in (Say.APPROVED, Say.UNCLEAR, Say.UNCLEAR):
        assert channel.take(ask).say is expected
    again = new_ask(100)
    other_amount = type(ask)(ask.pay_ref, 200, "07", "1", pay_code=again.pay_code)
    assert channel.take(other_amount).evidence.code == "OUT_TRADE_NO_USED"
    assert wechat.moved(ask.pay_ref) == [("charge", 100)]


@pytest.mark.parametrize(
    ("point", "booked"),
    [("request_received", []), ("after_booking", [("charge", 100)]), ("after_answer", [("charge", 100)])],
)
def test_it_kills_the_till_at_a_point_and_goes_on(wechat, point, booked):
    ask = new_ask(100)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as till:
        wechat.fault("kill", point=point, pid=till.pid)
        took = wechat.channel().take(ask)
        assert till.wait(timeout=5) == -9
    assert took.say is (Say.APPROVED if point != "request_received" else Say.UNCLEAR)
    assert wechat.moved(ask.pay_ref) == booked


def test_faults_are_armed_shown_and_cleared(wechat):
    wechat.fault("declined", code="AUTH_CODE_ERROR", times=3)
    shown = wechat.call("GET", "/faults")
    assert shown["faults"] == [{"fault": "declined", "times": 3, "on": "any", "code": "AUTH_CODE_ERROR"}]
    assert set(shown["known"]) == set(KNOWN)
    wechat.clear_faults()
    assert wechat.call("GET", "/faults")["faults"] == []


def test_a_terminals_fault_is_not_known_here(wechat):
    with pytest.raises(urllib.error.HTTPError) as refused:
        wechat.fault("bad_lrc")
    with refused.value as answer:
        assert json.load(answer)["known"] == sorted(KNOWN)


@pytest.mark.parametrize(
    "wish",
    [
        {"fault": "declined", "code": "not enough"},
        {"fault": "declined", "on": "void"},
        {"fault": "userpaying", "then": "thinks"},
        {"fault": "wrong_amount"},
        {"fault": "kill", "point": "frame_received", "pid": 2},
    ],
)
def test_a_wish_that_is_not_exactly_right_is_refused(wish):
    with pytest.raises(FaultRefused):
        Faults(KNOWN, TARGETS, QUESTIONS).arm(wish)


def test_a_fault_for_any_call_leaves_questions_alone():
    faults = Faults(KNOWN, TARGETS, QUESTIONS)
    faults.arm({"fault": "lost_answer"})
    assert all("lost_answer" not in faults.strike(one) for one in QUESTIONS)
    assert "lost_answer" in faults.strike("refund")


def test_faults_may_be_given_at_the_start(tmp_path):
    with EmulatedWechat.start(tmp_path, fault=["lost_answer", "declined:code=NOT_ENOUGH"]) as running:
        assert [one["fault"] for one in running.call("GET", "/faults")["faults"]] == [
            "lost_answer",
            "declined",
        ]


def test_two_never_write_the_same_books(tmp_path):
    with EmulatedWechat.start(tmp_path) as first, pytest.raises(RuntimeError, match="held by another"):
        EmulatedWechat.start(tmp_path, books=first.books_file)


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "ids.json").write_text("{}")
    with pytest.raises(RuntimeError, match="Name an empty folder"):
        EmulatedWechat.start(tmp_path, keys=tmp_path / "keys")


def test_a_merchant_that_does_not_begin_with_emu_is_refused(tmp_path):
    paths = ["--books", str(tmp_path / "b"), "--keys", str(tmp_path / "k")]
    for wrong in (["--mchid", "1900000000"], ["--appid", "x"], ["--fault", "earthquake"]):
        assert CliRunner().invoke(app, ["wechat", *paths, *wrong]).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_its_help_shows_a_command_to_copy():
    assert "terminal-agent emulate wechat --books" in CliRunner().invoke(app, ["wechat", "--help"]).output


def test_every_fault_stands_in_the_readme():
    readme = Path(REPO / "terminal_agent/emulators/README.md").read_text(encoding="utf-8")
    table = readme.partition("## WeChat Pay")[2]
    assert [name for name in KNOWN if f"`{name}`" not in table] == []
