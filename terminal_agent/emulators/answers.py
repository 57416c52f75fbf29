"""What does the emulated terminal say, field by field?

Also what it says when it is badly set up: clear card and personal data, all made up, where none belong.
"""

from terminal_agent.emulators import wire
from terminal_agent.emulators.books import Line, mmdd_of

BUSY_CODE = "B1"
FORMAT_CODE = "30"

# Made up. The card number has a right check digit, so that whatever looks for cards finds it.
MADE_UP_CARD = "6299998473651209384"
MADE_UP_TRACK = f"{MADE_UP_CARD}=30125201000000000000"
MADE_UP_PHONE = "13800138000"
MADE_UP_IDENTITY = "11010519491231002X"
_MASKED_CARD = "629999*********9384"

_TEXTS = {
    "00": "交易成功",
    "10": "部分金额批准",
    "25": "未找到原始交易",
    "51": "余额不足",
    "64": "与原始金额不符",
    "68": "交易超时",
    "94": "重复交易",
}


def answer_to(line: Line, code: str | None = None) -> wire.Fields:
    """Return the answer to the sale, void or refund that `line` books."""
    return {wire.TYPE: bytes((line.type,)), **_transaction(line, line.code if code is None else code)}


def last_transaction(line: Line | None, terminal_no: str, merchant_no: str) -> wire.Fields:
    """Return the answer to "what was your last transaction?"."""
    if line is None:
        own = {wire.TERMINAL: terminal_no.encode(), wire.MERCHANT: merchant_no.encode()}
        return {wire.TYPE: bytes((wire.LAST,)), **own, wire.TRACE: b"000000"}
    return {
        wire.TYPE: bytes((wire.LAST,)),
        **_transaction(line, line.code),
        wire.MEMO: f"{line.type:02d}".encode(),
    }


def short_answer(
    type_: int, code: str, nonce: bytes, order: bytes, terminal_no: str, merchant_no: str
) -> wire.Fields:
    """Return an answer that books nothing: busy, or a request that could not be read."""
    return {
        wire.TYPE: bytes((type_,)),
        wire.TERMINAL: terminal_no.encode(),
        wire.MERCHANT: merchant_no.encode(),
        wire.CODE: code.encode(),
        wire.NONCE: nonce,
        wire.ORDER: order,
    }


def progress_report(nonce: bytes) -> wire.Fields:
    """Return one report that the terminal is still at work."""
    return {wire.TYPE: bytes((wire.PROGRESS,)), wire.NONCE: nonce}


def leak(fields: wire.Fields, form: str) -> wire.Fields:
    """Return `fields` with clear data in places where a badly set up terminal might put it."""
    card, track, identity = MADE_UP_CARD, MADE_UP_TRACK, MADE_UP_IDENTITY
    personal = f"{card} {MADE_UP_PHONE} {identity}"
    memo = fields.get(wire.MEMO, _written(track, form))
    return {
        **fields,
        wire.CARD: _written(card, form),
        wire.MEMO: memo,
        wire.CONTENT: _written(track, form),
        wire.TEXT: _written(personal if form == "text" else card, form),
        0x76: _written(card, "bcd"),
        0x77: _written(card, "hex"),
        0x78: personal.encode(),
    }


def _transaction(line: Line, code: str) -> wire.Fields:
    time = line.at.partition("T")[2]
    fields = {
        wire.AMOUNT: f"{line.fen:012d}".encode(),
        wire.MERCHANT: line.mid.encode(),
        wire.TERMINAL: line.tid.encode(),
        wire.CARD: _MASKED_CARD.encode(),
        wire.BATCH: line.batch.encode(),
        wire.TRACE: line.trace.encode(),
        wire.AUTH: line.auth.encode(),
        wire.REFERENCE: line.rrn.encode(),
        wire.DATE: mmdd_of(line).encode(),
        wire.TIME: time[:8].replace(":", "").encode(),
        wire.CODE: code.encode(),
        wire.TEXT: _TEXTS.get(code, "交易失败").encode("gbk"),
        wire.NONCE: line.nonce.encode(),
        wire.ORDER: (line.refund_no or line.pay_ref).encode(),
    }
    if line.orig_trace:
        fields[wire.ORIGINAL_TRACE] = line.orig_trace.encode()
    return fields


def _written(text: str, form: str) -> bytes:
    if form == "hex":
        return text.encode().hex().upper().encode()
    if form == "bcd":
        digits = text.replace("=", "D").replace("X", "A")
        return bytes.fromhex(digits + "F" * (len(digits) % 2))
    return text.encode()
