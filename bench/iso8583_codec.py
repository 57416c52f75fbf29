"""What do our ISO 8583 codec's checks, parts and masking cost, against bare pyiso8583?

A sale with a chip (20 tags) and its approval, each written and read by both codecs in turn, in CPU time of
one core. Ours checks content and parts, takes field 55 apart and masks; pyiso8583 does none of it. The MAC is
shown by itself: it is the same cipher whoever writes the message.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import iso8583

from terminal_agent.iso8583.codec import Codec
from terminal_agent.iso8583.dialect import place_of, read_dialect
from terminal_agent.iso8583.mac import MACS
from terminal_agent.iso8583.tlv import write_tlv

CARD = "6299998473651209384"
CHIP = write_tlv(
    {
        **{"9F26": "AABBCCDDEEFF0011", "9F27": "80", "9F10": "07010103A0A802010A010000000000"},
        **{"9F37": "9F1A2B3C", "9F36": "0123", "95": "0880046000", "9A": "260301", "9C": "00"},
        **{"9F02": "000000329900", "5F2A": "0156", "82": "7C00", "9F1A": "0156", "9F03": "000000000000"},
        **{"9F33": "E0E9C8", "9F34": "420300", "9F35": "22", "9F1E": "3132333435363738"},
        **{"84": "A000000333010102", "9F09": "0020", "9F41": "00000001"},
    }
)
_COMMON = {
    **{"2": CARD, "3": "000000", "4": "000000329900", "11": "000123", "14": "3012", "25": "00"},
    **{"41": "EMU00001", "42": "EMU000000000001", "49": "156", "60": "22000001000500"},
    "64": "3132333435363738",
}
MESSAGES = {
    "0200": _COMMON
    | {"22": "051", "23": "001", "26": "12", "35": f"{CARD}D3012520100000000", "52": "0A1B2C3D4E5F6071"}
    | {"53": "2600000000000000", "55": CHIP},
    "0210": _COMMON
    | {"12": "101112", "13": "0301", "15": "0302", "32": "01020000", "37": "012345678901", "38": "123456"}
    | {"39": "00", "44": "01020000   03040000   ", "55": "910AAABBCCDDEEFF00113030"}
    | {"63": "CUP交易成功            "},
}
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Measure both codecs in turn and return the smallest of the four ratios."""
    rounds, times = (3, 300) if asked.quick else (15, 2000)
    place = place_of("unionpay_terminal")
    codec = Codec(read_dialect(place.read_text(encoding="utf-8"), place.name))
    spec = codec.dialect.spec
    sides: dict[str, Callable[[], object]] = {}
    for mti, fields in MESSAGES.items():
        body = codec.encode(mti, fields)
        theirs, _ = iso8583.encode({"t": mti, **fields}, spec)
        assert bytes(theirs) == body
        sides |= {
            f"encode {mti}, ours": partial(codec.encode, mti, fields),
            f"encode {mti}, pyiso8583": partial(_their_encode, mti, fields, spec),
            f"decode {mti}, ours": partial(codec.decode, body),
            f"decode {mti}, pyiso8583": partial(iso8583.decode, body, spec),
        }
        for name, mac_of in MACS.items():
            key = KEY[:8] if name == "cup" else KEY
            sides[f"MAC {name} of {mti}"] = partial(mac_of, key, body[:-8])
    measured: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, step in sides.items():
            measured[side].append(_rate(step, times))
    rates = {side: round(statistics.median(each)) for side, each in measured.items()}
    ratios = {
        f"{verb} {mti}": round(rates[f"{verb} {mti}, ours"] / rates[f"{verb} {mti}, pyiso8583"], 2)
        for mti in MESSAGES
        for verb in ("encode", "decode")
    }
    return {
        "name": "iso8583",
        "ratio": min(ratios.values()),
        "better": "higher",
        "against": "bare pyiso8583",
        "figures": {
            **{f"ratio of {side}": ratio for side, ratio in ratios.items()},
            **{f"{side}, per second of CPU": rate for side, rate in rates.items()},
        },
    }


def _their_encode(mti: str, fields: dict[str, str], spec: Any) -> object:
    # A copy each time: it writes into what it is given.
    return iso8583.encode({"t": mti, **fields}, spec)


def _rate(step: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        step()
    return times / (time.process_time() - start)
