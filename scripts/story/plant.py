"""Which differences are planted into a night's finished files?

    python -m story.plant FOLDER       edits the files in FOLDER and writes FOLDER/planted.json

Knows the two layouts and nothing else: no book, no database, no code of ours. It edits lines that stand in
the files, mends the totals below them, and notes each change as (kind, pay_ref, fen): what the night has to
find, no more and no less. `fen` is the money of the line, for another amount the difference.
"""

import base64
import json
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

Planted = tuple[str, str, int]
"""(kind, pay_ref, fen)."""


@dataclass(slots=True)
class File:
    """A file taken apart: its rows as cells, and how they are put together again with true totals."""

    path: Path
    rows: list[list[str]]
    join: Callable[[list[list[str]]], bytes]
    columns: dict[str, int]

    def write(self) -> None:
        """Put the edited file where it was."""
        self.path.write_bytes(self.join(self.rows))

    def cell(self, row: list[str], name: str) -> str:
        """Return a cell by its column's name."""
        return row[self.columns[name]]

    def plain(self, kind_column: str, kind: str, ref_column: str) -> list[list[str]]:
        """Return the rows of `kind` whose order stands in this file only once."""
        lines = Counter(self.cell(row, ref_column) for row in self.rows)
        return [
            row
            for row in self.rows
            if self.cell(row, kind_column) == kind and lines[self.cell(row, ref_column)] == 1
        ]


def plant(folder: Path) -> list[Planted]:
    """Edit the files of a day in `folder` and return what was planted, each of another sale."""
    acquirer = _read_acquirer(max(folder.glob("acquirer-*.csv"), key=lambda path: path.stat().st_size))
    wechat = _read_wechat(next(folder.glob("wechat-*.csv")))
    planted = [*_into_acquirer(acquirer), *_into_wechat(wechat)]
    acquirer.write()
    wechat.write()
    (folder / "planted.json").write_text(json.dumps(planted, indent=1) + "\n")
    return planted


# The acquirer's plain CSV.


def _into_acquirer(file: File) -> list[Planted]:
    at = file.columns
    missing, amount, foreign, dated, refunded, *_ = file.plain("kind", "sale", "pay_ref")

    def note(kind: str, row: list[str]) -> Planted:
        return kind, row[at["pay_ref"]], int(row[at["fen"]])

    planted = [
        note("missing_in_file", missing),
        note("foreign_merchant", foreign),
        note("date", dated),
        note("refund_without_return", refunded),
        ("amount", amount[at["pay_ref"]], 100),
    ]
    file.rows.remove(missing)
    amount[at["fen"]] = str(int(amount[at["fen"]]) + 100)
    foreign[at["mid"]] = "9" * len(foreign[at["mid"]])
    dated[at["settle_date"]] = "2025-12-31"
    refund = [*refunded]
    refund[at["kind"]], refund[at["trace"]] = "refund", "999001"
    stranger = [*refunded]
    stranger[at["pay_ref"]], stranger[at["trace"]] = _nobodys_pay_ref(), "999002"
    file.rows += [refund, stranger]
    return [*planted, note("missing_in_record", stranger)]


def _read_acquirer(path: Path) -> File:
    header, *rows, _ = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    columns = {name: place for place, name in enumerate(header)}

    def join(rows: list[list[str]]) -> bytes:
        totals: list[int] = [len(rows)]
        for kind in ("sale", "void", "refund"):
            fens = [int(row[columns["fen"]]) for row in rows if row[columns["kind"]] == kind]
            totals += (len(fens), sum(fens))
        lines = [header, *rows, ["total", *map(str, totals)]]
        return "".join(",".join(line) + "\n" for line in lines).encode()

    return File(path, rows, join, columns)


# WeChat Pay's bill, layout ALL: a backtick before each value, a summary of two lines at the end.

_SUMMED = ("应结订单金额", "退款金额", "充值券退款金额", "手续费", "订单金额", "申请退款金额")


def _into_wechat(file: File) -> list[Planted]:
    at = file.columns
    missing, doubled, dated, refunded, *_ = file.plain("交易状态", "SUCCESS", "商户订单号")
    returned = next(row for row in file.rows if file.cell(row, "交易状态") == "REFUND")

    def note(kind: str, row: list[str], column: str = "订单金额") -> Planted:
        return kind, row[at["商户订单号"]], _fen(row[at[column]])

    planted = [
        note("missing_in_file", missing),
        note("doubled", doubled),
        note("date", dated),
        note("refund_without_return", refunded),
        note("return_without_refund", returned, "退款金额"),
    ]
    file.rows.remove(missing)
    file.rows.remove(returned)
    dated[at["交易时间"]] = "2025-12-31" + dated[at["交易时间"]][10:]
    refund = [*refunded]
    for name in ("退款金额", "申请退款金额"):
        refund[at[name]] = refunded[at["订单金额"]]
    for name in ("应结订单金额", "订单金额"):
        refund[at[name]] = "0.00"
    refund[at["手续费"]] = f"-{refunded[at['手续费']]}"
    refund[at["交易状态"]], refund[at["退款状态"]], refund[at["退款类型"]] = "REFUND", "SUCCESS", "ORIGINAL"
    refund[at["微信退款单号"]] = "50300000000000000000000000001"
    refund[at["商户退款单号"]] = "REFUND-BY-HAND-1"
    file.rows += [[*doubled], refund]
    return planted


def _read_wechat(path: Path) -> File:
    text = path.read_bytes().decode("utf-8-sig")
    header, *details, summary_header, _ = text.splitlines()
    columns = {name: place for place, name in enumerate(header.split(","))}
    rows = [line.removeprefix("`").split(",`") for line in details]

    def join(rows: list[list[str]]) -> bytes:
        sums = {name: sum(Decimal(row[columns[name]]) for row in rows) for name in _SUMMED}
        summary = [
            str(len(rows)),
            *(f"{sums[name]:.5f}" if name == "手续费" else f"{sums[name]:.2f}" for name in _SUMMED),
        ]
        lines = [header, *(_ticked(row) for row in rows), summary_header, _ticked(summary)]
        return ("\ufeff" + "".join(f"{line}\r\n" for line in lines)).encode()

    return File(path, rows, join, columns)


def _ticked(cells: list[str]) -> str:
    return ",".join(f"`{cell}" for cell in cells)


def _fen(yuan: str) -> int:
    whole, _, cents = yuan.partition(".")
    return int(whole) * 100 + int(cents)


def _nobodys_pay_ref() -> str:
    """Return an order number in our shape, of a sale that never was."""
    made = uuid.UUID("01900000-0000-7000-8000-000000000001")
    return base64.b32encode(made.bytes).decode().rstrip("=") + "01"


if __name__ == "__main__":
    for one in plant(Path(sys.argv[1])):
        print(*one)
