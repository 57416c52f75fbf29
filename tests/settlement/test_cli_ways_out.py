"""What do the commands on freezes, holds, devices and alarms do, print and exit with?"""

import json
from contextlib import closing

import pytest
import reference_data as reference
from books import Books
from centre import add_person
from centre_shell import Shell
from fake_device import promised
from typer.testing import CliRunner

from settlement.cli import app
from settlement.copies.drilled import LAST_DRILL
from settlement.copies.restore import note_meta
from settlement.db.connection import writing
from settlement.people.credentials import name_of_account
from settlement.system import wall_ms
from subsidy.wire import v1

GRANT_FEN = 43_500
NOBODYS = "0192f4a0-0000-7000-8000-000000000000"
ITEM = v1.Item(gtin=reference.FRIDGE, serial_no="SN-SAME-1")


@pytest.fixture
def books(tmp_path):
    """A centre's books at a noon in the past: the commands run later, by the real clock."""
    with closing(Books(tmp_path)) as opened:
        yield opened


@pytest.fixture
def shell(books, tmp_path):
    """The commands on the same books."""
    return Shell(tmp_path, tmp_path / "settlement.yaml")


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def changed_nothing(books, shell, *words, exit_code, token=None):
    """Run a command and check that it has changed nothing; return what it said."""
    before = books.state_hash()
    out = shell.run(*words, exit_code=exit_code, token=token)
    assert books.state_hash() == before
    return out + shell.stderr


FREEZES = [
    ("merchant", reference.MERCHANT, "MERCHANT_NOT_ACTIVE"),
    ("shop", reference.SHOP, "MERCHANT_NOT_ACTIVE"),
    ("serial", "示例牌/sn-same-1", "RISK_BLOCKED"),
    ("programme", "TRAINING", "PROGRAMME_CLOSED"),
]


@pytest.mark.parametrize(("kind", "name", "reason"), FREEZES)
def test_what_is_frozen_is_listed_refused_and_lifted(books, shell, device, kind, name, reason):
    words = ("freeze", kind, name, "--reason", "case 7")
    assert "would be" in changed_nothing(books, shell, *words, "--dry-run", exit_code=0)
    frozen = shell.json(*words)["frozen"]
    assert books.refusals(device, person=0, item=ITEM) == [reason]
    assert "frozen already" in changed_nothing(books, shell, *words, exit_code=6)
    (listed,) = shell.json("freeze", "ls")["freezes"]
    assert (listed["kind"], listed["name"]) == (frozen["kind"], frozen["name"])
    assert (listed["why"], listed["frozen_by"]) == ("case 7", name_of_account())
    lift = ("freeze", "lift", kind, listed["name"], "--reason", "cleared")
    changed_nothing(books, shell, *lift, "--dry-run", exit_code=0, token=shell.proposer)
    shell.agree(*lift)
    changed_nothing(books, shell, *lift, exit_code=2, token=shell.proposer)
    assert "nothing is frozen" in shell.run("freeze", "ls")
    assert "cleared" in shell.run("freeze", "ls", "--all")
    books.hold(device, person=0, item=ITEM)


def test_a_person_is_frozen_by_a_sale_and_lifted_as_listed(books, shell, device):
    record_id = promised(books.sell(device, person=0)).record_id
    shell.run("freeze", "person", record_id, "--reason", "case 7")
    assert "RISK_BLOCKED" in books.refusals(device, person=0, category="AC")
    (listed,) = shell.json("freeze", "ls")["freezes"]
    assert listed["of_record"] == record_id
    lifted = shell.agree("freeze", "lift", "person", listed["name"], "--reason", "cleared")
    assert lifted["proposal"]["shown"]["command"]["name"] == listed["name"]
    index = books.record(record_id).person
    assert index not in shell.run("proposals", "ls", "--all") + shell.run("audit", "ls")
    assert index not in str(lifted)
    assert shell.json("freeze", "ls")["freezes"] == []


def test_a_person_is_frozen_by_an_identity_number_that_is_never_stored_or_said(books, shell, device):
    number = reference.identity_no(0)
    words = ["freeze", "person", "-", "--reason", f"see {number}", "--config", str(shell.file), "--json"]
    result = CliRunner().invoke(app, words, input=f"{number}\n")
    assert result.exit_code == 0, result.output
    index = books.centre.keys.person_index(number)
    assert number not in result.output
    assert index not in result.output
    assert books.refusals(device, person=0) == ["RISK_BLOCKED"]
    assert json.loads(result.stdout)["frozen"]["name"] == index[:12]
    everything = "".join(
        repr(row) for table in ("freezing", "event") for row in books.sql_rows(f"SELECT * FROM {table}")
    )
    assert index in everything
    assert number not in everything
    words = ("freeze", "lift", "person", "-", "--reason", "ok")
    proposed = shell.json(*words, token=shell.proposer, typed=f"{number}\n")
    assert index not in str(proposed)
    shell.json("approve", proposed["proposal"], token=shell.approver)
    books.hold(device, person=0)


@pytest.mark.parametrize("typed", ["", "32120219900307001", "321202199003070010"])
def test_what_is_no_identity_number_is_refused_without_being_repeated(books, shell, typed):
    words = ["freeze", "person", "-", "--reason", "why", "--config", str(shell.file)]
    result = CliRunner().invoke(app, words, input=f"{typed}\n")
    assert result.exit_code == 2
    assert not typed or typed not in result.output


def test_what_is_frozen_of_a_claim_is_shown_with_it(books, shell, device):
    books.sell(device, person=0, item=ITEM)
    books.sell(device, person=1)
    books.claim(device)
    shell.run("freeze", "serial", "示例牌/SN-SAME-1", "--reason", "case 7")
    shown = shell.json("claims", "show", "C-M001-2026-03-01")
    assert (shown["totals"]["open"]["lines"], shown["totals"]["held_back"]["lines"]) == (1, 1)
    held_back = sorted(one["held_back"] for one in shown["lines"])
    assert held_back == [[], ["frozen: serial 示例牌/SN-SAME-1 (case 7)"]]
    paid = shell.agree("claims", "pay", "C-M001-2026-03-01", "--reference", "bank 1", exit_code=4)
    assert paid["claimed"]["left_out"][0]["why"] == "frozen: serial 示例牌/SN-SAME-1 (case 7)"


@pytest.mark.parametrize("kind", ["merchant", "shop", "programme", "person"])
def test_every_kind_of_freeze_counts_as_held_back(books, shell, device, kind):
    record_id = promised(books.sell(device, person=0)).record_id
    books.claim(device)
    name = {"merchant": "M001", "shop": reference.SHOP, "programme": "TRAINING", "person": record_id}[kind]
    shell.run("freeze", kind, name, "--reason", "case 7")
    totals = shell.json("claims", "show", "C-M001-2026-03-01")["totals"]
    assert (totals["open"]["lines"], totals["held_back"]["lines"]) == (0, 1)


def test_open_holds_are_listed_by_shop_device_and_age(books, shell, device):
    other = books.enrol("other", reference.OTHER_SHOP)
    mine = promised(books.hold(device)).record_id
    his = promised(books.hold(other, person=9, terminal_no=reference.TERMINAL_OF_OTHER_SHOP)).record_id

    def listed(*words):
        return [one["record_id"] for one in shell.json("holds", "ls", *words)["holds"]]

    assert sorted(listed()) == sorted([mine, his])
    assert listed("--shop", reference.SHOP) == [mine]
    assert listed("--device", other.name) == [his]
    assert sorted(listed("--older-than-minutes", "60")) == sorted([mine, his])
    assert listed("--older-than-minutes", "10000000") == []
    assert shell.json("holds", "ls")["held_fen"] == 2 * GRANT_FEN
    assert "2 open holds, 870.00" in shell.run("holds", "ls")


def test_a_hold_is_explained_with_what_it_takes_and_what_is_missing(books, shell, device):
    record_id = promised(books.hold(device, item=ITEM, person=0)).record_id
    found = shell.json("holds", "explain", record_id)
    assert [one["proof"] for one in found["proofs"]] == ["paid", "closed", "statement", "files", "people"]
    assert (found["over"], found["takes_person"], found["serial_no"]) == (True, True, "SN-SAME-1")
    assert (found["subsidy_fen"], found["state"]) == (GRANT_FEN, "HELD")
    assert "Have the shop start its host" in found["next_step"]["en"]
    text = shell.run("holds", "explain", record_id)
    assert "never stated" in text
    assert "SN-SAME-1, a person's quota and code" in text


def test_a_hold_is_released_by_decision_once(books, shell, device):
    record_id = promised(books.hold(device)).record_id
    words = ("holds", "release", record_id, "--reason", "the shop burnt down")
    changed_nothing(books, shell, *words, "--dry-run", exit_code=0, token=shell.proposer)
    changed_nothing(books, shell, *words, exit_code=6)
    shell.propose(*words)
    assert books.record(record_id).state == "HELD"
    shell.agree(*words)
    assert books.record(record_id).why == "decided by people: the shop burnt down"
    assert books.money() == {}
    assert "RELEASED" in changed_nothing(books, shell, *words, exit_code=6, token=shell.proposer)
    assert shell.json("holds", "explain", record_id)["proofs"] == []


def test_a_kept_record_is_rejected_and_only_one_of_two_ways_is_taken(books, shell, device):
    held = books.hold(device, person=0, item=ITEM)
    books.take(device, device.chain(device.paid(held, paid_fen=1)))
    record_id = promised(held).record_id
    settle = ("records", "settle", record_id, "--reason", "no such sale")
    token = shell.proposer
    for wrong in (
        (),
        ("--reject", "--accept", "decision_differs"),
        ("--accept", "x", "--free-person-and-serial"),
    ):
        changed_nothing(books, shell, *settle, *wrong, exit_code=2, token=token)
    changed_nothing(books, shell, *settle, "--accept", "decision_differs", exit_code=6, token=token)
    shell.agree(*settle, "--reject", "--free-person-and-serial")
    assert (books.record(held).state, books.money()) == ("AVAILABLE_AGAIN", {})


def test_an_entry_in_quarantine_is_settled_by_two_people_under_the_name_that_alarms_gives(
    books, shell, device
):
    drilled(books)
    sealed = books.sell(device)
    books.take(device, device.chain(device.paid(sealed)))
    alarm = next(
        one for one in shell.json("alarms", exit_code=4)["alarms"] if "entries settle" in one["next_en"]
    )
    (name,) = alarm["about"]
    words = ("entries", "settle", name, "--reason", "the shop sent it twice")
    says = changed_nothing(books, shell, *words, "--dry-run", exit_code=0, token=shell.proposer)
    assert f"let entry {name}, which could not be taken, wait no longer: the shop sent it twice" in says
    proposal = shell.propose(*words)["proposal"]
    changed_nothing(books, shell, "approve", proposal, exit_code=6, token=shell.proposer)
    assert books.differences(name) == ["entry_quarantined"]
    assert name in shell.run("proposals", "show", proposal)
    shell.run("approve", proposal, token=shell.approver)
    assert books.differences(name) == []
    assert name not in shell.run("alarms", exit_code=4)
    assert "nothing waits" in changed_nothing(books, shell, *words, exit_code=6, token=shell.proposer)
    other = ("entries", "settle", f"{device.name}/1/99", "--reason", "why")
    assert "DEVICE/EPOCH/SEQ" in changed_nothing(books, shell, *other, exit_code=2, token=shell.proposer)
    assert shell.json("ledger", "rebuild", "--check")["same"]


def test_person_and_serial_number_are_released_before_the_money(books, shell, device):
    record_id = promised(books.hold(device, person=0, item=ITEM)).record_id
    words = ("holds", "release", record_id, "--only-person-and-serial", "--reason", "the shopper waits")
    changed_nothing(books, shell, *words, "--dry-run", exit_code=0, token=shell.proposer)
    assert "not its money" in shell.agree(*words)["proposal"]["shown"]["says"]
    assert books.record(record_id).goods_freed
    books.hold(device, person=0, item=ITEM)
    changed_nothing(books, shell, *words, exit_code=6, token=shell.proposer)
    assert "no person and no serial number any more" in shell.run("holds", "explain", record_id)
    shell.agree("holds", "release", record_id, "--reason", "the shop burnt down")
    shell.run("ledger", "verify")


def test_devices_are_listed_frozen_and_let_go(books, shell, device):
    words = ("devices", "freeze", device.name, "--reason", "stolen")
    changed_nothing(books, shell, *words, "--dry-run", exit_code=0)
    shell.run(*words)
    changed_nothing(books, shell, *words, exit_code=6)
    assert f"frozen by {name_of_account()}: stolen" in shell.run("devices", "ls")
    back = ("devices", "unfreeze", device.name, "--reason", "found again")
    changed_nothing(books, shell, *back, "--dry-run", exit_code=0, token=shell.proposer)
    shell.agree(*back)
    (listed,) = shell.json("devices", "ls")["devices"]
    assert (listed["frozen"], listed["open_holds"], listed["missing_entries"]) == (None, 0, 0)


def test_a_device_is_replaced_by_a_new_host_and_its_holds_are_listed(books, shell, device):
    record_id = promised(books.hold(device)).record_id
    words = ("devices", "replace", device.name, "--reason", "its disk is dead")
    changed_nothing(books, shell, *words, "--dry-run", exit_code=4, token=shell.proposer)
    proposed = shell.propose(*words, exit_code=4)
    assert [one["record_id"] for one in proposed["open_holds"]] == [record_id]
    assert not books.device(device).replaced
    shell.run("approve", proposed["proposal"], token=shell.approver)
    assert books.device(device).replaced
    assert shell.json("enrol-code", "--shop", proposed["shop"])["shop"] == reference.SHOP
    unfreeze = ("devices", "unfreeze", device.name, "--reason", "why")
    for again in (words, unfreeze):
        said = changed_nothing(books, shell, *again, exit_code=6, token=shell.proposer)
        assert "settlement enrol-code" in said


def test_what_people_decide_names_who_proposed_and_who_approved(books, shell, device):
    record_id = promised(books.hold(device, person=0, item=ITEM)).record_id
    other = books.enrol("other")
    for one in (device, other):
        shell.run("devices", "freeze", one.name, "--reason", "stolen", token=shell.approver)
    shell.run("freeze", "shop", reference.SHOP, "--reason", "case 7", token=shell.proposer)
    shell.agree("holds", "release", record_id, "--only-person-and-serial", "--reason", "why")
    shell.agree("holds", "release", record_id, "--reason", "why")
    shell.agree("freeze", "lift", "shop", reference.SHOP, "--reason", "why")
    shell.agree("devices", "unfreeze", device.name, "--reason", "why")
    shell.agree("devices", "replace", other.name, "--reason", "why")
    found = {
        kind: json.loads(body)["by"]
        for kind, body in books.sql_rows("SELECT kind, body FROM event ORDER BY event_no")
        if kind.startswith(("device_", "freeze_", "hold_")) and '"by":' in body
    }
    both = "wang, li"
    assert found == {
        "device_frozen": "li",
        "freeze_imposed": "wang",
        "hold_goods_freed": both,
        "hold_ended": both,
        "freeze_lifted": both,
        "device_unfrozen": both,
        "device_replaced": both,
    }


def test_nobody_says_in_a_command_who_has_decided_it(books, shell, device, tmp_path):
    record_id = promised(books.hold(device)).record_id
    command = {"type": "release_hold", "record_id": record_id, "reason": "why"}
    file = tmp_path / "command.json"
    file.write_text(json.dumps(command | {"by": "the mayor"}))
    said = changed_nothing(books, shell, "propose", str(file), exit_code=2, token=shell.proposer)
    assert "$.by" in said
    file.write_text(json.dumps(command))
    assert shell.propose("propose", str(file))["shown"]["command"] == command


def test_a_hold_whose_time_is_not_over_is_something_to_look_at(books, shell, device, monkeypatch):
    record_id = promised(books.hold(device)).record_id
    monkeypatch.setattr("settlement.app.open_centre.__defaults__", (books.clock.now_ms, False))
    words = ("holds", "release", record_id, "--reason", "why")
    proposed = shell.propose(*words, exit_code=4)
    assert proposed["over"] is False
    assert "may still take the money" in shell.run(*words, exit_code=4, token=shell.proposer)


def drilled(books):
    """Note a good drill of today: these books are as old as their pack."""
    with writing(books.engine) as connection:
        note_meta(connection, LAST_DRILL, str(wall_ms()))


@pytest.mark.parametrize(
    "words", [("holds", "ls"), ("devices", "ls"), ("freeze", "ls"), ("alarms",)], ids=" ".join
)
def test_who_has_no_role_reads_nothing_and_it_is_audited(books, shell, words):
    drilled(books)
    nobody = add_person(books.centre, "nobody")
    shell.run(*words, exit_code=6, token=nobody)
    shell.run(*words)
    found = shell.json("audit", "ls")["entries"][-2:]
    assert [(one["who"], one["what"], one["outcome"]) for one in found] == [
        ("nobody", " ".join(words), "denied"),
        (name_of_account(), " ".join(words), "done"),
    ]


def test_the_gaps_of_a_chain_are_shown(books, shell, device):
    first, *paid = (device.paid(books.hold(device)) for _ in range(3))
    books.take(device, device.chain(first), still_open=books.open_of(device))
    assert "none is missing" in shell.run("devices", "gaps", device.name)
    second, third = map(device.chain, paid)
    for _ in range(2):
        device.chain(b"never sent")
    books.take(device, device.chain(b"poison"), still_open=books.open_of(device))
    books.take(device, third)
    found = shell.json("devices", "gaps", device.name, exit_code=4)
    assert (found["missing"], found["quarantined"], found["last_seq"]) == ([[2, 2], [4, 5]], [6], 6)
    assert found["whole_to"] == 1
    assert "missing: 2, 4 to 5" in shell.run("devices", "gaps", device.name, exit_code=4)
    books.take(device, second)
    found = shell.json("devices", "gaps", device.name, exit_code=4)
    assert (found["missing"], found["whole_to"]) == ([[4, 5]], 3)


def test_alarms_exit_4_when_anything_needs_people_and_0_when_nothing_does(books, shell):
    drilled(books)
    assert "nothing needs you" in shell.run("alarms")
    device = books.enrol()
    shell.run("devices", "freeze", device.name, "--reason", "stolen")
    out = shell.run("alarms", exit_code=4)
    assert "WARNING DEVICE_FROZEN" in out
    assert device.name in out
    assert "settlement devices replace" in out
    assert [one["code"] for one in shell.json("alarms", exit_code=4)["alarms"]] == ["DEVICE_FROZEN"]


@pytest.mark.parametrize(
    "words",
    [
        ("freeze", "merchant", "NOSUCH", "--reason", "why"),
        ("freeze", "merchant", "M001"),
        ("freeze", "merchant", "M001", "--reason", " "),
        ("freeze", "merchant", "M001", "--reason", "a\nb"),
        ("freeze", "shop", "NOSUCH", "--reason", "why"),
        ("freeze", "programme", "JS-321200", "--reason", "why"),
        ("freeze", "serial", "SN-0001", "--reason", "why"),
        ("freeze", "serial", "无名牌/SN-0001", "--reason", "why"),
        ("freeze", "serial", "示例牌/!", "--reason", "why"),
        ("freeze", "person", NOBODYS, "--reason", "why"),
        ("freeze", "person", "321202199003070013", "--reason", "why"),
        ("freeze", "lift", "person", "0123456789ab", "--reason", "why"),
        ("freeze", "lift", "nothing", "x", "--reason", "why"),
        ("holds", "explain", NOBODYS),
        ("holds", "explain", "nothing"),
        ("holds", "release", NOBODYS, "--reason", "why"),
        ("holds", "ls", "--older-than-minutes", "-1"),
        ("devices", "freeze", "NOSUCH", "--reason", "why"),
        ("devices", "replace", "NOSUCH", "--reason", "why"),
        ("devices", "gaps", "NOSUCH"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused_with_what_to_do(books, shell, words):
    assert changed_nothing(books, shell, *words, exit_code=2, token=shell.proposer)
