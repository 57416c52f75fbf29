"""Which drivers are there, by the name that stands in the shop's configuration?

A driver is one row: its name, and a function that makes a terminal of its port and its profile.
"""

from collections.abc import Mapping

from terminal_agent.terminals import nexo_profile, nexo_terminal, serial_terminal
from terminal_agent.terminals import profile as serial_profile
from terminal_agent.terminals.direct import profile as direct_profile
from terminal_agent.terminals.direct import terminal as direct
from terminal_agent.terminals.relay import profile as relay_profile
from terminal_agent.terminals.relay import terminal as relay
from terminal_agent.terminals.terminal import ReadTerminal

DRIVERS: Mapping[str, ReadTerminal] = {
    **dict.fromkeys(serial_profile.FAMILIES, serial_terminal.read),
    nexo_profile.FAMILY: nexo_terminal.read,
    direct_profile.FAMILY: direct.read,
    relay_profile.FAMILY: relay.read,
}
