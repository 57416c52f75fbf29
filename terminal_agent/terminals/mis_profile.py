"""What do we know about one vendor's MIS client?"""

import re

from subsidy.strict import yaml_text
from terminal_agent.checkout.ports import Clocks
from terminal_agent.terminals.profile import Codes, read_clocks, read_codes, seconds

FAMILY = "mis_fixed"

_NAME = re.compile(r"[A-Za-z_][0-9A-Za-z_]{0,60}", re.ASCII)
_TRANSACTION = re.compile(r"[0-9]{2}", re.ASCII)
_KINDS = ("sale", "void", "refund", "last")


class MisProfile(Codes, frozen=True, kw_only=True):
    """One kind of MIS client. Waits are in seconds."""

    function: str
    python: str
    status_wait_s: float
    clock_off_s: float
    sale: str
    void: str
    refund: str
    last: str
    clocks: Clocks
    none_yet: frozenset[str]


def read_mis_profile(text: str, file_name: str) -> MisProfile:
    """Return the profile that `text` describes, or raise an error with file, line and remedy."""
    root = yaml_text.read(text, file_name).mapping(
        required=("family", "client", "transactions", "clocks", "codes", "none_yet")
    )
    root["family"].choice((FAMILY,))
    client = root["client"].mapping(required=("function", "python", "status_wait_ms", "clock_off_ms"))
    function = client["function"].code()
    if _NAME.fullmatch(function) is None:
        raise client["function"].wrong("no name of a function", 'Write it as in "bankall"')
    codes = read_codes(root["codes"])
    numbers = _read_numbers(root["transactions"])
    return MisProfile(
        function=function,
        python=_python(client["python"]),
        status_wait_s=seconds(client["status_wait_ms"]),
        clock_off_s=seconds(client["clock_off_ms"], least_ms=0),
        sale=numbers["sale"],
        void=numbers["void"],
        refund=numbers["refund"],
        last=numbers["last"],
        clocks=read_clocks(root["clocks"]),
        codes=codes.codes,
        unsure_back=codes.unsure_back,
        none_yet=frozenset(one.code() for one in root["none_yet"].sequence()),
    )


def _python(node: yaml_text.Node) -> str:
    text = node.text()
    return "" if text == "own" else text


def _read_numbers(node: yaml_text.Node) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, number in node.mapping(required=_KINDS).items():
        text = number.code()
        if _TRANSACTION.fullmatch(text) is None:
            raise number.wrong("no transaction number", 'Write two digits, as in "00"')
        if text in found.values():
            raise number.wrong(f"{text} does something else too", "Give each its own")
        found[name] = text
    return found
