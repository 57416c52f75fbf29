"""How the outbox is emptied: oldest first, with a statement, and never on a wrong word."""

import base64

import msgspec
import pytest
from power.long_queue import fill
from quiet_till import ENROLLED
from unit_shop import ack_of

from subsidy import seal
from subsidy.seal import Sealed
from subsidy.strict.json_bytes import MOST_BYTES
from subsidy.wire import v1
from terminal_agent.checkout.ports import CentreDenied, CentreUnreachable
from terminal_agent.journal.open import open_journal
from terminal_agent.sync.device_key import DeviceKey
from terminal_agent.sync.upload import MOST_AT_ONCE, Uploader

KEY = DeviceKey(bytes(range(32)))


class ListeningCentre:
    """Takes uploads, notes them, and acknowledges what a test lets it; `fails` is raised instead."""

    def __init__(self, journal):
        self._journal = journal
        self.uploads = []
        self.fails = None
        self.most = 10**6
        self.heard_of_us = (0, 0)
        self.asked_what_it_heard = 0

    def ask(self, path, body, within_s):
        assert path == "/v1/records"
        assert len(body) <= MOST_BYTES, "the centre would not take it"
        if self.fails is not None:
            raise self.fails
        sealed = msgspec.json.decode(body, type=Sealed)
        keys = {seal.key_id(KEY.signing.public_key()): KEY.signing.public_key()}
        self.uploads.append(msgspec.json.decode(seal.unseal(sealed, v1.UPLOAD, keys), type=v1.Upload))
        return b""

    def heard(self, within_s):
        self.asked_what_it_heard += 1
        if self.fails is not None:
            raise self.fails
        upload_no, last_seq = self.heard_of_us
        return v1.Heard(
            v=1, device=ENROLLED.device, epoch=1, upload_no=upload_no, last_seq=last_seq, centre_ms=0
        )

    def acks(self, content, sent):
        return [(ack_of(one), "sealed") for one in sent[: self.most]]


@pytest.fixture
def centre(unit_shop):
    return ListeningCentre(unit_shop.real_journal)


@pytest.fixture
def uploader(unit_shop, centre):
    logged = []
    made = Uploader(
        journal=unit_shop.real_journal,
        line=centre,
        centre=centre,
        key=KEY,
        clock=unit_shop.clock,
        lag_target_s=300,
        log=lambda event, **fields: logged.append((event, fields)),
    )
    made.logged = logged
    return made


def test_what_waits_is_sent_oldest_first_and_sealed_with_the_devices_key(uploader, centre, unit_shop):
    sales = [unit_shop.sell() for _ in range(3)]

    uploader.run()

    (upload,) = centre.uploads
    assert (upload.device, upload.epoch, upload.upload_no) == (ENROLLED.device, ENROLLED.epoch, 1)
    bodies = [msgspec.json.decode(base64.b64decode(one.body), type=v1.Paid) for one in upload.entries]
    assert [one.record_id for one in bodies] == [sale.record_id for sale in sales]
    assert upload.head_seq == 3
    assert unit_shop.real_journal.waiting(10) == ()


def test_a_long_queue_goes_in_several_uploads(uploader, centre, unit_shop):
    for _ in range(MOST_AT_ONCE + 1):
        unit_shop.sell()
    uploader.run()
    sent = [entry.seq for one in centre.uploads for entry in one.entries]
    assert sent == list(range(1, MOST_AT_ONCE + 2))
    assert 2 <= len(centre.uploads) <= 4


def test_a_queue_of_thousands_is_sent_in_uploads_that_the_centre_takes(uploader, centre, unit_shop, tmp_path):
    unit_shop.connection.close()
    fill(tmp_path / "journal.db", 2_500)
    unit_shop.connection = open_journal(tmp_path / "journal.db")
    unit_shop.real_journal._look._connection = unit_shop.connection

    uploader.run()

    assert unit_shop.real_journal.waiting(1) == ()
    stated = [one.statement.upto_hold_no for one in centre.uploads]
    assert stated == sorted(stated)
    assert (stated[0], stated[-1]) == (2_000, 2_500)
    for one in centre.uploads:
        # Whatever is open up to that number is named: on what is not, the centre ends holds.
        first = one.entries[0].seq if one.entries else 2_501
        assert [each.hold_no for each in one.statement.open] == list(
            range(first, one.statement.upto_hold_no + 1)
        )


def test_a_statement_goes_alone_at_the_start_and_at_half_the_lag_target(uploader, centre, unit_shop):
    uploader.run()
    uploader.run()
    unit_shop.clock.sleep(149)
    uploader.run()
    assert len(centre.uploads) == 1
    unit_shop.clock.sleep(1)
    uploader.run()
    assert [one.entries for one in centre.uploads] == [(), ()]


@pytest.mark.parametrize("fails", [CentreUnreachable("silence"), CentreDenied("frozen")])
def test_nothing_is_dropped_and_it_stops_when_the_centre_does_not_answer(fails, uploader, centre, unit_shop):
    unit_shop.sell()
    centre.fails = fails

    uploader.run()

    assert uploader.was_answered is isinstance(fails, CentreDenied)
    assert len(unit_shop.real_journal.waiting(10)) == 1
    centre.fails = None
    uploader.run()
    assert unit_shop.real_journal.waiting(10) == ()


def test_it_does_not_ask_again_at_once_when_nothing_is_acknowledged(uploader, centre, unit_shop):
    unit_shop.sell()
    centre.most = 0
    uploader.run()
    assert len(centre.uploads) == 1
    assert len(unit_shop.real_journal.waiting(10)) == 1


def test_what_was_not_acknowledged_is_sent_again_under_a_new_number(uploader, centre, unit_shop):
    for _ in range(2):
        unit_shop.sell()
    centre.most = 1
    uploader.run()
    assert [[entry.seq for entry in one.entries] for one in centre.uploads] == [[1, 2], [2]]
    assert [one.upload_no for one in centre.uploads] == [1, 2]


def test_refused_sales_are_counted_by_day_and_headline(uploader, centre, unit_shop):
    unit_shop.centre.instead["facts"] = CentreUnreachable("silence")
    unit_shop.sell()
    unit_shop.clock.sleep(86_400)
    for _ in range(2):
        unit_shop.sell()
    uploader.run()
    (upload,) = centre.uploads
    assert [(one.day, one.code.value, one.count) for one in upload.refused] == [
        ("2026-03-01", "CENTRE_UNREACHABLE", 1),
        ("2026-03-02", "CENTRE_UNREACHABLE", 2),
    ]


# Is the journal an old copy?


@pytest.mark.parametrize(
    ("heard", "is_behind"),
    [((0, 0), False), ((3, 2), False), ((1, 1), False), ((4, 2), True), ((3, 3), True)],
)
def test_a_journal_is_an_old_copy_when_the_centre_has_heard_more_of_it(
    heard, is_behind, uploader, centre, unit_shop
):
    for _ in range(3):
        unit_shop.real_journal.cut_batch(1)
    for _ in range(2):
        unit_shop.sell()
    centre.heard_of_us = heard

    uploader.run()

    assert uploader.is_behind is is_behind
    told = [fields for event, fields in uploader.logged if event == "journal.is_an_old_copy"]
    assert [(one["heard_upload_no"], one["upload_no"], one["last_seq"]) for one in told] == (
        [(heard[0], 3, 2)] if is_behind else []
    )


def test_the_centre_is_asked_before_the_first_upload_and_once_it_has_answered_no_more(uploader, centre):
    centre.fails = CentreUnreachable("silence")
    uploader.run()
    assert (uploader.was_answered, centre.asked_what_it_heard, centre.uploads) == (False, 1, [])

    centre.fails = None
    centre.heard_of_us = (7, 0)
    uploader.run()
    uploader.run()
    assert (uploader.was_answered, uploader.is_behind) == (True, True)
    assert (centre.asked_what_it_heard, len(centre.uploads)) == (2, 1)


@pytest.mark.parametrize(
    ("fails", "tries"),
    [(CentreDenied("NOT_FOUND: no such address"), 1), (CentreUnreachable("a proxy answered 403"), 3)],
)
def test_reports_do_not_wait_for_ever_where_the_question_is_not_known(
    fails, tries, uploader, centre, unit_shop
):
    def does_not_know(within_s):
        raise fails

    unit_shop.sell()
    centre.heard = does_not_know
    for _ in range(tries):
        assert len(unit_shop.real_journal.waiting(10)) == 1
        uploader.run()
    assert unit_shop.real_journal.waiting(10) == ()
    # A no is an answer; silence is none, however often.
    assert (uploader.was_answered, uploader.is_behind) == (isinstance(fails, CentreDenied), False)


def test_the_question_is_asked_again_soon_and_ever_more_rarely_until_it_is_answered(uploader, centre):
    centre.fails = CentreUnreachable("silence")
    waits = []
    for _ in range(4):
        uploader.run()
        waits.append((uploader.next_within_s(300), uploader.next_within_s(8)))
    assert waits == [(5, 5), (10, 8), (15, 8), (20, 8)]
    centre.fails = None
    uploader.run()
    assert uploader.next_within_s(300) == 300
