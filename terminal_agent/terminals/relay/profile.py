"""What do we know of one kind of line that passes through us?

A profile is a YAML file (`config/terminals/relay.yaml`), read at start. Times stand in it as whole
milliseconds.
"""

from collections.abc import Mapping

import msgspec

from catalog_sync.packs import read_text
from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node
from terminal_agent.checkout.ports import Clocks
from terminal_agent.iso8583.dialect import Dialect, place_of, read_dialect
from terminal_agent.terminals.profile import Line, read_line
from terminal_agent.terminals.relay.seen import Said

FAMILY = "relay"

_MOST_ARMED_MS = 600_000
_MOST_WAIT_MS = 3_600_000
_CODES = {"approved": Said.YES, "partial": Said.YES, "unclear": Said.UNSURE, "no_original": Said.NO_ORIGINAL}


class Profile(msgspec.Struct, frozen=True):
    """One kind of line. `acquirer` is the host and port that the terminal called before.

    `line` is how a serial port is set over which the terminal hands us its frames, None without one.
    """

    acquirer: tuple[str, int]
    dialect: Dialect
    armed_for_s: float
    clocks: Clocks
    codes: Mapping[str, Said]
    line: Line | None = None

    @property
    def no_original_ms(self) -> int:
        """How long after a sale a host that knows of none is believed: two of its time-outs."""
        return round(2000 * self.clocks.host_timeout_s)


def read_profile(text: str, file_name: str) -> Profile:
    """Return the profile that `text` describes, or raise an error with file, line and remedy."""
    root = yaml_text.read(text, file_name).mapping(
        required=("family", "acquirer", "dialect", "armed_for_ms", "clocks", "codes"), optional=("line",)
    )
    root["family"].choice((FAMILY,))
    armed_for_ms = root["armed_for_ms"].integer(1, _MOST_ARMED_MS)
    return Profile(
        acquirer=read_address(root["acquirer"].text(), root["acquirer"]),
        dialect=_read_dialect(root["dialect"]),
        armed_for_s=armed_for_ms / 1000,
        clocks=_read_clocks(root["clocks"], armed_for_ms),
        codes=_read_codes(root["codes"]),
        line=read_line(root["line"]) if "line" in root else None,
    )


def read_address(text: str, node: Node) -> tuple[str, int]:
    """Return the host and port of "host:port", or raise an error at `node`."""
    found = address_of(text)
    if found is None or found[1] == 0:
        raise node.wrong(f"{text!r} is no address and port", 'Write it as in "10.1.2.3:8001"')
    return found


def address_of(text: str) -> tuple[str, int] | None:
    """Return the host and port of "host:port", None when it is nothing of the kind."""
    host, colon, port = text.rpartition(":")
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    plain = host != "" and host.isascii() and host.isprintable() and not set(host) & set(" /\\:")
    return (host, int(port)) if colon and digits and plain and int(port) <= 65_535 else None


def _read_dialect(node: Node) -> Dialect:
    file = place_of(node.text())
    dialect = read_dialect(read_text(file), str(file))
    if dialect.frame.length != "bin2" or not dialect.frame.tpdu:
        raise node.wrong(
            f"{dialect.name} has another frame than one with two bytes of length and a TPDU",
            "Only such a line can be watched",
        )
    return dialect


def _read_clocks(node: Node, armed_for_ms: int) -> Clocks:
    keys = node.mapping(required=("host_timeout_ms", "poll_every_ms", "resolver_ms"))
    host_timeout_s, poll_every_s, resolver_s = (
        keys[name].integer(1, _MOST_WAIT_MS) / 1000
        for name in ("host_timeout_ms", "poll_every_ms", "resolver_ms")
    )
    return Clocks(
        answer_wait_s=armed_for_ms / 1000,
        answer_cap_s=armed_for_ms / 1000,
        host_timeout_s=host_timeout_s,
        poll_every_s=poll_every_s,
        # A sale that began in the last moment still gets its answer, or its reversal.
        poll_for_s=armed_for_ms / 1000 + 2 * host_timeout_s,
        reverse_not_before_s=0,
        resolver_s=resolver_s,
    )


def _read_codes(node: Node) -> dict[str, Said]:
    found: dict[str, Said] = {}
    keys = node.mapping(required=tuple(_CODES))
    for name, said in _CODES.items():
        for member in keys[name].sequence():
            code = member.code()
            if len(code) != 2 or not (code.isascii() and code.isalnum()):
                raise member.wrong("not a response code", 'Write two digits or capital letters, as in "00"')
            if code in found:
                raise member.wrong(f"{code} stands here twice", "Keep one of them")
            found[code] = said
    return found
