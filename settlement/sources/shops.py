"""What is in a file of merchants and shops?

`shops.yaml`: legal merchants with their shops and card terminals.

    merchants:
      - merchant: "M001"                 # id, quoted, up to 32 letters, digits, - or _
        uscc: "91321202MA1XX0001B"       # unified social credit code
        name: 示例电器有限公司
        active: true                     # false: no new grants for any of its shops
        shops:
          - shop: "S0031"
            name: 示例电器海陵店
            region: "321202"             # county, GB/T 2260
            active: true
            terminals: ["12345678"]      # 8 characters each; EMU... only in training

Merchants and shops that are not in the file stay as they are. The list of a shop's terminals is
whole: one that is not in it any more is taken off. A terminal stands in one shop only.
"""

import re

from msgspec.structs import replace
from sqlalchemy import Connection, select

from settlement.db import tables
from settlement.sources import take_in
from settlement.sources.take_in import Look, Plan
from settlement.writer.rows import Merchant, Row, Shop, Terminal
from subsidy.codes import BadCode, region, uscc
from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,31}", re.ASCII)
_TERMINAL_NO = re.compile(r"[0-9A-Z]{8}", re.ASCII)
_EMULATED = "EMU"
_MOST_NAME = 64


class Found:
    """What the file names, and where it stands."""

    def __init__(self) -> None:
        self.merchants: dict[str, Merchant] = {}
        self.usccs: set[str] = set()
        self.shops: dict[str, Shop] = {}
        self.terminals: dict[str, Terminal] = {}
        self.places: dict[str, Node] = {}


def read_shops(raw: bytes, file: str, training: bool) -> Look:
    """Return what the file's bytes say, to be taken in. Raises FileError, and the look does.

    Args:
        raw: the file's bytes.
        file: the name that errors show.
        training: whether emulated terminals are taken.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise yaml_text.FileError(file, line, "", "not UTF-8", "Save the file as UTF-8") from None
    found = Found()
    for node in yaml_text.read(text, file).mapping(required=("merchants",))["merchants"].sequence():
        _merchant(node, found, training)
    return lambda connection: _plan(connection, found)


def _plan(connection: Connection, found: Found) -> Plan:
    _refuse_moves(connection, found)
    plans = []
    for kind, rows in (
        ("merchants", found.merchants),
        ("shops", found.shops),
        ("terminals", found.terminals),
    ):
        listed: list[Row] = list(rows.values())
        plans.append(take_in.plan_of(kind, listed, take_in.load_existing(connection, listed)))
    gone = _gone(connection, found)
    merchants, shops, terminals = (done for plan in plans for done in plan.done)
    return Plan(
        done=[merchants, shops, replace(terminals, removed=len(gone))],
        new=[put for plan in plans for put in plan.new],
        changed=[put for plan in plans for put in plan.changed],
        terminals=gone,
    )


def _merchant(node: Node, found: Found, training: bool) -> None:
    keys = node.mapping(required=("merchant", "uscc", "name", "active", "shops"))
    name = _new_id(keys["merchant"], found.merchants)
    try:
        code = uscc.read(keys["uscc"].code())
    except BadCode as wrong:
        raise keys["uscc"].wrong(str(wrong), "Copy it from the business licence") from None
    if code in found.usccs:
        raise keys["uscc"].wrong(
            "two merchants with one credit code", "Write one merchant with all its shops"
        )
    found.usccs.add(code)
    found.merchants[name] = Merchant(name, _text(keys["name"]), code, keys["active"].flag())
    for shop in keys["shops"].sequence():
        _shop(shop, name, found, training)


def _shop(node: Node, merchant: str, found: Found, training: bool) -> None:
    keys = node.mapping(required=("shop", "name", "region", "active", "terminals"))
    name = _new_id(keys["shop"], found.shops)
    try:
        county = region.read(keys["region"].code())
    except BadCode as wrong:
        raise keys["region"].wrong(str(wrong), 'Write it as in "321202"') from None
    found.shops[name] = Shop(name, merchant, _text(keys["name"]), county, keys["active"].flag())
    found.places[name] = node
    for one in keys["terminals"].sequence():
        number = one.code()
        if _TERMINAL_NO.fullmatch(number) is None:
            raise one.wrong("not a terminal number", "Write its 8 digits and capital letters in quotes")
        if number.startswith(_EMULATED) and not training:
            raise one.wrong("an emulated terminal", "Only a training programme takes EMU... terminals")
        if number in found.terminals:
            raise one.wrong("a terminal that stands twice", "A terminal stands in one shop only")
        found.terminals[number] = Terminal(number, name)
        found.places[number] = one


def _new_id(node: Node, known: dict[str, Merchant] | dict[str, Shop]) -> str:
    name = node.code()
    if _ID.fullmatch(name) is None:
        raise node.wrong("not an id", "Write 1 to 32 letters, digits, - or _")
    if name in known:
        raise node.wrong(f"{name} stands twice", "Keep one of them")
    return name


def _text(node: Node) -> str:
    text = node.text()
    if len(text) > _MOST_NAME or text != text.strip() or not text.isprintable():
        raise node.wrong("not a plain name", f"Write up to {_MOST_NAME} characters on one line")
    return text


def _refuse_moves(connection: Connection, found: Found) -> None:
    """Refuse to take a shop from another merchant, or a terminal from a shop that is not in the file."""
    shop, terminal = tables.shop.c, tables.terminal.c
    for row in connection.execute(select(shop.shop, shop.merchant)):
        wanted = found.shops.get(row.shop)
        if wanted is not None and wanted.merchant != row.merchant:
            raise found.places[row.shop].wrong(
                f"shop {row.shop} is merchant {row.merchant}'s", "A shop that changes hands gets a new id"
            )
    for row in connection.execute(select(terminal.terminal_no, terminal.shop)):
        if row.terminal_no in found.terminals and row.shop not in found.shops:
            raise found.places[row.terminal_no].wrong(
                f"it stands in shop {row.shop}", "Write that shop too, without this terminal"
            )


def _gone(connection: Connection, found: Found) -> list[str]:
    """Return the terminals that the file's shops do not list any more."""
    c = tables.terminal.c
    return [
        row.terminal_no
        for row in connection.execute(select(c.terminal_no, c.shop))
        if row.shop in found.shops and row.terminal_no not in found.terminals
    ]
