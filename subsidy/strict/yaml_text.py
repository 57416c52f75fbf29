"""What does this YAML file say, taken at its word?

A file is read as a tree of nodes that remember their line. Nothing is guessed: whoever reads a
value says what it must be (a code, yuan, a day), and anything else is refused with file, line
and remedy. Repeated keys, unknown keys, aliases, tags and a second document are refused.
"""

import datetime
import re
from collections.abc import Iterable
from typing import Any

import yaml

from subsidy.money import Fen, fen_from_yuan
from subsidy.strict.digits import read_count

MOST_CHARACTERS = 4 << 20
MOST_DEPTH = 32

_QUICK: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reads with libyaml where PyYAML was built with it, as its wheels are, in a fraction of the time."""
_READ_OTHERWISE = re.compile("[\t?\ufeff]|[|>][-+0-9]*#")
"""What libyaml and PyYAML's own parser do not read alike."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# What YAML 1.1 would turn into something other than the text that stands there.
_GUESSED = re.compile(
    r"~|null|true|false|yes|no|on|off|[-+.]?[0-9][0-9_.,:eExXoOa-fA-F+-]*|\.(nan|inf)",
    re.ASCII | re.IGNORECASE,
)


class FileError(Exception):
    """A data or configuration file says something we cannot take.

    Says where (file, line, path), what was found, and what to do.
    """

    def __init__(self, file: str, line: int, where: str, problem: str, remedy: str) -> None:
        place = f"{file}, line {line}" + (f", {where}" if where else "")
        super().__init__(f"{place}: {problem}. {remedy}")
        self.file = file
        self.line = line
        self.where = where
        self.problem = problem
        self.remedy = remedy


class Node:
    """One value of a YAML file, with its place."""

    def __init__(self, node: yaml.Node, file: str, where: str) -> None:
        self._node = node
        self._file = file
        self.where = where

    @property
    def line(self) -> int:
        """The line in the file, from 1."""
        return _line(self._node.start_mark)

    def wrong(self, problem: str, remedy: str) -> FileError:
        """Return the error to raise about this value."""
        return FileError(self._file, self.line, self.where, problem, remedy)

    def items(self) -> list[tuple[str, "Node"]]:
        """Return the entries of a mapping whose keys are the file's own, in file order."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.wrong("not a list of `key: value`", "Write `key: value` lines here")
        found: dict[str, Node] = {}
        for key_node, value in self._node.value:
            key_place = Node(key_node, self._file, self.where)
            if not isinstance(key_node, yaml.ScalarNode):
                raise key_place.wrong("a key that is not text", "Write plain keys")
            key = key_node.value
            if not key_node.style and _GUESSED.fullmatch(key):
                raise key_place.wrong(f"the key {key} is not quoted", f'Write it in quotes, as in "{key}"')
            if key in found:
                raise key_place.wrong(f"the key {key} stands twice", "Keep one of them")
            found[key] = Node(value, self._file, f"{self.where}.{key}" if self.where else key)
        return list(found.items())

    def mapping(self, required: Iterable[str] = (), optional: Iterable[str] = ()) -> dict[str, "Node"]:
        """Return the entries of a mapping that must have `required` and may have `optional` keys."""
        found = dict(self.items())
        must = list(required)
        may = {*must, *optional}
        for key, node in found.items():
            if key not in may:
                raise node.wrong(f"unknown key {key}", f"Known here: {', '.join(sorted(may))}")
        for key in must:
            if key not in found:
                raise self.wrong(f"{key} is missing", f"Add `{key}:`")
        return found

    def sequence(self) -> list["Node"]:
        """Return the members of a list."""
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.wrong("not a list", "Write `- value` lines here")
        return [Node(one, self._file, f"{self.where}[{i}]") for i, one in enumerate(self._node.value)]

    def text(self) -> str:
        """Return text; words that YAML would take for something else must be quoted."""
        value, quoted = self._scalar()
        if not value.strip():
            raise self.wrong("empty", "Write the text")
        if not quoted and _GUESSED.fullmatch(value):
            raise self.wrong(f"{value} is not quoted", f'Write it in quotes, as in "{value}"')
        return value

    def code(self) -> str:
        """Return a code such as "321202", which must be quoted."""
        value, quoted = self._scalar()
        if not quoted:
            raise self.wrong(f"{value} is not quoted", f'Write codes in quotes, as in "{value}"')
        if not value.strip():
            raise self.wrong("empty", "Write the code")
        if value != value.strip():
            raise self.wrong("a code with a space or line end around it", "Write the code alone")
        return value

    def yuan(self) -> Fen:
        """Return the fen of a quoted yuan amount such as "2000.00"."""
        value, quoted = self._scalar()
        remedy = 'Write yuan in quotes with two decimals, as in "2000.00"'
        if not quoted:
            raise self.wrong(f"{value} is not quoted", remedy)
        try:
            return fen_from_yuan(value)
        except ValueError as wrong:
            raise self.wrong(str(wrong), remedy) from None

    def integer(self, least: int, most: int) -> int:
        """Return a whole number from `least` to `most`, written without quotes."""
        value, quoted = self._scalar()
        remedy = f"Write a whole number from {least} to {most}"
        if quoted:
            raise self.wrong("a number in quotes", remedy)
        try:
            number = read_count(value, most)
        except ValueError as wrong:
            raise self.wrong(str(wrong), remedy) from None
        if number < least:
            raise self.wrong(f"{number} is below {least}", remedy)
        return number

    def day(self) -> datetime.date:
        """Return a day written as 2026-01-31."""
        value, _ = self._scalar()
        try:
            if _DAY.fullmatch(value) is None:
                raise ValueError
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise self.wrong(f"{value[:40]!r} is not a day", "Write a day as 2026-01-31") from None

    def flag(self) -> bool:
        """Return true or false; YAML's `yes` and `on` are refused."""
        value, quoted = self._scalar()
        if quoted or value not in ("true", "false"):
            raise self.wrong(f"{value[:40]!r} is neither true nor false", "Write true or false, unquoted")
        return value == "true"

    def choice(self, options: Iterable[str]) -> str:
        """Return one of `options`."""
        value = self.text()
        known = list(options)
        if value not in known:
            raise self.wrong(f"{value!r} is not known here", f"Write one of: {', '.join(known)}")
        return value

    def plain(self) -> Any:
        """Return the value as dict, list, text, int or bool, for a settings model to check.

        Only what cannot be misread is converted: true, false, and whole numbers without leading
        zeros. Everything else that YAML would guess at must be quoted.
        """
        if isinstance(self._node, yaml.MappingNode):
            return {key: node.plain() for key, node in self.items()}
        if isinstance(self._node, yaml.SequenceNode):
            return [node.plain() for node in self.sequence()]
        value, quoted = self._scalar()
        if not quoted and value in ("true", "false"):
            return value == "true"
        if not quoted and re.fullmatch(r"0|[1-9][0-9]{0,17}", value, re.ASCII):
            return int(value)
        return self.text()

    def _scalar(self) -> tuple[str, bool]:
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.wrong("not a single value", "Write one value here")
        # What is not quoted has no style with one parser and an empty one with the other.
        return str(self._node.value), bool(self._node.style)


def read(text: str, file: str) -> Node:
    """Read the one document of `text`. `file` is the name that errors show."""
    if len(text) > MOST_CHARACTERS:
        raise FileError(file, 1, "", f"longer than {MOST_CHARACTERS} characters", "Split the file")
    try:
        root = _compose(text, file)
    except yaml.MarkedYAMLError as wrong:
        line = _line(wrong.problem_mark)
        raise FileError(file, line, "", f"not YAML: {wrong.problem}", "Correct the line") from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # The last two: "\UFFFFFFFF" and %YAML with thousands of digits, which PyYAML lets through.
        raise FileError(file, 1, "", "not YAML: a forbidden character", "Correct the file") from None
    if root is None:
        raise FileError(file, 1, "", "empty", "Write the file")
    return Node(root, file, "")


def _compose(text: str, file: str) -> yaml.Node | None:
    if _READ_OTHERWISE.search(text) is None:
        try:
            return _compose_with(_QUICK, text, file)
        except (FileError, yaml.YAMLError, ValueError, OverflowError):
            # What is wrong is said in the same words on every machine.
            pass
    return _compose_with(yaml.SafeLoader, text, file)


def _compose_with(loader: Any, text: str, file: str) -> yaml.Node | None:
    _refuse_references(loader, text, file)
    root: yaml.Node | None = yaml.compose(text, Loader=loader)
    return root


def _refuse_references(loader: Any, text: str, file: str) -> None:
    """Refuse aliases, tags and unprintable text before anything is expanded, and nesting beyond 32."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        line = _line(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise FileError(file, line, "", "an alias or anchor", "Write the value out")
        if getattr(event, "tag", None):
            raise FileError(file, line, "", "a tag", "Write the value without a tag")
        if isinstance(event, yaml.ScalarEvent) and _UNPRINTABLE.search(event.value):
            raise FileError(file, line, "", "a control character or half a pair", "Write plain text")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MOST_DEPTH:
                raise FileError(file, line, "", f"nested deeper than {MOST_DEPTH}", "Write it flatter")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark is not None else 1
