"""What does the centre's database hold?

Columns are named like the fields of the rows in `settlement/writer/rows.py`. Every table is STRICT:
without it SQLite keeps text in a number's place.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
# PostgreSQL compares texts byte by byte, as SQLite and Python do.
_WORDS = Text().with_variant(Text(collation="C"), "postgresql")


def _table(name: str, *columns: Column[object] | Index) -> Table:
    return Table(name, metadata, *columns, sqlite_strict=True)


def _text(name: str, **more: object) -> Column[object]:
    return Column(name, _WORDS, nullable=False, **more)  # type: ignore[arg-type]


def _number(name: str, **more: object) -> Column[object]:
    return Column(name, _NUMBER, nullable=False, **more)  # type: ignore[arg-type]


def _maybe_text(name: str) -> Column[object]:
    return Column(name, _WORDS, nullable=True)


def _maybe_number(name: str) -> Column[object]:
    return Column(name, _NUMBER, nullable=True)


def _partial(name: str, where: Any, *columns: Column[object], unique: bool = False) -> None:
    """Index only the rows that meet `where`: few of a table that only grows."""
    Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


merchant = _table(
    "merchant", _text("merchant", primary_key=True), _text("name"), _text("uscc"), _number("active")
)
shop = _table(
    "shop",
    _text("shop", primary_key=True),
    _text("merchant"),
    _text("name"),
    _text("region"),
    _number("active"),
    _text("channel", server_default="offline"),
)
terminal = _table("terminal", _text("terminal_no", primary_key=True), _text("shop"))
product = _table(
    "product",
    _text("gtin", primary_key=True),
    _text("name"),
    _text("brand"),
    _text("category"),
    _maybe_number("energy_level"),
)
filed_price = _table(
    "filed_price",
    _text("merchant", primary_key=True),
    _text("gtin", primary_key=True),
    _number("price_fen"),
)
qualification = _table(
    "qualification",
    _text("qualification", primary_key=True),
    _text("person"),
    _text("category"),
    _number("valid_from_ms"),
    _number("valid_until_ms"),
    _maybe_text("used_by"),
)
quota = _table(
    "quota",
    _text("person", primary_key=True),
    _text("category", primary_key=True),
    _number("year", primary_key=True),
    _number("used"),
)
serial = _table(
    "serial",
    _text("brand", primary_key=True),
    _text("serial_no", primary_key=True),
    _maybe_text("taken_by"),
)
open_count = _table(
    "open_count", _text("scope", primary_key=True), _text("name", primary_key=True), _number("open")
)
device = _table(
    "device",
    _text("device", primary_key=True),
    _number("epoch"),
    _text("public_key"),
    _text("shop"),
    _text("host"),
    _number("enrolled_ms"),
    _maybe_text("frozen"),
    _number("upload_no"),
    _number("stated_hold_no"),
    _number("stated_ms"),
    _number("last_seq"),
    _number("entries"),
    _text("frozen_by"),
    _number("replaced"),
)
enrol_code = _table(
    "enrol_code",
    _text("code_hash", primary_key=True),
    _text("shop"),
    _number("expires_ms"),
    _maybe_text("used_by"),
)
hold_number = _table(
    "hold_number",
    _text("device", primary_key=True),
    _number("epoch", primary_key=True),
    _number("hold_no", primary_key=True),
    _text("record_id"),
)
record = _table(
    "record",
    _text("record_id", primary_key=True),
    _text("state"),
    _text("device"),
    _number("epoch"),
    _number("hold_no"),
    _text("request_mac"),
    _text("merchant"),
    _text("shop"),
    _text("terminal_no"),
    _text("person"),
    _text("qualification"),
    _text("category"),
    _number("year"),
    _text("brand"),
    _text("gtin"),
    _maybe_text("serial_no"),
    _number("subsidy_fen"),
    _number("to_pay_fen"),
    _number("paid_fen"),
    _text("parts"),
    _maybe_text("money"),
    Column("promise", LargeBinary, nullable=False),
    _text("promise_kid"),
    _number("placed_at_ms"),
    _number("held_for_s"),
    _maybe_number("ended_ms"),
    _text("why"),
    _text("owner"),
    _text("blocks"),
    _number("recovered"),
    _text("pay_ref"),
    _text("pool", server_default=""),
    _number("goods_freed"),
    _text("night", server_default=""),
    Index("record_of_device", "device", "epoch", "state"),
    Index("record_of_serial", "serial_no"),
)
_partial("record_open", record.c.state == "HELD", record.c.record_id)
_partial(
    "record_unclaimed",
    record.c.state.in_(("PAYABLE", "BLOCKED")),
    record.c.merchant,
    record.c.placed_at_ms,
)
UNMATCHED = text("night <> 'matched' AND state IN ('PAYABLE', 'BLOCKED', 'IN_CLAIM')")
"""The records that a night has still to match: every night looks at them, whatever their day."""
_partial("record_unmatched", UNMATCHED, record.c.placed_at_ms)
entry_row = _table(
    "entry_row",
    _text("device", primary_key=True),
    _number("epoch", primary_key=True),
    _number("seq", primary_key=True),
    _text("hash", primary_key=True),
    _text("prev"),
    _maybe_text("record_id"),
    _text("kind"),
    _text("answer"),
    _text("problem"),
    Column("body", LargeBinary, nullable=False),
    _number("taken_ms"),
    Index("entry_of_record", "record_id"),
)
_partial("entry_not_taken", entry_row.c.answer.in_(("quarantined", "forked")), entry_row.c.answer)
entry_at = _table(
    "entry_at",
    _text("device", primary_key=True),
    _number("epoch", primary_key=True),
    _number("seq", primary_key=True),
    _text("hash"),
    _text("prev"),
    _text("answer"),
)
difference = _table(
    "difference",
    _text("subject", primary_key=True),
    _text("kind", primary_key=True),
    _text("owner"),
    _text("detail"),
    _number("opened_ms"),
    _text("day"),
    _number("fen"),
    _text("pay_ref"),
    _text("next_step"),
    _maybe_number("closed_ms"),
)
balance = _table(
    "balance",
    _text("funder", primary_key=True),
    _text("account", primary_key=True),
    _number("year", primary_key=True),
    _text("pool", primary_key=True),
    _number("fen"),
)
funding = _table(
    "funding",
    _number("year", primary_key=True),
    _text("reference", primary_key=True),
    _text("parts"),
    _text("pool", server_default=""),
)
refused_on_day = _table(
    "refused_on_day",
    _text("device", primary_key=True),
    _text("day", primary_key=True),
    _text("code", primary_key=True),
    _number("count"),
)
goods_return = _table(
    "goods_return",
    _text("record_id", primary_key=True),
    _text("state"),
    _text("refund_no"),
    _number("refund_fen"),
    _number("heard_ms"),
    _text("operator"),
    _text("supervisor"),
    _text("reason"),
    _maybe_number("begun_ms"),
    _number("begun_seq"),
    _maybe_number("ended_ms"),
    _number("ended_seq"),
    _text("money"),
    _number("freed"),
    _text("repaid_by"),
    _maybe_number("repaid_ms"),
)
_partial("return_open", goods_return.c.state == "RETURNING", goods_return.c.record_id)
offer = _table(
    "offer",
    _text("record_id", primary_key=True),
    _text("payer"),
    _number("fen"),
    _number("year"),
    _number("went_back"),
)
offer_explanation = _table(
    "offer_explanation",
    _text("pay_ref", primary_key=True),
    _text("record_id"),
    _number("fen"),
    _text("borne_by"),
    _text("reference"),
    _text("decided_by"),
    _number("decided_ms"),
    Index("offer_explanation_of_record", "record_id"),
)
invoice = _table(
    "invoice",
    _text("invoice_no", primary_key=True),
    _text("record_id"),
    _number("total_fen"),
    _text("reference"),
    _text("taken_by"),
    _number("taken_ms"),
)
claim = _table(
    "claim",
    _text("claim", primary_key=True),
    _text("merchant"),
    _text("day"),
    _number("lines"),
    _number("fen"),
    _number("built_ms"),
    Index("claim_of_merchant", "merchant", "day"),
)
claim_line = _table(
    "claim_line",
    _text("claim", primary_key=True),
    _text("record_id", primary_key=True),
    _number("fen"),
    _text("state"),
    _text("reference"),
    _text("why"),
    _maybe_number("ended_ms"),
    Index("claim_line_of_record", "record_id"),
)
# A record is never in two claims at once.
_partial("claim_line_open", claim_line.c.state == "SUBMITTED", claim_line.c.record_id, unique=True)
claim_payment = _table(
    "claim_payment",
    _text("claim", primary_key=True),
    _text("reference", primary_key=True),
    _number("lines"),
    _number("fen"),
    _number("withheld_lines"),
    _number("withheld_fen"),
    _number("paid_ms"),
)
# What a shared register is still to be told.
freed = _table("freed", _text("kind", primary_key=True), _text("record_id", primary_key=True))
closed_year = _table("closed_year", _number("year", primary_key=True), _number("closed_ms"))

freezing = _table(
    "freezing",
    _text("kind", primary_key=True),
    _text("name", primary_key=True),
    _text("why"),
    _text("frozen_by"),
    _number("frozen_ms"),
    _text("of_record"),
    _text("lifted_by"),
    _text("lifted_why"),
    _maybe_number("lifted_ms"),
)

# The night.
channel_file = _table(
    "channel_file",
    _text("source", primary_key=True),
    _text("day", primary_key=True),
    _number("version", primary_key=True),
    _text("layout"),
    _text("sha256"),
    _number("rows"),
    _number("sale_fen"),
    _number("back_fen"),
    _number("is_none"),
    _number("registered_ms"),
    _number("whole"),
)
channel_line = _table(
    "channel_line",
    _text("source", primary_key=True),
    _text("day", primary_key=True),
    _number("version", primary_key=True),
    _number("line_no", primary_key=True),
    _text("kind"),
    _number("fen"),
    _text("pay_ref"),
    _text("sale"),
    _text("refund_no"),
    _text("merchant_no"),
    _text("ref"),
    _text("own_day"),
    _text("raw"),
    _number("offer_fen"),
    _maybe_number("shop_offer_fen"),
    Index("channel_line_of_day", "day"),
    Index("channel_line_of_sale", "sale"),
)
night_report = _table(
    "night_report",
    _text("day", primary_key=True),
    _number("version", primary_key=True),
    _text("sha256"),
    Column("content", LargeBinary, nullable=False),
    _number("made_ms"),
)
night_run = _table(
    "night_run",
    _text("day", primary_key=True),
    _number("exit_code"),
    _number("complete"),
    _number("ended_ms"),
)
Index("record_placed", record.c.placed_at_ms)
Index("record_ended", record.c.ended_ms)
Index("return_ended", goods_return.c.ended_ms)

# Append-only: what has happened, and what it posted.
event = _table(
    "event",
    Column("event_no", _NUMBER, primary_key=True, autoincrement=False),
    _number("at_ms"),
    _text("kind"),
    _text("body"),
    _maybe_text("record_id"),
    _text("hash", server_default=""),
    Index("event_of_record", "record_id"),
)
posting = _table(
    "posting",
    Column("event_no", _NUMBER, primary_key=True, autoincrement=False),
    _number("line", primary_key=True),
    _text("happening"),
    _text("funder"),
    _text("account"),
    _number("year"),
    _number("fen"),
    _text("pool", server_default=""),
)

# People.
centre_user = _table(
    "centre_user",
    _text("name", primary_key=True),
    _text("kind"),
    _text("password"),
    Column("totp", LargeBinary, nullable=False),
    _number("totp_step"),
    _number("tries"),
    _number("not_before_ms"),
    _number("made_ms"),
    _text("made_by"),
    _maybe_number("disabled_ms"),
    _text("credentials_by", server_default=""),
    _number("credentials_ms", server_default="0"),
)
user_role = _table(
    "user_role",
    _text("name", primary_key=True),
    _text("role", primary_key=True),
    _text("scope_kind", primary_key=True),
    _text("scope", primary_key=True),
    _number("granted_ms"),
    _text("granted_by"),
)
user_session = _table(
    "user_session",
    _text("token_hash", primary_key=True),
    _text("name"),
    _number("made_ms"),
    _number("seen_ms"),
    _number("ends_ms"),
    Index("session_of_user", "name"),
)
user_token = _table(
    "user_token",
    _text("token_hash", primary_key=True),
    _text("name"),
    _text("label"),
    _number("made_ms"),
    _text("made_by"),
    _maybe_number("ends_ms"),
    _maybe_number("revoked_ms"),
    Index("token_of_user", "name", "label", unique=True),
)
proposal = _table(
    "proposal",
    _text("proposal", primary_key=True),
    _text("state"),
    _text("kind"),
    _text("command"),
    _text("shown"),
    _text("shown_hash"),
    _text("proposed_by"),
    _number("proposed_ms"),
    _text("decided_by"),
    _text("decided_hash"),
    _maybe_number("decided_ms"),
    _text("why"),
)
_partial("proposal_open", proposal.c.state == "OPEN", proposal.c.proposal)
audit_entry = _table(
    "audit_entry",
    Column("entry_no", _NUMBER, primary_key=True, autoincrement=False),
    _number("at_ms"),
    _text("who"),
    _text("via"),
    _text("what"),
    _text("subject"),
    _text("outcome"),
    _text("prev"),
    _text("hash"),
)
meta = _table("meta", _text("name", primary_key=True), _text("value"))
# One row: which process writes now, and how many batches have been written. Every transaction that writes
# changes it first, so that only one does at a time, and a writer sees whether another has come between.
writer = _table("writer", _number("one", primary_key=True), _number("epoch"), _number("batch_no"))
