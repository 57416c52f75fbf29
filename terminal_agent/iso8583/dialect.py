"""How does one acquirer speak ISO 8583?

A dialect is a YAML file (`config/iso8583/`): the frame around a message, the MAC, and one line per field. It
is read into `Field` rules and into the specification that pyiso8583 takes, which the codec is held against.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node
from terminal_agent.iso8583.mac import MACS
from terminal_agent.iso8583.parts import PARTS

SHIPPED = Path(__file__).parents[2] / "config" / "iso8583"

KINDS = ("n", "z", "h", "an", "ans", "gbk", "b")
LENGTH_KINDS = ("bin2", "bcd2", "ascii4")
CHECKS = ("amount", "hhmmss", "mmdd", "yymm")
SHOWS = ("pan", "hidden", "tlv", "text", "parts")
MAC_FIELD = 64
_PREFIXES = {"LL": 2, "LLL": 3}
BCD = ("n", "z", "h")
_MOST = 9999
# What would put card data into the clear if a dialect forgot to say how it is shown.
_SENSITIVE = {
    2: ("pan", "hidden"),
    55: ("tlv", "hidden"),
    **dict.fromkeys((14, 34, 35, 36, 45, 52), ("hidden",)),
}


class Frame(msgspec.Struct, frozen=True):
    """What surrounds a message: how its length is written, and the digits of TPDU and header, or none."""

    length: str
    tpdu: str
    header: str


class Pads(msgspec.Struct, frozen=True):
    """The half byte after an odd number of digits: which one we write, and which ones we take."""

    write: str
    read: tuple[str, ...]


class Field(msgspec.Struct, frozen=True):
    """One field. `most` and `least` count digits for n and z, bytes for everything else.

    `prefix` is how many digits its length has; 0: it has always `most`.
    """

    no: int
    kind: str
    most: int
    least: int
    prefix: int
    align_left: bool
    check: str
    only: tuple[str, ...]
    parts: str
    show: str


class Dialect(msgspec.Struct, frozen=True):
    """One way of speaking ISO 8583. `spec` is what pyiso8583 takes: messages from the MTI on, no header."""

    name: str
    frame: Frame
    mac: str
    pads: Pads
    fields: Mapping[int, Field]
    spec: Mapping[str, Mapping[str, Any]]


def place_of(name: str) -> Path:
    """Return the file of a dialect: one of ours by its name, or any by a path that ends in .yaml."""
    return Path(name) if name.endswith(".yaml") else SHIPPED / f"{Path(name).name}.yaml"


def read_dialect(text: str, file_name: str) -> Dialect:
    """Return the dialect that `text` describes, or raise FileError with file, line and remedy."""
    root = yaml_text.read(text, file_name).mapping(required=("dialect", "frame", "mac", "pads", "fields"))
    pads = _read_pads(root["pads"])
    fields: dict[int, Field] = {}
    for key, node in root["fields"].items():
        field = _read_field(key, node)
        fields[field.no] = field
    _check_mac_field(root["fields"], fields)
    return Dialect(
        name=root["dialect"].text(),
        frame=_read_frame(root["frame"]),
        mac=root["mac"].choice(tuple(MACS)),
        pads=pads,
        fields=dict(sorted(fields.items())),
        spec=_spec_of(fields, pads),
    )


def _read_frame(node: Node) -> Frame:
    keys = node.mapping(required=("length", "tpdu", "header"))
    return Frame(
        length=keys["length"].choice(LENGTH_KINDS),
        tpdu=_digits_or_none(keys["tpdu"], 10),
        header=_digits_or_none(keys["header"], 12),
    )


def _digits_or_none(node: Node, count: int) -> str:
    digits = node.code()
    if digits == "none":
        return ""
    if len(digits) != count or not (digits.isascii() and digits.isdigit()):
        raise node.wrong(f"not {count} digits", f'Write {count} digits in quotes, or "none"')
    return digits


def _read_pads(node: Node) -> Pads:
    keys = node.mapping(required=("write", "read"))
    read = tuple(_pad(one) for one in keys["read"].sequence())
    write = _pad(keys["write"])
    if write not in read:
        raise keys["read"].wrong(f"we would not take {write}, which we write", "Add it")
    return Pads(write, read)


def _pad(node: Node) -> str:
    pad = node.code()
    if pad not in ("0", "F"):
        raise node.wrong("not a pad", 'Write "0" or "F"')
    return pad


def _read_field(key: str, node: Node) -> Field:
    if not (key.isascii() and key.isdigit() and 2 <= int(key) <= MAC_FIELD) or key.startswith("0"):
        raise node.wrong(f"{key!r} is no field", 'Write a number from "2" to "64" in quotes')
    no = int(key)
    keys = node.mapping(
        required=("is",),
        optional=("exactly", "up_to", "at_least", "length", "align", "check", "only", "parts", "show"),
    )
    kind = keys["is"].choice(KINDS)
    most, prefix = _read_size(node, keys, kind)
    least = keys["at_least"].integer(0, most) if "at_least" in keys else 0
    show = keys["show"].choice(SHOWS) if "show" in keys else ""
    if no in _SENSITIVE and show not in _SENSITIVE[no]:
        raise node.wrong(
            f"field {no} would be shown in clear", f"Write `show: {_SENSITIVE[no][0]}` in its line"
        )
    if show == "tlv" and kind != "b":
        raise node.wrong("only a field of bytes holds TLV", "Write `is: b`, or another `show`")
    if show == "parts" and "parts" not in keys:
        raise node.wrong("it has no parts to be shown by", "Write `parts`, or another `show`")
    return Field(
        no=no,
        kind=kind,
        most=most,
        least=most if prefix == 0 else least,
        prefix=prefix,
        align_left="align" in keys and keys["align"].choice(("left", "right")) == "left",
        check=keys["check"].choice(CHECKS) if "check" in keys else "",
        only=tuple(one.code() for one in keys["only"].sequence()) if "only" in keys else (),
        parts=keys["parts"].choice(tuple(PARTS)) if "parts" in keys else "",
        show=show,
    )


def _read_size(node: Node, keys: Mapping[str, Node], kind: str) -> tuple[int, int]:
    if ("exactly" in keys) == ("up_to" in keys) or ("up_to" in keys) != ("length" in keys):
        raise node.wrong("its size is not clear", "Write `exactly: 6`, or `up_to: 19, length: LL`")
    if "exactly" in keys:
        if kind in ("z", "h", "gbk"):
            raise node.wrong(f"{kind} has no fixed size", "Write `up_to` and `length`")
        return keys["exactly"].integer(1, _MOST), 0
    prefix = _PREFIXES[keys["length"].choice(tuple(_PREFIXES))]
    return keys["up_to"].integer(1, 10**prefix - 1), prefix


def _check_mac_field(node: Node, fields: Mapping[int, Field]) -> None:
    mac = fields.get(MAC_FIELD)
    if mac is None or (mac.kind, mac.most, mac.prefix) != ("b", 8, 0):
        raise node.wrong("field 64 is not the MAC", 'Write `"64": {is: b, exactly: 8}`')


def _spec_of(fields: Mapping[int, Field], pads: Pads) -> dict[str, dict[str, Any]]:
    fixed = {"data_enc": "b", "len_enc": "bcd", "len_type": 0}
    spec: dict[str, dict[str, Any]] = {
        "h": {**fixed, "max_len": 0},
        "t": {**fixed, "max_len": 2},
        "p": {**fixed, "max_len": 8},
        "1": {**fixed, "max_len": 8},
    }
    for field in fields.values():
        bcd = field.kind in BCD
        one: dict[str, Any] = {
            "data_enc": {"an": "ascii", "ans": "ascii", "gbk": "gb18030"}.get(field.kind, "b"),
            "len_enc": "bcd",
            "len_type": (field.prefix + 1) // 2,
            "len_count": "nibbles" if bcd else "bytes",
            "max_len": field.most,
        }
        if bcd and field.prefix == 0:
            one["right_pad" if field.align_left else "left_pad"] = "0"
        elif bcd:
            one["right_pad"] = pads.write
        spec[str(field.no)] = one
    return spec
