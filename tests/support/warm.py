"""How do our programs start at once when tests start them again and again?

Most of a start is to import what the program is made of. One process for each program has done that, and
forks when it is asked to: what comes of it is a process of its own, which runs the shipped program from its
`main` on in the environment, the folder and with the files that it was given, and is killed like any other.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

_LARGEST = 1 << 17
_NEVER_OPEN = 4096
# What somebody who is warm cannot be given any more: who asks for another than these gets an ordinary start.
_USUAL = {
    "executable": None,
    "preexec_fn": None,
    "pass_fds": (),
    "shell": False,
    "gid": None,
    "gids": None,
    "uid": None,
    "umask": -1,
}
# What Python itself, or a library while it is imported, has read already.
_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "SSL_", "OPENSSL_")
_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
# After the command, in the order in which Python's own has them.
_GIVEN = (
    *(
        "executable",
        "preexec_fn",
        "close_fds",
        "pass_fds",
        "cwd",
        "env",
        "startupinfo",
        "creationflags",
        "shell",
    ),
    *_PIPES,
    *("restore_signals", "gid", "gids", "uid", "umask", "start_new_session"),
)
_BIN = Path(sys.executable).parent
COLD = subprocess.Popen


class _Program(NamedTuple):
    """How a program is started, where its `main` is, and what it goes on to import."""

    command: tuple[str, ...]
    main: str
    imports: tuple[str, ...]


_EMULATED = ("terminal", "line_terminal", "host", "wechat", "alipay", "unionpay")
_PROGRAMS = (
    _Program(
        (str(_BIN / "terminal-agent"),),
        "terminal_agent.cli:main",
        ("terminal_agent.cli_run", "terminal_agent.trusted_agent"),
    ),
    _Program(
        (str(_BIN / "settlement"),), "settlement.cli:main", ("settlement.cli_serve", "settlement.web.start")
    ),
    _Program(
        (sys.executable, "-m", "terminal_agent.emulators.cli"),
        "terminal_agent.emulators.cli:app",
        tuple(f"terminal_agent.emulators.run_{one}" for one in _EMULATED),
    ),
)


class Popen(COLD[Any]):
    """A program begun by one that is warm; one that we do not know is begun as ever."""

    def _execute_child(self, args: Any, *more: Any) -> None:
        given = dict(zip(_GIVEN, more, strict=False))
        words = [str(one) for one in args]
        env = os.environ if given["env"] is None else given["env"]
        program = next((one for one in _PROGRAMS if tuple(words[: len(one.command)]) == one.command), None)
        self._ended: int | None = None
        is_usual = all(given[name] == usual for name, usual in _USUAL.items())
        if program is None or not is_usual or _read_at_the_start(env) != _read_at_the_start(os.environ):
            super()._execute_child(args, *more)  # type: ignore[misc]
            return
        pipes = [given[one] for one in _PIPES]
        files = [own if own != -1 else at for at, own in enumerate((pipes[0], pipes[3], pipes[5]))]
        order = {
            "argv": [words[0], *words[len(program.command) :]],
            "cwd": str(given["cwd"] or Path.cwd()),
            "env": dict(env),
            "new_session": given["start_new_session"],
        }
        self._ended, told = os.pipe()
        # Not before: several threads may wait for its end.
        weakref.finalize(self, os.close, self._ended)
        try:
            self.pid = _warm(program).begin(order, [*files, told])
        finally:
            os.close(told)
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
        self._child_created = True

    def _internal_poll(self, *more: Any, **named: Any) -> int | None:
        if self._ended is None:
            return super()._internal_poll(*more, **named)  # type: ignore[misc,no-any-return]
        self._has_ended(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self._ended is None:
            return super()._wait(timeout=timeout)  # type: ignore[misc,no-any-return]
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _has_ended(self, wait_s: float | None) -> bool:
        """Whether it has, as whoever forked it says."""
        if self.returncode is None:
            assert self._ended is not None
            if not select.select([self._ended], [], [], wait_s)[0]:
                return False
            with self._waitpid_lock:  # type: ignore[attr-defined]
                if self.returncode is None:
                    self.returncode = int(os.read(self._ended, 16))
        return True


class _Warm:
    """A program that has imported itself, and its process."""

    def __init__(self, program: _Program) -> None:
        self._turn = threading.Lock()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # It ends when nobody holds the other end of the line any more.
            self._process = COLD(
                [sys.executable, "-P", __file__, program.main, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self._end)

    def begin(self, order: Mapping[str, Any], files: list[int]) -> int:
        """Have one begun, with these files as its own and one to write to how it has ended. Return its id."""
        with self._turn:
            socket.send_fds(self._line, [json.dumps(order).encode()], files)
            return int(self._line.recv(16))

    def _end(self) -> None:
        self._line.close()
        self._process.wait()


@functools.cache
def _warm(program: _Program) -> _Warm:
    return _Warm(program)


def _read_at_the_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_READ_AT_THE_START)}


def _serve(program: _Program, line: socket.socket) -> None:
    """Fork whenever asked to, and tell of each how it has ended. Returns in what was forked only."""
    for one in (program.main.partition(":")[0], *program.imports):
        importlib.import_module(one)
    running: dict[int, int] = {}
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    while True:
        ready, _, _ = select.select([line, wake], [], [])
        if wake in ready:
            os.read(wake, 64)
            _tell_of_ended(running)
        if line in ready:
            content, files, _, _ = socket.recv_fds(line, _LARGEST, 4)
            if not content:
                os._exit(0)
            pid = os.fork()
            if pid == 0:
                line.detach()
                _become(json.loads(content), files)
                return
            for one in files[:3]:
                os.close(one)
            running[pid] = files[3]
            line.send(str(pid).encode())


def _tell_of_ended(running: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            told = running.pop(found[0])
            with suppress(BrokenPipeError):  # nobody waits for it any more
                os.write(told, str(os.waitstatus_to_exitcode(found[1])).encode())
            os.close(told)


def _become(order: Mapping[str, Any], files: list[int]) -> None:
    """Be as a process is that was started so."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if order["new_session"]:
        os.setsid()
    for at, file in enumerate(files[:3]):
        os.dup2(file, at)
    os.closerange(3, _NEVER_OPEN)
    for at, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        old = getattr(sys, name)
        buffering = 1 if old.line_buffering else -1
        new = open(at, mode, buffering, old.encoding, old.errors, closefd=False)  # noqa: SIM115 (it stays open)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = order["argv"]


def _main_of(program: _Program) -> Callable[[], object]:
    module, _, name = program.main.partition(":")
    main: Callable[[], object] = getattr(importlib.import_module(module), name)
    return main


if __name__ == "__main__":
    asked = next(one for one in _PROGRAMS if one.main == sys.argv[1])
    _serve(asked, socket.socket(fileno=int(sys.argv[2])))
    sys.exit(_main_of(asked)())
