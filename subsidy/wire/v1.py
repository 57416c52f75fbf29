"""What stands in version 1 of each message between shop and centre?

Every message is one JSON object whose fields are exactly these: unknown fields are refused, and an
addition is a new version with a struct of its own. Amounts are whole fen, times are Unix
milliseconds unless a field says otherwise. Golden bytes of every message stand in
`tests/files/wire/`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from subsidy.ids import RECORD_ID_PATTERN
from subsidy.money import MOST_FEN
from subsidy.policy.facts import Facts
from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.policy.split import Part
from subsidy.records.payment import Evidence
from subsidy.seal import Base64, Sealed

# What a sealed message's `typ` says.
PROMISE = "promise.v1"
REFUSAL = "refusal.v1"
FACTS = "facts.v1"
UPLOAD = "upload.v1"
ACK = "ack.v1"
ENROLLED = "enrolled.v1"
PACK = "pack.v1"
HEARD = "heard.v1"

RecordId = Annotated[str, Meta(pattern=RECORD_ID_PATTERN.replace("$", r"\Z"))]
Fen = Annotated[int, Meta(ge=0, le=MOST_FEN)]
Count = Annotated[int, Meta(ge=1, le=2**53)]
Ms = Annotated[int, Meta(ge=0, le=2**48)]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Code = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+\Z")]
PayRef = Annotated[str, Meta(pattern=r"^[A-Z2-7]{26}[0-9]{2}\Z")]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The common base: no field may be added by the way."""


class Item(Message, frozen=True):
    """What is sold: one item. `serial_no` is None when the shopper's item has none."""

    gtin: Annotated[str, Meta(pattern=r"^([0-9]{8}|[0-9]{13})\Z")]
    serial_no: Annotated[str, Meta(min_length=4, max_length=40, pattern=r"^[0-9A-Z./_-]+\Z")] | None


class Prices(Message, frozen=True):
    """What the till says of the price."""

    initial_price_fen: Fen
    merchant_discount_fen: Fen
    trade_in_fen: Fen


class EnrolmentRequest(Message, frozen=True):
    """A host that asks to become a device. The one-time code authenticates it."""

    v: Literal[1]
    code: Annotated[str, Meta(pattern=r"^[A-Z2-7]{26}-[0-9a-f]{16}\Z")]
    public_key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{43}=\Z")]
    host: Name
    agent_version: Name


class Enrolled(Message, frozen=True):
    """What a new device pins: the centre's keys, its own name and epoch, its shop and terminals."""

    v: Literal[1]
    device: Name
    epoch: Count
    programme: Name
    training: bool
    shop: Name
    shop_name: Name
    merchant_name: Name
    terminals: tuple[Code, ...]
    centre_keys: tuple[str, ...]
    lag_target_s: Count


class FactsRequest(Message, frozen=True):
    """The questions of a quote. Reads only."""

    v: Literal[1]
    item: Item
    prices: Prices
    qualification_code: Code
    terminal_no: Code
    tender: Tender


class FactsAnswer(Message, frozen=True):
    """Every fact as of the centre's time, and the hash of the pack that counts."""

    v: Literal[1]
    facts: Facts
    pack_hash: Hash
    centre_ms: Ms


class PackRequest(Message, frozen=True):
    """Asks for the files of a pack by its hash."""

    v: Literal[1]
    pack_hash: Hash


class PackAnswer(Message, frozen=True):
    """A pack's files, name to text. Their hash is the one asked for."""

    v: Literal[1]
    programme: Name
    files: dict[str, str]


class HoldRequest(Message, frozen=True):
    """Asks the fund for a promise.

    `hold_no` is counted per (device, epoch) and durable before this leaves. `give_up_after_ms` is
    counted from `created_ms`, both by the device's clock, of which `skew_ms` says how far the
    centre's clock was ahead when the device last heard from it; a hold is never placed later.
    """

    v: Literal[1]
    record_id: RecordId
    hold_no: Count
    item: Item
    prices: Prices
    qualification_code: Code
    terminal_no: Code
    tender: Tender
    pack_hash: Hash
    created_ms: Ms
    skew_ms: Annotated[int, Meta(ge=-(2**48), le=2**48)]
    give_up_after_ms: Annotated[int, Meta(ge=1, le=60_000)]


class Payee(Message, frozen=True):
    """Who is paid the subsidy by the fund."""

    merchant: Name
    uscc: Name
    shop: Name


class Amounts(Message, frozen=True):
    """The five amounts of a sale, and what the shopper pays."""

    initial_price_fen: Fen
    merchant_discount_fen: Fen
    final_price_fen: Fen
    subsidy_fen: Fen
    trade_in_fen: Fen
    to_pay_fen: Fen


class Promise(Message, frozen=True):
    """The fund's word: what is booked when a paid record fits it.

    `facts_hash` is the SHA-256 of the facts' JSON bytes as they stand in this payload.
    """

    v: Literal[1]
    record_id: RecordId
    device: Name
    epoch: Count
    hold_no: Count
    programme: Name
    programme_year: Annotated[int, Meta(ge=2024, le=2099)]
    category: Name
    item: Item
    amounts: Amounts
    split: tuple[Part, ...]
    payee: Payee
    terminal_no: Code
    tender: Tender
    pack_hash: Hash
    facts: msgspec.Raw
    facts_hash: Hash
    placed_at_ms: Ms
    held_for_s: Count


class Refused(Message, frozen=True):
    """The centre's no to a hold, every reason in order."""

    v: Literal[1]
    record_id: RecordId
    reasons: Annotated[tuple[Refusal, ...], Meta(min_length=1)]


class Attempt(Message, frozen=True):
    """One try to take money, as the journal has it."""

    no: Annotated[int, Meta(ge=1, le=99)]
    pay_ref: PayRef
    tender: Tender
    terminal_no: Code
    amount_fen: Fen
    state: Literal["INTENDED", "PAID", "NOT_PAID", "UNKNOWN", "REVERSING", "GIVING_BACK", "GIVEN_BACK"]
    approved_fen: Fen | None
    begun_ms: Ms
    ended_ms: Ms | None
    evidence: Evidence


class Paid(Message, frozen=True, tag="paid", tag_field="kind"):
    """A sale that was paid. `facts` are the record's own: the centre decides again on them."""

    v: Literal[1]
    record_id: RecordId
    hold_no: Count
    promise: Sealed
    facts: msgspec.Raw
    pack_hash: Hash
    item: Item
    amounts: Amounts
    paid_fen: Fen
    attempts: tuple[Attempt, ...]
    till_no: Name
    operator: Name
    paid_ms: Ms


class Closed(Message, frozen=True, tag="closed", tag_field="kind"):
    """A sale that was not paid and never will be: this releases its hold."""

    v: Literal[1]
    record_id: RecordId
    hold_no: Count
    attempts: tuple[Attempt, ...]
    why: Name
    closed_ms: Ms


class Returning(Message, frozen=True, tag="returning", tag_field="kind"):
    """A return that has begun: the claim line is blocked until its end is known."""

    v: Literal[1]
    record_id: RecordId
    refund_no: Annotated[str, Meta(pattern=r"^[A-Z2-7]{26}[0-9]{2}R\Z")]
    refund_fen: Fen
    operator: Name
    supervisor: Name
    reason: Name
    begun_ms: Ms


class Returned(Message, frozen=True, tag="returned", tag_field="kind"):
    """The end of a return: the money went back, or the channel refused the refund."""

    v: Literal[1]
    record_id: RecordId
    refund_no: Annotated[str, Meta(pattern=r"^[A-Z2-7]{26}[0-9]{2}R\Z")]
    refunded: bool
    refund_fen: Fen
    evidence: Evidence
    ended_ms: Ms


class Supplement(Message, frozen=True, tag="supplement", tag_field="kind"):
    """What comes later for a record: a change of an attempt now; invoice and delivery later."""

    v: Literal[1]
    record_id: RecordId
    attempt: Attempt
    noted_ms: Ms


Entry = Paid | Closed | Returning | Returned | Supplement


class ChainedEntry(Message, frozen=True):
    """An entry in the device's chain. `body` is the exact bytes of one Entry."""

    seq: Count
    prev: Hash
    body: Base64


class OpenHold(Message, frozen=True):
    """A hold that may still be paid, or whose end the centre has not acknowledged."""

    record_id: RecordId
    hold_no: Count


class Statement(Message, frozen=True, omit_defaults=True):
    """ "Of my holds up to number `upto_hold_no`, only these are open; my chain ends with `last_seq`."

    `last_seq` is the number of the newest entry, sent or not, and 0 when there is none. Older agents omit it.
    """

    upto_hold_no: Annotated[int, Meta(ge=0, le=2**53)]
    open: tuple[OpenHold, ...]
    last_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class RefusedCount(Message, frozen=True):
    """How many sales of a day were refused, by headline. Replaces the earlier count of that day."""

    day: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
    code: Refusal
    count: Count


class Upload(Message, frozen=True):
    """One numbered batch from one device, sealed over its chain's head."""

    v: Literal[1]
    device: Name
    epoch: Count
    upload_no: Count
    entries: Annotated[tuple[ChainedEntry, ...], Meta(max_length=1000)]
    head_seq: Annotated[int, Meta(ge=0, le=2**53)]
    head_hash: Hash
    statement: Statement
    refused: Annotated[tuple[RefusedCount, ...], Meta(max_length=200)]


class Ack(Message, frozen=True):
    """The centre's word on one entry. The shop drops it only when `hash` equals the entry's."""

    v: Literal[1]
    device: Name
    epoch: Count
    seq: Count
    hash: Hash
    answer: Literal["accepted", "repeat", "quarantined"]


class HeardRequest(Message, frozen=True):
    """Asks how far the device's own reports have come."""

    v: Literal[1]


class Heard(Message, frozen=True):
    """The newest upload and the newest entry of a device that the centre has, 0 for none.

    A journal that has not come so far is an old copy of the one that has reported them.
    """

    v: Literal[1]
    device: Name
    epoch: Count
    upload_no: Annotated[int, Meta(ge=0, le=2**53)]
    last_seq: Annotated[int, Meta(ge=0, le=2**53)]
    centre_ms: Ms


class UploadAnswer(Message, frozen=True):
    """One signed ack per entry, in the order of the upload."""

    v: Literal[1]
    acks: tuple[Sealed, ...]
    centre_ms: Ms
