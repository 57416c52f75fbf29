"""Do whole sales go as well through a vendor's MIS client, which a child process calls that may be killed?

Its fixed records have no place for our order number: what was charged for a sale is told by the voucher
numbers, from the acquirer's books. At the end the books of shop, centre and acquirers must agree to the fen.
"""

import json
import os
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from audit import disagreements, personal_data
from shop import SETTLED, Shop
from story.processes import BIN, wait_for

from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_IDENTITY, MADE_UP_PHONE, MADE_UP_TRACK

# Each question starts a Python of its own, which takes its time on a busy machine.
CLOCKS_MS = {"answer_wait_ms": 3000, "answer_cap_ms": 3000, "status_wait_ms": 4000, "resolver_ms": 8000}
NOBODYS = "in no attempt"


@pytest.fixture(scope="module")
def other(tmp_path_factory, centre, moves_taken):
    folder = tmp_path_factory.mktemp("shop")
    with Shop.open(folder, centre, moves_taken, kinds=("mis", "mis"), **CLOCKS_MS) as other:
        yield other
        other.agent.stop()
        journal = other.journal()
        assert disagreements(other, journal, by_voucher(other, journal.attempts)) == []
        assert personal_data(other) == []


@pytest.fixture(autouse=True)
def nothing_armed(other):
    yield
    for terminal in other.terminals:
        terminal.clear_faults()


def standing(other):
    """Return what stands at the acquirers: fen by terminal and voucher number."""
    found = Counter()
    for line in other.acquirer():
        if line["kind"] == "sale":
            found[line["tid"], line["trace"]] += line["fen"]
        if line["kind"] in ("void", "refund"):
            found[line["tid"], line["orig_trace"]] -= line["fen"]
    assert all(fen >= 0 for fen in found.values())
    return {voucher: fen for voucher, fen in found.items() if fen}


def by_voucher(other, attempts):
    """Return what stands, by record, as the journal's attempts have noted the vouchers."""
    noted = {
        (one["terminal_no"], json.loads(one["evidence"]).get("trace", "")): one["record_id"]
        for one in attempts
        if one["state"] == "PAID"
    }
    found = {}
    for voucher, fen in standing(other).items():
        found.setdefault(noted.get(voucher, NOBODYS), []).append(fen)
    return found


def moved(other, before):
    """Return what moved money since the books had so many lines, in order."""
    kinds = ("sale", "void", "refund")
    return [one["kind"] for one in other.terminal().books()[before:] if one["kind"] in kinds]


def lines(other):
    return len(other.terminal().books())


def children(other):
    """Return the processes that call the client for the agent now."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = entry.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            command = entry.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == other.agent.pid and b"mis_child.py" in command:
            found.append(int(entry.name))
    return found


def test_a_sale_is_paid_to_the_fen_and_its_goods_come_back_by_a_void(other):
    before = lines(other)
    sold = other.sell()
    assert (sold["state"], sold["paid_fen"]) == ("paid", sold["to_pay_fen"])
    voucher = (sold["attempts"][0]["terminal_no"], sold["attempts"][0]["said"]["trace"])
    assert standing(other)[voucher] == sold["paid_fen"]
    assert other.wait_for_record(sold["record_id"], "PAYABLE")["paid_fen"] == sold["paid_fen"]
    assert other.give_back(sold["record_id"])["state"] == "returned"
    assert (moved(other, before), voucher in standing(other)) == (["sale", "void"], False)
    other.wait_for_record(sold["record_id"], "RETURNED")


def test_goods_of_a_settled_batch_come_back_by_a_refund(other):
    before = lines(other)
    sold = other.sell()
    other.terminal().settle()
    assert other.give_back(sold["record_id"])["state"] == "returned"
    assert moved(other, before) == ["sale", "refund"]


def test_a_refused_card_and_then_another_one(other):
    before = lines(other)
    other.terminal().fault("declined")
    sale = other.sell()
    assert (sale["state"], sale["next_action"]) == ("not_paid", "PAY_AGAIN_OR_STOP")
    assert other.pay(sale["record_id"])["state"] == "paid"
    assert moved(other, before) == ["sale"]


def test_another_amount_is_given_back(other):
    before = lines(other)
    other.terminal().fault("wrong_amount", fen=1)
    sale = other.sell()
    other.wait_for_sale(sale["record_id"], lambda one: one["state"] == "not_paid")
    assert moved(other, before) == ["sale", "void"]


def test_a_client_that_hangs_is_ended_and_nothing_was_charged(other):
    before = lines(other)
    other.terminal().fault("hung")
    sale = other.sell()
    other.wait_for_sale(sale["record_id"], lambda one: one["state"] == "not_paid")
    assert (moved(other, before), children(other)) == ([], [])
    assert other.pay(sale["record_id"])["state"] == "paid"


@pytest.mark.parametrize("fault", ["lost_answer", "torn_answer", "doubled_answer"])
def test_an_answer_that_does_not_come_whole_is_found(fault, other):
    before = lines(other)
    other.terminal().fault(fault)
    sale = other.sell()
    assert other.wait_for_sale(sale["record_id"], lambda one: one["state"] == "paid")
    assert moved(other, before) == ["sale"]


def test_a_child_that_is_killed_after_the_charge_leaves_it_found_and_charged_once(other):
    before = lines(other)
    other.terminal().fault("late_answer", ms=2500)
    selling = other.selling(other.body())
    wait_for("the charge", lambda: moved(other, before) == ["sale"])
    (child,) = children(other)
    os.kill(child, signal.SIGKILL)
    record_id = selling.result(30).json()["record_id"]
    sold = other.wait_for_sale(record_id, lambda one: one["state"] in SETTLED)
    assert (sold["state"], moved(other, before)) == ("paid", ["sale"])
    assert [one["state"] for one in sold["attempts"]] == ["PAID"]


@pytest.mark.parametrize("point", ["frame_received", "after_ack", "after_approval", "after_answer"])
def test_an_agent_killed_in_a_payment_ends_it_rightly_after(point, other):
    before = lines(other)
    other.terminal().fault("kill", point=point, pid=other.agent.pid)
    body = other.body()
    asked = other.selling(body)
    other.agent.wait_dead()
    # What the client has answered may have reached the till before the agent died.
    assert asked.exception(timeout=30) is not None or point == "after_answer"
    killed = other.journal().sale_of(body["item"]["serial_no"])
    other.restart()
    sale = other.wait_for_sale(killed["record_id"], lambda one: one["state"] in SETTLED)
    charged = point != "frame_received"
    assert (sale["state"] == "paid", moved(other, before)) == (charged, ["sale"] * charged)
    assert other.sell()["state"] == "paid"


def test_clear_data_from_the_client_is_kept_nowhere(other):
    other.terminal().fault("clear_card")
    sale = other.sell()
    assert sale["state"] == "paid"
    kept = [other.folder / "agent.log", other.folder / "agent.out", *(other.folder / "agent-data").rglob("*")]
    contents = [file.read_bytes() for file in kept if file.is_file()]
    assert any(sale["record_id"].encode() in content for content in contents)
    for secret in (MADE_UP_CARD, MADE_UP_TRACK, MADE_UP_PHONE, MADE_UP_IDENTITY):
        assert not [content for content in contents if secret.encode() in content]


@pytest.fixture
def seldom(other):
    """Have the outbox looked at every five minutes only, where nothing new is in it."""
    config = other.folder / "agent.yaml"
    usual = config.read_text(encoding="utf-8")
    text, found = re.subn(r"(?m)^sync_every_ms: .*$", "sync_every_ms: 300000", usual)
    assert found == 1
    config.write_text(text, encoding="utf-8")
    other.agent.stop()
    other.restart()
    yield
    config.write_text(usual, encoding="utf-8")
    other.agent.stop()
    other.restart()


@pytest.mark.usefixtures("seldom")
def test_after_a_restart_the_centre_is_asked_at_once_so_that_an_open_payment_is_found(other):
    before = lines(other)
    other.terminal().fault("kill", point="after_approval", pid=other.agent.pid)
    body = other.body()
    other.selling(body)
    other.agent.wait_dead()
    killed = other.journal().sale_of(body["item"]["serial_no"])
    other.restart()
    sale = other.wait_for_sale(killed["record_id"], lambda one: one["state"] in SETTLED)
    assert (sale["state"], moved(other, before)) == ("paid", ["sale"])


def test_resume_asks_the_centre_before_it_looks_at_an_open_payment(other):
    before = lines(other)
    other.terminal().fault("kill", point="after_approval", pid=other.agent.pid)
    body = other.body()
    other.selling(body)
    other.agent.wait_dead()
    killed = other.journal().sale_of(body["item"]["serial_no"])
    command = [BIN / "terminal-agent", "resume", "--config", "agent.yaml"]
    done = subprocess.run(command, cwd=other.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert other.journal().sale_of(body["item"]["serial_no"])["state"] == "PAID"
    assert moved(other, before) == ["sale"]
    other.restart()
    assert other.sale(killed["record_id"])["state"] == "paid"
