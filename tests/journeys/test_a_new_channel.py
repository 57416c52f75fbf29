"""Is a channel added by what `terminal_agent/channels/README.md` says, and by nothing else?

A made-up one is put into a copy of the programs, place by place as the page's table has them, and a shop on
that copy sells with it, gives back, and is booked by a centre on that copy. It books in a file of its own.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import canaries
import pytest
from centre import REPO
from real_centre import RealCentre
from shop import Shop

from settlement.db.connection import reading
from settlement.writer import store
from settlement.writer.rows import Offer

NAME = "madeup"
PROGRAMS = ("subsidy", "catalog_sync", "settlement", "terminal_agent", "config")
OFFER_FEN = 100
ITS_OWN_FILE = f"terminal_agent/channels/{NAME}.py"
CHANNEL = '''"""How is money taken at a made-up channel, which books in a file and always says yes?"""

import json
from pathlib import Path

import msgspec

from subsidy.records.payment import Evidence
from subsidy.strict import yaml_text
from terminal_agent.channels.certificates import Certificates
from terminal_agent.checkout.ports import Answer, Clocks, Say


class MadeUp:
    clocks = Clocks(1, 1, 1, 1, 1, 0, 2)
    not_found_is_no = False
    reverses_blind = True

    def __init__(self, books):
        self._books = books

    def prepare(self, ask):
        return "-"

    def take(self, ask):
        said = Evidence(code="OK", channel_no="MU" + ask.pay_ref, offer_fen=100)
        return self._book("charge", ask, ask.amount_fen, said)

    def query(self, ask):
        return Answer(Say.UNCLEAR)

    def reverse(self, ask, evidence):
        return self._book("reversal", ask, ask.amount_fen, Evidence(code="OK"))

    def refund(self, ask, back):
        return self._book("refund", ask, back.fen, Evidence(code="OK"))

    def _book(self, kind, ask, fen, said):
        with self._books.open("a") as books:
            books.write(json.dumps({"kind": kind, "order": ask.pay_ref, "fen": fen}) + chr(10))
        return Answer(Say.APPROVED, fen, said)


class Channel(msgspec.Struct, frozen=True):
    books: Path
    base_url = "https://made.up"
    certificates = Certificates()

    def payment(self, clock, random_bytes, session=None):
        return MadeUp(self.books)

    def showing(self, clock, random_bytes, session=None):
        return None

    def recorded(self, recorder):
        return self

    def try_keys(self):
        pass


def read_channel(text, file_name, folder, training):
    keys = yaml_text.read(text, file_name).mapping(required=("books",))
    return Channel(folder / keys["books"].text())
'''
# What is put where: after which text, and what. None: the whole file.
PLACES = {
    ITS_OWN_FILE: [(None, CHANNEL)],
    "subsidy/wallets.py": [
        (
            'UNIONPAY = "unionpay", "云闪付", "云闪付订单号"\n',
            '    MADEUP = "madeup", "示范支付", "示范订单号"\n',
        )
    ],
    "terminal_agent/channels/wallets.py": [
        (
            "from terminal_agent.channels.codes import Wallet\n",
            f"from terminal_agent.channels import {NAME}\n",
        ),
        ("    Wallet.UNIONPAY: _unionpay,\n", f"    Wallet.MADEUP: {NAME}.read_channel,\n"),
    ],
    "terminal_agent/channels/codes.py": [
        (
            'Rule(Wallet.UNIONPAY, re.compile(r"62[0-9]{17}", re.ASCII)),\n',
            '    Rule(Wallet.MADEUP, re.compile(r"77[0-9]{16}", re.ASCII)),\n',
        )
    ],
    f"settlement/reconcile/sources/{NAME}_bill.py": [
        (None, "from settlement.reconcile.sources.acquirer_csv import read as read\n")
    ],
    "settlement/reconcile/sources/layouts.py": [
        ("from subsidy import seal\n", f"from settlement.reconcile.sources import {NAME}_bill\n"),
        ("    wechat_bill.LAYOUT: wechat_bill.read,\n", f'    "{NAME}_bill": {NAME}_bill.read,\n'),
    ],
    "terminal_agent/certify/counterparts.py": [("", "\nMADEUP, MADEUP_SHOWN = WECHAT, WECHAT_SHOWN\n")],
    "terminal_agent/certify/peek.py": [("", "\nat_madeup = at_wechat\n")],
    "terminal_agent/certify/links.py": [
        (
            "peek.at_unionpay),\n",
            "    Wallet.MADEUP: (counterparts.MADEUP, counterparts.MADEUP_SHOWN, peek.at_madeup),\n",
        )
    ],
}
NIGHT = f"""\
files: incoming
sources:
  - source: {NAME}
    layout: {NAME}_bill
    file: "{NAME}-{{date}}.csv"
    tenders: [qr_scan]
    merchants: {{"EMU000000000001": every_shop}}
    longest_payment_s: 300
"""


def is_new(name):
    return PLACES[name][0][0] is None


def copied(folder, *, without=()):
    """Return a copy of the programs with the made-up channel in it."""
    for one in PROGRAMS:
        shutil.copytree(REPO / one, folder / one, ignore=shutil.ignore_patterns("__pycache__"))
    for name, changes in PLACES.items():
        for after, text in changes if name not in without else ():
            file = folder / name
            if after is None:
                file.write_text(text, encoding="utf-8")
                continue
            old = file.read_text(encoding="utf-8")
            assert after == "" or old.count(after) == 1, (name, after)
            new = old.replace(after, after + text) if after else old + text
            file.write_text(new, encoding="utf-8")
    return folder


def asked(release, code, *arguments):
    """Run a program on the copy and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(release)},
        cwd=release,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return copied(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory, release, moves_taken):
    """A shop and a centre that run the copy, and a till that takes the made-up channel."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(release))
        with (
            RealCentre(tmp_path_factory.mktemp("centre")) as centre,
            Shop.open(tmp_path_factory.mktemp("shop"), centre, moves_taken) as shop,
        ):
            shop.kill()
            (shop.folder / f"{NAME}.yaml").write_text("books: made-up.jsonl\n")
            with (shop.folder / "agent.yaml").open("a") as config:
                config.write(f"channels:\n  {NAME}:\n    profile: {NAME}.yaml\n")
            shop.restart()
            yield shop


def moved(shop, sale):
    lines = map(json.loads, (shop.folder / "made-up.jsonl").read_text().splitlines())
    refs = {one["pay_ref"] for one in sale["attempts"]}
    return [(one["kind"], one["fen"]) for one in lines if one["order"] in refs]


def test_a_shopper_pays_with_it_and_gets_the_money_back_by_it(shop):
    code = canaries.payment_code("77", 18)
    sold = shop.sell(tender={"kind": "qr_scan", "pay_code": code})
    assert (sold["state"], sold["paid_fen"]) == ("paid", sold["to_pay_fen"])
    assert moved(shop, sold) == [("charge", sold["to_pay_fen"])]
    assert "示范支付" in sold["receipt"]
    assert "示范订单号" in sold["receipt"]
    assert f"MU{sold['attempts'][0]['pay_ref']}" in sold["receipt"].replace("\n", "")
    shop.wait_for_record(sold["record_id"], "PAYABLE")
    back = shop.give_back(sold["record_id"])
    assert (back["state"], back["return"]["state"]) == ("returned", "refunded")
    assert "示范支付原路退回" in back["receipt"]
    assert moved(shop, sold) == [("charge", sold["to_pay_fen"]), ("refund", sold["to_pay_fen"])]


def test_what_it_bore_of_a_price_is_booked_under_its_name(shop):
    sold = shop.sell(tender={"kind": "qr_scan", "pay_code": canaries.payment_code("77", 18)})
    shop.wait_for_record(sold["record_id"], "PAYABLE")
    with reading(shop.centre.centre.engine) as connection:
        (offer,) = [one for one in store.read_where(connection, Offer) if one.record_id == sold["record_id"]]
    assert (offer.payer, offer.fen) == (f"offer:{NAME}", OFFER_FEN)


def test_the_night_can_be_told_to_wait_for_its_bill(release, tmp_path):
    code = (
        "import sys, pathlib; from settlement.reconcile.config import read_night_config as read; "
        "print(*read(sys.argv[1], pathlib.Path('night.yaml'), training=True).sources)"
    )
    assert asked(release, code, NIGHT) == NAME


CERTIFIED = (
    "import sys, pathlib; from terminal_agent.config import read_config as read; "
    "from terminal_agent.certify.links import links_of; "
    "print(type(links_of(read(pathlib.Path(sys.argv[1])))['madeup']).__name__)"
)


def test_it_can_be_certified_and_says_so_where_its_row_was_forgotten(shop, release, tmp_path):
    config = shop.folder / "agent.yaml"
    assert asked(release, CERTIFIED, config) == "LinkUnderTest"
    forgetful = copied(tmp_path, without=("terminal_agent/certify/links.py",))
    assert asked(forgetful, CERTIFIED, config) == "CannotBeCertified"


def test_the_page_has_exactly_the_places_that_were_needed():
    page = (REPO / "terminal_agent/channels/README.md").read_text(encoding="utf-8")
    table = page[page.index("## To add a channel") :]
    table = "".join(line for line in table.splitlines() if line.startswith("|"))
    said = {one for one in re.findall(r"`([a-z_/]+(?:/|\.py))`", table) if one.split("/")[0] in PROGRAMS[:-1]}
    # Here it has no other side of its own: it books by itself, leaves no trace, and people call it "other".
    said -= {"terminal_agent/emulators/", "terminal_agent/emulators/cli.py"}
    said -= {"terminal_agent/emulators/cli_wallets.py"}
    said -= {"terminal_agent/traces/mask_http.py", "terminal_agent/traces/understand.py"}
    said -= {"settlement/offers/bearers.py", "settlement/proposals/shown.py"}
    assert said == {f"{os.path.dirname(name)}/" if is_new(name) else name for name in PLACES}
