"""What do all wallets have in common in a world? Shipped emulators' orders and signatures, on our line.

What an emulator's server does with a request between the line and the orders is told again here, without a
socket. What differs from wallet to wallet stands in a file each: `wallet_wechat.py`, `wallet_alipay.py`,
`wallet_unionpay.py`.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from sim.network import Came, Sent, Service
from sim.scheduler import Process
from sim.threads import Here
from terminal_agent.channels.wallets import Channel
from terminal_agent.emulators.faults import Faults, Struck

PASSWORD_MS = 8_000
Wish = Mapping[str, Any]
"""A fault as an emulator is asked for it."""

EVERY_WALLETS_FAULTS: tuple[Wish, ...] = (
    {"fault": "declined", "on": "pay"},
    {"fault": "lost_request"},
    {"fault": "lost_answer"},
    {"fault": "late_answer", "ms": 12_000},
    {"fault": "late_answer", "ms": 40_000},
    {"fault": "doubled_request"},
    {"fault": "userpaying", "ms": 70_000},
    {"fault": "userpaying", "ms": 20_000, "then": "declines"},
    {"fault": "wrong_amount", "fen": 12_300},
    {"fault": "wrong_currency"},
    {"fault": "wrong_order"},
    {"fault": "wrong_key"},
    {"fault": "missing_signature"},
    {"fault": "garbage"},
    {"fault": "system_error"},
    {"fault": "system_error", "charged": False},
    {"fault": "not_found_lag", "ms": 60_000},
    {"fault": "lost_answer", "on": "refund"},
    {"fault": "lost_request", "on": "query", "times": 3},
)


class Move(NamedTuple):
    """Money that moved for a payment: above 0 fen it was taken from the shopper, below 0 it went back."""

    pay_ref: str
    fen: int
    at_ms: int


class Shown(NamedTuple):
    """A code that was made for a shopper to scan, and until when it can be paid."""

    pay_ref: str
    until_ms: int


class Request(NamedTuple):
    """One request that is signed and makes sense: what faults call it, who asked, and what does it."""

    target: str
    form: Any
    work: Callable[[Struck], Any]


class ScanRefused(Exception):
    """The shopper's phone says no. Says why."""


class Wallet(ABC):
    """One wallet of one merchant. Its faults are the shipped emulator's."""

    name: ClassVar[str]
    url: ClassVar[str]
    file_name: ClassVar[str]
    layout: ClassVar[str]
    merchant: ClassVar[str]
    longest_payment_s: ClassVar[int] = 600
    """What the night's configuration says of the wallet's file."""
    faults_known: ClassVar[tuple[Wish, ...]]
    refund_refused: ClassVar[Wish]
    too_late: ClassVar[Wish]
    """No reversal any more: what was paid stands."""
    makes_code: ClassVar[str]
    """What its faults call the making of a code that we show."""
    code_begins: ClassVar[str]
    """With what the text of such a code begins."""

    faults: Faults
    books: Any

    def __init__(self, service: Service, note: Callable[[str, str], None]) -> None:
        self._note = note
        self._noted = 0
        service.answer, service.process = self._answer, Process(self.name)
        service.call_of = self.call_of

    def configured(self, channel: Channel) -> Channel:
        """Return an agent's channel as its shop has configured it for this wallet."""
        return channel

    @abstractmethod
    def new_code(self, chance: random.Random) -> str:
        """Return a payment code as a shopper's phone shows it."""

    @abstractmethod
    def scan(self, code: str) -> None:
        """Be the shopper who scans a code that we show and pays. Raises ScanRefused."""

    @abstractmethod
    def moves(self) -> Iterator[Move]:
        """Yield all money that moved, in order."""

    @abstractmethod
    def shown(self) -> Iterator[Shown]:
        """Yield every code that was made for a shopper to scan."""

    @abstractmethod
    def file(self, day: str) -> bytes | None:
        """Return the wallet's file of a day; None when it gives none, for nothing moved."""

    @abstractmethod
    def call_of(self, sent: Sent) -> str:
        """Return what a request is called: the same for every try, and without a signature."""

    @abstractmethod
    def hear(self, sent: Sent) -> Request | Came:
        """Return what a request asks for, or the answer to one that is none."""

    @abstractmethod
    def instead(self, request: Request, struck: Struck) -> Any:
        """Return what is answered although nothing is done; None when it is done."""

    @abstractmethod
    def worded(self, answer: Any, struck: Struck) -> Any:
        """Return what is said of what was done."""

    @abstractmethod
    def say(self, request: Request, answer: Any, struck: Struck) -> Came:
        """Return the signed answer."""

    @abstractmethod
    def told(self, line: Any) -> str:
        """Return a line of the books in words."""

    def note_books(self) -> None:
        """Put into the trace what the books have more than before."""
        for line in self.books.lines[self._noted :]:
            self._note(self.name, self.told(line))
        self._noted = len(self.books.lines)

    def _answer(self, sent: Sent) -> Came | None:
        request = self.hear(sent)
        if isinstance(request, Came):
            return request
        struck = self.faults.strike(request.target)
        if "lost_request" in struck:
            return None
        refused = self.instead(request, struck)
        if refused is not None:
            return self.say(request, refused, struck)
        answer = request.work(struck)
        if "doubled_request" in struck:
            answer = request.work(struck)
        self.note_books()
        if "lost_answer" in struck:
            return None
        Here.scheduler.sleep(struck.number("late_answer", "ms") / 1000)
        return self.say(request, self.worded(answer, struck), struck)
