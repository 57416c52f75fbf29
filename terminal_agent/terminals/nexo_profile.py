"""What do we know about one kind of nexo terminal, and where is this one?"""

import re

import msgspec

from subsidy.strict import yaml_text
from terminal_agent.checkout.ports import Clocks
from terminal_agent.terminals.nexo_messages import FAILURE, PARTIAL, SUCCESS
from terminal_agent.terminals.profile import CodeClass, read_clocks, seconds
from terminal_agent.terminals.tls import TLS_KEYS, TlsFiles, read_tls

FAMILY = "nexo_tcp"

_ID = re.compile(r"[0-9A-Za-z.-]{1,40}", re.ASCII)
_CONDITION = re.compile(r"[A-Za-z]{1,30}", re.ASCII)


class NexoProfile(msgspec.Struct, frozen=True):
    """One kind of terminal. Waits are in seconds. Without `tls` its line is in clear."""

    sale_id: str
    login: bool
    tls: TlsFiles | None
    connect_s: float
    status_wait_s: float
    abort_wait_s: float
    remembers_h: int
    clocks: Clocks
    declined: frozenset[str]
    busy: frozenset[str]
    unsure_back: frozenset[str]

    def class_of(self, result: str, condition: str) -> CodeClass:
        """Return what a result says about the money."""
        if result in (SUCCESS, PARTIAL):
            return CodeClass.APPROVED if result == SUCCESS else CodeClass.PARTIAL
        if result != FAILURE:
            return CodeClass.UNCLEAR
        if condition in self.busy:
            return CodeClass.BUSY
        return CodeClass.DECLINED if condition in self.declined else CodeClass.UNCLEAR

    def class_of_back(self, result: str, condition: str) -> CodeClass:
        """Return what the result of a reversal says about the money."""
        found = self.class_of(result, condition)
        unsure = found is CodeClass.DECLINED and condition in self.unsure_back
        return CodeClass.UNCLEAR if unsure else found


def read_nexo_profile(text: str, file_name: str) -> NexoProfile:
    """Return the profile that `text` describes, or raise an error with file, line and remedy."""
    root = yaml_text.read(text, file_name).mapping(
        required=("family", "sale_id", "login", "exchange", "clocks", "conditions"), optional=("line",)
    )
    root["family"].choice((FAMILY,))
    sale_id = root["sale_id"].code()
    if _ID.fullmatch(sale_id) is None:
        raise root["sale_id"].wrong("no SaleID", "Write up to 40 letters, digits, dots and hyphens")
    waits = ("connect_ms", "status_wait_ms", "abort_wait_ms")
    exchange = root["exchange"].mapping(required=(*waits, "remembers_h"))
    conditions = root["conditions"].mapping(required=("declined", "busy", "unsure_back"))
    declined, busy, unsure = (_conditions(conditions[one]) for one in ("declined", "busy", "unsure_back"))
    if declined & busy:
        raise conditions["busy"].wrong(
            f"{min(declined & busy)} stands under declined too", "Keep one of them"
        )
    return NexoProfile(
        sale_id=sale_id,
        login=root["login"].flag(),
        tls=read_tls(root["line"], root["line"].mapping(TLS_KEYS[:2], TLS_KEYS)) if "line" in root else None,
        connect_s=seconds(exchange["connect_ms"]),
        status_wait_s=seconds(exchange["status_wait_ms"]),
        abort_wait_s=seconds(exchange["abort_wait_ms"]),
        remembers_h=exchange["remembers_h"].integer(1, 48),
        clocks=read_clocks(root["clocks"]),
        declined=declined,
        busy=busy,
        unsure_back=unsure,
    )


def _conditions(node: yaml_text.Node) -> frozenset[str]:
    found = set()
    for member in node.sequence():
        word = member.text()
        if _CONDITION.fullmatch(word) is None:
            raise member.wrong("no ErrorCondition", "Write one word, as in Refusal")
        found.add(word)
    return frozenset(found)
