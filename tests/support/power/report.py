"""What does a ledger come to, as a page shows it?"""

from collections import Counter
from collections.abc import Sequence

import msgspec
from power.kinds import Kind
from power.ledger import Tried

_BEGIN, _END = "<!-- the report begins -->", "<!-- the report ends -->"


class _Sum(msgspec.Struct):
    """What came of one kind: trials and seconds on one code, what did not hold, what was seen."""

    trials: int = 0
    wrong: int = 0
    seconds: float = 0
    saw: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, one: Tried) -> None:
        self.trials += one.count
        self.wrong += len(one.wrong)
        self.seconds += one.seconds
        self.saw.update(one.saw)


def report(lines: Sequence[Tried], kinds: Sequence[Kind]) -> str:
    """Return in Markdown what was done on the code of the last line and before, and what did not hold."""
    if not lines:
        return "Nothing was done yet."
    last = lines[-1]
    now: dict[str, _Sum] = {one.name: _Sum() for one in kinds}
    before: Counter[str] = Counter()
    for one in lines:
        if one.code == last.code:
            now.setdefault(one.kind, _Sum()).add(one)
        else:
            before[one.kind] += one.count
    goals = {one.name: "all" if one.goal is None else f"{one.goal:,}" for one in kinds}
    rows = [
        f"Code {last.code} (commit {last.commit}), until {last.at[:16].replace('T', ' ')} UTC.",
        "",
        "| what was tried | goal | done | did not hold | seconds | seen | on earlier code |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, came in now.items():
        seen = "; ".join(f"{number:,} {what}" for what, number in came.saw.most_common(6))
        rows.append(
            f"| {kind} | {goals.get(kind, '')} | {came.trials:,} | {came.wrong} | {came.seconds:,.0f} "
            f"| {seen} | {before[kind]:,} |"
        )
    wrong = [
        f"- {one.kind}, {one.seed}: {each}" for one in lines if one.code == last.code for each in one.wrong
    ]
    rows += ["", *(wrong or ["On this code nothing acknowledged was lost, doubled or corrupt."])]
    return "\n".join(rows)


def into_page(page: str, report: str) -> str:
    """Return a page with its report in the place of the one before. The page has to have a place for it."""
    before, _, rest = page.partition(_BEGIN)
    _, there, after = rest.partition(_END)
    assert there, f"the page has no {_BEGIN} and {_END}"
    return f"{before}{_BEGIN}\n{report}\n{_END}{after}"
