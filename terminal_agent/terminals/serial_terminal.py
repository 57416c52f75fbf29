"""What is a terminal that is driven over a serial line?"""

from functools import partial

import msgspec
from msgspec.structs import replace

from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.terminals.link_serial import OpenLink, open_serial
from terminal_agent.terminals.profile import FAMILIES, Profile, read_profile
from terminal_agent.terminals.serial_ecr import DrivenTerminal
from terminal_agent.terminals.terminal import Can, LostAnswer, Terminal
from terminal_agent.traces.mask_frames import SEPARATED, STX_LRC, mask_stx_lrc, separated_mask
from terminal_agent.traces.serial_link import recorded
from terminal_agent.traces.write_trace import Recorder


class SerialTerminal(msgspec.Struct, frozen=True):
    """A terminal that is driven over a serial line as its profile says."""

    port: str
    profile: Profile
    recorder: Recorder | None = None

    @property
    def can(self) -> Can:
        """What it can do: whether it refunds is the profile's."""
        return Can(LostAnswer.LAST_WITH_NUMBER, refund_later=self.profile.refunds)

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        open_link: OpenLink = partial(open_serial, self.port, self.profile.line)
        if self.recorder is not None:
            dialect = self.profile.dialect
            if dialect.separated is None:
                note = self.recorder(STX_LRC, FAMILIES[0], mask_stx_lrc)
            else:
                note = self.recorder(SEPARATED, SEPARATED, separated_mask(dialect.separated))
            open_link = recorded(open_link, note, dialect.rules)
        return self.payment_over(open_link, clock)

    def payment_over(self, open_link: OpenLink, clock: Clock) -> Payment:
        """Return the same over a line that is opened in another way."""
        return DrivenTerminal(self.profile, open_link, clock)

    def recorded(self, recorder: Recorder) -> Terminal:
        """Return the same terminal, whose payments note what passes."""
        return replace(self, recorder=recorder)


def read(port: str, text: str, file_name: str) -> Terminal:
    """Return the terminal at a serial port with a profile. Raises FileError."""
    return SerialTerminal(port, read_profile(text, file_name))
