"""A running shop whose terminal is only watched: sold, voided, killed in the middle; the centre knows all.

What moved is read from the acquirer's host, what was booked from the centre's books.
"""

import json
import re
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress

import pytest
import requests
from card_host import CardHost, Next
from emulator import REPO
from story.processes import free_port, wait_for
from watched_line import eventually, profile_text

TERMINAL = "EMU00001"


@pytest.fixture(scope="module")
def host():
    with CardHost() as host:
        yield host


@pytest.fixture(scope="module")
def shop(open_shop, host):
    shop = open_shop()
    shop.agent.stop()
    shop.relay_port = free_port()
    (shop.folder / "relay.yaml").write_text(profile_text(host.address, armed_for_ms=20_000))
    config = shop.folder / "agent.yaml"
    row = rf'(?m)^  "{TERMINAL}":\n    driver: .*\n    port: .*\n    profile: .*$'
    port = f'"127.0.0.1:{shop.relay_port}"'
    watched = f'  "{TERMINAL}":\n    driver: relay\n    port: {port}\n    profile: relay.yaml'
    text, found = re.subn(row, watched, config.read_text())
    assert found == 1
    config.write_text(text)
    shop.start()
    return shop


class ByHand:
    """`terminal-agent emulate line-terminal`, and a person at it."""

    def __init__(self, port):
        command = ["-m", "terminal_agent.emulators.cli", "line-terminal", "--acquirer", f"127.0.0.1:{port}"]
        self.process = subprocess.Popen(
            [sys.executable, *command, "--wait-ms", "2000"], cwd=REPO, stdout=subprocess.PIPE, text=True
        )
        self.control = json.loads(self.process.stdout.readline())["control"]

    def key_in(self, what, **body):
        request = urllib.request.Request(
            f"{self.control}/{what}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def terminal(shop):
    terminal = ByHand(shop.relay_port)
    yield terminal
    terminal.stop()


def begin(shop):
    """Begin a sale; return its document once the terminal is armed, and the thread that waits."""
    body = shop.body()
    answers = []

    def sell():
        with suppress(requests.ConnectionError):  # where the agent is killed
            answers.append(shop.post("/v1/sales", body))

    waiting = threading.Thread(target=sell)
    waiting.start()
    serial_no = body["item"]["serial_no"]
    wait_for("the arming", lambda: shop.open_sale_of(serial_no) and status_of(shop)["armed"])
    sale = shop.open_sale_of(serial_no)
    assert sale["next_action"] == "CHARGE_AT_TERMINAL"
    return sale, waiting, answers


def status_of(shop):
    return next(one for one in shop.get("/v1/status")["terminals"] if one["terminal_no"] == TERMINAL)["line"]


def test_a_sale_that_is_charged_by_hand_is_booked_and_its_void_takes_it_back(shop, host, terminal):
    sale, waiting, answers = begin(shop)
    slip = terminal.key_in("sale", fen=sale["to_pay_fen"])
    assert slip["code"] == "00"
    waiting.join(20)
    assert answers[0]["state"] == "paid"
    assert host.standing() == {slip["trace"]: sale["to_pay_fen"]}
    shop.wait_for_record(sale["record_id"], "PAYABLE")

    assert terminal.key_in("void", trace=slip["trace"])["code"] == "00"
    wait_for("the return", lambda: shop.sale(sale["record_id"])["state"] == "returned")
    assert shop.sale(sale["record_id"])["next_action"] == "TAKE_THE_GOODS_BACK"
    assert host.standing() == {}
    shop.wait_for_record(sale["record_id"], "RETURNED")


def test_a_kill_while_the_money_moves_parks_the_sale_and_the_terminals_reversal_ends_it(shop, host, terminal):
    goes_on = threading.Event()
    host.nexts.append(Next(before=goes_on, answers=False))
    sale, waiting, _ = begin(shop)
    charging = threading.Thread(target=lambda: terminal.key_in("sale", fen=sale["to_pay_fen"]))
    charging.start()
    eventually(lambda: shop.sale(sale["record_id"])["attempts"][0]["said"].get("trace"))
    shop.kill()
    goes_on.set()
    charging.join(20)
    waiting.join(20)
    assert sum(host.standing().values()) == sale["to_pay_fen"]

    shop.restart()
    wait_for("the sale to be parked", lambda: shop.sale(sale["record_id"])["state"] == "unknown")
    slips = json.load(urllib.request.urlopen(f"{terminal.control}/slips", timeout=5))
    terminal.key_in("reverse", trace=slips[-1]["trace"])
    wait_for("not paid", lambda: shop.sale(sale["record_id"])["state"] == "not_paid")
    assert host.standing() == {}


def looked(shop, command):
    """Ask for status or doctor as shop IT does; return what it printed and its exit code."""
    done = subprocess.run(
        [f"{sys.prefix}/bin/terminal-agent", command, "--config", "agent.yaml"],
        cwd=shop.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.returncode


def test_a_charge_after_a_decline_is_told_everywhere_until_it_is_seen_to(shop, host, terminal):
    host.nexts.append(Next(code="51"))
    sale, waiting, answers = begin(shop)
    terminal.key_in("sale", fen=sale["to_pay_fen"])
    waiting.join(20)
    assert answers[0]["next_action"] == "PAY_AGAIN_OR_STOP"
    slip = terminal.key_in("sale", fen=sale["to_pay_fen"])
    assert slip["code"] == "00"
    eventually(lambda: shop.sale(sale["record_id"])["next_action"] == "VOID_THE_OTHER_CHARGE")
    (one,) = shop.get("/v1/status")["look_at"]
    assert (one["record_id"], one["trace"]) == (sale["record_id"], slip["trace"])
    for command in ("status", "doctor"):
        said, code = looked(shop, command)
        assert code == 4
        assert f"trace {slip['trace']}: The terminal charged this amount once more" in said

    assert shop.post(f"/v1/look-at/{one['no']}/done", {"operator": "cashier-1"})["look_at"] == []
    assert shop.sale(sale["record_id"])["next_action"] == "PAY_AGAIN_OR_STOP"
    assert "charged this amount" not in looked(shop, "status")[0] + looked(shop, "doctor")[0]
    shop.post(f"/v1/sales/{sale['record_id']}/stop", {"operator": "cashier-1"})


def test_doctor_and_status_say_when_the_terminal_encrypts_its_line(shop, terminal):
    terminal.key_in("drop")
    shop.agent.stop()
    shop.start()
    assert status_of(shop)["problem"] == ""
    terminal.key_in("noise", hex="160301020001")
    eventually(lambda: "encrypts" in status_of(shop)["problem"])
    terminal.key_in("drop")
    found = subprocess.run(
        [f"{sys.prefix}/bin/terminal-agent", "doctor", "--config", "agent.yaml", "--json"],
        cwd=shop.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    checks = {one["check"]: one for one in json.loads(found.stdout)["checks"]}
    assert not checks[f"terminal {TERMINAL}"]["well"]
    assert "encrypts" in checks[f"terminal {TERMINAL}"]["found"]
    assert found.returncode == 4
