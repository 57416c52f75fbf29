"""When do a channel's certificates run out, and what is refused after that?

A certificate that has run out is told beforehand (`doctor`, `status`), and stops new payments before anything
is sent: whether the channel would still answer is not found out with a shopper's money. What is under way is
asked about and undone as before.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography import x509

from subsidy import calendar
from subsidy.records.payment import Evidence
from terminal_agent.channels.key_files import KeyTrouble, Reread, content_of, trouble_with
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Payment, Say

TOLD_BEFORE_DAYS = 30
RAN_OUT = Answer(
    Say.DECLINED, evidence=Evidence(code="CERTIFICATE_RAN_OUT", text="证书已过期，未发出任何请求")
)

_DAY_MS = 86_400_000
_NOT_IN_A_CERTIFICATE = b"-----BEGIN PUBLIC KEY-----"


class Ends(msgspec.Struct, frozen=True):
    """The end of the certificate in a file, in Unix milliseconds; of several in it, the first to run out."""

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


def ends_of(files: Mapping[str, Path]) -> tuple[Ends, ...]:
    """Return when the certificates in some files end, the first to run out first. Raises KeyTrouble.

    A file that holds a bare public key has no end, and is left out.
    """
    found = []
    for name, file in files.items():
        content = content_of(file)
        if _NOT_IN_A_CERTIFICATE in content:
            continue
        try:
            certificates = x509.load_pem_x509_certificates(content)
        except (ValueError, x509.InvalidVersion):
            raise trouble_with(file, "is no PEM certificate") from None
        ends = min(one.not_valid_after_utc for one in certificates)
        found.append(Ends(name, file, round(ends.timestamp() * 1000)))
    return tuple(sorted(found, key=lambda one: (one.ends_ms, one.name)))


class WhileValid:
    """A way to pay that takes no more money once a certificate of it has run out. Fits `Payment`."""

    def __init__(self, payment: Payment, files: Mapping[str, Path], clock: Clock) -> None:
        self.clocks = payment.clocks
        self.not_found_is_no = payment.not_found_is_no
        self.reverses_blind = payment.reverses_blind
        self._payment = payment
        self._ends = Reread(tuple(files.values()), lambda: ends_of(files))
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
