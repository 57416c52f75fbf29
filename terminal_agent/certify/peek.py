"""What is a request that passes, in a counterpart's own words, and when is its answer whole?

Only whether money moves is looked at, and whether a channel is asked about a payment; any other question, a
signal and what cannot be read have no word.
"""

from urllib.parse import parse_qs, urlsplit

from terminal_agent.certify.on_lines import Ear, Peek
from terminal_agent.channels import unionpay_form
from terminal_agent.iso8583.codec import Codec
from terminal_agent.iso8583.dialect import Dialect as IsoDialect
from terminal_agent.iso8583.faults import Iso8583Fault
from terminal_agent.iso8583.framing import FrameReader, open_frame
from terminal_agent.terminals import read_answer as tags
from terminal_agent.terminals.dialect import Dialect
from terminal_agent.terminals.framing import Decoder, Frame, FramingFault
from terminal_agent.terminals.mis_profile import MisProfile
from terminal_agent.terminals.nexo_messages import Decoder as NexoDecoder
from terminal_agent.terminals.nexo_messages import NexoFault

NONE: frozenset[str] = frozenset()

_OF_TYPE = {tags.SALE: "sale", tags.VOID: "void", tags.REFUND: "refund"}
_MIS_TRANS = slice(16, 18)
_WECHAT = {"codepay": "pay", "native": "native", "reverse": "reverse", "close": "close", "refunds": "refund"}
_ALIPAY = {
    "alipay.trade.pay": "pay",
    "alipay.trade.query": "query",
    "alipay.trade.precreate": "show",
    "alipay.trade.cancel": "cancel",
    "alipay.trade.refund": "refund",
}
_UNIONPAY = {
    ("01", "06"): "pay",
    ("01", "07"): "show",
    ("00", "00"): "query",
    ("99", "01"): "reverse",
    ("04", "00"): "refund",
}


def at_frames(dialect: Dialect) -> Peek:
    """Look at what goes over a serial line."""
    separated = dialect.separated
    commands = {}
    if separated is not None:
        commands = {message.command.encode(): kind for kind, message in separated.messages.items()}

    def kind_of(data: bytes) -> int:
        if separated is not None:
            return commands.get(data.split(separated.separator.encode())[0], 0)
        return dialect.unpack(data).get(tags.TYPE, b"\0")[0]

    def peek(data: bytes) -> frozenset[str]:
        for event in Decoder(dialect.rules).feed(data):
            if isinstance(event, Frame) and (word := _OF_TYPE.get(kind_of(event.data))) is not None:
                return frozenset({word})
        return NONE

    return peek


def ear_of_frames(dialect: Dialect) -> Ear:
    """Listen to a serial line: a whole frame that is no report of progress is the answer."""
    decoder = Decoder(dialect.rules)

    def is_answer(event: object) -> bool:
        if not isinstance(event, Frame):
            return False
        try:
            return dialect.unpack(event.data).get(tags.TYPE, b"") != bytes((tags.PROGRESS,))
        except FramingFault:
            return True

    return lambda received: any(is_answer(event) for event in decoder.feed(received))


def at_nexo(data: bytes) -> frozenset[str]:
    """Look at what goes to a nexo terminal: it has one message for a void and for a refund."""
    if b'"MessageCategory":"Payment","MessageType"' in data:
        return frozenset({"sale"})
    if b'"MessageCategory":"Reversal","MessageType"' in data:
        return frozenset({"void", "refund"})
    return NONE


def ear_of_nexo() -> Ear:
    """Listen to a nexo terminal: a response is the answer, a notification is not."""
    decoder = NexoDecoder()

    def heard(received: bytes) -> bool:
        try:
            return any(b"SaleToPOIResponse" in body for body in decoder.feed(received))
        except NexoFault:
            return True

    return heard


def at_host(dialect: IsoDialect) -> Peek:
    """Look at what goes to an acquirer's host."""
    codec = Codec(dialect)

    def peek(data: bytes) -> frozenset[str]:
        try:
            (content,) = FrameReader(dialect.frame).feed(data)
            message = codec.decode(open_frame(dialect.frame, content).body)
        except (Iso8583Fault, ValueError):
            return NONE
        sale = "sale" if message.fields.get("3") == "000000" else "void"
        word = {"0200": sale, "0220": "refund", "0400": "reversal"}.get(message.mti)
        return NONE if word is None else frozenset({word})

    return peek


def ear_of_host(dialect: IsoDialect) -> Ear:
    """Listen to an acquirer's host: a whole frame is the answer."""
    reader = FrameReader(dialect.frame)

    def heard(received: bytes) -> bool:
        try:
            return bool(reader.feed(received))
        except Iso8583Fault:
            return True

    return heard


def at_records(profile: MisProfile) -> Peek:
    """Look at what a MIS client is called with."""
    words = {profile.sale: "sale", profile.void: "void", profile.refund: "refund"}

    def peek(request: bytes) -> frozenset[str]:
        word = words.get(request[_MIS_TRANS].decode("ascii", errors="replace"))
        return NONE if word is None else frozenset({word})

    return peek


def at_wechat(url: str, body: bytes) -> frozenset[str]:
    """Look at what goes to WeChat Pay."""
    above, _, last = urlsplit(url).path.rpartition("/")
    if not body:
        return frozenset({"query"}) if above.endswith("/out-trade-no") else NONE
    word = _WECHAT.get(last)
    return NONE if word is None else frozenset({word})


def at_alipay(url: str, _body: bytes) -> frozenset[str]:
    """Look at what goes to Alipay."""
    method = parse_qs(urlsplit(url).query).get("method", [""])[0]
    word = _ALIPAY.get(method)
    return NONE if word is None else frozenset({word})


def at_unionpay(_url: str, body: bytes) -> frozenset[str]:
    """Look at what goes to UnionPay."""
    try:
        fields = unionpay_form.read(body)
    except unionpay_form.NoForm:
        return NONE
    word = _UNIONPAY.get((fields.get("txnType", ""), fields.get("txnSubType", "")))
    return NONE if word is None else frozenset({word})
