"""What is an ISO 8583 frame that passes on a terminal's line? The codec masks it; here it is only named.

What the dialect does not know is not understood, whatever it is: a watch that guesses would say "not paid"
of a sale that it could not read.
"""

from collections.abc import Mapping

from subsidy.records.payment import Evidence
from terminal_agent.iso8583.codec import Codec, Message
from terminal_agent.iso8583.dialect import Dialect
from terminal_agent.iso8583.faults import Iso8583Fault
from terminal_agent.iso8583.framing import open_frame
from terminal_agent.terminals.relay.seen import Kind, Said, Seen

_RETURN = "200000"
_SALE = "000000"
# (message type of the request, processing code, kind of function in field 60)
_KINDS = {
    ("0200", _SALE, "22"): Kind.SALE,
    ("0200", _RETURN, "23"): Kind.VOID,
    ("0220", _RETURN, "25"): Kind.REFUND,
    ("0400", _SALE, "22"): Kind.REVERSAL,
    ("0400", _RETURN, "23"): Kind.VOID_REVERSAL,
}
# An answer need not repeat field 60: it is matched to a request whose kind is known.
_ANSWERS = {
    (mti[:2] + "10" if mti != "0220" else "0230", code): kind for (mti, code, _), kind in _KINDS.items()
}
_OF_THE_ORIGINAL = (Kind.VOID, Kind.REFUND)


class Reader:
    """Understands the frames of one dialect. `codes`: what a response code says; others are a no."""

    def __init__(self, dialect: Dialect, codes: Mapping[str, Said]) -> None:
        self._frame = dialect.frame
        self._codec = Codec(dialect)
        self._codes = codes

    def understand(self, content: bytes) -> Seen | None:
        """Say what a frame (TPDU onward) is, or None when it cannot be read."""
        try:
            message = self._codec.decode(open_frame(self._frame, content).body)
        except Iso8583Fault:
            return None
        return self._seen(message)

    def _seen(self, message: Message) -> Seen:
        fields = message.fields
        is_answer = message.mti[2:] in ("10", "30")
        code = fields.get("3", "")
        if is_answer:
            kind = _ANSWERS.get((message.mti, code), Kind.OTHER)
        else:
            kind = _KINDS.get((message.mti, code, message.part(60, "kind")), Kind.OTHER)
        place = 61 if kind in _OF_THE_ORIGINAL else 60
        trace = message.part(61, "trace") if kind in _OF_THE_ORIGINAL else fields.get("11", "")
        batch = message.part(place, "batch")
        undoes = kind in _OF_THE_ORIGINAL and not is_answer
        day = _number(message.part(61, "date")) if undoes else fields.get("13", "")
        return Seen(
            kind=kind,
            is_answer=is_answer,
            terminal_no=fields.get("41", ""),
            own_trace=fields.get("11", ""),
            batch=batch,
            trace=trace,
            fen=int(fields["4"]) if "4" in fields else None,
            said=self._codes.get(fields.get("39", ""), Said.NO) if is_answer and fields.get("39") else None,
            evidence=Evidence(
                code=fields.get("39", ""),
                terminal_no=fields.get("41", ""),
                merchant_no=fields.get("42", ""),
                batch=batch,
                trace=trace,
                rrn=_number(fields.get("37", "")),
                auth=fields.get("38", ""),
                masked_pan=fields.get("2", ""),
                host_date=day,
                host_time=fields.get("12", ""),
            ),
        )


def _number(text: str) -> str:
    """Return a number, or nothing for the noughts that a terminal writes where it has none."""
    return text if text.strip("0 ") else ""
