"""How does the emulated acquirer host behave, by itself and at its address?"""

import base64
import csv
import datetime
import io
import json
import socket
import subprocess
import sys
import urllib.error
import zipfile
import zlib
from contextlib import suppress
from functools import partial

import pytest
from acquirer import REPO, EmulatedAcquirer
from iso8583_messages import PUBLISHED, PUBLISHED_KEY
from typer.testing import CliRunner

from terminal_agent.emulators.cli import app
from terminal_agent.emulators.host_keys import encipher, mac
from terminal_agent.emulators.host_wire import Unreadable, join, split, wrap
from terminal_agent.emulators.line_terminal import LineTerminal

MASTER = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
AROUND = bytes.fromhex("6000030000603100310001")
MERCHANT = "EMU000000000001"


class Terminal:
    """A terminal as simple as can be: it writes with the host's own functions and holds its MAC key."""

    def __init__(self, host, number):
        self._host = host
        self._number = number
        self._trace = 0
        self.batch = "000000"
        self.mak = None

    def ask(self, mti, values=None, *, around=AROUND, mak=...):
        self._trace += 1
        own = {11: f"{self._trace:06d}", 41: self._number, 42: MERCHANT}
        key = self.mak if mak is ... else mak
        body = join(mti, {**own, **(values or {})}, partial(mac, key) if key else None)
        host, _, port = self._host.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as line:
            line.sendall(wrap(around, body))
            length = line.recv(2)
            content = b""
            while len(content) < int.from_bytes(length):
                content += line.recv(4096)
        around, mti, values = split(content)
        return around, mti, values, content

    def sign_in(self):
        _, mti, values, _ = self.ask("0800", {60: "00000000003"}, mak=None)
        assert (mti, values[39]) == ("0810", "00")
        block = bytes.fromhex(values[62])
        self.mak = decipher(block[20:28])
        assert encipher(self.mak, bytes(8))[:4] == block[36:]
        assert encipher(decipher(block[:16]), bytes(8))[:4] == block[16:20]
        self.batch = values[60][2:8]

    def sale(self, fen):
        _, _, values, content = self.ask(
            "0200", {3: "000000", 4: f"{fen:012d}", 25: "00", 49: "156", 60: f"22{self.batch}000"}
        )
        assert bytes.fromhex(values[64]) == mac(self.mak, content[11:-8])
        return values


def decipher(data):
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    step = Cipher(TripleDES((MASTER * 2)[:24]), modes.ECB()).decryptor()
    return step.update(data) + step.finalize()


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with EmulatedAcquirer.start(tmp_path_factory.mktemp("host")) as running:
        yield running


_numbers = iter(range(90_000, 99_999))


@pytest.fixture
def terminal(host):
    host.clear_faults()
    made = Terminal(host, f"EMU{next(_numbers)}")
    made.sign_in()
    return made


# Typed from the rules of the protocol: bits 3 4 11 22 25 35 41 42 49 60 64.
TYPED = bytes.fromhex(
    "0200 302004802 0C08011".replace(" ", "")
    + "000000"
    + "000000012000"
    + "000001"
    + "0210"
    + "00"
    + "37 6299998473651209384D30125201000000000 0".replace(" ", "")[:40]
    + "454D553939393939"
    + "454D55303030303030303030303031"
    + "313536"
    + "0011220000010000"
    + "3132333435363738"
)


def test_it_reads_what_was_typed():
    around, mti, values = split(AROUND + TYPED)
    assert (around, mti) == (AROUND, "0200")
    assert values == {
        3: "000000",
        4: "000000012000",
        11: "000001",
        22: "021",
        25: "00",
        35: "6299998473651209384D30125201000000000",
        41: "EMU99999",
        42: MERCHANT,
        49: "156",
        60: "22000001000",
        64: "3132333435363738",
    }


def test_it_writes_what_it_reads():
    _, mti, values = split(AROUND + TYPED)
    values.pop(64)
    assert join(mti, values, None)[10:] == TYPED[10:-8]


@pytest.mark.parametrize("end", range(len(TYPED)))
def test_what_is_cut_off_is_unreadable(end):
    with pytest.raises(Unreadable):
        split(AROUND + TYPED[:end])


def test_the_published_mac_comes_out():
    assert mac(PUBLISHED_KEY, PUBLISHED) == b"8A9E91B8"


def test_an_answer_goes_back_where_the_request_came_from():
    frame = wrap(bytes.fromhex("6000031234603100310001"), b"x")
    assert frame.hex() == "000c" + "6012340003" + "603100310001" + "78"


def test_totals_close_the_batch_and_say_whether_they_agree(host, terminal):
    terminal.sale(12_000)
    terminal.sale(300)
    right = f"{12_300:012d}{2:03d}{0:012d}{0:03d}"
    _, mti, values, _ = terminal.ask("0500", {48: right + "0" * 32, 60: f"00{terminal.batch}201"})
    assert (mti, values[39], values[48][:31]) == ("0510", "00", right + "1")
    closed = terminal.batch
    terminal.sign_in()
    assert int(terminal.batch) == int(closed) + 1
    _, _, values, _ = terminal.ask("0500", {48: right + "0" * 32, 60: f"00{terminal.batch}201"})
    assert values[48][30] == "2"


def test_a_request_with_a_wrong_mac_does_nothing(host, terminal):
    before = len(host.books())
    mak, terminal.mak = terminal.mak, bytes(8)
    _, _, values, _ = terminal.ask("0200", {3: "000000", 4: "000000000100", 60: f"22{terminal.batch}000"})
    assert values[39] == "A0"
    terminal.mak = None
    _, _, values, _ = terminal.ask("0200", {3: "000000", 4: "000000000100", 60: f"22{terminal.batch}000"})
    assert values[39] == "A0"
    terminal.mak = mak
    assert len(host.books()) == before


def test_a_number_used_twice_is_a_repeat_and_not_charged(host, terminal):
    first = terminal.sale(100)
    terminal._trace -= 1
    _, _, values, _ = terminal.ask("0200", {3: "000000", 4: "000000000100", 60: f"22{terminal.batch}000"})
    assert (first[39], values[39]) == ("00", "94")
    # Its number still means the sale, which can be undone.
    terminal._trace -= 1
    back = {3: "000000", 4: "000000000100", 39: "98", 60: f"22{terminal.batch}000"}
    assert terminal.ask("0400", back)[2][39] == "00"
    mine = [(one["kind"], one["fen"]) for one in host.books() if one["tid"] == terminal._number]
    assert mine == [("sale", 100), ("reversal", 100)]


def test_without_macs_a_terminal_need_not_sign_in_and_its_books_are_kept_all_the_same(tmp_path):
    with EmulatedAcquirer.start(tmp_path, mac="none") as host:
        ip, _, port = host.address.rpartition(":")
        terminal = LineTerminal((ip, int(port)), "EMU00007")
        assert terminal.sign_in().approved
        assert terminal.sell(300).approved
        assert terminal.void("000002").approved
        assert [(one["kind"], one["fen"]) for one in host.books()] == [("sale", 300), ("void", 300)]


@pytest.mark.parametrize(
    ("mti", "values", "code"),
    [
        ("0200", {3: "000000"}, "30"),
        ("0200", {3: "310000", 4: "000000000100"}, "40"),
        ("0100", {3: "030000", 4: "000000000100"}, "40"),
        ("0200", {3: "000000", 4: "000000000100", 41: "12345678"}, "30"),
    ],
)
def test_what_it_does_not_do_is_refused(mti, values, code, terminal):
    assert terminal.ask(mti, values)[2][39] == code


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\0",
        b"\0\0",
        b"\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\x0b" + AROUND,
        b"\0\x15" + AROUND + bytes(10),
    ],
)
def test_garbage_on_its_line_leaves_it_serving(garbage, host, terminal):
    address, _, port = host.address.rpartition(":")
    with socket.create_connection((address, int(port)), timeout=5) as line:
        line.sendall(garbage)
        with suppress(OSError):  # it hangs up on what it does not read to its end: not connected, or reset
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):
                pass
    assert terminal.sale(100)[39] == "00"


def test_its_file_has_what_stands(host, terminal):
    paid = terminal.sale(12_000)
    undone = terminal.sale(500)
    _, _, values, _ = terminal.ask(
        "0400",
        {3: "000000", 4: "000000000500", 11: undone[11], 39: "98", 60: f"22{terminal.batch}000"},
    )
    assert values[39] == "00"
    _, _, back, _ = terminal.ask(
        "0220",
        {
            **{3: "200000", 4: "000000002000", 25: "00", 60: f"25{terminal.batch}000"},
            61: f"{terminal.batch}{paid[11]}{paid[13]}",
        },
    )
    day = host.books()[-1]["at"][:10]
    rows = [row for row in csv.reader(host.file(day).splitlines()) if row[2:3] == [terminal._number]]
    assert [(row[4], row[5], row[7], row[8]) for row in rows] == [
        (paid[11], paid[37], "sale", "12000"),
        (back[11], back[37], "refund", "2000"),
    ]


def test_a_sale_of_a_day_that_is_over_is_refunded_and_not_reversed_out_of_its_file(tmp_path):
    with EmulatedAcquirer.start(tmp_path) as first:
        sold = Terminal(first, "EMU00008")
        sold.sign_in()
        sold.sale(500)
    first.books_file.write_text(
        json.dumps(json.loads(first.books_file.read_text()) | {"at": "2026-03-02T23:59:50+08:00"}) + "\n"
    )
    with EmulatedAcquirer.start(tmp_path) as second:
        before = second.file("2026-03-02")
        later = Terminal(second, "EMU00008")
        later.sign_in()
        asked = {3: "000000", 4: "000000000500", 11: "000002", 39: "98", 60: f"22{sold.batch}000"}
        assert later.ask("0400", asked)[2][39] == "21"
        asked = {3: "200000", 4: "000000000500", 25: "00", 60: f"25{later.batch}000"}
        assert later.ask("0220", {**asked, 61: f"{sold.batch}0000020302"})[2][39] == "00"
        assert second.file("2026-03-02") == before
        assert ",sale,500," in before


def test_its_books_are_there_after_a_power_cut(tmp_path):
    first = EmulatedAcquirer.start(tmp_path)
    terminal = Terminal(first, "EMU00007")
    terminal.sign_in()
    terminal.sale(700)
    books = first.books()
    first.kill()
    with first.books_file.open("ab") as file:
        file.write(b'{"no": 2, "kin')
    with EmulatedAcquirer.start(tmp_path) as second:
        assert second.books() == books
        again = Terminal(second, "EMU00007")
        _, _, values, _ = again.ask("0200", {3: "000000", 4: "000000000100", 60: "22000001000"}, mak=None)
        assert values[39] == "77"


def test_two_hosts_cannot_share_their_books(host):
    command = [
        sys.executable,
        "-m",
        "terminal_agent.emulators.cli",
        "acquirer",
        "--books",
        str(host.books_file),
    ]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "held by another emulator" in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--tmk", "00"], "32 hex digits"),
        (["--fault", "no_such"], "no_such"),
        (["--fault", "late_answer"], "needs ms"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_known(options, says, tmp_path):
    done = CliRunner().invoke(app, ["acquirer", "--books", str(tmp_path / "b"), *options])
    assert done.exit_code == 2
    assert says in done.output or "Known" in done.output


@pytest.mark.parametrize("body", [{}, {"terminal_no": 1}, {"terminal_no": "EMU00001", "x": 1}])
def test_settle_wants_a_terminal(body, host):
    with pytest.raises(urllib.error.HTTPError) as refused:
        host.call("POST", "/settle", body)
    assert refused.value.code == 400
    assert "EMU00001" in json.load(refused.value)["error"]


def test_it_gives_its_day_as_unionpays_files_too(host, terminal):
    told = terminal.sale(12_000)
    booked = next(one for one in host.books() if one["rrn"] == told[37])
    at = datetime.datetime.fromisoformat(booked["at"])
    day = (at + datetime.timedelta(hours=1)).date().isoformat()  # a settlement day ends at 23:00
    packed = zlib.decompress(base64.b64decode(host.zm(day, MERCHANT)))
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        (zm,) = (opened.read(one) for one in opened.namelist() if "ZM_" in one)
    assert [row for row in zm.decode("gbk").splitlines() if told[37] in row and "000000012000" in row]
    assert host.zm("2020-01-01", MERCHANT) == ""
    for wrong in ("", "?date=2026-01-31", f"?merchant_no={MERCHANT}", f"?date=today&merchant_no={MERCHANT}"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            host.call("GET", f"/zm{wrong}")
        assert refused.value.code == 400
        refused.value.close()
