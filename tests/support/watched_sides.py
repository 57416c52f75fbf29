"""A terminal that is only watched, emulated with its acquirer, as `certify` has it: its line in our hands."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from links_to_certify import to_certify
from wechat import RealClock

from terminal_agent.certify.at_the_terminal import EmulatedKeypad
from terminal_agent.certify.control import Control
from terminal_agent.certify.link_side import LinkSide
from terminal_agent.certify.links import LinkUnderTest, links_of
from terminal_agent.certify.our_end import OurEnd
from terminal_agent.certify.people import MadeUp
from terminal_agent.config import read_config


@contextmanager
def new_sides(kind: str, folder: Path, fen: int) -> Iterator[Callable[[], LinkSide]]:
    """Start both, their files in `folder`, and yield what makes the link before each scenario."""
    with to_certify(kind, folder) as given:
        link = links_of(read_config(given.config))[given.link]
        assert isinstance(link, LinkUnderTest)
        assert link.line is not None
        control, clock = Control(given.control), RealClock()
        end = OurEnd(clock)
        watched = (link.line, EmulatedKeypad(Control(given.terminal)))
        yield lambda: LinkSide(
            link.counterpart,
            partial(link.open, clock, end),
            clock,
            secrets.token_bytes,
            MadeUp(link.counterpart, control, secrets.token_bytes),
            fen=fen,
            end=end,
            control=control,
            settles=dict(link.settles),
            watched=watched,
        )
        link.line.close()
