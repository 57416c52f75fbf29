"""How does the emulated acquirer host decide, when all is well and when something goes wrong?

It signs terminals in, and does sales, voids, refunds, reversals, settlements and echoes. What its books hold
has moved money, and nothing else has. What goes wrong on the line goes wrong in `host_line.py`.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from terminal_agent.emulators.answers import MADE_UP_CARD, MADE_UP_TRACK
from terminal_agent.emulators.books import SHANGHAI
from terminal_agent.emulators.faults import Struck
from terminal_agent.emulators.host_books import HostBooks, HostLine
from terminal_agent.emulators.host_keys import MAC_KEYS, NO_MAC, SIGN_INS, Keys
from terminal_agent.emulators.host_wire import Values, join

_TERMINAL_NO = re.compile(r"EMU[0-9A-Z]{5}", re.ASCII)
_ORDER = re.compile(r"[0-9A-Z]{26}[0-9]{2}R?", re.ASCII)
_ECHOED = (2, 3, 4, 11, 25, 41, 42, 49, 60)
_NOTES = {"00": "交易成功", "10": "部分承兑", "25": "无原交易", "51": "余额不足", "94": "重复交易"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the host says: type, fields, and with whose keys the MAC is made, if with any."""

    mti: str
    values: Values
    keys: Keys | None
    sign_in_again: bool = False

    def body(self) -> bytes:
        """Return its bytes from the type on."""
        return join(self.mti, self.values, self.keys.mac if self.keys else None)


@dataclass(frozen=True, slots=True)
class Ways:
    """In what hosts differ.

    `mac` is one of `MAC_KEYS`, or `NO_MAC`. `closed_first`: to a reversal it looks at the batch before the
    transaction, and says 21 to whatever names a closed one; else 21 is for what it knows, and 25 for what it
    does not.
    """

    mac: str = "cup"
    closed_first: bool = False


_SHIPPED = Ways()
_NO_KEYS = Keys(NO_MAC, b"")


def target_of(mti: str, values: Values) -> str:
    """Return what faults call a request, empty when it is none that we know."""
    kinds = {"0400": "reversal", "0500": "settle", "0800": "sign_in", "0820": "echo", "0220": "refund"}
    if mti == "0200":
        return {"000000": "sale", "200000": "void"}.get(values.get(3, ""), "")
    return kinds.get(mti, "")


class Host:
    """The acquirer. Remembers keys only while it runs: after a restart terminals must sign in again."""

    def __init__(self, books: HostBooks, tmk: bytes, ways: Ways = _SHIPPED) -> None:
        self._books = books
        self._tmk = tmk
        self._ways = ways
        self._keys: dict[str, Keys] = {}

    def reply(self, mti: str, values: Values, signed: bytes, struck: Struck) -> Reply:
        """Do what a request asks and return the answer. `signed` is what its MAC is made over."""
        tid = values.get(41, "")
        target = target_of(mti, values)
        if not _TERMINAL_NO.fullmatch(tid) or not _is_complete(target, values):
            return self._say(mti, values, "30" if target else "40")
        if target == "sign_in":
            return self._sign_in(mti, values, struck)
        keys = _NO_KEYS if self._ways.mac == NO_MAC else self._keys.get(tid)
        if keys is None:
            return self._say(mti, values, "77")
        if target == "echo":
            stale = values.get(60, "")[2:8] != self._books.batch(tid)
            return self._say(mti, values, "00", sign_in_again=stale)
        if not keys.take(values.get(64, ""), signed):
            return self._say(mti, values, "A0")
        if target == "settle":
            return self._settle(mti, values, keys, struck)
        if target == "sale" and _batch(values) != self._books.batch(tid):
            return self._say(mti, values, "77", sign_in_again=True)
        if why_not := keys.why_not(*(values.get(no, "") for no in (2, 35, 52))):
            return Reply(f"{int(mti) + 10:04d}", self._say(mti, values, why_not).values, keys)
        steps = {"sale": self._sale, "void": self._void, "refund": self._refund, "reversal": self._reverse}
        line = steps[target](values, struck)
        return self._about(mti, values, line, keys, struck)

    def _sign_in(self, mti: str, values: Values, struck: Struck) -> Reply:
        if "declined" in struck:
            return self._say(mti, values, struck.word("declined", "code"))
        if self._ways.mac == NO_MAC:
            return self._say(mti, values, "00")
        tid, asked = values[41], values.get(60, "")[8:11]
        size = MAC_KEYS[self._ways.mac]
        slots = SIGN_INS.get(asked, ())
        if not slots or size > slots[1]:
            return self._say(mti, values, "30")
        pik, mak, *more = (secrets.token_bytes(one) for one in (slots[0], size, *slots[2:]))
        keys = Keys(self._ways.mac, mak, pik, *more)
        self._keys[tid] = keys
        answer = self._say(mti, values, "00")
        answer.values[60] = f"00{self._books.batch(tid)}{asked}"
        answer.values[62] = keys.block(self._tmk, wrong_check="wrong_key_check" in struck)
        return answer

    def _sale(self, values: Values, struck: Struck) -> HostLine:
        fen, code, done = int(values[4]), "00", True
        if (seen := self._seen(values)) is not None:
            return _told_again(seen, "94")
        if "declined" in struck:
            code, done = struck.word("declined", "code"), False
        elif "unclear_code" in struck:
            code, done = struck.word("unclear_code", "code"), struck.flag("unclear_code", "charged")
        elif "partial" in struck:
            fen, code = max(fen // 2, 1), "10"
        elif "wrong_amount" in struck:
            fen = struck.number("wrong_amount", "fen")
        return self._write("sale" if done else "declined", values, fen, code, _order(values))

    def _void(self, values: Values, struck: Struck) -> HostLine:
        sale = self._original(values, in_open_batch=True)
        code, done = "00", True
        if (seen := self._seen(values)) is not None:
            return _told_again(seen, "94")
        if sale is None:
            code, done = "25", False
        elif self._books.given_back(sale) or int(values[4]) != sale.fen:
            code, done = "12", False
        else:
            code, done = _disturbed(struck)
        return self._write_back("void" if done else "declined", values, code, sale)

    def _refund(self, values: Values, struck: Struck) -> HostLine:
        sale = self._original(values, in_open_batch=False)
        seen = self._seen(values)
        code, done = "00", True
        if seen is not None:
            # An advice sent again: what was said of it stands, and it is done once.
            code, done = ("94" if seen.kind == "refund" else seen.code), False
        elif sale is None:
            code, done = "25", False
        elif self._books.given_back(sale) + int(values[4]) > sale.fen:
            code, done = "64", False
        else:
            code, done = _disturbed(struck)
        if seen is not None:
            return _told_again(seen, code)
        return self._write_back("refund" if done else "declined", values, code, sale)

    def _reverse(self, values: Values, struck: Struck) -> HostLine:
        tid, batch, trace = values[41], _batch(values), values[11]
        original = self._books.find(tid, batch, trace)
        is_closed = batch != self._books.batch(tid)
        code, done = "00", True
        if self._ways.closed_first and is_closed:
            code, done = "21", False
        elif original is None or original.kind == "declined":
            code, done = "25", False
        elif self._books.is_undone(original):
            return _told_again(original, "00")
        elif is_closed or not _is_of_today(original):
            # A day that is over is settled, and its file is written: no acquirer reverses what stands in
            # it, however long the terminal leaves its batch open. It is given back by a refund.
            code, done = "21", False
        elif original.kind == "sale" and self._books.given_back(original):
            code, done = "12", False
        else:
            code, done = _disturbed(struck)
        if not done or original is None:
            # No line: nothing moved, and the original's number must keep meaning the original.
            return _never_booked(values, code)
        return self._books.write(
            "reversal", tid, values[42], batch, trace, original.fen, code, original.pay_ref, (batch, trace)
        )

    def _settle(self, mti: str, values: Values, keys: Keys, struck: Struck) -> Reply:
        tid, batch = values[41], _batch(values)
        if "declined" in struck:
            return self._say(mti, values, struck.word("declined", "code"))
        is_open = batch == self._books.batch(tid)
        if not is_open and not self._books.is_settled(tid, batch):
            return self._say(mti, values, "77", sign_in_again=True)
        sold, sales, back, backs = self._books.totals(tid, batch)
        ours = f"{sold:012d}{sales:03d}{back:012d}{backs:03d}"
        balanced = values.get(48, "")[:30] == ours
        if is_open:  # else what was said of it is said again
            self._books.settle(tid, values[42])
        reply = self._say(mti, values, "00")
        reply.values[48] = ours + ("1" if balanced else "2") + "0" * 30 + "1"
        return Reply(reply.mti, reply.values, None if "no_mac" in struck else keys)

    def _about(self, mti: str, values: Values, line: HostLine, keys: Keys, struck: Struck) -> Reply:
        reply = self._say(mti, values, line.code)
        if mti != "0400":
            reply.values[4] = f"{line.fen:012d}"
            reply.values[37] = line.rrn
        if line.auth and line.code in ("00", "10"):
            reply.values[38] = line.auth
        if "wrong_terminal" in struck:
            reply.values[41] = "EMU99999"
        if "clear_card" in struck:
            reply.values[2] = MADE_UP_CARD
            reply.values[35] = MADE_UP_TRACK.replace("=", "D")[:37]
            reply.values[44] = f"{MADE_UP_CARD}   "
            reply.values[57] = MADE_UP_CARD.encode().hex().upper()
            reply.values[63] = f"CUP{MADE_UP_CARD} "
        return Reply(reply.mti, reply.values, None if "no_mac" in struck else keys)

    def _say(self, mti: str, values: Values, code: str, *, sign_in_again: bool = False) -> Reply:
        now = datetime.now(SHANGHAI)
        told = {no: values[no] for no in _ECHOED if no in values}
        told |= {12: now.strftime("%H%M%S"), 13: now.strftime("%m%d"), 15: now.strftime("%m%d")}
        told |= {32: "01020000", 39: code, 63: f"CUP{_NOTES.get(code, '交易失败')}"}
        return Reply(f"{int(mti) + 10:04d}", told, None, sign_in_again)

    def _seen(self, values: Values) -> HostLine | None:
        return self._books.find(values[41], _batch(values), values[11])

    def _original(self, values: Values, *, in_open_batch: bool) -> HostLine | None:
        named = values.get(61, "")
        batch, trace = named[:6], named[6:12]
        if in_open_batch and batch != self._books.batch(values[41]):
            return None
        return self._books.find_sale(values[41], batch, trace)

    def _write(self, kind: str, values: Values, fen: int, code: str, order: str) -> HostLine:
        return self._books.write(kind, values[41], values[42], _batch(values), values[11], fen, code, order)

    def _write_back(self, kind: str, values: Values, code: str, sale: HostLine | None) -> HostLine:
        named = values.get(61, "")
        return self._books.write(
            kind,
            values[41],
            values[42],
            _batch(values),
            values[11],
            int(values[4]),
            code,
            _order(values).removesuffix("R") if sale is None else sale.pay_ref,
            (named[:6], named[6:12]),
        )


def _is_complete(target: str, values: Values) -> bool:
    if target == "" or 42 not in values:
        return False
    moves_money = target not in ("sign_in", "settle", "echo")
    return not moves_money or all(values.get(no, "").isdigit() for no in (4, 11))


def _batch(values: Values) -> str:
    return values.get(60, "")[2:8]


def _order(values: Values) -> str:
    text = bytes.fromhex(values.get(57, "")).decode("ascii", errors="replace")
    return text if _ORDER.fullmatch(text) else ""


def _is_of_today(line: HostLine) -> bool:
    return line.at[:10] == datetime.now(SHANGHAI).date().isoformat()


def _disturbed(struck: Struck) -> tuple[str, bool]:
    """Return code and whether it is done, as the faults have it."""
    if "declined" in struck:
        return struck.word("declined", "code"), False
    if "unclear_code" in struck:
        return struck.word("unclear_code", "code"), struck.flag("unclear_code", "charged")
    return "00", True


def _told_again(line: HostLine, code: str) -> HostLine:
    """Return a line as it is told once more, under another code; nothing is booked.

    The number of a transaction keeps meaning it, however often it comes.
    """
    return HostLine(**{name: getattr(line, name) for name in HostLine.__slots__} | {"code": code})


def _never_booked(values: Values, code: str) -> HostLine:
    return HostLine(
        no=0,
        kind="",
        tid=values[41],
        mid=values[42],
        batch=_batch(values),
        trace=values[11],
        rrn="000000000000",
        auth="",
        fen=int(values[4]),
        pay_ref="",
        orig_batch="",
        orig_trace="",
        at="",
        code=code,
    )
