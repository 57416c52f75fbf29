"""What can be made to go wrong at an emulator, and what is set to go wrong next?

A fault is armed for the next transactions of its kind. Several may be armed at once; one transaction is
struck by all that fit it. `KNOWN` are the terminal's; WeChat Pay's stand in `wechat_faults.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Value = int | str | bool
Options = Mapping[str, Value]

_MOST_TIMES = 1000
_MOST_MS = 600_000
POINTS = ("frame_received", "after_ack", "after_approval", "after_answer")


class FaultRefused(Exception):
    """What was asked for is no fault we know. Says what is known."""


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number. `default` None: it must be given."""

    default: int | None
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Word:
    """A text: one of `choices`, or of `shape` when there are none, which `described` says in words."""

    default: str | None
    choices: tuple[str, ...] = ()
    shape: str = "[0-9A-Za-z]{2}"
    described: str = "two letters or digits"


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    default: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """One fault: what it does, to which transactions unless told, with which options."""

    does: str
    on: str = "any"
    options: Mapping[str, Number | Word | Flag] = field(default_factory=dict)


QUESTIONS = ("query",)
TARGETS = ("any", "sale", "void", "refund", *QUESTIONS)

KNOWN: Mapping[str, Kind] = {
    "declined": Kind("says no with `code`, charges nothing", options={"code": Word("51")}),
    "no_ack": Kind(
        "does not ACK the first `frames` frames; with `charged` it works on it all the same",
        options={"frames": Number(3, 1, 10), "charged": Flag(False)},
    ),
    "nak": Kind("NAKs the request `n` times", options={"n": Number(1, 1, 10)}),
    "bad_lrc": Kind("sends the answer `n` times with a wrong check", options={"n": Number(3, 1, 10)}),
    "lost_request": Kind("ACKs, then nothing: not charged, no trace used"),
    "lost_answer": Kind("charges and never answers"),
    "late_answer": Kind("charges and answers after `ms`", options={"ms": Number(None, 1, _MOST_MS)}),
    "doubled_answer": Kind("sends the answer twice"),
    "crossed_answer": Kind(
        "sends the previous transaction's answer first, then its own only with `then_right`",
        options={"then_right": Flag(True)},
    ),
    "wrong_amount": Kind(
        "approves and books `fen` instead of what was asked",
        on="sale",
        options={"fen": Number(None, 1, 10**12 - 1)},
    ),
    "partial": Kind("approves half, with code 10", on="sale"),
    "wrong_terminal": Kind("answers under another terminal number"),
    "wrong_nonce": Kind("answers with another nonce"),
    "unclear_code": Kind(
        "answers with `code`; the money moved only with `charged`",
        options={"charged": Flag(True), "code": Word("68")},
    ),
    "clear_card": Kind(
        "puts a clear (made-up) card, track, phone and identity number where none belong",
        options={"form": Word("text", ("text", "bcd", "hex"))},
    ),
    "noise": Kind("sends garbage after its ACK and before its answer, with a stray 02 in it"),
    "split": Kind(
        "sends the answer byte by byte, `pause_ms` apart", options={"pause_ms": Number(2, 1, 10_000)}
    ),
    "progress": Kind(
        "reports progress `n` times, `every_ms` apart, before it answers",
        options={"n": Number(3, 1, 1000), "every_ms": Number(1000, 1, _MOST_MS)},
    ),
    "silent_query": Kind("ACKs a last-transaction query and does not answer it", on="query"),
    "void_declined": Kind("refuses a void with `code`", on="void", options={"code": Word("05")}),
    "unplug_after_ack": Kind(
        "pulls its cable for `ms` after the ACK", options={"ms": Number(500, 1, _MOST_MS)}
    ),
    "kill": Kind(
        "sends SIGKILL to process `pid` at `point`, then goes on; at frame_received it drops the request",
        on="sale",
        options={"point": Word(None, POINTS), "pid": Number(None, 2, 2**31 - 1)},
    ),
}


class Struck:
    """The faults that one transaction is struck by."""

    def __init__(self, options: Mapping[str, Options]) -> None:
        self._options = options

    def __contains__(self, name: str) -> bool:
        return name in self._options

    @property
    def names(self) -> frozenset[str]:
        """What they are called."""
        return frozenset(self._options)

    def number(self, name: str, option: str) -> int:
        """Return a number option of fault `name`, 0 when that fault does not strike."""
        return int(self._options[name][option]) if name in self._options else 0

    def word(self, name: str, option: str) -> str:
        """Return a word option of fault `name`, empty when that fault does not strike."""
        return str(self._options[name][option]) if name in self._options else ""

    def flag(self, name: str, option: str) -> bool:
        """Return a yes or no option of fault `name`, no when that fault does not strike."""
        return name in self._options and self._options[name][option] is True


@dataclass(slots=True)
class _Armed:
    name: str
    times: int
    on: str
    options: Options


class Faults:
    """The faults that are armed. "any" is every target but the `questions`, which move no money."""

    def __init__(
        self,
        known: Mapping[str, Kind] = KNOWN,
        targets: tuple[str, ...] = TARGETS,
        questions: tuple[str, ...] = QUESTIONS,
    ) -> None:
        self._known = known
        self._targets = targets
        self._questions = questions
        self._armed: list[_Armed] = []

    def arm(self, wish: Mapping[str, object]) -> None:
        """Arm what `wish` asks for: `fault`, `times`, `on` and the fault's own options. Or FaultRefused."""
        name = wish.get("fault")
        if not isinstance(name, str) or name not in self._known:
            raise FaultRefused("`fault` must be one of the known ones")
        kind = self._known[name]
        for key in wish:
            if key not in ("fault", "times", "on", *kind.options):
                known = ", ".join(("times", "on", *kind.options))
                raise FaultRefused(f"{name} has no field {key[:40]!r}. Known: {known}")
        times = _checked(name, "times", Number(1, 1, _MOST_TIMES), wish)
        on = _checked(name, "on", Word(kind.on, self._targets), wish)
        options = {key: _checked(name, key, form, wish) for key, form in kind.options.items()}
        self._armed.append(_Armed(name, int(times), str(on), options))

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._armed.clear()

    def show(self) -> list[dict[str, Value]]:
        """Return what is armed, as it would be asked for."""
        return [{"fault": a.name, "times": a.times, "on": a.on, **a.options} for a in self._armed]

    def strike(self, target: str) -> Struck:
        """Return what strikes the transaction that now begins, which is one of the targets."""
        struck: dict[str, Options] = {}
        for armed in self._armed:
            fits = armed.on == target or (armed.on == "any" and target not in self._questions)
            if fits and armed.name not in struck:
                struck[armed.name] = armed.options
                armed.times -= 1
        self._armed = [armed for armed in self._armed if armed.times > 0]
        return Struck(struck)


def read_wish(text: str, known: Mapping[str, Kind] = KNOWN) -> dict[str, Value]:
    """Return the wish that a command line wrote as NAME or NAME:key=value,key=value."""
    name, _, rest = text.partition(":")
    wish: dict[str, Value] = {"fault": name}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        form = known[name].options.get(key) if name in known else None
        if value in ("true", "false"):
            wish[key] = value == "true"
        elif value.isdecimal() and value.isascii() and not isinstance(form, Word):
            wish[key] = int(value)
        else:
            wish[key] = value
    return wish


def _checked(name: str, key: str, form: Number | Word | Flag, wish: Mapping[str, object]) -> Value:
    if key not in wish:
        if form.default is None:
            raise FaultRefused(f"{name} needs {key}")
        return form.default
    value = wish[key]
    if isinstance(form, Number):
        if type(value) is not int or not form.least <= value <= form.most:
            raise FaultRefused(f"{name}: {key} must be a whole number from {form.least} to {form.most}")
        return value
    if isinstance(form, Flag):
        if type(value) is not bool:
            raise FaultRefused(f"{name}: {key} must be true or false")
        return value
    if not isinstance(value, str):
        raise FaultRefused(f"{name}: {key} must be a text")
    if form.choices and value not in form.choices:
        raise FaultRefused(f"{name}: {key} must be one of {', '.join(form.choices)}")
    if not form.choices and not re.fullmatch(form.shape, value, re.ASCII):
        raise FaultRefused(f"{name}: {key} must be {form.described}")
    return value
