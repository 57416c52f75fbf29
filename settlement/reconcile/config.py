"""Which files does the night wait for, and whose payments stand in them?

`night.yaml`, named by `night:` in the centre's configuration: a folder, and for each channel or acquirer
its layout, its file's name, our merchant numbers there with the shops whose money they take, and
the ways of paying that it settles. `config/night.example.yaml` has every key.
"""

import datetime
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from settlement.reconcile.lines import Called, Line
from settlement.reconcile.sources.layouts import CALLED, LAYOUTS, UNNAMED_BY_CARD_ONLY
from subsidy.policy.model import Dated, Tender
from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_MERCHANT_NO = re.compile(r"[0-9A-Za-z]{6,32}", re.ASCII)
_FILE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}", re.ASCII)
_LONGEST_S = 24 * 3600
EVERY_SHOP = "every_shop"
EMULATED = "EMU"


class Source(msgspec.Struct, frozen=True):
    """One channel or acquirer. `merchants` gives, for each number of ours there, its shops; None is every
    shop. `longest_payment_s` is how long after a hold's time a payment here may still end. `names_orders`
    says that every row of a payment of ours names its order number.
    """

    name: str
    layout: str
    file: str
    tenders: tuple[Tender, ...]
    merchants: dict[str, tuple[str, ...] | None]
    longest_payment_s: int
    names_orders: bool = True

    def file_name(self, day: str) -> str:
        """Return the name of the file of a day (2026-01-31)."""
        return self.file.replace("{date}", day)

    def covers(self, shop: str) -> bool:
        """Whether any of our numbers here takes money of `shop`."""
        return any(shops is None or shop in shops for shops in self.merchants.values())

    def takes_for(self, merchant_no: str, shop: str) -> bool:
        """Whether `merchant_no` is ours here, and takes money of `shop` (empty: of whichever)."""
        if merchant_no not in self.merchants:
            return False
        shops = self.merchants[merchant_no]
        return shops is None or not shop or shop in shops


class NightConfig(msgspec.Struct, frozen=True):
    """Where files come to, and the sources by name. `tenders` are the ways of paying that the pack allows."""

    files: Path
    sources: dict[str, Source]
    tenders: Dated[tuple[Tender, ...]] | None = None

    def may_be_cash(self, day: str) -> bool:
        """Whether a sale of a day (2026-01-31) may have been paid in cash, which stands in no file."""
        row = None if self.tenders is None else self.tenders.on(datetime.date.fromisoformat(day))
        return row is not None and Tender.CASH in row.value

    def covering(self, shop: str, tender: Tender | None = None) -> tuple[Source, ...]:
        """Return the sources in whose files a payment of `shop` can stand, of one way of paying or of any."""
        return tuple(
            one
            for one in self.sources.values()
            if one.covers(shop) and (tender is None or tender in one.tenders)
        )

    def may_be_unnamed(self, shop: str) -> bool:
        """Whether a payment of `shop` may stand in a row that names no order."""
        return any(not one.names_orders for one in self.covering(shop))

    def called(self, line: Line) -> Called | None:
        """Return what a row is called whose payment may be known by that alone, None for every other row."""
        source = self.sources.get(line.source)
        if source is None or source.names_orders or line.pay_ref:
            return None
        return CALLED[source.layout](line)


def read_night_config(text: str, file: Path, training: bool) -> NightConfig:
    """Return what `text` says. Raises FileError with line and remedy.

    Args:
        text: the file's content.
        file: its path; a relative folder in it is relative to it.
        training: whether the programme moves no real money: only then are emulated merchants taken.
    """
    keys = yaml_text.read(text, str(file)).mapping(required=("files", "sources"))
    sources: dict[str, Source] = {}
    for node in keys["sources"].sequence():
        one = _source(node, training)
        if one.name in sources:
            raise node.wrong(f"the source {one.name} stands twice", "Give each its own name")
        twin = next((other for other in sources.values() if other.file == one.file), None)
        if twin is not None:
            raise node.wrong(
                f"its file has the name of {twin.name}'s", "Give each source's file its own name"
            )
        sources[one.name] = one
    if not sources:
        raise keys["sources"].wrong("no source", "Name at least one channel or acquirer")
    return NightConfig(file.absolute().parent / keys["files"].text(), sources)


def read_day(text: str) -> str | None:
    """Return `text` when it is a day written as 2026-01-31, else None."""
    try:
        return text if datetime.date.fromisoformat(text).isoformat() == text else None
    except ValueError:
        return None


def _source(node: Node, training: bool) -> Source:
    keys = node.mapping(
        required=("source", "layout", "file", "tenders", "merchants", "longest_payment_s"),
        optional=("names_orders",),
    )
    name = keys["source"].text()
    if _NAME.fullmatch(name) is None:
        raise keys["source"].wrong("not a name", "Write 1 to 40 small letters, digits, - or _")
    file = keys["file"].text()
    if file.count("{date}") != 1 or _FILE_NAME.fullmatch(file.replace("{date}", "2026-01-31")) is None:
        raise keys["file"].wrong(
            "not a file name with {date}", 'Write one name without folders, as in "acquirer-{date}.csv"'
        )
    tenders = tuple(Tender(one.choice([*Tender])) for one in keys["tenders"].sequence())
    if not tenders or Tender.CASH in tenders:
        raise keys["tenders"].wrong("no way of paying that a file can show", "Write card, qr_scan or qr_show")
    layout = keys["layout"].choice(LAYOUTS)
    return Source(
        name=name,
        layout=layout,
        file=file,
        tenders=tenders,
        merchants=_merchants(keys["merchants"], training),
        longest_payment_s=keys["longest_payment_s"].integer(1, _LONGEST_S),
        names_orders=_names_orders(node, keys, layout, tenders),
    )


def _names_orders(node: Node, keys: Mapping[str, Node], layout: str, tenders: tuple[Tender, ...]) -> bool:
    said = keys.get("names_orders")
    by_card = layout not in UNNAMED_BY_CARD_ONLY or Tender.CARD in tenders
    may_be_unnamed = layout in CALLED and by_card
    if said is None and may_be_unnamed:
        # Nothing in the file tells a plain sale from one of ours that could not be named.
        raise node.wrong(
            "names_orders is missing",
            "Write true when every payment of ours there names its order number, and false when some cannot: "
            "card terminals behind a MIS client (mis_fixed), those that are only watched (relay) and those "
            "of iso8583_direct with `order_field: none` never do",
        )
    if said is None:
        return True
    if not said.flag() and not may_be_unnamed:
        why = f"{layout} always names the order" + (" of a code" if layout in CALLED else "")
        raise said.wrong(why, "Write true, or leave it out")
    return said.flag()


def _merchants(node: Node, training: bool) -> dict[str, tuple[str, ...] | None]:
    found: dict[str, tuple[str, ...] | None] = {}
    for number, shops in node.items():
        if _MERCHANT_NO.fullmatch(number) is None:
            raise shops.wrong(f"{number} is not a merchant number", "Write 6 to 32 letters and digits")
        if number.startswith(EMULATED) and not training:
            raise shops.wrong(
                f"{number} is an emulator's number", "Only a training programme takes emulated payments"
            )
        found[number] = _shops(shops)
    if not found:
        raise node.wrong("no merchant number", 'Write "NUMBER": every_shop, or a list of shops')
    return found


def _shops(node: Node) -> tuple[str, ...] | None:
    if isinstance(node.plain(), list):
        shops = tuple(one.code() for one in node.sequence())
        if not shops:
            raise node.wrong("no shop", f"Name its shops, or write {EVERY_SHOP}")
        return shops
    node.choice([EVERY_SHOP])
    return None
