"""The emulated terminal that calls its acquirer itself: its frames are typed from the protocol."""

import json
import os
import select
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from card_host import CardHost, Next
from emulator import REPO
from watched_line import eventually

from terminal_agent.emulators import host_wire, line_frames, wire
from terminal_agent.emulators.line_terminal import LineTerminal, NoSuchSlip

# A sale of 850.00 on terminal EMU00001, written down byte by byte.
GOLDEN = (
    "0046"  # 70 bytes follow
    "6000030000" "603100311001"
    "0200" "3020048000C08011"
    "000000" "000000085000" "000007" "0510" "00"
    "454D553030303031" "454D55303030303030303030303031"
    "313536" "0013" "22000001000600"
    "4D41434D41434D41"
)  # fmt: skip
FIELDS = {
    3: "000000",
    4: "000000085000",
    11: "000007",
    22: "051",
    25: "00",
    41: "EMU00001",
    42: "EMU000000000001",
    49: "156",
    60: "2200000100060",
    64: "4d41434d41434d41",
}


def test_a_frame_is_what_the_protocol_says():
    assert line_frames.write("0200", FIELDS).hex().upper()[4:] == GOLDEN[4:]
    assert line_frames.read(bytes.fromhex(GOLDEN)[2:]) == ("0200", FIELDS)


@pytest.mark.parametrize("cut", range(0, 70))
def test_half_a_frame_is_unreadable(cut):
    with pytest.raises(line_frames.Unreadable):
        line_frames.read(bytes.fromhex(GOLDEN)[2:][:cut])


def test_what_a_host_says_in_chinese_is_read():
    body = host_wire.join("0210", {11: "000007", 39: "00", 63: "CUP交易成功"}, None)
    frame = host_wire.wrap(bytes.fromhex(GOLDEN)[2:13], body)

    assert line_frames.read(frame[2:]) == ("0210", {11: "000007", 39: "00", 63: "CUP交易成功"})


def test_the_answer_to_a_sale_is_none_to_its_reversal():
    told = line_frames.write("0210", {11: "000001", 39: "00", 41: "EMU00001"})
    with CardHost() as host:
        host.nexts.extend([Next(answers=False), Next(raw=told)])
        terminal = LineTerminal(host.address)
        terminal.sell(85_000, wait_s=0.05)
        assert terminal.reverse("000001", wait_s=0.05).code == ""
        assert terminal.reverse("000001").approved


@pytest.mark.parametrize(("mti", "do"), [("0210", "sell"), ("0410", "reverse")])
def test_an_answer_for_another_terminal_is_none(mti, do):
    others = line_frames.write(mti, {11: "000001", 39: "00", 41: "EMU99999"})
    with CardHost() as host:
        host.nexts.extend([Next(raw=others)] if do == "sell" else [Next(answers=False), Next(raw=others)])
        terminal = LineTerminal(host.address)
        slip = terminal.sell(85_000, wait_s=0.05)
        if do == "reverse":
            slip = terminal.reverse("000001", wait_s=0.05)
        assert (slip.code, slip.approved) == ("", False)


def test_an_answer_that_cannot_be_read_is_none():
    with CardHost() as host:
        host.nexts.append(Next(raw=b"\x00\x04\xff\xff\xff\xff"))
        slip = LineTerminal(host.address).sell(85_000)
    assert (slip.code, slip.approved) == ("", False)


def test_a_slip_has_the_amount_that_the_host_approved():
    with CardHost() as host:
        host.nexts.append(Next(fen=12_300))
        assert LineTerminal(host.address).sell(85_000).fen == 12_300


def test_a_terminal_without_that_slip_says_so():
    with pytest.raises(NoSuchSlip):
        LineTerminal(("127.0.0.1", 1)).void("000001")


@pytest.fixture(scope="module")
def host():
    with CardHost() as host:
        yield host


@contextmanager
def started(host, *options):
    """Start the command; yield what it says when it is ready, and what asks its control address."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "terminal_agent.emulators.cli", "line-terminal"),
            *("--acquirer", f"127.0.0.1:{host.address[1]}", *options),
        ],
        cwd=REPO,
        stdout=subprocess.PIPE,
        text=True,
    )
    ready = json.loads(process.stdout.readline())
    control = ready["control"]

    def ask(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(control + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            return json.load(refusal)

    yield ready, ask
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def ask(host):
    with started(host, "--wait-ms", "300") as (_, ask):
        yield ask


def test_what_a_person_keys_in_reaches_the_host(host, ask):
    sold = ask("/sale", {"fen": 85_000})
    assert (sold["code"], host.standing()) == ("00", {sold["trace"]: 85_000})
    assert ask("/refund", {"trace": sold["trace"], "fen": 5_000})["code"] == "00"
    assert host.standing() == {sold["trace"]: 80_000}
    host.nexts.append(Next(answers=False))
    lost = ask("/sale", {"fen": 100})
    assert lost["code"] == ""
    assert ask("/reverse", {"trace": lost["trace"]})["code"] == "00"
    assert ask("/void", {"trace": sold["trace"]})["code"] == "25"
    assert ask("/settle", {}) == {"open": "000002"}
    assert ask("/drop", {}) == {"dropped": True}
    assert [one["kind"] for one in ask("/slips")] == ["sale", "refund", "sale", "reversal", "void"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sale", {}),
        ("/sale", {"fen": 0}),
        ("/sale", {"fen": "1"}),
        ("/sale", {"fen": True}),
        ("/sale", {"fen": 1, "card": "x"}),
        ("/void", {"trace": "1"}),
        ("/void", {"trace": "999999"}),
        ("/noise", {"hex": "0"}),
        ("/drop", {"now": 1}),
    ],
)
def test_what_it_cannot_do_it_says_and_does_not(host, ask, path, body):
    before = list(host.books)
    assert "error" in ask(path, body)
    assert host.books == before


def heard(port, listener, kind):
    """Return what comes on the port, up to the first of this kind."""
    while True:
        assert select.select([port], [], [], 20)[0]
        found = [middle for one, middle in listener.hear(os.read(port, 4096), 0.0) if one == kind]
        if found:
            return found[0]


def test_without_a_network_it_hands_its_frames_over_and_takes_the_answer_that_is_its_own(host, tmp_path):
    path = tmp_path / "terminal"
    with started(host, "--serial", str(path), "--ack-wait-ms", "200") as (ready, ask):
        assert ready["link"] == str(path)
        port, listener = os.open(path, os.O_RDWR | os.O_NOCTTY), wire.Listener()
        with ThreadPoolExecutor() as pool:
            slip = pool.submit(ask, "/sale", {"fen": 85_000})
            first, again = heard(port, listener, "frame"), heard(port, listener, "frame")
            assert first == again  # nobody has acknowledged it
            os.write(port, wire.ACKNOWLEDGED)
            asked = wire.split(first)
            assert asked[0x01] == bytes((17,))
            assert (asked[0x16], asked[0x17]) == (b"127.0.0.1", str(host.address[1]).encode())
            mti, fields = line_frames.read(asked[0x15][2:])
            told = line_frames.write("0210", {4: fields[4], 11: fields[11], 39: "00", 41: fields[41]})
            answer = {0x01: bytes((17,)), 0x14: b"00", 0x15: told}
            os.write(port, wire.wrap(wire.join(answer | {0x1A: b"another's"})))
            os.write(port, wire.wrap(wire.join(answer | {0x1A: asked[0x1A]}), spoil_check=True))
            heard(port, listener, "nak")
            for _ in range(2):
                os.write(port, wire.wrap(wire.join(answer | {0x1A: asked[0x1A]})))
                heard(port, listener, "ack")
            assert (mti, slip.result()["code"]) == ("0200", "00")
        os.close(port)
        before = os.readlink(path)
        assert ask("/drop", {}) == {"dropped": True}
        eventually(lambda: path.is_symlink() and os.path.exists(path))
        assert before.startswith("/dev/")
        lost = ask("/sale", {"fen": 100})
        assert lost["code"] == ""  # nobody is there
