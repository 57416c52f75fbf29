"""Do the books say after every step what people have worked out by hand?

Each file in `cases/` tells a story in steps, and after each step the whole trial balance, per funder
and in fen. A centre runs as a process of its own; everything is asked of it over HTTP, but closing a year
and letting a late grant enter, which are commands. Numbers here are never made by running our code.
"""

from pathlib import Path

import msgspec
import pytest
import yaml
from fake_device import promised
from real_centre import RealCentre

import settlement
from settlement.ledger.post import Happening
from subsidy.wire import v1

CASES = sorted(Path(__file__).with_name("cases").glob("*.yaml"))
FUNDERS = ("central", "province", "city", "county")


class Story:
    """A case as it is played."""

    def __init__(self, centre, sales):
        self.centre = centre
        self.device = centre.device()
        self.items = sales
        self.sold = {}
        self.claims = {}

    def record_id(self, sale):
        """Return the record id of a sale."""
        return promised(self.sold[sale]).record_id

    # What a step may be. Each returns nothing: the books speak.

    def hold(self, sale):
        item = self.items[sale]
        prices = v1.Prices(initial_price_fen=item["price_fen"], merchant_discount_fen=0, trade_in_fen=0)
        said = self.device.hold(category=item["category"], prices=prices)
        assert said.promise is not None, said.refused
        assert list(msgspec.to_builtins(said.promise.split)) == [
            {"funder": funder, "fen": fen} for funder, fen in zip(FUNDERS, item["grant"], strict=True)
        ]
        self.sold[sale] = said.sealed

    def report(self, sale):
        self.send(self.device.paid(self.sold[sale]))

    def sell(self, sale):
        self.hold(sale)
        self.report(sale)

    def report_unreadably(self, sale):
        body = f'{{"kind": "paid", "record_id": "{self.record_id(sale)}"}}'
        (ack,) = self.device.send_upload(self.device.chain(body.encode()))
        assert ack.answer == "quarantined"

    def lose(self, sale):
        assert self.centre.record(self.record_id(sale))["state"] == "HELD"
        self.device.send_upload()
        assert self.centre.record(self.record_id(sale))["state"] == "RELEASED"

    def return_begins(self, sale):
        self.send_early(self.device.returning(promised(self.sold[sale])))

    def return_ends(self, sale, refunded):
        self.send_early(self.device.returned(promised(self.sold[sale]), refunded))

    def claim(self, name, lines, left_out):
        day = self.centre.let_a_day_pass().isoformat()
        self.centre.let_a_night_match()
        self.device.send_upload()
        built = self.ok("/v1/claims", {"date": day})["claims"]
        assert sum(one["lines"] for one in built) == lines
        assert sum(len(one["left_out"]) for one in built) == left_out
        if lines:
            self.claims[name] = built[0]["claim"]

    def pay(self, claim, reference, fen, withheld_fen):
        paid = self.centre.agree(f"/v1/claims/{self.claims[claim]}/pay", {"reference": reference})["claimed"]
        assert paid["fen"] == fen
        assert sum(one["fen"] for one in paid["left_out"]) == withheld_fen
        totals = self.centre.ask(f"/v1/claims/{self.claims[claim]}")["totals"]
        parts = [totals[name]["fen"] for name in totals if name != "submitted"]
        assert totals["submitted"]["fen"] == sum(parts)

    def pay_is_refused(self, claim, reference):
        answer = self.centre.tell(f"/v1/claims/{self.claims[claim]}/pay", {"reference": reference})
        assert answer.status_code == 409

    def reject(self, claim, sale):
        self.centre.agree(self.line(claim, sale, "reject"), {"reason": "no invoice"})

    def correct(self, claim, sale):
        self.centre.agree(self.line(claim, sale, "correct"), {"reason": "no photo"})

    def repaid(self, sale, reference):
        self.centre.agree(f"/v1/records/{self.record_id(sale)}/repaid", {"reference": reference})

    def close_year(self, year):
        self.centre.agreed_command("year", "close", str(year))

    def enter_late(self, sale, reference):
        self.centre.agreed_command("claims", "enter-late", self.record_id(sale), "--reference", reference)

    def reject_late(self, sale):
        decided = {"reason": "the year is closed", "frees_goods": False}
        self.centre.agree(f"/v1/records/{self.record_id(sale)}/reject", decided)

    # How it is done.

    def line(self, claim, sale, what):
        """Return the address of a line of a claim."""
        return f"/v1/claims/{self.claims[claim]}/lines/{self.record_id(sale)}/{what}"

    def ok(self, path, document):
        """POST and return the answer, which must be good."""
        answer = self.centre.tell(path, document)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, entry):
        """Upload one entry; holds that are not ended stay open."""
        (ack,) = self.device.send_upload(self.device.chain(entry))
        assert ack.answer == "accepted"

    def send_early(self, entry):
        """Send a word on a return early, then with the next upload, where it is a repeat."""
        chained = self.device.chain(entry)
        assert self.device.send_return(chained).answer == "accepted"
        (again,) = self.device.send_upload(chained)
        assert again.answer == "repeat"

    def books(self):
        """Return the trial balance, as the cases write it, without what is nothing."""
        found = self.centre.ask("/v1/ledger/trial-balance")
        assert (found["sum_fen"], found["imbalance"]) == (0, [])
        books = {}
        for row in found["rows"]:
            assert row["year"] == 2026
            books.setdefault(row["account"], [0, 0, 0, 0])[FUNDERS.index(row["funder"])] = row["fen"]
        return {account: fen for account, fen in books.items() if any(fen)}


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_the_trial_balance_is_the_one_worked_out_by_hand(file, tmp_path):
    case = read(file)
    with RealCentre(tmp_path) as centre:
        story = Story(centre, case["sales"])
        for number, step in enumerate(case["steps"], 1):
            expected = step.pop("books")
            ((name, given),) = step.items()
            getattr(story, name)(**given)
            assert story.books() == expected, f"{file.name}, step {number}: {name}"
        assert centre.command("ledger", "verify").returncode == 0


def read(file):
    """Return a case; the project's own strict reader knows no negative numbers."""
    return yaml.safe_load(file.read_text())


def test_every_row_of_the_table_of_postings_is_in_a_case():
    steps = {name for file in CASES for step in read(file)["steps"] for name in step}
    assert steps >= {
        "hold",
        "lose",
        "report",
        "report_unreadably",
        "sell",
        "return_begins",
        "return_ends",
        "claim",
        "pay",
        "reject",
        "correct",
        "repaid",
        "close_year",
        "enter_late",
        "reject_late",
    }


@pytest.mark.parametrize("happening", sorted(Happening))
def test_the_page_says_what_causes_each_happening(happening):
    page = Path(settlement.__file__).with_name("README.md").read_text()
    assert f"| `{happening.value}` |" in page
