"""A shop whose agent speaks ISO 8583 to the acquirer itself: sold, killed, undone, given back, on real lines.

What was charged is read from the host's own books.
"""

import json
import re

import pytest
from acquirer import EmulatedAcquirer, direct_terminal, profile_text
from msgspec.structs import replace
from scanner import Scanner, Secret
from shop import Shop
from story.count import record_of
from story.processes import run, wait_for
from story.shop_files import TERMINALS, TILLS

from subsidy import ids
from terminal_agent.checkout.ports import Ask, Say
from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_TRACK

CLOCKS_MS = {"answer_wait_ms": 800, "answer_cap_ms": 800, "host_timeout_ms": 300}
TERMINAL = TILLS["01"]


@pytest.fixture(scope="module")
def acquirer(tmp_path_factory):
    with EmulatedAcquirer.start(tmp_path_factory.mktemp("acquirer"), work_ms=20) as running:
        yield running


@pytest.fixture(scope="module")
def shop(tmp_path_factory, centre, acquirer, moves_taken):
    """A shop that was enrolled with other terminals and then given the acquirer's line."""
    with Shop.open(tmp_path_factory.mktemp("shop"), centre, moves_taken) as shop:
        shop.kill()
        for number in TERMINALS:
            text = profile_text(number, memory=f"{number}.trace", **CLOCKS_MS)
            (shop.folder / f"direct-{number}.yaml").write_text(text, encoding="utf-8")
        config = shop.folder / "agent.yaml"
        config.write_text(
            re.sub(
                r'"(EMU\d+)":\n    driver: .*\n    port: .*\n    profile: .*\n',
                rf'"\1":\n    driver: iso8583_direct\n    port: "{acquirer.address}"\n'
                r"    profile: direct-\1.yaml" + "\n",
                config.read_text(encoding="utf-8"),
            ),
            encoding="utf-8",
        )
        shop.restart()
        yield shop
        shop.agent.stop()
        personal = [Secret("card", MADE_UP_CARD), Secret("track", MADE_UP_TRACK.replace("=", "D"))]
        assert Scanner(personal).scan_folder(shop.folder) == []


@pytest.fixture(autouse=True)
def nothing_is_armed(acquirer):
    yield
    acquirer.clear_faults()


def moved(acquirer, record_id):
    """Return what moved money for a sale, in order, attempt by attempt."""
    refs = dict.fromkeys(line["pay_ref"] for line in acquirer.books() if line["pay_ref"])
    return [kind for ref in refs if record_of(ref) == record_id for kind, _ in acquirer.moved(ref)]


def test_a_sale_is_paid_and_recorded_at_the_centre(shop, acquirer):
    sold = shop.sell()
    assert sold["state"] == "paid"
    assert moved(acquirer, sold["record_id"]) == ["sale"]
    assert shop.wait_for_record(sold["record_id"], "PAYABLE")["paid_fen"] == sold["paid_fen"]


def test_a_declined_card_leaves_room_for_another(shop, acquirer):
    acquirer.fault("declined", on="sale")
    first = shop.sell()
    assert first["state"] == "not_paid"
    assert shop.pay(first["record_id"])["state"] == "paid"
    assert moved(acquirer, first["record_id"]) == ["sale"]


@pytest.mark.parametrize("fault", ["lost_answer", "wrong_mac", "partial", "clear_card", "cut_answer"])
def test_what_is_not_certainly_paid_is_reversed(fault, shop, acquirer):
    acquirer.fault(fault, on="sale")
    sold = shop.sell()
    if fault == "clear_card":
        assert (sold["state"], moved(acquirer, sold["record_id"])) == ("paid", ["sale"])
        return
    sold = shop.wait_for_sale(sold["record_id"], lambda sale: sale["state"] == "not_paid")
    assert sold["attempts"][0]["state"] == "NOT_PAID"
    assert moved(acquirer, sold["record_id"]) == ["sale", "reversal"]


@pytest.mark.parametrize(
    ("point", "moves"),
    [
        ("request_received", []),
        ("after_booking", ["sale", "reversal"]),
        ("after_answer", ["sale", "reversal"]),
    ],
)
def test_an_agent_killed_in_a_sale_undoes_it_when_it_starts_again(point, moves, shop, acquirer):
    acquirer.fault("kill", on="sale", point=point, pid=shop.agent.pid)
    body = shop.body()
    shop.selling(body)
    shop.agent.wait_dead()
    killed = shop.journal().sale_of(body["item"]["serial_no"])["record_id"]
    shop.restart()
    ended = shop.wait_for_sale(killed, lambda sale: sale["state"] in ("paid", "not_paid"))
    if point == "after_answer" and ended["state"] == "paid":
        moves = ["sale"]  # the answer was written down before the kill arrived
    assert moved(acquirer, killed) == moves
    wait_for("the terminal sells again", lambda: shop.sell()["state"] == "paid")


def test_the_batch_is_settled_with_the_journals_totals(shop, acquirer):
    """First what was sold so far is closed; then a batch of which everything is known."""
    acquirer.settle(TERMINAL)
    first, _ = shop.sell(), shop.sell()
    shop.give_back(first["record_id"])
    wait_for("the void is booked", lambda: moved(acquirer, first["record_id"]) == ["sale", "void"])
    shop.wait_for_sale(first["record_id"], lambda sale: sale["state"] == "returned")
    acquirer.fault("lost_answer", on="sale")
    undone = shop.sell()
    shop.wait_for_sale(undone["record_id"], lambda sale: sale["state"] == "not_paid")
    command = ["terminal-agent", "settle", TERMINAL, "--config", "agent.yaml", "--json"]
    wait_for("the return is at rest", lambda: shop.get("/v1/status")["returning"] == 0)
    assert json.loads(run(shop.folder, command, expected=6))["error"] == "The agent runs. Stop it first"
    shop.kill()
    counted = json.loads(run(shop.folder, [*command, "--dry-run"]))
    settled = json.loads(run(shop.folder, command))
    assert settled["ours"] == counted["ours"] == settled["theirs"]
    assert (settled["balanced"], settled["ours"]["sales"], settled["ours"]["backs"]) == (True, 2, 1)
    again = json.loads(run(shop.folder, command))
    assert (again["ours"]["sales"], again["balanced"]) == (0, True)
    shop.restart()
    assert shop.sell()["state"] == "paid"


def test_a_closing_whose_answer_is_lost_is_told_by_the_next(shop, acquirer, tmp_path):
    """The shop also sold something plainly, beside us: the host has it, and our journal does not."""
    acquirer.settle(TERMINAL)
    sold = shop.sell()
    (tmp_path / f"{TERMINAL}.trace").write_text("500000")
    beside = direct_terminal(acquirer.address, tmp_path, TERMINAL)
    plain = Ask(ids.pay_ref(ids.record_id(1_790_000_000_000, bytes(10)), 1), 700, operator="07", till_no="1")
    assert beside.take(replace(plain, mark=beside.prepare(plain))).say is Say.APPROVED
    shop.kill()
    command = ["terminal-agent", "settle", TERMINAL, "--config", "agent.yaml", "--json"]
    acquirer.fault("lost_answer", on="settle")
    assert "Try again" in json.loads(run(shop.folder, command, expected=5))["error"]
    now = json.loads(run(shop.folder, command, expected=4))
    (first,) = now["earlier"]
    assert first["theirs"]["sold_fen"] - first["ours"]["sold_fen"] == 700
    assert (first["ours"]["sold_fen"], now["balanced"]) == (sold["paid_fen"], True)
    assert json.loads(run(shop.folder, command))["earlier"] == []
    shop.restart()


def test_goods_come_back_by_a_void_in_the_batch_and_by_a_refund_after_it(shop, acquirer):
    first, second = shop.sell(), shop.sell()
    shop.give_back(first["record_id"])
    shop.wait_for_sale(first["record_id"], lambda sale: sale["state"] == "returned")
    wait_for("the void is booked", lambda: moved(acquirer, first["record_id"]) == ["sale", "void"])
    acquirer.settle(TERMINAL)
    shop.give_back(second["record_id"])
    wait_for("the refund is booked", lambda: moved(acquirer, second["record_id"]) == ["sale", "refund"])
