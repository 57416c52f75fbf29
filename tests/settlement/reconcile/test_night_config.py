"""Is the night's configuration taken at its word, and everything else refused with line and remedy?"""

from pathlib import Path

import pytest
from centre import REPO
from night import CARD_NO, SOURCES, WECHAT

from settlement.reconcile.config import EVERY_SHOP, read_day, read_night_config
from settlement.reconcile.sources.layouts import LAYOUTS
from subsidy.policy.model import Tender
from subsidy.strict.yaml_text import FileError

EXAMPLE = REPO / "config/night.example.yaml"
FILE = Path("/etc/centre/night.yaml")


def test_the_example_is_complete_and_loads():
    text = EXAMPLE.read_text(encoding="utf-8")
    config = read_night_config(text, EXAMPLE, training=True)
    assert {one.layout for one in config.sources.values()} == set(LAYOUTS)
    assert config.files.resolve() == REPO / "var/incoming"
    assert [one.name for one in config.covering("S0031", Tender.CARD)] == ["acquirer"]
    assert [one.name for one in config.covering("S9999")] == ["wechat", "unionpay", "alipay"]


def test_every_key_of_the_example_is_explained():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for key in (
        "files:",
        "sources:",
        "source:",
        "layout:",
        "file:",
        "merchants:",
        "longest_payment_s:",
        "tenders:",
        "names_orders:",
    ):
        (first, *_) = (
            place for place, line in enumerate(lines) if line.strip().removeprefix("- ").startswith(key)
        )
        assert lines[first - 1].strip().startswith("#"), key


def test_a_real_programme_takes_no_emulated_merchant():
    with pytest.raises(FileError, match="emulator's number"):
        read_night_config(SOURCES, FILE, training=False)
    real = SOURCES.replace("EMU", "898")
    assert (
        read_night_config(real, FILE, training=False)
        .sources["acquirer"]
        .takes_for("898000000000001", "S0031")
    )


def test_a_number_takes_money_of_its_shops_only():
    acquirer = read_night_config(SOURCES, FILE, training=True).sources["acquirer"]
    assert acquirer.takes_for(CARD_NO, "S0031")
    assert acquirer.takes_for(CARD_NO, "")
    assert not acquirer.takes_for(CARD_NO, "S0032")
    assert not acquirer.takes_for("999999999999999", "")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("acquirer_csv", "acquirer_xls", "not known here"),
        ("acquirer_csv", "acquirer_csv\n    colour: red", "unknown key colour"),
        ("tenders: [card]", "tenders: [cash]", "no way of paying"),
        ("tenders: [card]", "tenders: []", "no way of paying"),
        ("tenders: [card]", "tenders: [cheque]", "not known here"),
        ("longest_payment_s: 300", "longest_payment_s: 0", "below 1"),
        ("longest_payment_s: 300", 'longest_payment_s: "300"', "a number in quotes"),
        ("    longest_payment_s: 300\n", "", "longest_payment_s is missing"),
        ("    names_orders: true\n", "", "names_orders is missing"),
        ("names_orders: true", "names_orders: 'true'", "neither true nor false"),
        ("names_orders: true", "names_orders: maybe", "neither true nor false"),
        (
            "tenders: [qr_scan, qr_show]",
            "tenders: [qr_scan]\n    names_orders: false",
            "always names the order",
        ),
        (
            'wechat_bill\n    file: "wechat-{date}.csv"\n    tenders: [qr_scan, qr_show]',
            'unionpay_zm\n    file: "wechat-{date}.csv"\n    tenders: [qr_scan]\n    names_orders: false',
            "always names the order of a code",
        ),
        (
            'wechat_bill\n    file: "wechat-{date}.csv"\n    tenders: [qr_scan, qr_show]',
            'unionpay_zm\n    file: "wechat-{date}.csv"\n    tenders: [card]',
            "names_orders is missing",
        ),
        ("acquirer-{date}.csv", "acquirer.csv", "not a file name with {date}"),
        ("acquirer-{date}.csv", "{date}/{date}.csv", "not a file name with {date}"),
        ("acquirer-{date}.csv", "../{date}.csv", "not a file name with {date}"),
        ("acquirer-{date}.csv", "wechat-{date}.csv", "its file has the name of"),
        ("source: acquirer", "source: wechat", "stands twice"),
        ("source: acquirer", "source: 'The Bank'", "not a name"),
        ('["S0031"]', "[]", "no shop"),
        ('["S0031"]', "all", "not known here"),
        (f'"{CARD_NO}"', '"123"', "not a merchant number"),
        (f'{{"EMU00000001": {EVERY_SHOP}}}', "{}", "no merchant number"),
        (f"source: {WECHAT}", f"source: &a {WECHAT}", "an alias or anchor"),
    ],
)
def test_what_cannot_be_meant_is_refused(old, new, problem):
    assert old in SOURCES
    with pytest.raises(FileError, match=problem) as wrong:
        read_night_config(SOURCES.replace(old, new, 1), FILE, training=True)
    assert wrong.value.line >= 1
    assert wrong.value.remedy


def test_only_an_acquirers_file_may_leave_orders_out():
    sources = read_night_config(
        SOURCES.replace("names_orders: true", "names_orders: false"), FILE, True
    ).sources
    assert [one.name for one in sources.values() if not one.names_orders] == ["acquirer"]


def test_unionpays_files_may_leave_orders_out_of_card_payments():
    text = SOURCES.replace("acquirer_csv", "unionpay_zm").replace("names_orders: true", "names_orders: false")
    assert read_night_config(text, FILE, True).may_be_unnamed("S0031")


def test_no_source_at_all_is_refused():
    with pytest.raises(FileError, match="no source"):
        read_night_config("files: a\nsources: []\n", FILE, training=True)


@pytest.mark.parametrize(
    "text", ["2026-3-1", "20260301", "2026-02-30", "", "yesterday", "2026-W09-7", "２０２６-03-01"]
)
def test_only_a_day_is_a_day(text):
    assert read_day(text) is None
    assert read_day("2026-03-01") == "2026-03-01"
