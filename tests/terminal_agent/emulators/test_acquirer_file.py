import urllib.error
import urllib.request

import pytest
from emulator import EmulatedTerminal

from terminal_agent.emulators.acquirer_file import settlement_file
from terminal_agent.emulators.books import Line


def line(no, kind, fen, at="2026-11-23T10:00:00+08:00", pay_ref="A01", of=None):
    return Line(
        no=no,
        kind=kind,
        tid="EMU00001",
        mid="EMU000000000001",
        batch="000001",
        trace=f"{no:06d}",
        rrn=f"{no:012d}",
        auth="E00001",
        fen=fen,
        pay_ref=pay_ref,
        orig_trace="" if of is None else f"{of:06d}",
        at=at,
        type=2,
        code="00",
        nonce="NONCE001",
    )


def test_a_days_file_holds_what_moved_that_day_and_proves_its_totals():
    lines = [
        line(1, "sale", 100, at="2026-11-22T23:59:59+08:00"),
        line(2, "sale", 85_000),
        line(3, "declined", 7),
        line(4, "sale", 300, pay_ref=""),
        line(5, "void", 85_000, of=2),
        line(6, "settled", 300),
        line(7, "refund", 100, of=1),
        line(8, "refund", 20, of=4, pay_ref=""),
        line(9, "sale", 100, at="2026-11-24T00:00:00+08:00"),
    ]
    assert settlement_file(lines, "2026-11-23").splitlines() == [
        "settle_date,mid,tid,batch,trace,rrn,auth,kind,fen,pay_ref",
        "2026-11-23,EMU000000000001,EMU00001,000001,000002,000000000002,E00001,sale,85000,A01",
        "2026-11-23,EMU000000000001,EMU00001,000001,000004,000000000004,E00001,sale,300,",
        "2026-11-23,EMU000000000001,EMU00001,000001,000005,000000000005,E00001,void,85000,A01",
        "2026-11-23,EMU000000000001,EMU00001,000001,000007,000000000007,E00001,refund,100,A01",
        "2026-11-23,EMU000000000001,EMU00001,000001,000008,000000000008,E00001,refund,20,",
        "total,5,2,85300,1,85000,2,120",
    ]


def test_what_gives_a_sale_back_stands_under_the_sales_pay_ref_whatever_the_till_called_it():
    lines = [
        line(1, "sale", 100, pay_ref="A01"),
        line(2, "sale", 200, pay_ref="B01"),
        line(3, "void", 100, pay_ref="", of=1),  # by hand, at the terminal
        line(4, "refund", 200, pay_ref="A01", of=2),
    ]
    rows = settlement_file(lines, "2026-11-23").splitlines()
    assert [row.rsplit(",", 1)[1] for row in rows[1:-1]] == ["A01", "B01", "A01", "B01"]


def test_an_empty_day_has_a_file_too():
    assert settlement_file([], "2026-11-23").endswith("\ntotal,0,0,0,0,0,0,0\n")


def test_a_running_terminal_gives_its_file(tmp_path):
    with EmulatedTerminal.start(tmp_path) as terminal:
        with urllib.request.urlopen(f"{terminal.control}/file?date=2026-11-23", timeout=5) as answer:
            assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
            assert answer.read().decode().splitlines()[-1] == "total,0,0,0,0,0,0,0"
        for wrong in ("", "?date=today", "?date=2026-11-23&x=y", "?day=2026-11-23"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{terminal.control}/file{wrong}", timeout=5)
            assert refused.value.code == 400
            refused.value.close()
