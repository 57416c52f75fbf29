"""What is a masked frame of each kind of link read to be? By the code that reads the real one. Pure."""

import json
from collections.abc import Callable

import msgspec

from terminal_agent.channels import alipay_answer, unionpay_form
from terminal_agent.channels.alipay_client import Believed, members_of
from terminal_agent.channels.read_answer import Problem, RefundSaid, Trade, read
from terminal_agent.channels.signed_client import Reply
from terminal_agent.channels.unionpay_form import NoForm
from terminal_agent.iso8583.dialect import place_of, read_dialect
from terminal_agent.terminals import mis_record, nexo_messages
from terminal_agent.terminals.framing import FramingFault
from terminal_agent.terminals.nexo_messages import Address, NexoFault
from terminal_agent.terminals.read_answer import read_answer
from terminal_agent.terminals.relay.seen import Said
from terminal_agent.terminals.relay.understand import Reader
from terminal_agent.traces.mask_frames import ISO8583, STX_LRC
from terminal_agent.traces.mask_http import ALIPAY, UNIONPAY, WALLET, WECHAT
from terminal_agent.traces.mask_mis import MIS
from terminal_agent.traces.mask_nexo import NEXO

# What codes mean stands in the shop's profile; here only whether a frame is read the same.
_CODES = {"00": Said.YES}
_OF_UNIONPAY = ("txnType", "orderId", "txnTime", "respCode", "origRespCode", "txnAmt", "currencyCode")

Plain = dict[str, object]
Understand = Callable[[bytes], Plain | None]
"""Return what a frame is read to be, None when it is not."""

ReadText = Callable[[str], str]
"""Return the text of a dialect, by its name."""


def understander(kind: str, dialect: str, text_of: ReadText) -> Understand | None:
    """Return what reads the frames of one kind of link, None when none of them can be read here."""
    if kind == ISO8583:
        reader = Reader(read_dialect(text_of(dialect), str(place_of(dialect))), _CODES)

        def iso(content: bytes) -> Plain | None:
            seen = reader.understand(content)
            return None if seen is None else _plain(seen)

        return iso
    return _READERS.get((kind, dialect if kind == WALLET else ""))


def _stx_lrc(data: bytes) -> Plain | None:
    try:
        return _plain(read_answer(data))
    except FramingFault:
        return None


def _nexo(body: bytes) -> Plain | None:
    """Of a request only what it is; of an answer what the driver would read."""
    try:
        (name, message), *more = json.loads(body).items()
        header = message["MessageHeader"]
        if more or name == "SaleToPOIRequest":
            return None if more else {"request": header["MessageCategory"], "service_id": header["ServiceID"]}
        return _plain(nexo_messages.read_message(body, Address(header["SaleID"], header["POIID"])))
    except (NexoFault, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _mis(record: bytes) -> Plain | None:
    try:
        if len(record) == mis_record.REQUEST_BYTES:
            return _plain(mis_record.read_request(record))
        return _plain(mis_record.read_answer(record))
    except mis_record.RecordFault:
        return None


def _wechat(content: bytes) -> Plain:
    """Return what an answer is read to be; of a request the same, since it is a body like it."""
    reply = Reply(200, content)
    trade, refund, problem = read(reply, Trade), read(reply, RefundSaid), read(reply, Problem)
    told = (("trade", trade), ("refund", refund), ("problem", problem))
    return {name: None if found is None else _plain(found) for name, found in told}


def _alipay(content: bytes) -> Plain | None:
    named = [body for name, body in (members_of(content) or {}).items() if name.endswith("_response")]
    said = alipay_answer.read(Believed(named[0])) if len(named) == 1 else None
    if said is None:
        return None
    found = {name: getattr(said, name) for name in said.__struct_fields__}
    return {name: bytes(one).decode() if isinstance(one, msgspec.Raw) else one for name, one in found.items()}


def _unionpay(content: bytes) -> Plain | None:
    try:
        fields = unionpay_form.read(content)
    except NoForm:
        return None
    return {name: fields.get(name, "") for name in _OF_UNIONPAY}


def _plain(value: msgspec.Struct) -> Plain:
    plain: Plain = msgspec.to_builtins(value)
    return plain


_READERS: dict[tuple[str, str], Understand] = {
    (STX_LRC, ""): _stx_lrc,
    (NEXO, ""): _nexo,
    (MIS, ""): _mis,
    (WALLET, WECHAT): _wechat,
    (WALLET, ALIPAY): _alipay,
    (WALLET, UNIONPAY): _unionpay,
}
