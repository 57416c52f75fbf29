"""What does a ledger come to, as a page shows it?"""

from collections import Counter
from collections.abc import Sequence

import msgspec
from power.kinds import Kind
from power.ledger import BROKEN_OFF, Tried

_BEGIN, _END = "<!-- the report begins -->", "<!-- the report ends -->"


class _Sum(msgspec.Struct):
    """What came of one kind on the code of its last line, and how many trials there were on earlier code."""

    trials: int = 0
    seconds: float = 0
    processor_s: float = 0
    saw: Counter[str] = msgspec.field(default_factory=Counter)
    wrong: list[str] = []
    on: str = ""
    before: int = 0


def report(lines: Sequence[Tried], kinds: Sequence[Kind]) -> str:
    """Return in Markdown what was done of each kind, when and on which code, and what did not hold."""
    if not lines:
        return "Nothing was done yet."
    names = dict.fromkeys([*(one.name for one in kinds), *(one.kind for one in lines)])
    goals = {one.name: "all" if one.goal is None else f"{one.goal:,}" for one in kinds}
    rows = [
        "| what was tried | goal | done | did not hold | seconds | of processor | seen | on which code "
        "| on earlier code |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    sums = {name: _sum([one for one in lines if one.kind == name]) for name in names}
    for name, came in sums.items():
        seen = "; ".join(f"{number:,} {what}" for what, number in came.saw.most_common(6))
        rows.append(
            f"| {name} | {goals.get(name, '')} | {came.trials:,} | {len(came.wrong)} | {came.seconds:,.0f} "
            f"| {came.processor_s:,.0f} | {seen} | {came.on} | {came.before:,} |"
        )
    wrong = [f"- {name}, {each}" for name, came in sums.items() for each in came.wrong]
    rows += ["", *(wrong or ["On this code nothing acknowledged was lost, doubled or corrupt."])]
    return "\n".join(rows)


def _sum(lines: Sequence[Tried]) -> _Sum:
    """Add up the lines of one kind."""
    if not lines:
        return _Sum()
    last = lines[-1]
    now = [one for one in lines if one.code == last.code]
    came = _Sum(before=sum(one.count for one in lines if one.code != last.code))
    done_in_the_end = {one.seed for one in now if one.point != BROKEN_OFF}
    for one in now:
        came.trials += one.count
        came.seconds += one.seconds
        came.processor_s += one.processor_s
        came.saw.update(one.saw)
        if one.point != BROKEN_OFF or one.seed not in done_in_the_end:
            came.wrong += [f"{one.seed}: {each}" for each in one.wrong]
    came.on = f"{last.code} ({last.commit}), {_minute(now[0].at)} to {_minute(last.at)} UTC"
    return came


def _minute(at: str) -> str:
    return at[:16].replace("T", " ")


def into_page(page: str, report: str) -> str:
    """Return a page with its report in the place of the one before. The page has to have a place for it."""
    before, _, rest = page.partition(_BEGIN)
    _, there, after = rest.partition(_END)
    assert there, f"the page has no {_BEGIN} and {_END}"
    return f"{before}{_BEGIN}\n{report}\n{_END}{after}"
