"""What do the commands on claims, repayments, late grants and years do, print and exit with?"""

from contextlib import closing

import msgspec
import pytest
from books import Books, copy_template
from centre_shell import Shell
from fake_device import promised

from subsidy.wire import v1

GRANT_FEN = 43_500
DAY = "2026-03-01"
CLAIM = "C-M001-2026-03-01"


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


@pytest.fixture
def sold(books, device):
    """Return the record id of a sale whose day has ended."""
    sealed = books.sell(device)
    books.next_day(device)
    return promised(sealed).record_id


def changed_nothing(books, shell, *words, exit_code):
    """Run a command as who proposes and check that it has changed nothing; return what it said."""
    before = books.state_hash()
    out = shell.run(*words, exit_code=exit_code, token=shell.proposer)
    assert books.state_hash() == before
    return out + shell.stderr


def test_a_claim_is_built_once(books, shell, sold):
    built = shell.json("claims", "build", "--date", DAY)
    assert [(one["claim"], one["lines"], one["fen"]) for one in built["claims"]] == [(CLAIM, 1, GRANT_FEN)]
    assert "nothing to claim" in changed_nothing(books, shell, "claims", "build", "--date", DAY, exit_code=0)


def test_a_dry_run_builds_nothing_and_shows_everything(books, shell, sold):
    out = changed_nothing(books, shell, "claims", "build", "--date", DAY, "--dry-run", exit_code=0)
    assert "435.00" in out
    assert "dry run" in out


def test_what_is_left_out_is_listed_and_asks_to_be_looked_at(books, shell, device):
    books.sell(device)
    books.take(device, device.chain(device.returning(promised(books.sell(device)))))
    silent = books.enrol("silent")
    unstated = promised(books.sell(silent, person=9)).record_id
    books.next_day(device)
    out = shell.run("claims", "build", "--date", DAY, exit_code=4)
    assert f"{CLAIM}  1 lines  435.00" in out
    assert f"left out {unstated}" in out
    assert "has not stated" in out
    assert "blocked: returning" in out


def test_a_claim_is_paid_once_a_reference(books, shell, sold):
    shell.run("claims", "build", "--date", DAY)
    changed_nothing(books, shell, "claims", "pay", CLAIM, "--reference", "bank 1", "--dry-run", exit_code=0)
    paid = shell.agree("claims", "pay", CLAIM, "--reference", "bank 1")["claimed"]
    assert (paid["lines"], paid["fen"], paid["left_out"]) == (1, GRANT_FEN, [])
    said = changed_nothing(books, shell, "claims", "pay", CLAIM, "--reference", "bank 1", exit_code=6)
    assert "bank 1 has paid 1 lines" in said


def test_a_payment_shows_both_totals_and_asks_to_be_looked_at_when_something_is_withheld(
    books, shell, device, sold
):
    back = promised(books.sell(device)).record_id
    day = books.next_day(device).isoformat()
    shell.run("claims", "build", "--date", day)
    name = f"C-M001-{day}"
    books.take(device, device.chain(device.returned(promised_of(books, back))))
    words = ("claims", "pay", name, "--reference", "bank 1")
    out = shell.run(*words, "--dry-run", exit_code=4, token=shell.proposer)
    assert "1 lines, 435.00; withheld 1 lines, 435.00" in out
    assert back in out
    shell.agree(*words, exit_code=4)
    assert "withheld 1/435.00" in shell.run("claims", "show", name)


def promised_of(books, record_id):
    """Return the promise of a record as the device has it."""
    return msgspec.json.decode(books.record(record_id).promise, type=v1.Promise)


@pytest.mark.parametrize(("word", "state"), [("reject", "AVAILABLE_AGAIN"), ("correct", "PAYABLE")])
def test_a_line_is_sent_back(books, shell, sold, word, state):
    shell.run("claims", "build", "--date", DAY)
    words = ("claims", word, CLAIM, sold, "--reason", "no invoice")
    changed_nothing(books, shell, *words, "--dry-run", exit_code=0)
    assert shell.agree(*words)["proposal"]["shown"]["command"]["reason"] == "no invoice"
    assert books.record(sold).state == state
    changed_nothing(books, shell, *words, exit_code=6)


def test_a_merchant_repays_once(books, shell, device, sold):
    shell.run("claims", "build", "--date", DAY)
    shell.agree("claims", "pay", CLAIM, "--reference", "bank 1")
    words = ("claims", "repaid", sold, "--reference", "bank 2")
    assert "nothing is owed" in changed_nothing(books, shell, *words, exit_code=6)
    books.take(device, device.chain(device.returned(promised_of(books, sold))))
    changed_nothing(books, shell, *words, "--dry-run", exit_code=0)
    shell.agree(*words)
    assert books.record(sold).money is None
    changed_nothing(books, shell, *words, exit_code=6)
    shell.run("ledger", "verify")


def test_a_late_grant_enters_once(books, shell, device):
    sealed = books.hold(device)
    books.take(device, still_open=())
    books.take(device, device.chain(device.paid(sealed)))
    words = ("claims", "enter-late", promised(sealed).record_id, "--reference", "decision 1")
    changed_nothing(books, shell, *words, "--dry-run", exit_code=0)
    shell.agree(*words)
    assert books.record(sealed).state == "PAYABLE"
    changed_nothing(books, shell, *words, exit_code=6)


def test_a_late_grant_is_rejected_once_and_its_proposal_shows_the_money(books, shell, device):
    sealed = books.hold(device)
    books.take(device, still_open=())
    books.take(device, device.chain(device.paid(sealed)))
    words = ("records", "settle", promised(sealed).record_id, "--reject", "--reason", "the year is closed")
    changed_nothing(books, shell, *words, "--dry-run", exit_code=0)
    said = changed_nothing(books, shell, *words, "--free-person-and-serial", exit_code=6)
    assert "others may have them" in said
    shown = shell.agree(*words)["proposal"]["shown"]
    assert "frees no person and no serial number" in shown["says"]
    assert {(one["account"], one["fen"] > 0) for one in shown["moves"]} == {
        ("late_grants_claimed", False),
        ("late_grants_contra", True),
    }
    assert (books.record(sealed).state, books.money()) == ("AVAILABLE_AGAIN", {})
    changed_nothing(books, shell, *words, exit_code=6)
    shell.run("ledger", "verify")


def test_claims_are_listed_and_shown(books, shell, sold):
    assert "no claim has been built" in shell.run("claims", "show")
    shell.run("claims", "build", "--date", DAY)
    assert CLAIM in shell.run("claims", "show")
    assert [one["claim"] for one in shell.json("claims", "show")["claims"]] == [CLAIM]
    assert sold in shell.run("claims", "show", CLAIM)
    assert shell.json("claims", "show", CLAIM)["lines"][0]["record_id"] == sold


def test_a_year_is_closed_once_and_carries_its_open_holds(books, shell, device):
    held = promised(books.hold(device)).record_id
    looked = changed_nothing(books, shell, "year", "close", "2026", "--dry-run", exit_code=4)
    assert "would close 2026 for good" in looked
    assert "carried: 1 open holds, 435.00" in looked
    assert held in looked
    proposed = shell.propose("year", "close", "2026", exit_code=4)
    assert proposed["open_holds"] == [{"record_id": held, "fen": GRANT_FEN}]
    shell.run("approve", proposed["proposal"], token=shell.approver)
    assert "closed already" in changed_nothing(books, shell, "year", "close", "2026", exit_code=6)
    assert books.refusals(device) == ["PROGRAMME_CLOSED"]


@pytest.mark.parametrize(
    "words",
    [
        ("claims", "build", "--date", "2026-02-30"),
        ("claims", "build", "--date", "20260301"),
        ("claims", "build", "--date", "2026-W09-7"),
        ("claims", "build", "--date", "tomorrow"),
        ("claims", "build"),
        ("claims", "build", "--date", DAY, "--merchant", "M999"),
        ("claims", "pay", CLAIM),
        ("claims", "pay", CLAIM, "--reference", ""),
        ("claims", "pay", CLAIM, "--reference", " "),
        ("claims", "pay", CLAIM, "--reference", "a\nb"),
        ("claims", "pay", CLAIM, "--reference", "x" * 201),
        ("claims", "pay", "C-M001-1999-01-01", "--reference", "bank 1"),
        ("claims", "show", "C-M001-1999-01-01"),
        ("claims", "reject", CLAIM, "nothing", "--reason", "why"),
        ("claims", "repaid", "nothing", "--reference", "bank 1"),
        ("claims", "enter-late", "nothing", "--reference", "bank 1"),
        ("year", "close", "2027"),
        ("year", "close", "1999"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused_with_what_to_do(books, shell, words):
    assert changed_nothing(books, shell, *words, exit_code=2)


def test_without_a_database_nothing_is_made(tmp_path):
    copy_template(tmp_path)
    (tmp_path / "centre.sqlite3").unlink()
    shell = Shell(tmp_path, tmp_path / "settlement.yaml")
    shell.run("claims", "build", "--date", DAY, exit_code=3)
    assert "settlement init" in shell.stderr
