"""The line to the host: TLS or a private line, and nothing is "sent" that never left."""

import re
import socket
import ssl
import threading
import warnings

import pytest
from acquirer import EmulatedAcquirer, direct_terminal, new_number, profile_text
from line_certificates import Authority

from subsidy.strict.yaml_text import FileError
from terminal_agent.checkout.ports import Say
from terminal_agent.terminals.direct.line import LineLost, LineProfile, NoLine, TcpConnection, dial
from terminal_agent.terminals.drivers import DRIVERS

PLAIN = LineProfile(connect_s=1.0, tls=None)
NAME = "acquirer.example"


class TlsFront:
    """Stands before a host and speaks TLS, as an acquirer's gateway does."""

    def __init__(self, host, file, most=ssl.TLSVersion.MAXIMUM_SUPPORTED):
        self._host = host
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1 is what is tried here
            self._context.maximum_version = most
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = self._server.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def wants_certificates_of(self, authority):
        """Let only those in whom this authority has issued a certificate."""
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_verify_locations(cadata=authority.pem)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self):
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(near, server_side=True) as near:
                    host, _, port = self._host.rpartition(":")
                    with socket.create_connection((host, int(port)), timeout=5) as far:
                        far.sendall(near.recv(65536))
                        near.sendall(far.recv(65536))
            except OSError:
                near.close()


def terminal(address, folder, authorities, server_name=NAME, ours=None):
    """Return a terminal that believes these certificates, and shows `ours`."""
    file = folder / "authorities.pem"
    file.write_text(authorities)
    number = new_number()
    shown = "" if ours is None else f"\n  certificate: {ours.certificate}\n  certificate_key: {ours.key}"
    text = re.sub(
        r"(?m)^  plaintext_private_line: true.*$",
        f"  authorities: {file}\n  server_name: {server_name}{shown}",
        profile_text(number, memory=f"{folder}/{number}.trace"),
    )
    return DRIVERS["iso8583_direct"](f"127.0.0.1:{address[1]}", text, str(folder / "p.yaml"))


def test_a_payment_goes_over_tls_to_the_host_that_the_certificate_names(acquirer, tmp_path, prepared, clock):
    authority = Authority()
    with TlsFront(acquirer.address, authority.issue(tmp_path, NAME).both) as front:
        driver = terminal(front.address, tmp_path, authority.pem).payment(clock)
        assert driver.take(prepared(at=driver)).say is Say.APPROVED


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("another authority", "none of the profile's authorities has issued"),
        ("another name", "of another name than elsewhere.example"),
        ("old TLS", "TLS 1.2"),
        ("no TLS", "hung up"),
        ("no certificate of ours", "where it wants one"),
    ],
)
def test_a_host_that_cannot_show_who_it_is_gets_nothing(wrong, why, acquirer, tmp_path, ask_for, clock):
    authority = Authority()
    issuer = Authority("another") if wrong == "another authority" else authority
    most = ssl.TLSVersion.TLSv1_1 if wrong == "old TLS" else ssl.TLSVersion.MAXIMUM_SUPPORTED
    with TlsFront(acquirer.address, issuer.issue(tmp_path, NAME).both, most) as front:
        if wrong == "no certificate of ours":
            front.wants_certificates_of(authority)
        address = front.address
        if wrong == "no TLS":
            address = ("127.0.0.1", int(acquirer.address.rpartition(":")[2]))
        name = "elsewhere.example" if wrong == "another name" else NAME
        booked = len(acquirer.books())
        driver = terminal(address, tmp_path, authority.pem, name).payment(clock)
        assert driver.prepare(ask_for()) is None
        assert why in driver.trouble
        assert len(acquirer.books()) == booked


def test_a_host_that_wants_to_know_us_is_shown_our_certificate(acquirer, tmp_path, prepared, clock):
    authority = Authority()
    ours = authority.issue(tmp_path, "till.example")
    with TlsFront(acquirer.address, authority.issue(tmp_path, NAME).both) as front:
        front.wants_certificates_of(authority)
        driver = terminal(front.address, tmp_path, authority.pem, ours=ours).payment(clock)
        assert driver.take(prepared(at=driver)).say is Say.APPROVED


def test_certificates_that_are_none_are_refused_at_the_start(tmp_path):
    with pytest.raises(FileError, match="certificate"):
        terminal(("127.0.0.1", 1), tmp_path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(FileError, match="certificate"):
        terminal(("127.0.0.1", 1), tmp_path, "none at all\n")


def test_nobody_there_is_no_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with pytest.raises(NoLine, match="does not answer"):
        dial(address, PLAIN)


def test_a_line_that_was_dropped_before_anything_was_sent_is_no_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = dial(server.getsockname(), PLAIN)
        near, _ = server.accept()
        near.close()
        with pytest.raises(NoLine):
            connection.send(b"x")
        connection.close()


def test_a_line_that_breaks_afterwards_is_lost():
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = dial(server.getsockname(), PLAIN)
        near, _ = server.accept()
        connection.send(b"x")
        near.close()
        with pytest.raises(LineLost):
            connection.receive(1.0)
        connection.close()


def test_silence_is_nothing_received():
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = dial(server.getsockname(), PLAIN)
        near, _ = server.accept()
        assert connection.receive(0.05) == b""
        connection.close()
        near.close()


def test_a_host_that_goes_away_between_prepare_and_take_is_a_no(tmp_path, prepared):
    with EmulatedAcquirer.start(tmp_path) as host:
        driver = direct_terminal(host.address, tmp_path)
        ask = prepared(at=driver)
    answer = driver.take(ask)
    assert (answer.say, answer.evidence.code) == (Say.DECLINED, "NO_LINE")


class CutConnection:
    """A line on which the power goes after so many bytes of a request have left."""

    def __init__(self, connection: TcpConnection, after: int) -> None:
        self._connection = connection
        self._after = after

    def send(self, data: bytes) -> None:
        if self._after < len(data):
            self._connection.send(data[: self._after])
            raise PowerCut
        self._connection.send(data)

    def receive(self, wait_s: float) -> bytes:
        raise PowerCut

    def close(self) -> None:
        self._connection.close()


class PowerCut(BaseException):
    """The power goes."""


def test_the_power_may_go_after_any_byte_of_a_sale(acquirer, tmp_path, prepared):
    """Whatever had left, the agent that starts again reverses it, and nothing stands."""
    number = new_number()
    longest = 260
    for after in (*range(0, longest, 3), longest, 100_000):
        driver = direct_terminal(acquirer.address, tmp_path, number)
        ask = prepared(at=driver)
        session = driver._session
        usual = session._dial
        session._dial = lambda usual=usual, after=after: CutConnection(usual(), after)
        with pytest.raises(PowerCut):
            driver.take(ask)
        again = direct_terminal(acquirer.address, tmp_path, number)
        said = again.reverse(ask, driver.query(ask).evidence).say
        assert said in (Say.APPROVED, Say.NOT_FOUND), after
        for _ in range(20 if after >= longest and said is Say.NOT_FOUND else 0):
            said = again.reverse(ask, driver.query(ask).evidence).say  # it may still be on its way
        moved = acquirer.moved(ask.pay_ref)
        assert moved in ([], [("sale", ask.amount_fen), ("reversal", ask.amount_fen)]), after
        assert (said is Say.APPROVED) == bool(moved)
