"""Is a nexo terminal believed over TLS only when it shows who it is, and does nothing leave otherwise?"""

import datetime
import shutil
import socket
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial

import msgspec
import pytest
from broken_certificates import with_a_broken_name
from emulator import NEXO_FILE, EmulatedTerminal, short_text
from line_certificates import Authority
from links_to_certify import write_config
from lone_agent import LoneAgent
from typer.testing import CliRunner
from unit_shop import TO_PAY_FEN, UnitShop

from subsidy.records.payment import Evidence
from subsidy.strict.yaml_text import FileError
from terminal_agent.app import Agent
from terminal_agent.checkout.ports import Say
from terminal_agent.checkout.states import AttemptState, SaleState
from terminal_agent.cli import app
from terminal_agent.config import read_config
from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_IDENTITY, MADE_UP_PHONE, MADE_UP_TRACK
from terminal_agent.system import SystemClock
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.till.local import lines_of
from terminal_agent.traces.write_trace import Note, TraceFile

FEN = 339_915
NAME = "terminal-7.example"
HOUR = datetime.timedelta(hours=1)
CLEAR = short_text(NEXO_FILE)


def text_over_tls(folder, authorities, server_name=NAME, ours=None):
    """Return a profile that believes these authorities, and shows `ours`."""
    (folder / "authorities.pem").write_text(authorities, encoding="utf-8")
    shown = "" if ours is None else f"  certificate: {ours.certificate}\n  certificate_key: {ours.key}\n"
    return f'{CLEAR}\nline:\n  authorities: authorities.pem\n  server_name: "{server_name}"\n{shown}'


def terminal_at(address, folder, text):
    return DRIVERS["nexo_tcp"](f"{address}/EMU00001", text, str(folder / "nexo.yaml"))


def nexo_in(folder, **options):
    return EmulatedTerminal.start(folder, work_ms=0, kind="nexo", link="127.0.0.1:0", **options)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def shared_nexo(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("nexo")
    with nexo_in(folder, certificate=authority.issue(folder, NAME).both) as running:
        yield running


@pytest.fixture
def emulator(shared_nexo):
    shared_nexo.clear_faults()
    return shared_nexo


@contextmanager
def served_by(serve):
    """Have each connection served by `serve`, and give the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run():
            with suppress(OSError):
                while True:
                    near, _ = listening.accept()
                    with near, suppress(OSError):
                        serve(near)

        thread = threading.Thread(target=run)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def passing_on(address, seen, near):
    """Pass all on to `address` and back, and keep in `seen` what has passed."""
    host, _, port = str(address).rpartition(":")
    with socket.create_connection((host, int(port))) as far:

        def carry(source, goal):
            with suppress(OSError):
                while data := source.recv(4096):
                    seen.extend(data)
                    goal.sendall(data)
                goal.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=carry, args=(far, near))
        back.start()
        carry(near, far)
        back.join()


def test_a_sale_and_its_void_go_over_tls_and_nobody_on_the_line_reads_them(
    emulator, tmp_path, authority, ask_for, clock
):
    seen, ask = bytearray(), ask_for(FEN)
    with served_by(partial(passing_on, emulator.link, seen)) as address:
        driver = terminal_at(address, tmp_path, text_over_tls(tmp_path, authority.pem)).payment(clock)
        ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
        assert driver.trouble == ""
        paid = driver.take(ask)
        assert (paid.say, paid.approved_fen) == (Say.APPROVED, FEN)
        assert driver.query(ask) == paid
        assert driver.reverse(ask, paid.evidence).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [("sale", FEN), ("void", FEN)]
    assert len(seen) > 4000
    for read in (ask.pay_ref, "SaleToPOI", "Payment", "EMU00001"):
        assert read.encode() not in seen


def test_a_lost_answer_is_found_over_tls(emulator, tmp_path, authority, ask_for, clock):
    driver = terminal_at(emulator.link, tmp_path, text_over_tls(tmp_path, authority.pem)).payment(clock)
    ask = ask_for(FEN)
    ask = msgspec.structs.replace(ask, mark=driver.prepare(ask))
    emulator.fault("torn_answer")
    assert driver.take(ask).say is Say.UNCLEAR
    assert driver.query(ask).say is Say.APPROVED
    assert emulator.moved(ask.pay_ref) == [("sale", FEN)]


@pytest.fixture
def of_clear_numbers(emulator, tmp_path, authority):
    """Return a terminal over TLS that sends clear card data, and the file of its trace."""
    emulator.fault("clear_card")
    file = tmp_path / "EMU00001.trace"
    clock = SystemClock()
    recorder = partial(Note, TraceFile(file, clock, lambda *_, **__: None), clock, "EMU00001")
    text = text_over_tls(tmp_path, authority.pem)
    return terminal_at(emulator.link, tmp_path, text).recorded(recorder), file


def test_what_is_kept_of_a_line_with_tls_holds_nothing_personal(of_clear_numbers, ask_for, clock):
    terminal, file = of_clear_numbers
    ask = ask_for(FEN)
    driver = terminal.payment(clock)
    answer = driver.take(msgspec.structs.replace(ask, mark=driver.prepare(ask)))
    assert answer.say is Say.APPROVED
    kept = file.read_bytes() + repr(answer).encode() + repr(terminal).encode()
    assert b"closed" in kept
    for secret in (MADE_UP_CARD, MADE_UP_TRACK, MADE_UP_PHONE, MADE_UP_IDENTITY):
        assert secret.encode() not in kept


@pytest.mark.parametrize(
    ("name", "begins", "ends", "issued_by_another", "why"),
    [
        ("other.example", -HOUR, HOUR, False, f"another name than {NAME}. Check `server_name`"),
        (NAME, -2 * HOUR, -HOUR, False, "has run out. Have it given a new one"),
        (NAME, HOUR, 2 * HOUR, False, "is not valid yet. Check this host's clock"),
        (NAME, -HOUR, HOUR, True, "none of the profile's authorities has issued. Check `authorities`"),
    ],
    ids=["another name", "run out", "not valid yet", "not trusted"],
)
def test_a_terminal_that_cannot_show_who_it_is_gets_nothing(
    name, begins, ends, issued_by_another, why, tmp_path, authority, ask_for, clock
):
    issuer = Authority("another") if issued_by_another else authority
    with nexo_in(
        tmp_path, certificate=issuer.issue(tmp_path, name, begins, ends).both, transcript=tmp_path / "all"
    ) as nexo:
        driver = terminal_at(nexo.link, tmp_path, text_over_tls(tmp_path, authority.pem)).payment(clock)
        ask = ask_for(FEN)
        assert driver.prepare(ask) is None
        assert driver.trouble.startswith(f"The terminal at {nexo.link} shows a certificate")
        assert why in driver.trouble
        # Between the two the checkout has written TERMINAL_SILENT: it never comes here.
        assert driver.take(ask).say is driver.reverse(ask, Evidence()).say is Say.UNCLEAR
        assert nexo.books() == []
    assert (tmp_path / "all").read_text() == ""


def test_a_sale_is_paid_at_a_terminal_that_is_believed_and_not_paid_at_one_that_is_not(
    emulator, tmp_path, authority, clock
):
    not_believed = text_over_tls(tmp_path, Authority("another").pem)
    shop = UnitShop(tmp_path, terminal=terminal_at(emulator.link, tmp_path, not_believed).payment(clock))
    sale = shop.sell()
    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.NOT_PAID)
    assert sale.attempt(1).evidence.code == "TERMINAL_SILENT"
    assert sale.attempt(1).mark is None
    assert emulator.moved(sale.attempt(1).pay_ref) == []

    (tmp_path / "again").mkdir()
    believed = text_over_tls(tmp_path, authority.pem)
    shop = UnitShop(
        tmp_path / "again", terminal=terminal_at(emulator.link, tmp_path, believed).payment(clock)
    )
    paid = shop.sell()
    assert paid.state is SaleState.PAID
    assert emulator.moved(paid.attempt(1).pay_ref) == [("sale", TO_PAY_FEN)]


def test_a_line_that_drops_in_the_handshake_or_is_silent_gets_nothing(tmp_path, authority, ask_for, clock):
    heard = []

    def drop(near):
        heard.append(near.recv(4096))

    def wait(near):
        heard.append(near.recv(4096))
        near.recv(4096)

    for serve, why in ((drop, "hung up"), (wait, "did not answer in TLS in time")):
        with served_by(serve) as address:
            driver = terminal_at(address, tmp_path, text_over_tls(tmp_path, authority.pem)).payment(clock)
            began = time.monotonic()
            assert driver.prepare(ask_for(FEN)) is None
            assert time.monotonic() - began < 5
            assert f"The terminal at {address} {why}. Check that it speaks TLS" in driver.trouble
    assert heard
    assert not [one for one in heard if b"SaleToPOI" in one]


def test_tls_is_never_done_without_where_the_profile_names_it(tmp_path, authority, ask_for, clock):
    with nexo_in(tmp_path, transcript=tmp_path / "all") as nexo:
        driver = terminal_at(nexo.link, tmp_path, text_over_tls(tmp_path, authority.pem)).payment(clock)
        assert driver.prepare(ask_for(FEN)) is None
        assert "Check that it speaks TLS at this port" in driver.trouble
        assert nexo.books() == []
    assert b"SaleToPOI".hex() not in (tmp_path / "all").read_text()


def test_a_profile_without_tls_takes_nothing_at_a_terminal_that_wants_it(emulator, tmp_path, ask_for, clock):
    driver = terminal_at(emulator.link, tmp_path, CLEAR).payment(clock)
    ask = ask_for(FEN)
    assert driver.prepare(ask) is None
    assert "TLS where the profile does, and only there" in driver.trouble
    assert emulator.moved(ask.pay_ref) == []


def test_a_terminal_that_wants_to_know_the_till_is_shown_our_certificate(tmp_path, authority, ask_for, clock):
    ours = authority.issue(tmp_path, "till.example")
    (tmp_path / "clients.pem").write_text(authority.pem)
    with nexo_in(
        tmp_path, certificate=authority.issue(tmp_path, NAME).both, clients=tmp_path / "clients.pem"
    ) as nexo:
        nameless = terminal_at(nexo.link, tmp_path, text_over_tls(tmp_path, authority.pem)).payment(clock)
        ask = ask_for(FEN)
        assert nameless.prepare(ask) is None
        assert "where it wants one" in nameless.trouble
        known = terminal_at(nexo.link, tmp_path, text_over_tls(tmp_path, authority.pem, ours=ours))
        assert known.payment(clock).prepare(ask) is not None
        assert known.payment(clock).take(ask).say is Say.APPROVED


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("authorities: a.pem", "server_name is missing"),
        ("server_name: a.example", "authorities is missing"),
        ("authorities: a.pem\n  server_name: '..'", "no name that a certificate has"),
        (
            "authorities: a.pem\n  server_name: a.example\n  certificate: b.pem",
            "a certificate without its key",
        ),
        ("authorities: a.pem\n  server_name: a.example\n  certificate_key: b.pem", "or a key alone"),
        ("authorities: a.pem\n  server_name: a.example\n  verify: false", "unknown key verify"),
        ("authorities: missing.pem\n  server_name: a.example", "missing.pem, line 1: cannot be read"),
    ],
)
def test_a_profile_that_says_half_of_tls_is_refused(line, says, tmp_path):
    with pytest.raises(FileError) as refused:
        terminal_at("127.0.0.1:1", tmp_path, f"{CLEAR}\nline:\n  {line}\n")
    assert says in str(refused.value)
    assert refused.value.remedy


@pytest.mark.parametrize("broken", [lambda pem: "none at all\n", lambda pem: pem[:300], with_a_broken_name])
def test_authorities_that_cannot_be_read_are_refused(broken, tmp_path, authority):
    pem = broken(authority.pem)
    with pytest.raises(FileError, match=r"authorities\.pem, line 1: no certificate that can be read"):
        terminal_at("127.0.0.1:1", tmp_path, text_over_tls(tmp_path, pem))


def test_authorities_may_have_words_of_any_script_beside_them(tmp_path, authority):
    assert terminal_at("127.0.0.1:1", tmp_path, text_over_tls(tmp_path, f"# 终端证书\n{authority.pem}")).tls


def test_a_key_that_others_may_read_or_that_is_another_ones_is_refused(tmp_path, authority):
    ours = authority.issue(tmp_path, "till.example")
    text = text_over_tls(tmp_path, authority.pem, ours=ours)
    ours.key.chmod(0o640)
    with pytest.raises(FileError, match=r"others may read this key. Run `chmod 600 .*till\.example\.key`"):
        terminal_at("127.0.0.1:1", tmp_path, text)
    ours.key.chmod(0o600)
    shutil.copy(authority.issue(tmp_path, "other.example").key, ours.key)
    with pytest.raises(FileError, match="no certificate whose key is in"):
        terminal_at("127.0.0.1:1", tmp_path, text)
    ours.key.unlink()
    with pytest.raises(FileError, match=r"till\.example\.key, line 1: cannot be read"):
        terminal_at("127.0.0.1:1", tmp_path, text)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path, authority):
    ours = authority.issue(tmp_path, "till.example", password=b"secret")
    with pytest.raises(FileError, match="without a password"):
        terminal_at("127.0.0.1:1", tmp_path, text_over_tls(tmp_path, authority.pem, ours=ours))


def test_the_doctor_says_before_the_first_sale_why_a_terminal_is_not_believed(emulator, tmp_path, authority):
    def doctor(text):
        config = write_config(tmp_path, "nexo_tcp", f"{emulator.link}/EMU00001", text)
        return CliRunner().invoke(app, ["doctor", "--config", str(config)])

    well = doctor(text_over_tls(tmp_path, authority.pem))
    assert "ok  terminal EMU00001: answers" in well.stdout
    wrong = doctor(text_over_tls(tmp_path, Authority("another").pem)).stdout
    assert "NOT terminal EMU00001: no answer on" in wrong
    assert f"The terminal at {emulator.link} shows a certificate that none of the profile's" in wrong
    (tmp_path / "authorities.pem").unlink()
    missing = CliRunner().invoke(app, ["doctor", "--config", str(tmp_path / "agent.yaml")])
    assert missing.exit_code == 3
    assert "authorities.pem" in missing.output


def test_a_running_agent_says_in_its_status_why_a_terminal_was_not_believed(
    emulator, tmp_path, authority, ask_for
):
    LoneAgent(tmp_path)
    (tmp_path / "agent-data").rename(tmp_path / "data")
    wrong = text_over_tls(tmp_path, Authority("another").pem)
    config = read_config(write_config(tmp_path, "nexo_tcp", f"{emulator.link}/EMU00001", wrong))
    agent = Agent(config, lambda *_, **__: None)
    try:
        assert lines_of(agent.status()) == {}
        assert agent._payments["EMU00001"].prepare(ask_for(FEN)) is None
        assert "none of the profile's authorities" in lines_of(agent.status())["EMU00001"]
    finally:
        agent.journal.shut()
