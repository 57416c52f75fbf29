"""How does an emulated terminal show itself as a serial port, and how is its cable pulled?

A pseudo-terminal behind a symbolic link. The agent opens the link, as it would /dev/ttyUSB0.
"""

import errno
import os
import tty
from contextlib import suppress
from pathlib import Path


class PtyLink:
    """A pseudo-terminal whose other end stands at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._master = -1
        self._slave = -1
        self._name = ""

    @property
    def is_plugged_in(self) -> bool:
        """Whether the port exists at present."""
        return self._master >= 0

    def fileno(self) -> int:
        """Return what to wait on for bytes."""
        return self._master

    def plug_in(self) -> None:
        """Make the port and put the link in its place, also over one that an earlier emulator left.

        Raises OSError, and leaves what stands there, when that is no link.
        """
        if os.path.lexists(self._path) and not self._path.is_symlink():
            raise FileExistsError(
                errno.EEXIST, "another file stands there, name a path of its own", str(self._path)
            )
        self._master, self._slave = os.openpty()
        # Our own hold on the slave's side keeps the line alive when the agent closes it or is killed.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._name = os.ttyname(self._slave)
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            beside.unlink()
        beside.symlink_to(self._name)
        os.replace(beside, self._path)

    def unplug(self) -> None:
        """Take the port away: whoever has it open loses the line."""
        if not self.is_plugged_in:
            return
        with suppress(OSError):
            if os.readlink(self._path) == self._name:
                self._path.unlink()
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def read(self) -> bytes:
        """Return what has arrived."""
        try:
            return os.read(self._master, 4096)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """Send what the line takes. Nobody listening is not our trouble: a real line loses it too."""
        if self.is_plugged_in:
            with suppress(OSError):
                os.write(self._master, data)
