"""What does the centre answer to the checkout's questions?"""

import base64
import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from subsidy.policy.model import Pack
from subsidy.policy.read_pack import pack_hash as hash_of
from subsidy.policy.read_pack import read_packs
from subsidy.seal import Sealed
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.strict.yaml_text import FileError
from subsidy.wire import v1
from subsidy.wire.trace import trace_of
from terminal_agent.checkout.ports import CentreDenied, CentreUnreachable
from terminal_agent.checkout.sale import Held
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.outbox import Waiting
from terminal_agent.sync.line import Line


class CentreLine:
    """The centre as `checkout.ports.Centre`, over one signed line."""

    def __init__(
        self, line: Line, journal: SqliteJournal, packs: Path, log: Callable[..., None], *, training: bool
    ) -> None:
        self._line = line
        self._journal = journal
        self._packs = packs
        self._log = log
        self._training = training
        self._known: dict[str, Pack] = {}

    def facts(self, request: v1.FactsRequest, within_s: float) -> v1.FactsAnswer:
        """Return what the centre knows of a purchase. Changes nothing."""
        content = self._line.ask("/v1/facts", msgspec.json.encode(request), within_s)
        answer = self._line.unseal(content, v1.FACTS, v1.FactsAnswer)
        self._line.heard(answer.centre_ms)
        return answer

    def hold(self, request: v1.HoldRequest, within_s: float) -> Held | v1.Refused:
        """Ask for the fund's promise. The same request again gets the same promise."""
        body = msgspec.json.encode(request)
        try:
            content = self._line.ask("/v1/holds", body, within_s, request.record_id)
        except (CentreUnreachable, CentreDenied) as wrong:
            self._tell("hold.not_answered", request.record_id, why=str(wrong))
            raise
        try:
            sealed = json_bytes.decode(content, Sealed)
        except NotStrict as wrong:
            raise self._line.not_the_centre(f"the answer is no promise: {wrong.problem}") from None
        self._tell("hold.answered", request.record_id, outcome=sealed.typ)
        if sealed.typ == v1.REFUSAL:
            refused = self._line.open(sealed, v1.REFUSAL, v1.Refused)
            _must_be(refused.record_id == request.record_id)
            return refused
        promise = self._line.open(sealed, v1.PROMISE, v1.Promise)
        _must_be(
            (promise.record_id, promise.hold_no, promise.item, promise.pack_hash)
            == (request.record_id, request.hold_no, request.item, request.pack_hash)
        )
        return Held(sealed, promise)

    def release(self, record_id: str, within_s: float) -> None:
        """Send the `closed` entry of a sale now, ahead of the queue."""
        entry = self._journal.close_waiting(record_id)
        if entry is None:
            return
        self._send_early(f"/v1/holds/{record_id}/release", entry, within_s)
        if self._journal.close_waiting(record_id) is not None:
            raise CentreUnreachable("the release was not acknowledged")

    def block(self, record_id: str, within_s: float) -> None:
        """Send the `returning` entry of a sale now, ahead of the queue: the claim line is blocked."""
        entry = self._journal.returning_waiting(record_id)
        if entry is None:
            return
        self._send_early("/v1/returns", entry, within_s)
        if self._journal.returning_waiting(record_id) is not None:
            raise CentreUnreachable("the return was not acknowledged")

    def heard(self, within_s: float) -> v1.Heard:
        """Return how far this device's reports have come. Raises CentreUnreachable and CentreDenied."""
        request = msgspec.json.encode(v1.HeardRequest(v=1))
        heard = self._line.unseal(self._line.ask("/v1/heard", request, within_s), v1.HEARD, v1.Heard)
        enrolled = self._journal.enrolled()
        assert enrolled is not None
        _must_be((heard.device, heard.epoch) == (enrolled[0].device, enrolled[0].epoch))
        self._line.heard(heard.centre_ms)
        return heard

    def acks(self, content: bytes, sent: tuple[Waiting, ...]) -> list[tuple[v1.Ack, str]]:
        """Return the believable acks of an answer to `sent`, each with its sealed text."""
        try:
            answer = json_bytes.decode(content, v1.UploadAnswer, 8 << 20)
        except NotStrict as wrong:
            raise self._line.not_the_centre(f"the answer holds no acks: {wrong.problem}") from None
        enrolled = self._journal.enrolled()
        assert enrolled is not None
        mine_by_seq = {one.seq: one for one in sent}
        found = []
        for sealed in answer.acks:
            ack = self._line.open(sealed, v1.ACK, v1.Ack)
            mine = (ack.device, ack.epoch) == (enrolled[0].device, enrolled[0].epoch)
            entry = mine_by_seq.get(ack.seq)
            if mine and entry is not None and entry.hash == ack.hash:
                found.append((ack, msgspec.json.encode(sealed).decode()))
                self._tell("entry.acknowledged", entry.record_id, kind=entry.kind, outcome=ack.answer)
        return found

    def pack(self, pack_hash: str, within_s: float) -> Pack:
        """Return the policy pack with this hash: from memory, from disk, or from the centre."""
        if pack_hash not in self._known:
            path = self._packs / f"{pack_hash}.json"
            if not path.exists():
                self._fetch(pack_hash, path, within_s)
            self._known[pack_hash] = self._read(path, pack_hash)
        return self._known[pack_hash]

    def kept_pack(self, pack_hash: str) -> Pack | None:
        """Return the policy pack with this hash when it is kept here, else None. Asks nobody."""
        path = self._packs / f"{pack_hash}.json"
        if pack_hash in self._known:
            return self._known[pack_hash]
        try:
            return self._read(path, pack_hash) if path.exists() else None
        except (CentreUnreachable, CentreDenied):
            return None

    def known_packs(self) -> list[dict[str, str]]:
        """Return the packs that decisions were made with since the start."""
        return [{"programme": pack.programme, "hash": pack.hash} for pack in self._known.values()]

    def _send_early(self, path: str, entry: Waiting, within_s: float) -> None:
        content = self._line.ask(path, msgspec.json.encode(chained(entry)), within_s, entry.record_id)
        self._journal.acknowledge(self.acks(content, (entry,)))

    def _tell(self, event: str, record_id: str, **more: str) -> None:
        """Write a line by which the sale is found at the centre too: its log has the same trace."""
        # A log that cannot be written must not cost a sale.
        with contextlib.suppress(OSError, ValueError):
            self._log(event, trace=trace_of(record_id), record_id=record_id, **more)

    def _fetch(self, pack_hash: str, path: Path, within_s: float) -> None:
        request = msgspec.json.encode(v1.PackRequest(v=1, pack_hash=pack_hash))
        answer = self._line.unseal(self._line.ask("/v1/packs", request, within_s), v1.PACK, v1.PackAnswer)
        _must_be(hash_of(answer.files) == pack_hash)
        self._packs.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A name of its own: two tills may fetch the same pack at the same time.
        side = path.with_suffix(f".{id(answer):x}.part")
        side.write_bytes(msgspec.json.encode(answer))
        side.replace(path)

    def _read(self, path: Path, pack_hash: str) -> Pack:
        try:
            answer = msgspec.json.decode(path.read_bytes(), type=v1.PackAnswer)
            _must_be(hash_of(answer.files) == pack_hash)
            pack = read_packs(answer.files)[answer.programme]
        except (msgspec.DecodeError, FileError, KeyError, CentreUnreachable):
            path.unlink(missing_ok=True)
            raise CentreUnreachable("the policy pack on disk is damaged; it is fetched again") from None
        if pack.training and not self._training:
            raise CentreDenied("the centre's programme is for training. Set `training: true` to use it")
        return pack


def chained(entry: Waiting) -> v1.ChainedEntry:
    """Return an entry as the wire carries it."""
    return v1.ChainedEntry(seq=entry.seq, prev=entry.prev, body=base64.b64encode(entry.body).decode())


def _must_be(holds: bool) -> None:
    if not holds:
        raise CentreUnreachable("the centre answered another question than the one asked")
