"""Whatever is logged, by us or by a library, is one JSON line without anybody's numbers."""

import errno
import io
import json
import logging

import pytest
from loggers import libraries_as_before
from scanner import looks_personal

from terminal_agent.log import make_log

SAID = "card 6231580209417756038, id 32120219900307118X, tel 13987650412"


@pytest.fixture(autouse=True)
def others_are_left_alone():
    with libraries_as_before():
        yield


def lines(capsys):
    written = capsys.readouterr()
    assert written.out == ""
    return [json.loads(line) for line in written.err.splitlines()]


def test_an_event_is_one_line_with_its_fields(capsys):
    log = make_log()
    log("upload.done", upload_no=7, why="门店\n离线")
    (line,) = lines(capsys)
    assert (line["event"], line["upload_no"], line["why"]) == ("upload.done", 7, "门店\n离线")
    assert line["timestamp"].endswith("Z")


def test_numbers_of_people_are_taken_out(capsys):
    log = make_log()
    log("worker.failed", error=SAID)
    log(SAID)
    for line in lines(capsys):
        assert looks_personal(json.dumps(line)) == []
        assert "[removed]" in json.dumps(line)


def test_an_exception_is_one_line_without_numbers(capsys):
    log = make_log()
    try:
        raise ValueError(SAID)
    except ValueError as wrong:
        log("till.bug", exc_info=wrong)
    (line,) = lines(capsys)
    assert "ValueError: card [removed]" in line["exception"]
    assert looks_personal(line["exception"]) == []


@pytest.mark.parametrize(
    "name", ["uvicorn.error", "apscheduler.executors.default", "urllib3.connectionpool", "asyncio"]
)
def test_what_a_library_warns_of_is_logged_the_same_way(capsys, name):
    make_log()
    logging.getLogger(name).warning("Invalid request: %s", SAID)
    (line,) = lines(capsys)
    assert line["event"] == name
    assert line["message"].startswith("Invalid request: card [removed]")
    assert looks_personal(json.dumps(line)) == []


def test_a_librarys_exception_is_one_line_without_numbers(capsys):
    make_log()
    try:
        raise ValueError(SAID)
    except ValueError:
        logging.getLogger("apscheduler.executors.default").exception("Job raised an exception")
    (line,) = lines(capsys)
    assert looks_personal(line["exception"]) == []


def test_what_a_library_only_tells_is_not_logged(capsys):
    make_log()
    logging.getLogger("apscheduler.executors.default").info("Running job")
    logging.getLogger("uvicorn.error").info("Started")
    assert lines(capsys) == []


def test_a_log_made_twice_writes_each_line_once(capsys):
    make_log()
    make_log()
    logging.getLogger("uvicorn.error").warning("once")
    assert len(lines(capsys)) == 1


class Unwritable(io.StringIO):
    """A full disk, or a pipe that nobody reads any more."""

    def write(self, _text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nobody(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr", Unwritable())
    make_log()("upload.done", upload_no=7)
    logging.getLogger("urllib3").warning("the line is slow")
    assert lines(capsys) == []


def test_what_is_logged_after_that_is_written(monkeypatch):
    stream = Unwritable()
    monkeypatch.setattr("sys.stderr", stream)
    log = make_log()
    log("upload.done", upload_no=7)
    monkeypatch.setattr(Unwritable, "write", io.StringIO.write)
    log("upload.done", upload_no=8)
    assert json.loads(stream.getvalue())["upload_no"] == 8
