"""What does a merchant-presented code of EMVCo's layout say, and how is one written? Pure.

A text of fields: two digits of tag, two of length, the value; some values are fields again. The last field is
the check (CRC-16/CCITT-FALSE over everything before it, its tag and length included). Lengths count
characters, the check counts UTF-8 bytes. UnionPay's codes on paper (收款码) and abroad have this layout.
"""

import binascii
import re
from collections.abc import Mapping

import msgspec

from subsidy.strict.digits import is_digits

STATIC, DYNAMIC = "11", "12"
CNY = "156"

_LONGEST = 512
_MOST_VALUE = 99
_FIRST = "000201"
_CHECK = "6304"
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,2})?", re.ASCII)
_ACCOUNTS = [f"{tag:02d}" for tag in range(2, 52)]
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_LONGEST_OF = {"52": 4, "53": 3, "54": 13, "58": 2, "59": 25, "60": 15, "61": 10}


class NoEmvCode(Exception):
    """The text is no such code. Says why, never what stands in it."""


class EmvCode(msgspec.Struct, frozen=True):
    """A code. `accounts` has the merchant's account by tag (15 and 16 are UnionPay's).

    `amount_fen` is None where the shopper types it. `more` has the further data (62: 01 bill, 05
    reference, 07 terminal), `rest` every other field by its tag, templates unread.
    """

    dynamic: bool
    accounts: Mapping[str, str]
    category: str
    name: str
    city: str
    amount_fen: int | None = None
    currency: str = CNY
    country: str = "CN"
    postal_code: str = ""
    more: Mapping[str, str] = {}
    rest: Mapping[str, str] = {}


def read(text: str) -> EmvCode:
    """Return what a code says. Raises NoEmvCode."""
    if not len(text) <= _LONGEST or _CONTROL.search(text):
        raise NoEmvCode("too long, or with control characters")
    if not text.startswith(_FIRST):
        raise NoEmvCode("not of the version that is known")
    body, check = text[:-4], text[-4:]
    if not body.endswith(_CHECK) or check != check_of(body):
        raise NoEmvCode("its check is wrong: it was cut off or misread")
    fields = _fields(body[: -len(_CHECK)])
    known = {"00", "01", "52", "53", "54", "58", "59", "60", "61", "62", *_ACCOUNTS}
    for tag, longest in _LONGEST_OF.items():
        if len(fields.get(tag, "")) > longest:
            raise NoEmvCode(f"field {tag} is too long")
    accounts = {tag: value for tag, value in fields.items() if tag in _ACCOUNTS}
    missing = [tag for tag in ("52", "53", "58", "59", "60") if not fields.get(tag)]
    if missing or not accounts:
        raise NoEmvCode(f"field {missing[0]} is missing" if missing else "no merchant account")
    if fields.get("01", STATIC) not in (STATIC, DYNAMIC):
        raise NoEmvCode("neither static nor dynamic")
    if not is_digits(fields["52"], 4, 4) or not is_digits(fields["53"], 3, 3):
        raise NoEmvCode("category or currency is no number")
    return EmvCode(
        dynamic=fields.get("01") == DYNAMIC,
        accounts=accounts,
        category=fields["52"],
        name=fields["59"],
        city=fields["60"],
        amount_fen=_fen(fields["54"]) if "54" in fields else None,
        currency=fields["53"],
        country=fields["58"],
        postal_code=fields.get("61", ""),
        more=_fields(fields["62"]) if "62" in fields else {},
        rest={tag: value for tag, value in fields.items() if tag not in known},
    )


def write(code: EmvCode) -> str:
    """Return the text of a code, its check included. Raises NoEmvCode when it cannot be one."""
    fields = {
        "01": DYNAMIC if code.dynamic else STATIC,
        **code.accounts,
        "52": code.category,
        "53": code.currency,
        **({} if code.amount_fen is None else {"54": _yuan(code.amount_fen)}),
        "58": code.country,
        "59": code.name,
        "60": code.city,
        **({"61": code.postal_code} if code.postal_code else {}),
        **({"62": _joined(code.more)} if code.more else {}),
        **code.rest,
    }
    if "63" in fields or "00" in fields:
        raise NoEmvCode("version and check are not for others to set")
    body = f"{_FIRST}{_joined(dict(sorted(fields.items())))}{_CHECK}"
    text = body + check_of(body)
    if read(text) != code:
        raise NoEmvCode("a field stands under a tag of another meaning")
    return text


def check_of(body: str) -> str:
    """Return the check over everything before it."""
    return f"{binascii.crc_hqx(body.encode('utf-8', 'surrogatepass'), 0xFFFF):04X}"


def template(value: str) -> Mapping[str, str]:
    """Return the fields inside a value that holds fields again. Raises NoEmvCode."""
    return _fields(value)


def _fields(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        tag, length = text[at : at + 2], text[at + 2 : at + 4]
        if not is_digits(tag, 2, 2) or not is_digits(length, 2, 2):
            raise NoEmvCode("a field without tag or length")
        value = text[at + 4 : at + 4 + int(length)]
        if len(value) != int(length) or not value:
            raise NoEmvCode("a field that is empty or cut off")
        if tag in found:
            raise NoEmvCode(f"field {tag} stands twice")
        found[tag] = value
        at += 4 + len(value)
    return found


def _joined(fields: Mapping[str, str]) -> str:
    return "".join(_field(tag, value) for tag, value in fields.items())


def _field(tag: str, value: str) -> str:
    if not is_digits(tag, 2, 2) or not 1 <= len(value) <= _MOST_VALUE:
        raise NoEmvCode("a field without tag, empty or too long")
    return f"{tag}{len(value):02d}{value}"


def _fen(text: str) -> int:
    if _AMOUNT.fullmatch(text) is None:
        raise NoEmvCode("the amount is no amount")
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def _yuan(fen: int) -> str:
    if not 0 <= fen < 10**12:
        raise NoEmvCode("an amount that cannot be written")
    return f"{fen // 100}.{fen % 100:02d}"
