"""Is every line of the log JSON, and nothing personal in it?"""

import io
import json
import logging

import pytest
import reference_data as reference

from settlement.logs import Lines, make_log

IDENTITY = reference.identity_no(1)
CARD = "6222021234567890123"
PHONE = "13912345678"
RECORD = "019c1a2b-1234-7123-8123-123456789012"


@pytest.fixture
def stream():
    """Where the log is written."""
    return io.StringIO()


@pytest.fixture
def log(stream):
    """A log at a fixed time."""
    yield make_log(lambda: 1_772_337_600_000, Lines(stream))
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []


def lines(stream):
    """Return the lines of the log."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_an_event_with_fields(log, stream):
    log.info("hold.placed", record_id=RECORD, amount_fen=43_500, ok=True, owner=None)
    assert lines(stream) == [
        {
            "ts": "2026-03-01T12:00:00.000+08:00",
            "record_id": RECORD,
            "amount_fen": 43_500,
            "ok": True,
            "owner": None,
            "event": "hold.placed",
            "level": "info",
        }
    ]


@pytest.mark.parametrize("secret", [IDENTITY, IDENTITY.lower(), CARD, PHONE])
def test_what_looks_personal_is_blotted_out_wherever_it_stands(log, stream, secret):
    log.error(
        f"event {secret}",
        text=f"a {secret} b",
        listed=[secret, {"deep": (secret,)}],
        mapped={secret: 1},
        thing=ValueError(secret),
        raw=secret.encode(),
    )
    shown = stream.getvalue()
    assert secret not in shown
    assert shown.count("[removed]") >= 6


def test_a_number_that_looks_like_a_card_is_blotted_out_and_an_amount_is_not(log, stream):
    log.info("x", card=int(CARD), fen=10**12, at_ms=1_772_337_600_000)
    (line,) = lines(stream)
    assert (line["card"], line["fen"], line["at_ms"]) == ("[removed]", 10**12, 1_772_337_600_000)


def test_a_fault_is_logged_with_its_trace_and_without_what_was_personal(log, stream):
    try:
        raise RuntimeError(f"no person {IDENTITY}")
    except RuntimeError as wrong:
        log.error("request.failed", exc_info=wrong)
    (line,) = lines(stream)
    assert "Traceback" in line["exception"]
    assert "no person [removed]" in line["exception"]


def test_what_libraries_log_is_a_line_of_ours(log, stream):
    logging.getLogger("uvicorn.error").warning("Invalid request of %s", CARD)
    logging.getLogger("uvicorn.error").debug("chatter")
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("uvicorn.error", "warning")
    assert line["message"] == "Invalid request of [removed]"


def test_a_log_that_nobody_can_read_any_more_fails_nothing(log, stream):
    stream.close()
    log.error("request.failed")
    logging.getLogger("uvicorn.error").warning("still there")
