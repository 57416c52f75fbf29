"""What stands in every channel's profile, and how is it read?

Times are whole milliseconds in the file and leave here as seconds, as `Clocks` has them.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from subsidy.strict.yaml_text import Node
from terminal_agent.checkout.ports import Clocks

WORD = re.compile(r"[A-Z_]{1,32}", re.ASCII)

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_AN_HOUR_MS = 3_600_000


def address(node: Node, *, training: bool, path: str = "") -> str:
    """Return where a channel answers. `path` is what may stand after the host; only then it must.

    Plain http is for an emulator on this host, in training.
    """
    url = node.text()
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
        raise node.wrong("no address", f'Write it as in "https://pay.example{path}"')
    if parts.path.rstrip("/") != path or parts.query or parts.fragment:
        remedy = f"Write scheme, host and {path}, nothing else" if path else "Write scheme and host only"
        raise node.wrong("an address with another path" if path else "an address with a path", remedy)
    if parts.scheme == "http" and not (training and parts.hostname in _LOOPBACK):
        raise node.wrong(
            "an address over plain http", "Use https: only an emulator on this host may do without"
        )
    return url.rstrip("/")


def no_emulator(node: Node, value: str, shape: re.Pattern[str], training: bool) -> str:
    """Return `value`, unless it has the shape of an emulator's and this is no training."""
    if shape.match(value) and not training:
        raise node.wrong(
            f"{value} is an emulator's", "Write the real one, or set `training: true` where no money moves"
        )
    return value


def code(node: Node, shape: re.Pattern[str], what: str) -> str:
    """Return a code of that shape."""
    found = node.code()
    if shape.fullmatch(found) is None:
        raise node.wrong(f"not {what}", "Write it as the merchant platform shows it")
    return found


def short_text(node: Node, most_bytes: int) -> str:
    """Return a text of at most so many bytes."""
    text = node.text()
    if len(text.encode()) > most_bytes:
        raise node.wrong(f"longer than {most_bytes} bytes", "Write less")
    return text


def words(node: Node, shape: re.Pattern[str] = WORD) -> frozenset[str]:
    """Return a list of the channel's codes, each once."""
    found: set[str] = set()
    for member in node.sequence():
        word = member.text()
        if shape.fullmatch(word) is None:
            raise member.wrong("no code", "Write it as the channel does, as in SYSTEM_ERROR")
        if word in found:
            raise member.wrong(f"{word} stands twice", "Keep one of them")
        found.add(word)
    return frozenset(found)


def refused(node: Node, undecided: frozenset[str], shape: re.Pattern[str] = WORD) -> Mapping[str, str]:
    """Return for each code that is a sure no what the cashier reads. None of them is `undecided` too."""
    found: dict[str, str] = {}
    for word, text in node.items():
        if shape.fullmatch(word) is None:
            raise text.wrong("no error code", "Write it as the channel does, as in NOT_ENOUGH")
        if word in undecided:
            raise text.wrong(f"{word} stands under pending too", "Keep one of them")
        found[word] = text.text()
    return found


def read_clocks(node: Node) -> Clocks:
    """Return the waits of a channel."""
    names = [field.removesuffix("_s") for field in Clocks.__struct_fields__]
    keys = node.mapping(required=[f"{name}_ms" for name in names])
    may_be_nothing = ("reverse_not_before",)
    waits = {f"{n}_s": seconds(keys[f"{n}_ms"], least_ms=0 if n in may_be_nothing else 1) for n in names}
    clocks = Clocks(**waits)
    if clocks.answer_cap_s < clocks.answer_wait_s:
        raise keys["answer_cap_ms"].wrong("shorter than answer_wait_ms", "Write at least as much")
    return clocks


def seconds(node: Node, least_ms: int = 1) -> float:
    """Return a time that stands in milliseconds, up to an hour."""
    return node.integer(least_ms, _AN_HOUR_MS) / 1000
