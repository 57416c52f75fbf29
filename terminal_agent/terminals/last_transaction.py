"""Whose is the terminal's last transaction, and what does its trace prove?

Pure. A trace number grows by one with every transaction that a terminal begins, done or not, and goes on
with 1 after 999999.
"""

from terminal_agent.checkout.ports import Ask
from terminal_agent.terminals.read_answer import NO_TRACE, NONCE_LENGTH, SALE, VOID, Said

_SALE_MEMO, _VOID_MEMO = f"{SALE:02d}", f"{VOID:02d}"
_LAST_TRACE = 999_999


def nonce_of(ask: Ask) -> str:
    """Return the nonce of an attempt's sale."""
    return ask.pay_ref[-NONCE_LENGTH:]


def names(last: Said, ask: Ask) -> bool:
    """Whether `last` carries the nonce of this attempt's sale."""
    return last.nonce == nonce_of(ask) and last.order in ("", ask.pay_ref)


def is_as_before(last: Said, ask: Ask) -> bool:
    """Whether nothing has happened at the terminal, which is idle, since `prepare`."""
    if names(last, ask) or last.order == ask.pay_ref:
        return False
    return ask.mark is not None and last.evidence.trace == ask.mark


def is_our_sale(last: Said, ask: Ask) -> bool:
    """Whether the last transaction of the terminal, which is idle, is this attempt's sale.

    A trace that was there before the attempt is not its own, whatever nonce it carries.
    """
    is_older = ask.mark is not None and last.evidence.trace == ask.mark
    return names(last, ask) and last.memo in ("", _SALE_MEMO) and not is_older


def is_our_void(last: Said, ask: Ask) -> bool:
    """Whether the last transaction of the terminal is a void of this attempt's sale, sent by us."""
    return last.memo == _VOID_MEMO and last.order == ask.pay_ref


def is_trace(text: str) -> bool:
    """Whether `text` is the trace of a transaction."""
    return len(text) == len(NO_TRACE) and text.isascii() and text.isdecimal() and text != NO_TRACE


def directly_follows(trace: str, earlier: str) -> bool:
    """Whether no transaction lies between these two."""
    return is_trace(trace) and is_trace(earlier) and int(trace) == int(earlier) % _LAST_TRACE + 1


def differ(one: str, other: str) -> bool:
    """Whether two texts are both known, and not the same."""
    return one != "" and other != "" and one != other
