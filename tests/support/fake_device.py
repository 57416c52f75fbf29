"""A shop's installation as tests play it: it counts, chains and signs, and does what it is told."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import reference_data as reference
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from subsidy import ids, seal
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from subsidy.seal import Sealed
from subsidy.wire import http_signature, v1
from subsidy.wire.chain import GENESIS, entry_hash


class Chained(msgspec.Struct, frozen=True):
    """An entry with its place and hash."""

    seq: int
    hash: str
    wire: v1.ChainedEntry


class FakeDevice:
    """One enrolled device."""

    def __init__(self, seed: str, now_ms: Callable[[], int], epoch: int = 1) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())
        self.public_text = seal.public_text(self.key.public_key())
        self.name = seal.key_id(self.key.public_key())
        self.epoch = epoch
        self.now_ms = now_ms
        self.seed = seed
        self.hold_no = 0
        self.seq = 0
        self.head = GENESIS
        self.upload_no = 0
        self._made = 0

    def record_id(self) -> str:
        """Return a new record id, the same in every run of a test."""
        self._made += 1
        randomness = hashlib.sha256(f"{self.seed}/{self._made}".encode()).digest()[:10]
        return ids.record_id(self.now_ms(), randomness)

    def hold_request(self, pack_hash: str, /, **changes: Any) -> v1.HoldRequest:
        """Return a numbered request for a fridge. `changes` replace fields; `person`, `category` the code."""
        self.hold_no += 1
        person, category = changes.pop("person", self.hold_no - 1), changes.pop("category", "FRIDGE")
        gtin = {"FRIDGE": reference.FRIDGE, "AC": reference.AC, "PHONE": reference.PHONE}[category]
        fields: dict[str, Any] = {
            "v": 1,
            "record_id": self.record_id(),
            "hold_no": self.hold_no,
            "item": v1.Item(gtin=gtin, serial_no=f"SN-{self.name[:6].upper()}-{self.hold_no:05d}"),
            "prices": v1.Prices(initial_price_fen=300_000, merchant_discount_fen=10_000, trade_in_fen=5_000),
            "qualification_code": reference.code(person, category),
            "terminal_no": reference.TERMINAL,
            "tender": Tender.CARD,
            "pack_hash": pack_hash,
            "created_ms": self.now_ms(),
            "skew_ms": 0,
            "give_up_after_ms": 5_000,
        }
        return v1.HoldRequest(**(fields | changes))

    def attempt(self, promise: v1.Promise, no: int = 1, **changes: Any) -> v1.Attempt:
        """Return an attempt that paid what was asked."""
        to_pay_fen = promise.amounts.to_pay_fen
        fields: dict[str, Any] = {
            "no": no,
            "pay_ref": ids.pay_ref(promise.record_id, no),
            "tender": promise.tender,
            "terminal_no": promise.terminal_no,
            "amount_fen": to_pay_fen,
            "state": "PAID",
            "approved_fen": to_pay_fen,
            "begun_ms": self.now_ms(),
            "ended_ms": self.now_ms(),
            "evidence": Evidence(code="00", masked_pan="622202*********0123", rrn="123456789012"),
        }
        return v1.Attempt(**(fields | changes))

    def not_paid(self, promise: v1.Promise, no: int = 1, **changes: Any) -> v1.Attempt:
        """Return an attempt that did not pay."""
        return self.attempt(promise, no, **({"state": "NOT_PAID", "approved_fen": None} | changes))

    def paid(self, sealed: Sealed, **changes: Any) -> v1.Paid:
        """Return the entry of a sale that was paid as its sealed promise says."""
        promise = promised(sealed)
        fields: dict[str, Any] = {
            "v": 1,
            "record_id": promise.record_id,
            "hold_no": promise.hold_no,
            "promise": sealed,
            "facts": promise.facts,
            "pack_hash": promise.pack_hash,
            "item": promise.item,
            "amounts": promise.amounts,
            "paid_fen": promise.amounts.to_pay_fen,
            "attempts": (self.attempt(promise),),
            "till_no": "T1",
            "operator": "007",
            "paid_ms": self.now_ms(),
        }
        return v1.Paid(**(fields | changes))

    def closed(self, record_id: str, hold_no: int, attempts: Sequence[v1.Attempt] = ()) -> v1.Closed:
        """Return the entry of a sale that was not paid."""
        return v1.Closed(
            v=1,
            record_id=record_id,
            hold_no=hold_no,
            attempts=tuple(attempts),
            why="stopped",
            closed_ms=self.now_ms(),
        )

    def returning(self, promise: v1.Promise, **changes: Any) -> v1.Returning:
        """Return the entry of a return that begins, of the first attempt's payment."""
        fields: dict[str, Any] = {
            "v": 1,
            "record_id": promise.record_id,
            "refund_no": ids.refund_no(ids.pay_ref(promise.record_id, 1)),
            "refund_fen": promise.amounts.to_pay_fen,
            "operator": "007",
            "supervisor": "001",
            "reason": "changed their mind",
            "begun_ms": self.now_ms(),
        }
        return v1.Returning(**(fields | changes))

    def returned(self, promise: v1.Promise, refunded: bool = True, **changes: Any) -> v1.Returned:
        """Return the entry of a return that has ended: the money went back, or the refund was refused."""
        fields: dict[str, Any] = {
            "v": 1,
            "record_id": promise.record_id,
            "refund_no": ids.refund_no(ids.pay_ref(promise.record_id, 1)),
            "refunded": refunded,
            "refund_fen": promise.amounts.to_pay_fen,
            "evidence": Evidence(code="00" if refunded else "61", rrn="123456789099"),
            "ended_ms": self.now_ms(),
        }
        return v1.Returned(**(fields | changes))

    def supplement(self, record_id: str, attempt: v1.Attempt) -> v1.Supplement:
        """Return an entry that changes an attempt."""
        return v1.Supplement(v=1, record_id=record_id, attempt=attempt, noted_ms=self.now_ms())

    def chain(self, entry: v1.Entry | bytes) -> Chained:
        """Put an entry, or any bytes, at the end of the chain."""
        self.seq += 1
        chained = self.at(self.seq, self.head, entry)
        self.head = chained.hash
        return chained

    def at(self, seq: int, prev: str, entry: v1.Entry | bytes) -> Chained:
        """Return an entry at any place of a chain, the device's own chain as it was."""
        body = entry if isinstance(entry, bytes) else msgspec.json.encode(entry)
        wire = v1.ChainedEntry(seq=seq, prev=prev, body=base64.b64encode(body).decode())
        return Chained(seq, entry_hash(self.name, self.epoch, seq, prev, body), wire)

    def upload(
        self, entries: Sequence[Chained] = (), still_open: Sequence[v1.OpenHold] = (), **changes: Any
    ) -> v1.Upload:
        """Return the next numbered batch. Its statement says that only `still_open` are open."""
        self.upload_no += 1
        fields: dict[str, Any] = {
            "v": 1,
            "device": self.name,
            "epoch": self.epoch,
            "upload_no": self.upload_no,
            "entries": tuple(one.wire for one in entries),
            "head_seq": entries[-1].seq if entries else self.seq,
            "head_hash": entries[-1].hash if entries else self.head,
            "statement": v1.Statement(upto_hold_no=self.hold_no, open=tuple(still_open), last_seq=self.seq),
            "refused": (),
        }
        return v1.Upload(**(fields | changes))

    def sealed(self, upload: v1.Upload) -> Sealed:
        """Seal an upload with the device's key."""
        return seal.seal(v1.UPLOAD, msgspec.json.encode(upload), self.key)

    def signature(self, path: str, body: bytes, nonce: str, **changes: Any) -> dict[str, str]:
        """Return the headers that sign a POST."""
        fields: dict[str, Any] = {
            "method": "POST",
            "path": path,
            "body": body,
            "device": self.name,
            "epoch": self.epoch,
            "created_s": self.now_ms() // 1000,
            "nonce": nonce,
        }
        return http_signature.sign(changes.pop("key", self.key), **(fields | changes))


def promised(sealed: Sealed) -> v1.Promise:
    """Return what a sealed promise says, without a look at its signature."""
    assert sealed.typ == v1.PROMISE, sealed.payload_bytes()
    return msgspec.json.decode(sealed.payload_bytes(), type=v1.Promise)
