"""Does what the page about reference data shows load as it stands?"""

import re
import textwrap

from centre import REPO

from settlement.sources import prices, products, qualifications, shops
from settlement.sources.prices import read_prices
from settlement.sources.products import read_products
from settlement.sources.qualifications import read_qualifications
from settlement.sources.shops import read_shops
from settlement.sources.take_in import take_in
from subsidy import calendar

PAGE = (REPO / "docs/reference-data.md").read_text(encoding="utf-8")


def shown(name):
    """Return the file that the page shows under its name."""
    after = PAGE[PAGE.index(f"**{name}**") :]
    block = re.search(r"\n\n((?:    .*\n|\n)+)", after)
    return textwrap.dedent(block[1]).strip("\n") + "\n"


def test_the_files_that_the_page_shows_are_taken(books):
    today = calendar.business_day(calendar.from_ms(books.clock.now_ms()))
    categories = books.pack.rule_sets[0].categories
    keys = books.centre.keys
    for table in ("terminal", "shop", "merchant", "product", "filed_price", "qualification"):
        books.sql(f"DELETE FROM {table}")
    done = take_in(books.engine, read_shops(shown("shops.yaml").encode(), "page", False))
    done += take_in(books.engine, read_products(shown("products.csv").encode(), "page"))
    done += take_in(books.engine, read_prices(shown("prices.csv").encode(), "page"))
    raw = shown("qualifications.csv").encode()
    done += take_in(books.engine, read_qualifications(raw, "page", keys, categories, today))
    assert {one.kind: one.new for one in done} == {
        "merchants": 1,
        "shops": 1,
        "terminals": 1,
        "products": 1,
        "prices": 1,
        "qualifications": 1,
    }


def test_each_module_shows_the_same_example_as_the_page():
    pairs = {
        "products.csv": products,
        "prices.csv": prices,
        "qualifications.csv": qualifications,
    }
    for name, module in pairs.items():
        assert textwrap.indent(shown(name), "    ") in module.__doc__
    assert [line.split("#")[0].split() for line in shown("shops.yaml").splitlines()] == [
        line.split("#")[0].split()
        for line in textwrap.dedent(re.search(r"\n\n((?:    .*\n)+)", shops.__doc__)[1]).splitlines()
    ]
