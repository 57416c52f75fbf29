"""Whom do we believe at the other end of a line, and as whom do we show ourselves?

TLS is at least 1.2. The other end has to show a certificate of the name that the profile says, issued under
an authority that the profile names: those that the system trusts do not count. Files are read at the start.
"""

import re
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import msgspec

from catalog_sync.packs import read_text
from catalog_sync.private_file import refuse_shared
from subsidy.strict.yaml_text import FileError, Node

TLS_KEYS = ("authorities", "server_name", "certificate", "certificate_key")
"""What a profile says of TLS: the first two together, and the others together or not at all."""

_NAME = re.compile(r"(?!.{254})[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*", re.ASCII)
_OTHER_NAME = (
    "shows a certificate of another name than {}",
    "Check `server_name` in the profile, and that this is its address",
)
# By OpenSSL's X509_V_ERR_*.
_SHOWN = {
    9: ("shows a certificate that is not valid yet", "Check this host's clock"),
    10: (
        "shows a certificate that has run out",
        "Have it given a new one, and check `authorities` and this host's clock",
    ),
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
_NOT_TRUSTED = (
    "shows a certificate that none of the profile's authorities has issued",
    "Check `authorities` in the profile, and who answers at this address",
)


class TlsFault(Exception):
    """The other end did not show who it is, or did not take us. Says what it did, and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")


class Tls(msgspec.Struct, frozen=True):
    """How a line is made private, and who has to be at its other end."""

    context: ssl.SSLContext
    server_name: str

    def over(self, line: socket.socket) -> ssl.SSLSocket:
        """Return the line with TLS over it. Raises TlsFault: then nothing of ours has left."""
        try:
            return self.context.wrap_socket(line, server_hostname=self.server_name)
        except OSError as wrong:
            raise _fault_of(wrong, self.server_name) from None


class TlsFiles(msgspec.Struct, frozen=True):
    """What a profile says of TLS. Files are named as they stand there; no `certificate`, and we show none."""

    authorities: str
    server_name: str
    certificate: str = ""
    certificate_key: str = ""

    def opened(self, folder: Path) -> Tls:
        """Return what they make, relative to `folder`. Raises FileError."""
        authorities = folder / self.authorities
        # What stands beside the certificates may be written in any script.
        text = read_text(authorities).encode("ascii", "ignore").decode()
        try:
            context = ssl.create_default_context(cadata=text)
        except ssl.SSLError:
            raise FileError(
                str(authorities), 1, "", "no certificate that can be read", "Write certificates in PEM form"
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate:
            _show(context, folder / self.certificate, folder / self.certificate_key)
        return Tls(context, self.server_name)


def read_tls(node: Node, keys: Mapping[str, Node]) -> TlsFiles | None:
    """Return what a profile says of TLS, None when it says nothing. Raises FileError."""
    named = {name: keys[name].text() for name in TLS_KEYS if name in keys}
    if not named:
        return None
    if not {"authorities", "server_name"} <= named.keys():
        raise node.wrong("half of TLS", "Write `authorities` and `server_name`, or nothing of TLS")
    if ("certificate" in named) != ("certificate_key" in named):
        raise node.wrong(
            "a certificate without its key, or a key alone",
            "Write `certificate` and `certificate_key`, or neither",
        )
    if _NAME.fullmatch(named["server_name"]) is None:
        raise keys["server_name"].wrong(
            "no name that a certificate has", 'Write the one in its certificate, as in "terminal-7.example"'
        )
    return TlsFiles(**named)


def refusal_in(wrong: OSError) -> TlsFault | None:
    """Return that the other end has turned us down, when this says so.

    With TLS 1.3 it looks at our certificate when the line is open already, and says so with its first answer.
    """
    reason = (wrong.reason or "") if isinstance(wrong, ssl.SSLError) else ""
    if "ALERT" not in reason:
        return None
    return TlsFault(
        f"turned us down ({reason})",
        "Check that it knows our `certificate`, where it wants one, and that it speaks TLS 1.2 or later",
    )


def _fault_of(wrong: OSError, server_name: str) -> TlsFault:
    if isinstance(wrong, ssl.SSLCertVerificationError):
        return _of_certificate(wrong.verify_code, server_name)
    if isinstance(wrong, TimeoutError):
        return TlsFault("did not answer in TLS in time", "Check that it speaks TLS at this port")
    # A line dropped in the handshake is told as such, or (by Python 3.11.2) as one that was closed in order.
    if isinstance(wrong, ssl.SSLError) and not isinstance(wrong, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        remedy = "Check that it speaks TLS 1.2 or later at this port"
        return refusal_in(wrong) or TlsFault(f"answered what is no TLS of ours ({wrong.reason})", remedy)
    return TlsFault("hung up", "Check that it speaks TLS at this port, and its network")


def _of_certificate(code: int, server_name: str) -> TlsFault:
    problem, remedy = _SHOWN.get(code, _NOT_TRUSTED)
    return TlsFault(problem.format(server_name), remedy)


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Show this certificate to whoever asks for one. Raises FileError."""
    read_text(certificate)
    read_text(key)
    refuse_shared(key, "this key")
    try:
        # Without a password of ours OpenSSL would ask for one at the console, and wait.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError):
        raise FileError(
            str(certificate),
            1,
            "",
            f"is no certificate whose key is in {key}, without a password",
            "Write both in PEM form, the certificate first and then those above it",
        ) from None
