"""Is exactly what fits granted when two hundred threads ask a serving centre for the same at once?

The centre is made narrow: few may wait and a device may ask seldom, so that most are told to come again and
do as `Retry-After` says.
"""

import itertools
import threading
import time
from contextlib import closing

import msgspec
import pytest
import requests
import storm
from books import ENGINES, Books
from centre import CentreClient, RunningCentre
from storm import THREADS, all_at_once, available, check, leave_for, let_in

from settlement.writer.writer import ANSWER_WITHIN_S, Writer
from subsidy import seal
from subsidy.seal import Sealed
from subsidy.wire import v1

DEVICES = 20
CODES = [f"STORM-{number:04d}" for number in range(THREADS)]


class Storm:
    """Devices of a centre, each heard over many connections at once."""

    def __init__(self, centre: RunningCentre) -> None:
        self.centre = centre
        self.devices = [centre.enrol() for _ in range(DEVICES)]
        self.told_later: list[int] = []
        self.crowded = threading.Event()
        self._nonces = itertools.count(1)

    def requests(self, **changes):
        """Return a hold for each thread, from each device in turn, each with a code of its own."""
        asked = []
        for place in range(THREADS):
            device = self.devices[place % DEVICES]
            fields = {"qualification_code": CODES[place], "give_up_after_ms": 60_000, **changes}
            asked.append((device, msgspec.json.encode(device.hold_request(device.pack_hash, **fields))))
        return asked

    def ask(self, one: tuple[CentreClient, bytes]) -> tuple[str, ...]:
        """Return the reasons of a refusal, none of a promise; comes again as often as it is told to."""
        device, body = one
        with requests.Session() as session:
            while True:
                nonce = f"{device.name}-storm-{next(self._nonces):08d}"
                headers = {"Content-Type": "application/json", **device.signature("/v1/holds", body, nonce)}
                answer = session.post(f"{device.url}/v1/holds", data=body, headers=headers, timeout=60)
                if answer.status_code not in (429, 503):
                    break
                assert answer.json()["retryable"] is True
                self.told_later.append(answer.status_code)
                if answer.status_code == 503:
                    self.crowded.set()
                time.sleep(int(answer.headers["Retry-After"]))
        assert answer.status_code == 200, answer.text
        sealed = msgspec.json.decode(answer.content, type=Sealed)
        payload = seal.unseal(sealed, sealed.typ, device.centre_keys)
        if sealed.typ == v1.PROMISE:
            return ()
        return tuple(one.value for one in msgspec.json.decode(payload, type=v1.Refused).reasons)


@pytest.fixture(params=ENGINES)
def stormy(tmp_path, request, monkeypatch):
    """A narrow centre that serves HTTP."""
    for where in ("settlement.web.edge", "settlement.writer.writer"):
        monkeypatch.setattr(f"{where}.MOST_WAITING", 8)
    with closing(Books(tmp_path, on=request.param)):
        config = tmp_path / "settlement.yaml"
        config.write_text(f"{config.read_text()}holds_per_device_s: 2\n")
        with RunningCentre.start_again(tmp_path) as centre:
            let_in(centre.centre, CODES)
            yield Storm(centre)


def let_a_queue_form(stormy: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the writer take nothing in hand before somebody had to be told that too many wait."""
    take = Writer._take

    def take_late(writer, batch):
        stormy.crowded.wait(ANSWER_WITHIN_S)
        take(writer, batch)

    monkeypatch.setattr(Writer, "_take", take_late)


def test_a_pool_that_is_nearly_empty_grants_what_it_can_bear_and_no_more(stormy, monkeypatch):
    leave_for(stormy.centre.centre, 7)
    let_a_queue_form(stormy, monkeypatch)
    answers = all_at_once(stormy.ask, stormy.requests())
    assert storm.count(answers) == {(): 7, ("FUND_EXHAUSTED",): THREADS - 7}
    assert available(stormy.centre.centre.engine) == 0
    check(stormy.centre.centre.engine, 7)
    assert stormy.crowded.is_set()


def test_a_person_gets_one_and_a_serial_number_is_granted_once(stormy):
    centre = stormy.centre.centre
    let_in(centre, CODES[: THREADS // 2], lambda _place: 1)
    item = stormy.devices[0].hold_request("0" * 64).item
    only_one = msgspec.structs.replace(item, serial_no="SN-THE-ONLY-ONE")
    for_person = stormy.requests()[: THREADS // 2]
    for_serial = stormy.requests(item=only_one)[THREADS // 2 :]
    answers = all_at_once(stormy.ask, for_person + for_serial)
    half = THREADS // 2
    assert storm.count(answers[:half]) == {(): 1, ("PERSON_QUOTA_USED",): half - 1}
    assert storm.count(answers[half:]) == {(): 1, ("SERIAL_ALREADY_SUBSIDISED",): half - 1}
    check(centre.engine, 2)


def test_a_device_that_asks_more_often_than_a_shop_sells_is_told_when_to_come_again(stormy):
    # As much as two seconds' worth may come at once.
    mine = stormy.requests()[::DEVICES][:8]
    assert len({device.name for device, _ in mine}) == 1
    assert set(map(stormy.ask, mine)) == {()}
    assert set(stormy.told_later) == {429}
    check(stormy.centre.centre.engine, 8)
