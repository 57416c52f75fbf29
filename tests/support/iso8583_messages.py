"""Messages as terminals and hosts send them, with made-up cards, and any message that a dialect allows."""

from hypothesis import strategies as st

from terminal_agent.iso8583.codec import Codec
from terminal_agent.iso8583.dialect import Dialect, place_of, read_dialect
from terminal_agent.iso8583.tlv import write_tlv

CARD = "6299998473651209384"
TRACK = f"{CARD}D3012520100000000"
PIN_BLOCK = "0A1B2C3D4E5F6071"

# A message that was published to explain the MAC, and the key that goes with it.
PUBLISHED = bytes.fromhex(
    "0200302004C020C0981100000000000000005100183402100006324392260009942820D13121011200843931363638383031"
    "34303030303030303030303030303031313536ACF46E73838A82F92600000000000000000822000001"
)
PUBLISHED_KEY = bytes.fromhex("C24A8FB57AA20123")


def shipped(name: str = "unionpay_terminal") -> Dialect:
    """Return one of the dialects under config/."""
    file = place_of(name)
    return read_dialect(file.read_text(encoding="utf-8"), file.name)


def codec(name: str = "unionpay_terminal") -> Codec:
    """Return the codec of a shipped dialect."""
    return Codec(shipped(name))


CHIP = write_tlv(
    {
        "9F26": "AABBCCDDEEFF0011",
        "9F27": "80",
        "9F10": "07010103A0A802010A010000000000",
        "9F37": "9F1A2B3C",
        "9F36": "0123",
        "95": "0880046000",
        "9A": "260301",
        "9C": "00",
        "9F02": "000000329900",
        "5F2A": "0156",
        "82": "7C00",
        "9F1A": "0156",
        "9F03": "000000000000",
        "9F33": "E0E9C8",
        "9F34": "420300",
        "9F35": "22",
        "9F1E": "3132333435363738",
        "84": "A000000333010102",
        "9F09": "0020",
        "9F41": "00000001",
    }
)

SALE = {
    "2": CARD,
    "3": "000000",
    "4": "000000329900",
    "11": "000123",
    "14": "3012",
    "22": "051",
    "23": "001",
    "25": "00",
    "26": "12",
    "35": TRACK,
    "41": "EMU00001",
    "42": "EMU000000000001",
    "49": "156",
    "52": PIN_BLOCK,
    "53": "2600000000000000",
    "55": CHIP,
    "60": "22000001000500",
    "64": "3132333435363738",
}

APPROVAL = {
    "2": CARD,
    "3": "000000",
    "4": "000000329900",
    "11": "000123",
    "12": "101112",
    "13": "0301",
    "14": "3012",
    "15": "0302",
    "25": "00",
    "32": "01020000",
    "37": "012345678901",
    "38": "123456",
    "39": "00",
    "41": "EMU00001",
    "42": "EMU000000000001",
    "44": "01020000   03040000   ",
    "49": "156",
    "55": "910AAABBCCDDEEFF00113030",
    "60": "22000001000500",
    "63": "CUP交易成功            ",
    "64": "3132333435363738",
}

_SHAPED = {
    "48": st.just("1" * 62),
    "55": st.just(CHIP),
    "60": st.from_regex(r"[0-9]{11}([0-9]{2,3})?", fullmatch=True),
    "61": st.from_regex(r"[0-9]{12}([0-9]{4})?", fullmatch=True),
    "44": st.from_regex(r"[0-9A-Za-z ]{22}", fullmatch=True),
    "54": st.from_regex(r"[0-9]{7}[CD][0-9]{12}", fullmatch=True),
    "63": st.from_regex(r"CUP[一-龥 ]{0,10}", fullmatch=True),
}
_CHECKED = {
    "amount": st.integers(1, 10**12 - 1).map(lambda fen: f"{fen:012d}"),
    "hhmmss": st.just("235959"),
    "mmdd": st.just("1231"),
    "yymm": st.just("3012"),
}
_ALPHABETS = {
    "n": "0123456789",
    "an": "0123456789ABCxyz ",
    "ans": "".join(map(chr, range(32, 127))),
    "b": "0123456789ABCDEF",
    "gbk": "分abc 1",
}


@st.composite
def any_fields(draw, dialect: Dialect) -> dict[str, str]:
    """Draw the fields of a message, each as its line in the dialect allows, parts as they should be."""
    fields = {}
    for field in dialect.fields.values():
        if draw(st.booleans()):
            fields[str(field.no)] = draw(_text_of(field, dialect))
    return fields or {"3": "000000"}


def _text_of(field, dialect):
    key = str(field.no)
    if field.only:
        return st.sampled_from(field.only)
    if field.check:
        return _CHECKED[field.check]
    if key in _SHAPED and field.parts != "order":
        return _SHAPED[key]
    if field.parts == "order":
        return st.from_regex(r"MI003[0-9]{3}[a-z]{0,9}", fullmatch=True)
    if field.kind == "z":
        return st.from_regex(r"[0-9]{15,19}D[0-9]{1,15}", fullmatch=True)
    unit = 2 if field.kind == "b" else 1
    sizes = st.integers(field.least, min(field.most, 60))
    alphabet = st.sampled_from(_ALPHABETS[field.kind])
    return sizes.flatmap(
        lambda size: st.lists(alphabet, min_size=unit * size, max_size=unit * size).map("".join)
    )
