"""What does the centre say to a message with one thing wrong in it, on each database?

It names the place and has changed nothing; an entry that cannot be taken is kept apart, and nothing but that.
"""

import msgspec
import pytest
from books import ENGINES, copy_template
from centre import RunningCentre
from fake_device import promised
from fuzzing import Fuzzed
from hostile import is_always_wrong, with_wrong, wrongs
from sqlalchemy import text

from settlement.db.connection import reading
from settlement.intake.read_upload import read_entry
from settlement.ledger import read_books
from subsidy import ids, seal
from subsidy.wire import v1

JSON = {"Content-Type": "application/json"}
# Where an entry that is kept apart leaves traces.
APART = {"entry_row", "entry_at", "difference", "event", "device"}


@pytest.fixture(scope="module", params=ENGINES)
def fuzzed(tmp_path_factory, request):
    """A centre on one of the databases."""
    folder = tmp_path_factory.mktemp(request.param)
    config = copy_template(folder, request.param)
    config.write_text(config.read_text() + "holds_per_device_s: 100000\n")
    with RunningCentre.start_again(folder) as running:
        yield Fuzzed(request.param, running)


class Facts:
    """The questions of a quote, and everything else that a device or a host can send, ready to be spoilt."""

    path = "/v1/facts"

    def __init__(self, fuzzed):
        self.fuzzed, self.device = fuzzed, fuzzed.device

    def message(self):
        """Return a right message."""
        request = self.device.hold_request(self.device.pack_hash)
        return v1.FactsRequest(
            v=1,
            item=request.item,
            prices=request.prices,
            qualification_code=request.qualification_code,
            terminal_no=request.terminal_no,
            tender=request.tender,
        )

    def send(self, body):
        """Send the bytes of one."""
        return self.device.post(self.path, body)


class Hold(Facts):
    """The request of a hold."""

    path = "/v1/holds"

    def message(self):
        """Return a right message."""
        return self.device.hold_request(self.device.pack_hash)


class Packs(Facts):
    """The request of a pack."""

    path = "/v1/packs"

    def message(self):
        """Return a right message."""
        return v1.PackRequest(v=1, pack_hash=self.device.pack_hash)


class Enrolment(Facts):
    """The request to become a device."""

    path = "/v1/enrolments"

    def message(self):
        """Return a message of a host whose code nobody has made."""
        code = "A" * 26 + "-" + self.fuzzed.centre.centre.keys.kid
        public = self.fuzzed.centre.client("spoilt").public_text
        return v1.EnrolmentRequest(v=1, code=code, public_key=public, host="till-1", agent_version="1")

    def send(self, body):
        """Send the bytes of one."""
        return self.device.send(self.path, body, JSON)


class Release(Facts):
    """The early release of a hold."""

    record = ids.record_id(1, bytes(10))
    path = f"/v1/holds/{record}/release"

    def message(self):
        """Return a right message, of a sale that the centre does not know."""
        device = self.device
        return device.at(device.seq + 1, device.head, device.closed(self.record, 1)).wire


class Return(Release):
    """The early notice of a return."""

    path = "/v1/returns"


class SealedUpload(Facts):
    """An upload as it is sealed."""

    path = "/v1/records"

    def message(self):
        """Return a right message that says nothing new."""
        return self.device.sealed(self.device.upload([]))


class Upload(SealedUpload):
    """What is sealed in an upload, its statement and its entries included."""

    def message(self):
        """Return a right message with one of everything."""
        device = self.device
        entry = device.at(device.seq + 1, device.head, device.closed(Release.record, 1))
        count = v1.RefusedCount(day="2026-03-01", code="FUND_EXHAUSTED", count=1)
        return device.upload(
            [entry],
            still_open=[v1.OpenHold(record_id=Release.record, hold_no=1)],
            refused=(count,),
        )

    def send(self, body):
        """Seal the bytes of one and send them."""
        sealed = v1_sealed(self.device, body)
        return self.device.post(self.path, sealed)


def v1_sealed(device, payload):
    """Return any bytes sealed as an upload of the device."""
    return seal.seal(v1.UPLOAD, payload, device.key)


@pytest.mark.parametrize("kind", [Facts, Hold, Packs, Enrolment, Release, Return, SealedUpload, Upload])
def test_one_thing_wrong_in_a_message_is_named_and_changes_nothing(fuzzed, kind):
    spoilt = kind(fuzzed)
    count = 0
    fuzzed.device = spoilt.device = fuzzed.centre.enrol()
    before, hashed = fuzzed.counts(), fuzzed.centre.state_hash()
    for place, what in wrongs(spoilt.message()):
        answer = spoilt.send(with_wrong(spoilt.message(), place, what))
        told = f"{place} {what}: {answer.status_code} {answer.text[:300]}"
        count += 1
        assert answer.status_code < 500, told
        if is_always_wrong(what):
            assert answer.status_code in (400, 413), told
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", told
            assert answer.status_code in (403, 404, 413) or answer.json()["detail"].startswith(
                ("$", "payload")
            ), told
            assert fuzzed.counts() == before, told
        else:
            # Another message, and a right one.
            assert fuzzed.centre.state_hash() == hashed or kind in (Hold, Release, Return, Upload), told
            fuzzed.device = spoilt.device = fuzzed.centre.enrol()
            before, hashed = fuzzed.counts(), fuzzed.centre.state_hash()
    assert fuzzed.centre.state_hash() == hashed
    assert count > 20


def entries(device, sealed):
    """Return a right entry of each kind about a promised sale."""
    promise = promised(sealed)
    return {
        "paid": device.paid(sealed),
        "closed": device.closed(promise.record_id, promise.hold_no),
        "returning": device.returning(promise),
        "returned": device.returned(promise),
        "supplement": device.supplement(promise.record_id, device.attempt(promise)),
    }


def rows(fuzzed):
    """Return every row of every table, by table."""
    found = {}
    with reading(fuzzed.centre.centre.engine) as connection:
        for table in fuzzed.tables:
            found[table] = sorted(
                repr(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {table}"))
            )
    return found


def is_readable(device, body, keys):
    """Whether an entry is one after all."""
    return read_entry(device.name, 1, device.at(1, "0" * 64, body).wire, keys).entry is not None


@pytest.mark.parametrize("is_held", [False, True], ids=["unknown to the centre", "held"])
@pytest.mark.parametrize("kind", ["paid", "closed", "returning", "returned", "supplement"])
def test_one_thing_wrong_in_an_entry_puts_it_into_quarantine_and_nothing_else(fuzzed, kind, is_held):
    device = fuzzed.centre.enrol()
    person = fuzzed.next_person()
    sealed = device.hold(person=person).sealed
    promise = promised(sealed)
    entry = entries(device, sealed)[kind]
    if not is_held:
        # Right in itself, about a sale that this centre has not promised anything for.
        entry = msgspec.structs.replace(entry, record_id=ids.record_id(1, person.to_bytes(10)))
    still_open = [v1.OpenHold(record_id=promise.record_id, hold_no=promise.hold_no)]
    before = {} if is_held else rows(fuzzed)
    spoilt = [(place, what, with_wrong(entry, place, what)) for place, what in wrongs(entry)]
    if not is_held:
        keys = fuzzed.centre.centre.keys.public()
        spoilt = [one for one in spoilt if not is_readable(device, one[2], keys)]
    for start in range(0, len(spoilt), 40):
        batch = spoilt[start : start + 40]
        chained = [device.chain(body) for _, _, body in batch]
        answer = device.post("/v1/records", device.sealed(device.upload(chained, still_open=still_open)))
        assert answer.status_code == 200, answer.text
        for (place, what, _), ack in zip(batch, device.acks(answer), strict=True):
            assert ack.answer == "quarantined" or not is_always_wrong(what), (place, what, ack)
    if not is_held:
        now = rows(fuzzed)
        assert {table for table in now if now[table] != before[table]} <= APART
    with reading(fuzzed.centre.centre.engine) as connection:
        assert list(read_books.faults(connection)) == []
    assert len(spoilt) > 50
