"""Is a card number, track, identity number, phone number, code or key left in this file?

Two questions, asked of every byte of whatever a program leaves behind:

- `Scanner`: is one of these known secrets here, in any form in which programs write a number? Plain or
  grouped, in any letters and encoding, full-width, packed two digits to a byte, in hex, base64,
  percent-encoding or escapes, inside something compressed, and each of these inside another.
- `looks_personal`: is there anything in this text that could be a card, identity or mobile number?

What a hit says never holds the secret itself.
"""

import base64
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pysqlite3.dbapi2 as sqlite

_MOST_LAYERS = 4
_MOST_INFLATED = 32 << 20
_NEAR = 256
# What may stand between the digits of a number; without NUL, UTF-16 is ASCII.
_BETWEEN = b"\0\t\n\r -_.,:/|'\"\\"
_APART = b"\xff\xfe\xff"  # between pieces, so that nothing is found that was never together
_DATABASE = b"SQLite format 3\0"

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_LINE_END_IN_BASE64 = re.compile(rb"(?<=[A-Za-z0-9+/]{40})\r?\n(?=[A-Za-z0-9+/])")
_HEX = re.compile(rb"[0-9A-Fa-f]{12,}")
_SPACED_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}[ :,-]){5,}[0-9A-Fa-f]{2}")
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_ESCAPED = re.compile(rb"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|\\([abfnrtv0/'\"\\])")
_ESCAPES = dict(zip(b"abfnrtv0/'\"\\", b"\a\b\f\n\r\t\v\0/'\"\\", strict=True))
_READ_AS_LATIN = re.compile(rb"([\xc2\xc3])([\x80-\xbf])")
# gzip, zlib with its usual window, and with the small one of a black box.
_COMPRESSED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|\x48[\x0d\x4b\x89\xc7]")
# Full-width letters and digits, and what turns their bytes into ASCII. First what stands in every run of them
# and is soon looked for.
_FULL_WIDTH = (
    (
        re.compile(rb"\xef[\xbc\xbd]"),
        re.compile(rb"(?:\xef\xbc[\x81-\xbf]|\xef\xbd[\x80-\x9e]){8,}"),
        "utf-8",
    ),
    (re.compile(rb"\xa3[\xa1-\xfe]\xa3"), re.compile(rb"(?:\xa3[\xa1-\xfe]){8,}"), "gbk"),
    (re.compile(rb"\xff[\x01-\x5e]\xff"), re.compile(rb"(?:[\x01-\x5e]\xff){8,}"), "utf-16-le"),
    (re.compile(rb"\xff[\x01-\x5e]\xff"), re.compile(rb"(?:\xff[\x01-\x5e]){8,}"), "utf-16-be"),
)
_NARROW = {c + 0xFEE0: chr(c) for c in range(0x21, 0x7F)}


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that must not be left. `name` is what a hit calls it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret that was left: where, which, and in which form, innermost first."""

    where: str
    name: str
    form: str


class Scanner:
    """Looks for known secrets."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._plain: dict[bytes, str] = {}
        self._packed: dict[bytes, str] = {}
        for secret in secrets:
            bare = secret.text.lower().encode().translate(None, _BETWEEN)
            assert len(bare) >= 7, f"{secret.name} is too short to be looked for"
            self._plain[bare] = secret.name
            self._packed.update(dict.fromkeys(_packed(secret.text), secret.name))

    def scan(self, content: bytes, where: str) -> list[Hit]:
        """Return what of the secrets is in `content`, each secret and form once."""
        found = {
            Hit(where, name, " in ".join([form, *reversed(layers)]))
            for layers, part in _layers(content, (), set())
            for name, form in self._in_part(part)
        }
        return sorted(found, key=lambda hit: (hit.name, hit.form))

    def scan_file(self, path: Path) -> list[Hit]:
        """Return what is in a file, in its bytes and its name.

        The bytes of a database hold its free pages too; its rows are looked at besides, since a long
        value is cut into pages.
        """
        content = path.read_bytes()
        found = self.scan(content, path.name) + self.scan(path.name.encode(), f"the name {path.name}")
        if content.startswith(_DATABASE):
            found += self.scan(_rows(path), f"rows of {path.name}")
        return found

    def scan_folder(self, folder: Path, leave_out: Sequence[Path] = ()) -> list[Hit]:
        """Return what is in any file of a folder and its folders, but for the files in `leave_out`."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in leave_out]
        return [hit for path in files for hit in self.scan_file(path)]

    def _in_part(self, part: bytes) -> Iterator[tuple[str, str]]:
        bare = part.lower().translate(None, _BETWEEN)
        for needle, name in self._plain.items():
            if needle in bare:
                yield name, "clear"
        for needle, name in self._packed.items():
            if needle in part:
                yield name, "packed"


def _packed(text: str) -> list[bytes]:
    """Return the bytes of a number two digits to a byte, or of a key in hex.

    The number may begin at either half of a byte; whatever the padding is (0 or F, before or behind), the
    whole bytes between stay the same. A track's separator is D, an identity number's X is A.
    """
    digits = text.upper().replace(" ", "").replace("=", "D").replace("X", "A")
    if re.fullmatch("[0-9AD]{9,}|[0-9A-F]{32,}", digits) is None:
        return []
    return [bytes.fromhex(run[: len(run) // 2 * 2]) for run in (digits, digits[1:])]


def _layers(
    content: bytes, above: tuple[str, ...], seen: set[bytes]
) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Yield `content`, and everything that is wrapped in it, with what it was wrapped in."""
    if content in seen:
        return
    seen.add(content)
    yield above, content
    if len(above) < _MOST_LAYERS:
        for name, unwrap in _WRAPPINGS.items():
            inner = _APART.join(unwrap(content))
            if inner:
                yield from _layers(inner, (*above, name), seen)


def _of_base64(content: bytes) -> Iterator[bytes]:
    for text in {content, _LINE_END_IN_BASE64.sub(b"", content)}:
        for run in _BASE64.finditer(text):
            usual = run[0].translate(bytes.maketrans(b"-_", b"+/"))
            for start in range(4):  # letters of something else may stand right before it
                aligned = usual[start:]
                whole = aligned[:-1] if len(aligned) % 4 == 1 else aligned
                yield base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _of_hex(content: bytes) -> Iterator[bytes]:
    runs = [run[0] for run in _HEX.finditer(content)]
    runs += [re.sub(rb"[ :,-]", b"", run[0]) for run in _SPACED_HEX.finditer(content)]
    for run in runs:
        for start in (0, 1):
            yield bytes.fromhex(run[start : start + (len(run) - start) // 2 * 2].decode())


def _of_percent(content: bytes) -> Iterator[bytes]:
    for part in _near(content, _PERCENT):
        yield unquote_to_bytes(part)
        yield unquote_to_bytes(part.replace(b"+", b" "))


def _of_escapes(content: bytes) -> Iterator[bytes]:
    for part in _near(content, _ESCAPED):
        yield _ESCAPED.sub(_unescaped, part)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return chr(int(found[1], 16)).encode("utf-8", "surrogatepass")
    return bytes.fromhex(found[2].decode()) if found[2] is not None else bytes((_ESCAPES[found[3][0]],))


def _of_latin(content: bytes) -> Iterator[bytes]:
    """Yield bytes that were taken for Latin-1 text and written as UTF-8."""
    for part in _near(content, _READ_AS_LATIN):
        yield _READ_AS_LATIN.sub(lambda found: bytes((found[2][0] + (found[1] == b"\xc3") * 0x40,)), part)


def _of_full_width(content: bytes) -> Iterator[bytes]:
    for part, shape, encoding in _FULL_WIDTH:
        for run in shape.finditer(content) if part.search(content) else ():
            yield run[0].decode(encoding, "replace").translate(_NARROW).encode()


def _of_compression(content: bytes) -> Iterator[bytes]:
    whole = memoryview(content)
    for start in _COMPRESSED.finditer(content):
        yield _inflated(whole[start.start() :])


def _inflated(content: memoryview) -> bytes:
    """Return what a stream holds, as far as it can be read; nothing when it is none."""
    inflating = zlib.decompressobj(wbits=47)  # zlib or gzip, by its head
    found = bytearray()
    try:
        for start in range(0, len(content), 4096):
            found += inflating.decompress(content[start : start + 4096], _MOST_INFLATED)
            if inflating.eof or len(found) >= _MOST_INFLATED:
                break
    except zlib.error:
        pass  # cut off or overwritten: what came before is still readable
    return bytes(found)


_WRAPPINGS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "base64": _of_base64,
    "hex": _of_hex,
    "percent-encoding": _of_percent,
    "escapes": _of_escapes,
    "bytes read as Latin-1": _of_latin,
    "full-width letters": _of_full_width,
    "compression": _of_compression,
}


def _near(content: bytes, shape: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield what stands around the matches of `shape`, what is close together in one piece."""
    start, end = 0, -1
    for match in shape.finditer(content):
        if end < match.start() - _NEAR:
            if end > 0:
                yield content[start:end]
            start = max(match.start() - _NEAR, 0)
        end = match.end() + _NEAR
    if end > 0:
        yield content[start:end]


def _rows(path: Path) -> bytes:
    """Return every value of every row of a database, from a copy, its log included."""
    found: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        for part in (path, path.with_name(path.name + "-wal")):
            if part.exists():
                shutil.copy(part, folder)
        database = sqlite.connect(Path(folder) / path.name)
        try:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                for row in database.execute(f'SELECT * FROM "{table}"'):
                    found += [value if isinstance(value, bytes) else str(value).encode() for value in row]
        finally:
            database.close()
    return _APART.join(found)


# What looks personal, whoever's it is.

_EDGE = r"(?<![0-9A-Za-z*])", r"(?![0-9A-Za-z*])"
_CARD = re.compile(_EDGE[0] + r"(?:[0-9]{14,19}|[0-9]{4}(?:[ -][0-9]{4}){2,3}(?:[ -][0-9]{1,4})?)" + _EDGE[1])
_IDENTITY = re.compile(_EDGE[0] + r"[1-9][0-9]{16}[0-9Xx]" + _EDGE[1])
_MOBILE = re.compile(
    r"(?<![0-9A-Za-z*.])(?:\+?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}(?![0-9A-Za-z*]|[.][0-9])"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643


def looks_personal(text: str, own: Iterable[str] = ()) -> list[str]:
    """Return what in `text` could be a person's number, as "kind at line N".

    Args:
        text: a log, a report, an answer. Masked numbers and record ids are no finding.
        own: numbers of ours that look so and are not, such as a merchant's number.
    """
    text = _UUID.sub("record id", text)
    for number in own:
        text = re.sub(f"{_EDGE[0]}{re.escape(number)}{_EDGE[1]}", "our own", text)
    found = []
    for kind, shape, is_one in (
        ("card number", _CARD, passes_luhn),
        ("identity number", _IDENTITY, is_identity_no),
        ("mobile number", _MOBILE, lambda _number: True),
    ):
        for match in shape.finditer(text):
            if is_one(re.sub("[ -]", "", match[0])):
                found.append(f"{kind} at line {text.count(chr(10), 0, match.start()) + 1}")
    return found


def passes_luhn(digits: str) -> bool:
    """Whether the last of `digits` is the check digit of a card number (ISO/IEC 7812)."""
    doubled = [int(one) * (2 if place % 2 else 1) for place, one in enumerate(reversed(digits))]
    return sum(one // 10 + one % 10 for one in doubled) % 10 == 0


def is_identity_no(text: str) -> bool:
    """Whether `text` has a birth date and the right check character (GB 11643)."""
    if not ("1900" <= text[6:10] <= "2099" and "01" <= text[10:12] <= "12" and "01" <= text[12:14] <= "31"):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == text[17].upper()
