"""Does one search through the log follow a sale from the till's request to its postings?"""

import io
import json
import re

import msgspec
import pytest
from books import copy_template
from centre import RunningCentre
from sqlalchemy import select

from settlement.db import tables
from settlement.db.connection import reading
from subsidy.wire import v1
from subsidy.wire.trace import traceparent

FOREIGN = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def log(monkeypatch):
    """What a centre that starts now writes to its log."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    return stream


@pytest.fixture
def served(log, tmp_path):
    """A centre whose log is read."""
    copy_template(tmp_path)
    with RunningCentre.start_again(tmp_path) as running:
        yield running


def lines(log, word):
    """Return the lines of the log that have a word in them, as a search would."""
    return [json.loads(line) for line in log.getvalue().splitlines() if word in line]


def ask(served, client, request, header=None):
    """Ask for a hold with a header of the caller's."""
    body = msgspec.json.encode(request)
    headers = {"Content-Type": "application/json", **client.signature("/v1/holds", body, client.nonce())}
    if header is not None:
        headers["traceparent"] = header
    return client.send("/v1/holds", body, headers)


def test_one_search_follows_a_sale_from_the_tills_request_to_its_postings(served, log):
    client = served.enrol()
    request = client.hold_request(client.pack_hash)
    said = client.said(ask(served, client, request, traceparent(request.record_id)))
    client.send_upload(client.chain(client.paid(said.sealed)))
    trace = request.record_id.replace("-", "")
    found = lines(log, trace)
    assert [one["event"] for one in found if one["event"] != "batch.committed"] == [
        "hold.answered",
        "entry.taken",
    ]
    hold, taken = (one for one in found if one["event"] != "batch.committed")
    assert (hold["trace"], hold["device"], hold["record_id"]) == (trace, client.name, request.record_id)
    assert (hold["outcome"], taken["outcome"]) == ("promise.v1", "accepted")
    assert hold["us"] > 0
    assert taken["trace"] == trace
    named = [
        number
        for one in found
        if one["event"] == "batch.committed"
        for number, _, of, _ in one["events"]
        if of == trace
    ]
    c = tables.event.c
    with reading(served.centre.engine) as connection:
        booked = connection.execute(
            select(c.event_no).where(c.record_id == request.record_id).order_by(c.event_no)
        ).scalars()
        assert sorted(named) == list(booked)
    assert lines(log, request.record_id) == found


def test_a_hold_that_is_refused_or_denied_leaves_its_line_too(served, log):
    client = served.enrol()
    client.hold(terminal_no="UNKNOWN-1")
    prices = v1.Prices(initial_price_fen=1, merchant_discount_fen=2, trade_in_fen=0)
    client.post("/v1/holds", client.hold_request(client.pack_hash, prices=prices))
    assert [one["outcome"] for one in lines(log, "hold.answered")] == ["refusal.v1", "CONTRADICTION"]


@pytest.mark.parametrize("path", ["release", "returns"])
def test_what_is_sent_early_is_followed_as_well(served, log, path):
    client = served.enrol()
    said = client.hold()
    if path == "release":
        client.release(said.promise.record_id, said.promise.hold_no)
    else:
        client.send_upload(client.chain(client.paid(said.sealed)))
        client.send_return(client.chain(client.returning(said.promise)))
    trace = said.promise.record_id.replace("-", "")
    assert lines(log, "entry.taken")[-1]["trace"] == trace


def test_a_callers_own_trace_is_kept_beside_the_record(served, log):
    client = served.enrol()
    request = client.hold_request(client.pack_hash)
    ask(served, client, request, f"00-{FOREIGN}-b7ad6b7169203331-01")
    (line,) = lines(log, "hold.answered")
    assert (line["trace"], line["record_id"]) == (FOREIGN, request.record_id)


@pytest.mark.parametrize(
    "header", ["x" * 30_000, f"00-{FOREIGN.upper()}-b7ad6b7169203331-01", "321202199003070013", ""]
)
def test_a_malformed_trace_is_ignored_and_not_kept(served, log, header):
    client = served.enrol()
    request = client.hold_request(client.pack_hash)
    assert ask(served, client, request, header).status_code == 200
    (line,) = lines(log, "hold.answered")
    assert line["trace"] == request.record_id.replace("-", "")
    assert not header or header not in log.getvalue()


def test_a_line_holds_nothing_but_ids_codes_and_numbers(served, log):
    client = served.enrol()
    said = client.hold()
    client.send_upload(client.chain(client.paid(said.sealed)), client.chain(b"poison"))
    strict = re.compile(r"[0-9a-zA-Z_.:+-]{0,64}")

    def texts(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | dict):
            for one in value.values() if isinstance(value, dict) else value:
                yield from texts(one)

    found = [one for word in ("hold.answered", ".taken", "batch.committed") for one in lines(log, word)]
    assert len(found) >= 4
    for line in found:
        assert all(strict.fullmatch(one) for one in texts(line)), line
