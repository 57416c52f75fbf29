"""Which links can be certified in a shop's configuration, and how is one opened with our hands on it?"""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from terminal_agent import system
from terminal_agent.certify import counterparts, peek
from terminal_agent.certify.counterparts import Counterpart
from terminal_agent.certify.on_calls import disturbed
from terminal_agent.certify.on_http import DisturbedSession
from terminal_agent.certify.on_http import Peek as PeekAtHttp
from terminal_agent.certify.on_lines import DisturbedConnection, DisturbedLine, Ear, Peek
from terminal_agent.certify.on_watched_lines import LineInOurHands
from terminal_agent.certify.our_end import OurEnd
from terminal_agent.channels.codes import Wallet
from terminal_agent.channels.wallets import Channel
from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.config import Config
from terminal_agent.terminals.direct.line import Dial, LineLost, dial
from terminal_agent.terminals.direct.terminal import HostTerminal
from terminal_agent.terminals.exchange import Link, LinkFault
from terminal_agent.terminals.link_serial import OpenLink, open_serial
from terminal_agent.terminals.mis_call import call_child, child_command
from terminal_agent.terminals.mis_terminal import MisClientTerminal
from terminal_agent.terminals.nexo_terminal import NetworkTerminal
from terminal_agent.terminals.relay.terminal import RelayTerminal
from terminal_agent.terminals.serial_terminal import SerialTerminal
from terminal_agent.terminals.terminal import Terminal

SHOWN = "/shown"
_UNKNOWN = "{} is driven by what `certify` does not know yet: it has no row in certify/links.py"

Open = Callable[[Clock, OurEnd], Payment]
"""Make the link anew, as a new process has it, with our hands on what passes."""


class LinkUnderTest(msgspec.Struct, frozen=True):
    """One link of the configuration.

    `settles` is what its emulator wants to hear when its day is closed. `line` stands where a terminal is
    only watched.
    """

    name: str
    counterpart: Counterpart
    open: Open
    settles: Mapping[str, str] = {}
    line: LineInOurHands | None = None


class CannotBeCertified(Exception):
    """A link of the configuration that cannot be tried. Says why, and what to do."""


def links_of(config: Config) -> dict[str, LinkUnderTest | CannotBeCertified]:
    """Return every link of a configuration by the name that `--link` takes."""
    found: dict[str, LinkUnderTest | CannotBeCertified] = {}
    for number, terminal in config.terminals.items():
        found[number] = _of_terminal(number, terminal)
    for wallet, channel in config.channels.items():
        if wallet not in _CHANNELS:
            found[wallet.value] = CannotBeCertified(_UNKNOWN.format(wallet.value))
            continue
        paid, shown, look = _CHANNELS[wallet]
        found[wallet.value] = LinkUnderTest(wallet.value, paid, partial(_pay_by_code, channel, look))
        if channel.showing(system.SystemClock(), system.random_bytes) is not None:
            name = wallet.value + SHOWN
            found[name] = LinkUnderTest(name, shown, partial(_show_codes, channel, look))
    return found


_CHANNELS: Mapping[Wallet, tuple[Counterpart, Counterpart, PeekAtHttp]] = {
    Wallet.WECHAT: (counterparts.WECHAT, counterparts.WECHAT_SHOWN, peek.at_wechat),
    Wallet.ALIPAY: (counterparts.ALIPAY, counterparts.ALIPAY_SHOWN, peek.at_alipay),
    Wallet.UNIONPAY: (counterparts.UNIONPAY, counterparts.UNIONPAY_SHOWN, peek.at_unionpay),
}


def _of_terminal(number: str, terminal: Terminal) -> LinkUnderTest | CannotBeCertified:
    match terminal:
        case SerialTerminal():
            return LinkUnderTest(number, counterparts.SERIAL, partial(_serial, terminal))
        case NetworkTerminal():
            return LinkUnderTest(number, counterparts.NEXO, partial(_nexo, terminal))
        case MisClientTerminal():
            return LinkUnderTest(number, counterparts.MIS, partial(_mis, terminal))
        case HostTerminal():
            settles = {"terminal_no": number}
            return LinkUnderTest(number, counterparts.DIRECT, partial(_direct, terminal), settles)
        case RelayTerminal():
            line = LineInOurHands(number, terminal)
            kind = counterparts.HAND_OVER if terminal.listen is None else counterparts.RELAY
            return LinkUnderTest(number, kind, line.open, {"terminal_no": number}, line)
    return CannotBeCertified(_UNKNOWN.format(number))


def _serial(terminal: SerialTerminal, clock: Clock, end: OurEnd) -> Payment:
    dialect = terminal.profile.dialect
    opened = partial(open_serial, terminal.port, terminal.profile.line)
    look, ear = peek.at_frames(dialect), partial(peek.ear_of_frames, dialect)
    return terminal.payment_over(_in_our_hands(opened, end, look, ear), clock)


def _nexo(terminal: NetworkTerminal, clock: Clock, end: OurEnd) -> Payment:
    return terminal.payment_over(_in_our_hands(terminal.connect, end, peek.at_nexo, peek.ear_of_nexo), clock)


def _mis(terminal: MisClientTerminal, clock: Clock, end: OurEnd) -> Payment:
    call = partial(call_child, child_command(terminal.profile.python, terminal.arguments))
    return terminal.payment_over(disturbed(call, end, peek.at_records(terminal.profile)), clock)


def _direct(terminal: HostTerminal, clock: Clock, end: OurEnd) -> Payment:
    dialed: Dial = partial(dial, terminal.address, terminal.line)
    look = peek.at_host(terminal.dialect)

    def disturbed_dial() -> DisturbedConnection:
        ear = peek.ear_of_host(terminal.dialect)
        return DisturbedConnection(dialed(), end, look, ear, LineLost)

    return terminal.payment_over(disturbed_dial, clock)


def _in_our_hands(opened: OpenLink, end: OurEnd, look: Peek, ear: Callable[[], Ear]) -> OpenLink:
    def open_one() -> Link:
        return DisturbedLine(opened(), end, look, ear(), lambda: LinkFault("The line was lost"))

    return open_one


def _pay_by_code(channel: Channel, look: PeekAtHttp, clock: Clock, end: OurEnd) -> Payment:
    return channel.payment(clock, system.random_bytes, DisturbedSession(clock, end, look))


def _show_codes(channel: Channel, look: PeekAtHttp, clock: Clock, end: OurEnd) -> Payment:
    shown = channel.showing(clock, system.random_bytes, DisturbedSession(clock, end, look))
    assert shown is not None
    return shown
