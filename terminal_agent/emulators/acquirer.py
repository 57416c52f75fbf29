"""What does the emulated acquirer make of a request for money?

The same behind every kind of terminal: only what its books hold has moved.
"""

from dataclasses import dataclass, field

from terminal_agent.emulators import wire
from terminal_agent.emulators.books import Books, Line
from terminal_agent.emulators.faults import Struck


@dataclass(slots=True)
class Transaction:
    """One request for money, from its first frame to its line in the books."""

    type: int
    fen: int
    nonce: str
    order: str
    orig_trace: str
    orig_rrn: str
    orig_mmdd: str
    struck: Struck
    frames_heard: int = 0
    begun: bool = False
    key: tuple[int, str] = field(init=False)

    def __post_init__(self) -> None:
        self.key = (self.type, self.nonce)


def book(books: Books, current: Transaction) -> Line:
    """Put a transaction into the books and return its line."""
    if current.type == wire.SALE:
        return _book_sale(books, current)
    return _book_void(books, current) if current.type == wire.VOID else _book_refund(books, current)


def _book_sale(books: Books, current: Transaction) -> Line:
    fen, code, charged = _outcome(current)
    kind = "sale" if charged else "declined"
    return books.write(kind, wire.SALE, fen, current.order, current.nonce, code)


def _book_refund(books: Books, current: Transaction) -> Line:
    fen, code, done = _outcome(current)
    sale = books.find_original(current.orig_trace, current.orig_rrn, current.orig_mmdd)
    if sale is None:
        code, done = "25", False
    elif books.is_refunded(current.order):
        code, done = "94", False
    elif books.given_back(sale) + fen > sale.fen:
        code, done = "64", False
    return books.write(
        "refund" if done else "declined",
        wire.REFUND,
        fen,
        current.order.removesuffix("R") if sale is None else sale.pay_ref,
        current.nonce,
        code,
        orig_trace=current.orig_trace,
        refund_no=current.order,
    )


def _book_void(books: Books, current: Transaction) -> Line:
    struck = current.struck
    sale = books.find_sale(current.orig_trace)
    code, done = "00", True
    if sale is None:
        code, done = "25", False
    elif books.given_back(sale):
        code, done = "12", False
    elif "void_declined" in struck or "declined" in struck:
        code, done = struck.word("void_declined", "code") or struck.word("declined", "code"), False
    elif "unclear_code" in struck:
        code, done = struck.word("unclear_code", "code"), struck.flag("unclear_code", "charged")
    fen = 0 if sale is None else sale.fen
    kind = "void" if done else "declined"
    return books.write(
        kind,
        wire.VOID,
        fen,
        current.order.removesuffix("R"),
        current.nonce,
        code,
        orig_trace=current.orig_trace,
        refund_no=current.order if current.order.endswith("R") else "",
    )


def _outcome(current: Transaction) -> tuple[int, str, bool]:
    """Return how many fen, the response code and whether money moves, as amount and faults have it."""
    struck = current.struck
    if current.fen == 0:
        return 0, "13", False
    if "declined" in struck:
        return current.fen, struck.word("declined", "code"), False
    if "unclear_code" in struck:
        return current.fen, struck.word("unclear_code", "code"), struck.flag("unclear_code", "charged")
    if "partial" in struck:
        return max(current.fen // 2, 1), "10", True
    if "wrong_amount" in struck:
        return struck.number("wrong_amount", "fen"), "00", True
    return current.fen, "00", True
