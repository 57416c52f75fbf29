"""What does a shop remember of what the centre has told it, when the centre may go at any moment?

It asks again for what was not answered, the same bytes under a new signature, as the real one does. All that
it was told stands in its memory and must stand in the books, whatever has been killed in between.
"""

import random
import time
from collections.abc import Sequence
from threading import Event

import msgspec
import requests
from centre import CentreClient
from fake_device import Chained, promised

from subsidy.seal import Sealed
from subsidy.wire import v1

_LATER = (429, 503)
_PAUSE_S = 0.02
_AGAIN_S = 0.15


class Told(msgspec.Struct):
    """A promise as it was given, and how far the centre has said that the sale has come.

    `state` is HELD, RELEASED, PAYABLE or RETURNED.
    """

    promise: v1.Promise
    payload: bytes
    request: bytes
    answer: bytes
    state: str = "HELD"


class RememberingShop:
    """One device that sells, reports and takes goods back until it is told to stop."""

    def __init__(self, client: CentreClient, people: Sequence[str], seed: int) -> None:
        self._client = client
        self._people = iter(people)
        self._random = random.Random(seed)
        self._queue: list[Chained] = []
        self.told: dict[str, Told] = {}
        self.acked: dict[int, tuple[str, str]] = {}
        self.refused: list[tuple[str, ...]] = []
        self.asked_again = 0
        self.wrong: list[str] = []

    @property
    def device(self) -> str:
        """The device's name."""
        return self._client.name

    def work(self, stop: Event) -> None:
        """Do what shops do, in any order, until told to stop; then report everything."""
        ways = (self._sell, self._sell, self._sell, self._ask_again, self._release, self._pay, self._pay)
        ways += (self._report, self._give_back)
        try:
            while not stop.is_set():
                self._random.choice(ways)()
                time.sleep(self._random.random() * 2 * _PAUSE_S)
            self._report()
        except Exception as wrong:
            self.wrong.append(f"{self.device}: {wrong!r}")

    def _sell(self) -> None:
        code = next(self._people, None)
        if code is None:
            return
        request = self._client.hold_request(self._client.pack_hash, qualification_code=code)
        body = msgspec.json.encode(request)
        answer = self._ask("/v1/holds", body)
        sealed = msgspec.json.decode(answer, type=Sealed)
        if sealed.typ == v1.REFUSAL:
            # The books were away for longer than a till waits.
            refused = msgspec.json.decode(sealed.payload_bytes(), type=v1.Refused)
            self.refused.append(tuple(one.value for one in refused.reasons))
            return
        promise = promised(sealed)
        self.told[promise.record_id] = Told(promise, sealed.payload_bytes(), body, answer)

    def _ask_again(self) -> None:
        told = self._one("HELD")
        if told is not None and self._ask("/v1/holds", told.request) != told.answer:
            self.wrong.append(f"{told.promise.record_id}: asked again, it was another promise")

    def _release(self) -> None:
        told = self._one("HELD")
        if told is None:
            return
        promise = told.promise
        entry = self._put(self._client.closed(promise.record_id, promise.hold_no))
        body = msgspec.json.encode(entry.wire)
        self._note(self._ask(f"/v1/holds/{promise.record_id}/release", body), [entry])
        told.state = "RELEASED"

    def _pay(self) -> None:
        told = self._one("HELD")
        if told is None:
            return
        self._put(self._client.paid(msgspec.json.decode(told.answer, type=Sealed)))
        told.state = "PAID HERE"

    def _report(self) -> None:
        entries, self._queue = self._queue, []
        still_open = [
            v1.OpenHold(record_id=name, hold_no=one.promise.hold_no)
            for name, one in self.told.items()
            if one.state in ("HELD", "PAID HERE")
        ]
        upload = self._client.upload(entries, still_open)
        body = msgspec.json.encode(self._client.sealed(upload))
        self._note(self._ask("/v1/records", body), entries)
        for one in self.told.values():
            if one.state == "PAID HERE":
                one.state = "PAYABLE"

    def _give_back(self) -> None:
        told = self._one("PAYABLE")
        if told is None:
            return
        for entry in (self._client.returning(told.promise), self._client.returned(told.promise)):
            put = self._put(entry)
            self._note(self._ask("/v1/returns", msgspec.json.encode(put.wire)), [put])
        told.state = "RETURNED"

    def _one(self, state: str) -> Told | None:
        found = [one for one in self.told.values() if one.state == state]
        return self._random.choice(found) if found else None

    def _put(self, entry: v1.Entry) -> Chained:
        put = self._client.chain(entry)
        self._queue.append(put)
        return put

    def _ask(self, path: str, body: bytes) -> bytes:
        """Return the answer to exactly these bytes, however often they must be sent."""
        until = time.monotonic() + 120
        while True:
            try:
                answer = self._client.post(path, body)
            except requests.RequestException:
                answer = None
            if answer is not None and answer.status_code not in _LATER:
                if answer.status_code != 200:
                    raise AssertionError(f"{path}: {answer.status_code} {answer.text[:300]}")
                return answer.content
            if time.monotonic() > until:
                raise AssertionError(f"{path}: no answer for two minutes")
            self.asked_again += 1
            time.sleep(_AGAIN_S)

    def _note(self, answer: bytes, entries: Sequence[Chained]) -> None:
        acks = msgspec.json.decode(answer, type=v1.UploadAnswer).acks
        for sealed, entry in zip(acks, entries, strict=True):
            ack = msgspec.json.decode(sealed.payload_bytes(), type=v1.Ack)
            assert (ack.seq, ack.hash) == (entry.seq, entry.hash)
            if ack.answer == "quarantined":
                raise AssertionError(f"entry {ack.seq} was quarantined")
            self.acked[ack.seq] = (ack.hash, ack.answer)
