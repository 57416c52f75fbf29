"""Is a program that tests start from a warm one, decision 0024, what an ordinary start would give?"""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import warm
from story.processes import BIN


def ended(popen, command, **options):
    """Return how a command ended, and what it said."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with popen(list(map(str, command)), text=True, **pipes, **options) as process:
        said = process.communicate("typed\n", timeout=60)
    return process.returncode, *said


def begun_as_ever(process):
    """Whether this process has begun it itself, with its command."""
    with open(f"/proc/{process.pid}/cmdline", "rb") as line:
        return b"warm.py" not in line.read()


def acquirer(folder):
    """Return a command that goes on until it is stopped."""
    command = [sys.executable, "-m", "terminal_agent.emulators.cli", "acquirer"]
    return [*command, "--books", str(folder / "books.jsonl")]


@pytest.mark.parametrize(
    "words", [["--version"], ["nonsense"], ["run", "--help"], ["serve", "--config", "no.yaml"]]
)
@pytest.mark.parametrize("program", ["terminal-agent", "settlement"])
def test_it_says_the_same_and_ends_the_same(program, words, tmp_path):
    command = [BIN / program, *words]
    assert ended(warm.Popen, command, cwd=tmp_path) == ended(warm.COLD, command, cwd=tmp_path)


def test_it_has_the_environment_that_it_was_given(tmp_path):
    command = [BIN / "terminal-agent", "pin-hash"]
    env = {**os.environ, "COLUMNS": "44"}
    there = ended(warm.Popen, [*command, "--help"], cwd=tmp_path, env=env)
    assert there == ended(warm.COLD, [*command, "--help"], cwd=tmp_path, env=env)
    assert max(map(len, there[1].splitlines())) <= 44


def test_it_is_killed_and_waited_for_like_any_other(tmp_path):
    command = acquirer(tmp_path)
    with warm.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline().startswith(b'{"ready": true')
        assert not begun_as_ever(process)
        assert os.getsid(process.pid) == process.pid
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    with warm.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL


def test_several_threads_may_wait_for_its_end(tmp_path):
    command = acquirer(tmp_path)
    with warm.Popen(command, stdout=subprocess.PIPE) as process, ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(process.wait, 30) for _ in range(4)]
        time.sleep(0.1)
        process.kill()
        assert {one.result() for one in waiting} == {-signal.SIGKILL}


@pytest.mark.parametrize(
    "options", [{"env": {**os.environ, "LC_ALL": "zh_CN.GBK"}}, {"umask": 0o077}, {"preexec_fn": os.getpid}]
)
def test_what_cannot_be_given_to_a_warm_one_is_an_ordinary_start(tmp_path, options):
    with warm.Popen(acquirer(tmp_path), stdout=subprocess.PIPE, **options) as process:
        assert begun_as_ever(process)
        process.kill()


def test_another_program_is_started_as_ever():
    with warm.Popen(["/bin/sleep", "60"]) as process:
        assert begun_as_ever(process)
        process.kill()
