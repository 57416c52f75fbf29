"""When do a channel's certificates run out, and what is refused after that?

A certificate that has run out is told beforehand (`doctor`, `status`), and stops new payments before anything
is sent: whether the channel would still answer is not found out with a shopper's money. What is under way is
asked about and undone as before.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from cryptography import x509

from subsidy import calendar
from subsidy.records.payment import Evidence
from terminal_agent.channels.key_files import (
    CERTIFICATE,
    KeyTrouble,
    Reread,
    certificates_in,
    content_of,
    last_of,
    stamps_of,
)
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Payment, Say

TOLD_BEFORE_DAYS = 30
RAN_OUT = Answer(
    Say.DECLINED, evidence=Evidence(code="CERTIFICATE_RAN_OUT", text="证书已过期，未发出任何请求")
)

_DAY_MS = 86_400_000
_NOT_IN_A_CERTIFICATE = b"-----BEGIN PUBLIC KEY-----"


class Certificates(msgspec.Struct, frozen=True):
    """The files with a channel's certificates, by what people call them.

    Of `each` every certificate is needed. Of each group in `one_of` one is enough, or a bare public key:
    there an old one stands beside a new one while both are in use, and those above them do not count.
    """

    each: Mapping[str, Path] = {}
    one_of: tuple[Mapping[str, Path], ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(file for group in (self.each, *self.one_of) for file in group.values())


class Ends(msgspec.Struct, frozen=True):
    """The end of a certificate in a file, in Unix milliseconds."""

    name: str
    file: Path
    ends_ms: int

    def days_left(self, now_ms: int) -> int:
        """Return how many whole days are left, below 0 once it has run out."""
        return (self.ends_ms - now_ms) // _DAY_MS

    def words(self, now_ms: int) -> str:
        """Say which one it is and when it ends."""
        day = calendar.business_day(calendar.from_ms(self.ends_ms)).isoformat()
        days = self.days_left(now_ms)
        if days < 0:
            return f"{self.name} ({self.file}) ran out on {day}: nothing can be paid with it"
        return f"{self.name} ({self.file}) runs out on {day}, in {days} days"


def ends_of(certificates: Certificates) -> tuple[Ends, ...]:
    """Return when a channel's certificates end, the first to run out first. Raises KeyTrouble.

    Of several in one file of `each` the first to run out counts, of a group of `one_of` the last. A bare
    public key has no end, and is left out; nothing ends in a group that has one.
    """
    found = []
    for name, file in certificates.each.items():
        if ends := _ends(name, file):
            found.append(min(ends, key=_by_end))
    for group in certificates.one_of:
        ends_in = [_ends(name, file, at_the_end=True) for name, file in group.items()]
        if ends_in and all(ends_in):
            found.append(max((one for ends in ends_in for one in ends), key=_by_end))
    return tuple(sorted(found, key=_by_end))


def _by_end(one: Ends) -> tuple[int, str]:
    return (one.ends_ms, one.name)


def _ends(name: str, file: Path, *, at_the_end: bool = False) -> list[Ends]:
    """Return when the certificates in a file end, none where it is a bare public key."""
    content = content_of(file)
    if _NOT_IN_A_CERTIFICATE in content and CERTIFICATE not in content:
        return []
    found = certificates_in(file)
    return [Ends(name, file, _end_ms(one)) for one in (last_of(found) if at_the_end else found)]


def _end_ms(certificate: x509.Certificate) -> int:
    return round(certificate.not_valid_after_utc.timestamp() * 1000)


class WhileValid:
    """A way to pay that takes no more money once a certificate of it has run out. Fits `Payment`."""

    def __init__(self, payment: Payment, certificates: Callable[[], Certificates], clock: Clock) -> None:
        self.clocks = payment.clocks
        self.not_found_is_no = payment.not_found_is_no
        self.reverses_blind = payment.reverses_blind
        self._payment = payment
        self._ends = Reread(
            lambda: (certificates(), stamps_of(certificates().files)), lambda: ends_of(certificates())
        )
        self._clock = clock

    def prepare(self, ask: Ask) -> str | None:
        """Return what the link needs stored."""
        return self._payment.prepare(ask)

    def take(self, ask: Ask) -> Answer:
        """Take the money, unless a certificate has run out: then nothing is sent."""
        return RAN_OUT if self._has_run_out() else self._payment.take(ask)

    def query(self, ask: Ask) -> Answer:
        """Ask what became of an attempt."""
        return self._payment.query(ask)

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Undo an attempt."""
        return self._payment.reverse(ask, evidence)

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give money back."""
        return self._payment.refund(ask, back)

    def _has_run_out(self) -> bool:
        try:
            ends = self._ends.current()
        except KeyTrouble:
            return False  # the link says so itself
        return any(one.days_left(self._clock.wall_ms()) < 0 for one in ends)
