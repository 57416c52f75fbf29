"""What is planted into a night's files: whole files with true totals, and exactly what is noted."""

import ast
import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from story import plant

from terminal_agent.emulators.acquirer_file import settlement_file
from terminal_agent.emulators.books import Line
from terminal_agent.emulators.wechat_bill import trade_bill
from terminal_agent.emulators.wechat_books import Line as WechatLine

DAY = "2026-03-01"
KINDS = {
    "missing_in_record",
    "missing_in_file",
    "doubled",
    "amount",
    "date",
    "foreign_merchant",
    "refund_without_return",
    "return_without_refund",
}


def pay_ref(number):
    return f"AGRAN6W33N5VDIR54QQPTDTP{chr(65 + number)}E01"


def acquirer_line(no, kind, number, orig=""):
    return Line(
        no=no,
        kind=kind,
        tid="EMU00001",
        mid="EMU000000000001",
        batch="000001",
        trace=f"{no:06d}",
        rrn=f"{no:012d}",
        auth="123456",
        fen=10_000 + number,
        pay_ref=pay_ref(number),
        orig_trace=orig,
        at=f"{DAY}T10:00:00+08:00",
        type=2,
        code="00",
        nonce="",
    )


def wechat_line(no, kind, number, refund_no=""):
    return WechatLine(
        no=no,
        kind=kind,
        out_trade_no=pay_ref(number),
        transaction_id=f"42{no:026d}",
        fen=20_000 + number,
        out_refund_no=refund_no,
        refund_id="503" if refund_no else "",
        code_hash="",
        description="以旧换新, 补贴",
        due_ms=0,
        then="",
        hidden_ms=0,
        at=f"{DAY}T11:00:00+08:00",
    )


@pytest.fixture
def folder(tmp_path):
    card = [acquirer_line(no, "sale", no) for no in range(1, 9)] + [acquirer_line(9, "void", 1, "000001")]
    phone = [wechat_line(no, "charge", no + 10) for no in range(1, 7)]
    phone.append(wechat_line(7, "refund", 11, f"{pay_ref(11)}R"))
    (tmp_path / f"acquirer-EMU00001-{DAY}.csv").write_text(settlement_file(card, DAY))
    (tmp_path / f"wechat-{DAY}.csv").write_bytes(trade_bill(phone, DAY, "wxEMU", "EMU00000001"))
    return tmp_path


def details(path):
    lines = path.read_bytes().decode("utf-8-sig").splitlines()
    return lines[1 : -1 if path.name.startswith("acquirer") else -2]


def test_every_kind_is_planted_each_into_another_sale(folder):
    planted = plant.plant(folder)
    assert {kind for kind, _, _ in planted} == KINDS
    refs = [ref for _, ref, _ in planted]
    assert len(refs) == len(set(refs))
    assert [tuple(one) for one in json.loads((folder / "planted.json").read_text())] == planted


def test_no_line_is_changed_that_is_not_noted(folder):
    before = {path: Counter(details(path)) for path in folder.glob("*.csv")}
    planted = plant.plant(folder)
    for path, lines in before.items():
        changed = (Counter(details(path)) - lines) + (lines - Counter(details(path)))
        assert changed
        for line in changed:
            assert sum(ref in line for _, ref, _ in planted) == 1, line
        assert {ref for _, ref, _ in planted if any(ref in line for line in changed)}


def test_the_totals_are_true_again(folder):
    plant.plant(folder)
    *rows, total = [line.split(",") for line in next(folder.glob("acquirer-*")).read_text().splitlines()[1:]]
    sums = []
    for kind in ("sale", "void", "refund"):
        fens = [int(row[8]) for row in rows if row[7] == kind]
        sums += [len(fens), sum(fens)]
    assert total == ["total", str(len(rows)), *map(str, sums)]
    bill = next(folder.glob("wechat-*")).read_bytes().decode("utf-8-sig").splitlines()
    charged = sum(float(line.split(",`")[24]) for line in bill[1:-2])
    summary = bill[-1].removeprefix("`").split(",`")
    assert (int(summary[0]), summary[5]) == (len(bill) - 3, f"{charged:.2f}")


def test_a_file_that_nothing_is_planted_into_is_written_as_it_was(folder):
    """The layouts are understood to the byte."""
    for path, read in (
        (next(folder.glob("acquirer-*")), plant._read_acquirer),
        (next(folder.glob("wechat-*")), plant._read_wechat),
    ):
        before = path.read_bytes()
        read(path).write()
        assert path.read_bytes() == before


def test_it_knows_nothing_but_the_layouts():
    tree = ast.parse(Path(plant.__file__).read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert imported <= set(sys.stdlib_module_names)
