"""Which rows do the steps read and change?

Each struct below is one row of the table of the same name (`settlement/db/tables.py`).
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar

import msgspec

from subsidy.policy.split import Part


class Row(msgspec.Struct, frozen=True, gc=False):
    """The common base. `key` names the fields of the primary key.

    Rows are values that never point back at each other, so the garbage collector need not look at the many
    that are remembered.
    """

    key: ClassVar[tuple[str, ...]]


Key = tuple[type[Row], tuple[Any, ...]]
"""A row's kind and the values of its primary key."""


class Merchant(Row, frozen=True):
    """A legal merchant."""

    key: ClassVar = ("merchant",)
    merchant: str
    name: str
    uscc: str
    active: bool


class Shop(Row, frozen=True):
    """A shop of a merchant, in a county."""

    key: ClassVar = ("shop",)
    shop: str
    merchant: str
    name: str
    region: str
    active: bool
    channel: str = "offline"


class Terminal(Row, frozen=True):
    """A card terminal registered to a shop."""

    key: ClassVar = ("terminal_no",)
    terminal_no: str
    shop: str


class Product(Row, frozen=True):
    """A product of the library. `energy_level` is None when its category has none."""

    key: ClassVar = ("gtin",)
    gtin: str
    name: str
    brand: str
    category: str
    energy_level: int | None


class FiledPrice(Row, frozen=True):
    """The price a merchant has filed for a product."""

    key: ClassVar = ("merchant", "gtin")
    merchant: str
    gtin: str
    price_fen: int


class Qualification(Row, frozen=True):
    """A qualification code (as its MAC) and the person (as blind index) behind it.

    `used_by` is the record that holds or has used it.
    """

    key: ClassVar = ("qualification",)
    qualification: str
    person: str
    category: str
    valid_from_ms: int
    valid_until_ms: int
    used_by: str | None


class Quota(Row, frozen=True):
    """How many grants of a category a person has in a programme year, open holds included."""

    key: ClassVar = ("person", "category", "year")
    register: ClassVar = "person"
    person: str
    category: str
    year: int
    used: int


class Serial(Row, frozen=True):
    """A serial number of a brand, and the record that holds it or was granted for it."""

    key: ClassVar = ("brand", "serial_no")
    register: ClassVar = "serial"
    brand: str
    serial_no: str
    taken_by: str | None


class Freed(Row, frozen=True):
    """A record that has given back what it took from a shared register, which is still to be told."""

    key: ClassVar = ("kind", "record_id")
    kind: str
    record_id: str


class OpenCount(Row, frozen=True):
    """How many holds of a terminal or a shop are open."""

    key: ClassVar = ("scope", "name")
    scope: str
    name: str
    open: int


class Device(Row, frozen=True):
    """One enrolled agent installation: its key, its place, and how far its chain is known.

    `frozen` is why it is not believed, None while it is; `frozen_by` is who froze it, empty when it
    contradicted itself. `replaced` says that another host has taken its place, for good.
    """

    key: ClassVar = ("device",)
    device: str
    epoch: int
    public_key: str
    shop: str
    host: str
    enrolled_ms: int
    frozen: str | None = None
    upload_no: int = 0
    stated_hold_no: int = 0
    stated_ms: int = 0
    last_seq: int = 0
    entries: int = 0
    frozen_by: str = ""
    replaced: bool = False


class EnrolCode(Row, frozen=True):
    """A one-time code, as its hash. `used_by` is the device that it enrolled."""

    key: ClassVar = ("code_hash",)
    code_hash: str
    shop: str
    expires_ms: int
    used_by: str | None


class HoldNumber(Row, frozen=True):
    """Which record a device's hold number stands for."""

    key: ClassVar = ("device", "epoch", "hold_no")
    device: str
    epoch: int
    hold_no: int
    record_id: str


class Record(Row, frozen=True):
    """The centre's record of a sale, from its hold on. A tombstone has no promise and no money.

    `money` is the account that holds its parts now; `why` says why it is blocked, kept or ended.
    `blocks` are the reasons why its line may not be paid (`funds/blocks.py`), `pay_ref` the payment that
    counts, and `recovered` says that it was booked from a channel's file before the shop reported it.
    `goods_freed` says that people have given back person and serial number while the money is still held,
    or with the rejection of the record.
    `night` is the night's last word on its payment (`funds/matched.py`), empty when none has looked since it
    was last heard of.
    """

    key: ClassVar = ("record_id",)
    record_id: str
    state: str
    device: str
    epoch: int
    hold_no: int
    request_mac: str = ""
    merchant: str = ""
    shop: str = ""
    terminal_no: str = ""
    person: str = ""
    qualification: str = ""
    category: str = ""
    year: int = 0
    brand: str = ""
    gtin: str = ""
    serial_no: str | None = None
    subsidy_fen: int = 0
    to_pay_fen: int = 0
    paid_fen: int = 0
    parts: tuple[Part, ...] = ()
    money: str | None = None
    promise: bytes = b""
    promise_kid: str = ""
    placed_at_ms: int = 0
    held_for_s: int = 0
    ended_ms: int | None = None
    why: str = ""
    owner: str = ""
    blocks: tuple[str, ...] = ()
    recovered: bool = False
    pay_ref: str = ""
    pool: str = ""
    goods_freed: bool = False
    night: str = ""


class EntryRow(Row, frozen=True):
    """An entry of a device's chain, as it came. `answer` is what its first ack said."""

    key: ClassVar = ("device", "epoch", "seq", "hash")
    device: str
    epoch: int
    seq: int
    hash: str
    prev: str
    record_id: str | None
    kind: str
    answer: str
    problem: str
    body: bytes
    taken_ms: int


class EntryAt(Row, frozen=True):
    """The first hash seen at a place of a device's chain: another one there is a fork."""

    key: ClassVar = ("device", "epoch", "seq")
    device: str
    epoch: int
    seq: int
    hash: str
    prev: str
    answer: str


class Difference(Row, frozen=True):
    """Something that needs a person: its kind, its owner, and what was found.

    `day` is the business day that it belongs to, `fen` what is at stake, `pay_ref` the payment concerned;
    all empty or 0 when there is none. `closed_ms` is None while it waits.
    """

    key: ClassVar = ("subject", "kind")
    subject: str
    kind: str
    owner: str
    detail: str
    opened_ms: int
    day: str = ""
    fen: int = 0
    pay_ref: str = ""
    next_step: str = ""
    closed_ms: int | None = None


class GoodsReturn(Row, frozen=True):
    """The return of a sale's goods, as far as it has come: RETURNING, REFUNDED or REFUSED.

    `begun_seq` and `ended_seq` are the places in the device's chain of the newest entry of each kind, 0
    before one has come: the device's last word counts, in whatever order words arrive. `begun_ms` and
    `ended_ms` are by the device's clock, `heard_ms` is when the centre heard of it. `money` is the account
    that held the grant when the shopper had the money back, and `freed` says that quota and serial number
    were given back. `repaid_by` names the document by which the merchant has repaid the grant.
    """

    key: ClassVar = ("record_id",)
    record_id: str
    state: str
    refund_no: str
    refund_fen: int
    heard_ms: int
    operator: str = ""
    supervisor: str = ""
    reason: str = ""
    begun_ms: int | None = None
    begun_seq: int = 0
    ended_ms: int | None = None
    ended_seq: int = 0
    money: str = ""
    freed: bool = False
    repaid_by: str = ""
    repaid_ms: int | None = None


class Offer(Row, frozen=True):
    """What a bank or channel bore of a record's payment, booked under `payer` in `year`."""

    key: ClassVar = ("record_id",)
    record_id: str
    payer: str
    fen: int
    year: int
    went_back: bool = False


class OfferExplanation(Row, frozen=True):
    """What two people have found out about a payment: `borne_by` bore `fen` of it (`offers/bearers.py`).

    `reference` names what shows it.
    """

    key: ClassVar = ("pay_ref",)
    pay_ref: str
    record_id: str
    fen: int
    borne_by: str
    reference: str
    decided_by: str
    decided_ms: int


class Invoice(Row, frozen=True):
    """A verified invoice: `total_fen` is with tax, `reference` names what shows that it was verified."""

    key: ClassVar = ("invoice_no",)
    invoice_no: str
    record_id: str
    total_fen: int
    reference: str
    taken_by: str
    taken_ms: int


class Claim(Row, frozen=True):
    """A merchant's claim for the sales up to a day, as it was submitted: it is never edited."""

    key: ClassVar = ("claim",)
    claim: str
    merchant: str
    day: str
    lines: int
    fen: int
    built_ms: int


class ClaimLine(Row, frozen=True):
    """A record in a claim: SUBMITTED, then PAID, WITHHELD, REJECTED or CORRECTED, once and for all.

    `reference` names the payment that settled it, `why` the reason for a rejection or correction.
    """

    key: ClassVar = ("claim", "record_id")
    claim: str
    record_id: str
    fen: int
    state: str
    reference: str = ""
    why: str = ""
    ended_ms: int | None = None


class ClaimPayment(Row, frozen=True):
    """A payment of a claim, or of what was left of it: for one claim a reference counts once."""

    key: ClassVar = ("claim", "reference")
    claim: str
    reference: str
    lines: int
    fen: int
    withheld_lines: int
    withheld_fen: int
    paid_ms: int


class ClosedYear(Row, frozen=True):
    """A programme year that is closed: nothing of it is promised again."""

    key: ClassVar = ("year",)
    year: int
    closed_ms: int


class Balance(Row, frozen=True):
    """The sum of all postings to one account of one funder, programme year and pool."""

    key: ClassVar = ("funder", "account", "year", "pool")
    funder: str
    account: str
    year: int
    pool: str
    fen: int


class Funding(Row, frozen=True):
    """A document by which funders have given money for a programme year, or moved it: it counts once."""

    key: ClassVar = ("year", "reference")
    year: int
    reference: str
    parts: tuple[Part, ...]
    pool: str = ""


class Freezing(Row, frozen=True):
    """Something that people have frozen, or had: `lifted_ms` is None while it stands.

    `kind` and `name` say what (`funds/freezings.py`); a person's name is the blind index, and `of_record` the
    record by which the person was named, empty when by an identity number.
    """

    key: ClassVar = ("kind", "name")
    kind: str
    name: str
    why: str
    frozen_by: str
    frozen_ms: int
    of_record: str = ""
    lifted_by: str = ""
    lifted_why: str = ""
    lifted_ms: int | None = None


class RefusedOnDay(Row, frozen=True):
    """How many sales a device refused on a day, by headline, as it last reported."""

    key: ClassVar = ("device", "day", "code")
    device: str
    day: str
    code: str
    count: int


class CentreUser(Row, frozen=True):
    """Who is known here, without what they log in with. No fold changes it: people are given."""

    key: ClassVar = ("name",)
    name: str
    kind: str
    disabled_ms: int | None


class UserRole(Row, frozen=True):
    """A role that a user has. No fold changes it."""

    key: ClassVar = ("name", "role", "scope_kind", "scope")
    name: str
    role: str
    scope_kind: str
    scope: str


class Proposal(Row, frozen=True):
    """What one person proposes and another approves: OPEN, then APPROVED, DECLINED or WITHDRAWN, once.

    `command` and `shown` are JSON; `shown_hash` is the SHA-256 of `shown`, in which the command stands
    too. `decided_hash` is that of what the one who decided was shown. Empty while it is open.
    """

    key: ClassVar = ("proposal",)
    proposal: str
    state: str
    kind: str
    command: str
    shown: str
    shown_hash: str
    proposed_by: str
    proposed_ms: int
    decided_by: str = ""
    decided_hash: str = ""
    decided_ms: int | None = None
    why: str = ""


KINDS: tuple[type[Row], ...] = (
    Merchant,
    Shop,
    Terminal,
    Product,
    FiledPrice,
    Qualification,
    Quota,
    Serial,
    Freed,
    OpenCount,
    Device,
    EnrolCode,
    HoldNumber,
    Record,
    EntryRow,
    EntryAt,
    Difference,
    Balance,
    Funding,
    RefusedOnDay,
    GoodsReturn,
    Offer,
    OfferExplanation,
    Invoice,
    Claim,
    ClaimLine,
    ClaimPayment,
    ClosedYear,
    CentreUser,
    UserRole,
    Proposal,
    Freezing,
)


def _key_getter(kind: type[Row]) -> Callable[[Any], tuple[Any, ...]]:
    if len(kind.key) == 1:
        one = attrgetter(*kind.key)
        return lambda row: (one(row),)
    return attrgetter(*kind.key)


_KEYS = {kind: _key_getter(kind) for kind in KINDS}


def key_of(row: Row) -> Key:
    """Return the kind and primary key of a row."""
    kind = type(row)
    return kind, _KEYS[kind](row)
