"""Which of the centre's words are taken? Only those that answer the question that was asked."""

import hashlib

import msgspec
import pytest
import small_pack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from quiet_till import ENROLLED
from unit_shop import ack_of

from subsidy import seal
from subsidy.policy.model import Tender
from subsidy.policy.read_pack import pack_hash as hash_of
from subsidy.wire import v1
from terminal_agent.checkout.ports import Answer, CentreDenied, CentreUnreachable, Say
from terminal_agent.sync.centre import CentreLine
from terminal_agent.sync.line import Line

CENTRE_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"centre").digest())
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
FILES = small_pack.texts()
PACK_HASH = hash_of(FILES)


class SayingLine(Line):
    """A line on which a test says what comes back."""

    def __init__(self, clock):
        super().__init__(
            url="http://centre.example",
            device="d",
            epoch=1,
            key=CENTRE_KEY,
            centre_keys={seal.key_id(CENTRE_KEY.public_key()): CENTRE_KEY.public_key()},
            clock=clock,
            random_bytes=bytes,
        )
        self.says = {}
        self.asked, self.about, self.logged = [], [], []

    def log(self, event, **fields):
        """Keep a line of the log."""
        self.logged.append((event, fields))

    def ask(self, path, body, within_s, record_id=None):
        self.asked.append(path)
        self.about.append(record_id)
        return self.says[path]


@pytest.fixture
def line(unit_shop):
    return SayingLine(unit_shop.clock)


@pytest.fixture
def centre(unit_shop, line, tmp_path):
    return CentreLine(line, unit_shop.real_journal, tmp_path / "packs", line.log, training=False)


def sealed(typ, message, key=CENTRE_KEY):
    return seal.seal(typ, msgspec.json.encode(message), key)


# Acks.


def upload_answer(*acks):
    return msgspec.json.encode(v1.UploadAnswer(v=1, acks=acks, centre_ms=0))


@pytest.fixture
def entry(unit_shop):
    unit_shop.sell()
    return unit_shop.real_journal.waiting(10)[0]


def test_an_ack_of_our_entry_is_taken(centre, entry):
    ((ack, text),) = centre.acks(upload_answer(sealed(v1.ACK, ack_of(entry))), (entry,))
    assert (ack.seq, ack.hash) == (entry.seq, entry.hash)
    assert msgspec.json.decode(text, type=seal.Sealed) == sealed(v1.ACK, ack_of(entry))


@pytest.mark.parametrize(
    "lie",
    [{"hash": "0" * 64}, {"seq": 2}, {"device": "another"}, {"epoch": 2}],
    ids=lambda lie: next(iter(lie)),
)
def test_an_ack_of_something_else_is_not(lie, centre, entry):
    assert centre.acks(upload_answer(sealed(v1.ACK, ack_of(entry, **lie))), (entry,)) == []


def test_an_ack_that_a_stranger_sealed_is_not_and_spoils_the_answer(centre, entry):
    true, false = sealed(v1.ACK, ack_of(entry)), sealed(v1.ACK, ack_of(entry), STRANGER)
    with pytest.raises(CentreUnreachable):
        centre.acks(upload_answer(true, false), (entry,))


def test_an_answer_without_acks_acknowledges_nothing(centre, entry):
    assert centre.acks(upload_answer(), (entry,)) == []
    with pytest.raises(CentreUnreachable):
        centre.acks(b"<html>Log in</html>", (entry,))


# How far our reports have come.


def heard(**changes):
    return replace(
        v1.Heard(v=1, device=ENROLLED.device, epoch=1, upload_no=3, last_seq=2, centre_ms=90_000), **changes
    )


def test_how_far_our_reports_have_come_is_believed_when_the_centre_sealed_it(centre, line):
    line.says["/v1/heard"] = msgspec.json.encode(sealed(v1.HEARD, heard()))
    assert centre.heard(1) == heard()
    assert line.skew_ms == 90_000 - line._clock.wall_ms()


@pytest.mark.parametrize(
    "answer",
    [
        sealed(v1.HEARD, heard(device="another")),
        sealed(v1.HEARD, heard(epoch=2)),
        sealed(v1.HEARD, heard(), STRANGER),
        sealed(v1.FACTS, heard()),
    ],
    ids=["another device", "another epoch", "a stranger's", "another message"],
)
def test_how_far_somebody_elses_have_come_is_not(answer, centre, line):
    line.says["/v1/heard"] = msgspec.json.encode(answer)
    with pytest.raises(CentreUnreachable):
        centre.heard(1)


# Releases.


@pytest.fixture
def closed(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    sale = unit_shop.sell()
    unit_shop.checkout.stop(sale.record_id, unit_shop.key())
    return unit_shop.real_journal.close_waiting(sale.record_id)


def test_a_release_is_acknowledged_like_every_entry(centre, line, closed, unit_shop):
    line.says[f"/v1/holds/{closed.record_id}/release"] = upload_answer(sealed(v1.ACK, ack_of(closed)))
    centre.release(closed.record_id, 5)
    assert unit_shop.rows("SELECT state FROM sale") == [("CLOSED",)]
    centre.release(closed.record_id, 5)
    assert len(line.asked) == 1


def test_a_release_that_is_not_acknowledged_is_no_release(centre, line, closed, unit_shop):
    line.says[f"/v1/holds/{closed.record_id}/release"] = upload_answer(
        sealed(v1.ACK, ack_of(closed, hash="0" * 64))
    )
    with pytest.raises(CentreUnreachable):
        centre.release(closed.record_id, 5)
    assert unit_shop.rows("SELECT state FROM sale") == [("CLOSING",)]


# Promises.


@pytest.fixture
def asked(unit_shop):
    """A request for a hold and the promise that answers it."""
    sale = unit_shop.open().sale
    (request,) = [one for one in unit_shop.centre.asked if isinstance(one, v1.HoldRequest)]
    return request, sale.held.promise


def test_the_promise_that_was_asked_for_is_taken(centre, line, asked):
    request, promise = asked
    line.says["/v1/holds"] = msgspec.json.encode(sealed(v1.PROMISE, promise))
    assert centre.hold(request, 5).promise == promise


@pytest.mark.parametrize(
    "other",
    [
        {"record_id": "019ca78d-9600-7fec-ab66-000000000000"},
        {"hold_no": 77},
        {"item": v1.Item(gtin="6901234500014", serial_no="ANOTHER")},
        {"pack_hash": "0" * 64},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_promise_for_another_question_is_not(other, centre, line, asked):
    request, promise = asked
    line.says["/v1/holds"] = msgspec.json.encode(sealed(v1.PROMISE, replace(promise, **other)))
    with pytest.raises(CentreUnreachable):
        centre.hold(request, 5)


def test_a_refusal_is_taken_only_for_its_own_sale(centre, line, asked):
    request, _ = asked
    refused = v1.Refused(v=1, record_id=request.record_id, reasons=("FUND_EXHAUSTED",))
    line.says["/v1/holds"] = msgspec.json.encode(sealed(v1.REFUSAL, refused))
    assert centre.hold(request, 5) == refused
    other = replace(refused, record_id="019ca78d-9600-7fec-ab66-000000000000")
    line.says["/v1/holds"] = msgspec.json.encode(sealed(v1.REFUSAL, other))
    with pytest.raises(CentreUnreachable):
        centre.hold(request, 5)


# Facts and packs.


def test_the_centres_time_is_noted(centre, line, unit_shop):
    facts = v1.FactsAnswer(
        v=1, facts=small_pack.facts(), pack_hash=PACK_HASH, centre_ms=unit_shop.clock.wall + 4321
    )
    line.says["/v1/facts"] = msgspec.json.encode(sealed(v1.FACTS, facts))
    request = v1.FactsRequest(
        v=1,
        item=v1.Item(gtin="6901234500014", serial_no="SN-1234"),
        prices=v1.Prices(initial_price_fen=1, merchant_discount_fen=0, trade_in_fen=0),
        qualification_code="QC",
        terminal_no="EMU00001",
        tender=Tender.CARD,
    )
    assert centre.facts(request, 5) == facts
    assert line.skew_ms == 4321


def offer(line, files, key=CENTRE_KEY):
    answer = v1.PackAnswer(v=1, programme="P", files=files)
    line.says["/v1/packs"] = msgspec.json.encode(sealed(v1.PACK, answer, key))


def test_a_pack_is_fetched_once_and_kept_over_a_restart(centre, line, unit_shop, tmp_path):
    offer(line, FILES)
    assert centre.pack(PACK_HASH, 5).programme == "P"
    again = CentreLine(line, unit_shop.real_journal, tmp_path / "packs", line.log, training=False)
    assert again.pack(PACK_HASH, 5).programme == "P"
    assert line.asked == ["/v1/packs"]
    assert again.known_packs() == [{"programme": "P", "hash": PACK_HASH}]


def test_a_pack_with_another_hash_is_not_taken(centre, line, tmp_path):
    offer(line, small_pack.texts(('"2000.00"', '"2001.00"')))
    with pytest.raises(CentreUnreachable):
        centre.pack(PACK_HASH, 5)
    assert not list((tmp_path / "packs").glob("*"))


def test_a_pack_that_is_damaged_on_disk_is_fetched_again(centre, line, unit_shop, tmp_path):
    offer(line, FILES)
    centre.pack(PACK_HASH, 5)
    (file,) = (tmp_path / "packs").glob("*.json")
    file.write_bytes(file.read_bytes().replace(b"2000.00", b"9000.00"))
    again = CentreLine(line, unit_shop.real_journal, tmp_path / "packs", line.log, training=False)
    with pytest.raises(CentreUnreachable, match="damaged"):
        again.pack(PACK_HASH, 5)
    assert again.pack(PACK_HASH, 5).programme == "P"


def test_a_training_pack_is_not_used_where_money_moves(line, unit_shop, tmp_path):
    files = small_pack.texts(("title: programme\n", "title: programme\ntraining: true\n"))
    offer(line, files)
    centre = CentreLine(line, unit_shop.real_journal, tmp_path / "packs", line.log, training=False)
    with pytest.raises(CentreDenied, match="training"):
        centre.pack(hash_of(files), 5)


def test_a_hold_is_asked_for_under_its_sales_trace_and_leaves_a_line(centre, line, asked):
    request, promise = asked
    line.says["/v1/holds"] = msgspec.json.encode(sealed(v1.PROMISE, promise))
    centre.hold(request, 5)
    assert line.about == [request.record_id]
    trace = request.record_id.replace("-", "")
    fields = {"trace": trace, "record_id": request.record_id, "outcome": "promise.v1"}
    assert line.logged == [("hold.answered", fields)]


def test_a_log_that_cannot_be_written_costs_no_sale(centre, line, asked, monkeypatch):
    request, promise = asked
    line.says["/v1/holds"] = msgspec.json.encode(sealed(v1.PROMISE, promise))

    def broken(*_all, **_more):
        raise BrokenPipeError

    monkeypatch.setattr(centre, "_log", broken)
    assert centre.hold(request, 5).promise.record_id == request.record_id
