"""Are the bytes on the wire what they have always been?

The files in `tests/files/wire/` were typed once. A shop that was installed years ago still sends and
expects them, so they are never made again from the code: see the README there.
"""

import json
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from subsidy import seal
from subsidy.policy.facts import Facts
from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.policy.split import Part
from subsidy.records.payment import Evidence
from subsidy.seal import NotSealed, Sealed
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.wire import v1
from subsidy.wire.chain import entry_hash

FILES = Path(__file__).resolve().parents[2] / "files/wire"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KID = "56475aa75463474c"

RECORD_ID = "0195501e-6b00-7abc-8def-0123456789ab"
PAY_REF = "AGKVAHTLAB5LZDPPAERUKZ4JVM"
ITEM = v1.Item(gtin="6901234567892", serial_no="AB-12345")
PRICES = v1.Prices(initial_price_fen=459900, merchant_discount_fen=60000, trade_in_fen=10000)
AMOUNTS = v1.Amounts(
    initial_price_fen=459900,
    merchant_discount_fen=60000,
    final_price_fen=399900,
    subsidy_fen=59985,
    trade_in_fen=10000,
    to_pay_fen=329915,
)
SPLIT = (Part("central", 50988), Part("province", 2999), Part("city", 2999), Part("county", 2999))
FACTS_BYTES = (
    b'{"sold_at":"2026-03-01T10:00:00+08:00","programme":"TRAINING","initial_price_fen":459900,'
    b'"merchant_discount_fen":60000,"trade_in_fen":10000,"merchant_active":true,"terminal_registered":true,'
    b'"region":"321202","tender":"card","product_listed":true,"category":"FRIDGE","energy_level":1,'
    b'"serial_no":"AB-12345","serial_taken":false,"filed_price_fen":459900,"qualification_known":true,'
    b'"qualification_valid":true,"qualification_category":"FRIDGE","qualification_in_use":false,'
    b'"used_in_category":null,"payer_matches":null,"risk_blocked":null,"fund_left_fen":100000000}'
)
HASH = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
AT_MS = 1772330400000
EVIDENCE = Evidence(
    code="00",
    text="交易成功",
    terminal_no="EMU00001",
    merchant_no="EMU000000000001",
    batch="000001",
    trace="000123",
    rrn="260301000123",
    auth="A1B2C3",
    masked_pan="622202*********0123",
    host_date="0301",
    host_time="100005",
)
ATTEMPT = v1.Attempt(
    no=2,
    pay_ref=PAY_REF + "02",
    tender=Tender.CARD,
    terminal_no="EMU00001",
    amount_fen=329915,
    state="PAID",
    approved_fen=329915,
    begun_ms=AT_MS + 2000,
    ended_ms=AT_MS + 7000,
    evidence=EVIDENCE,
)
NOT_PAID = v1.Attempt(
    no=1,
    pay_ref=PAY_REF + "01",
    tender=Tender.QR_SCAN,
    terminal_no="EMU00001",
    amount_fen=329915,
    state="NOT_PAID",
    approved_fen=None,
    begun_ms=AT_MS + 1000,
    ended_ms=None,
    evidence=Evidence(code="51"),
)
FACTS_HASH = "a6895bade4da23e7773393fddaced5e957ca8777ad6a938df098ecbb225fdf78"
EXPECTED: dict[str, msgspec.Struct] = {
    "enrolment-request": v1.EnrolmentRequest(
        v=1,
        code=f"ABCDEFGHIJKLMNOPQRSTUVWX23-{KID}",
        public_key="A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
        host="till-01",
        agent_version="0.1.0",
    ),
    "enrolled": v1.Enrolled(
        v=1,
        device=KID,
        epoch=1,
        programme="TRAINING",
        training=True,
        shop="S0031",
        shop_name="示例电器海陵店",
        merchant_name="示例电器有限公司",
        terminals=("EMU00001", "EMU00002"),
        centre_keys=("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",),
        lag_target_s=300,
    ),
    "facts-request": v1.FactsRequest(
        v=1,
        item=ITEM,
        prices=PRICES,
        qualification_code="TRAINING-0001",
        terminal_no="EMU00001",
        tender=Tender.CARD,
    ),
    "facts-answer": v1.FactsAnswer(
        v=1, facts=msgspec.json.decode(FACTS_BYTES, type=Facts), pack_hash=HASH, centre_ms=AT_MS
    ),
    "pack-request": v1.PackRequest(v=1, pack_hash=HASH),
    "pack-answer": v1.PackAnswer(
        v=1, programme="TRAINING", files={"TRAINING.yaml": 'kind: programme\nprogramme: "TRAINING"\n'}
    ),
    "heard-request": v1.HeardRequest(v=1),
    "heard": v1.Heard(v=1, device=KID, epoch=1, upload_no=3, last_seq=12, centre_ms=AT_MS),
    "hold-request": v1.HoldRequest(
        v=1,
        record_id=RECORD_ID,
        hold_no=7,
        item=ITEM,
        prices=PRICES,
        qualification_code="TRAINING-0001",
        terminal_no="EMU00001",
        tender=Tender.CARD,
        pack_hash=HASH,
        created_ms=AT_MS,
        skew_ms=-1200,
        give_up_after_ms=5000,
    ),
    "promise": v1.Promise(
        v=1,
        record_id=RECORD_ID,
        device=KID,
        epoch=1,
        hold_no=7,
        programme="TRAINING",
        programme_year=2026,
        category="FRIDGE",
        item=ITEM,
        amounts=AMOUNTS,
        split=SPLIT,
        payee=v1.Payee(merchant="M001", uscc="91321202MA1XX00010", shop="S0031"),
        terminal_no="EMU00001",
        tender=Tender.CARD,
        pack_hash=HASH,
        facts=msgspec.Raw(FACTS_BYTES),
        facts_hash=FACTS_HASH,
        placed_at_ms=AT_MS + 40,
        held_for_s=900,
    ),
    "refused": v1.Refused(
        v=1, record_id=RECORD_ID, reasons=(Refusal.PRICE_ABOVE_FILING, Refusal.FUND_EXHAUSTED)
    ),
    "entry-paid": v1.Paid(
        v=1,
        record_id=RECORD_ID,
        hold_no=7,
        promise=Sealed(typ="promise.v1", alg="Ed25519", kid=KID, payload="e30=", sig="AAAA"),
        facts=msgspec.Raw(FACTS_BYTES),
        pack_hash=HASH,
        item=ITEM,
        amounts=AMOUNTS,
        paid_fen=329915,
        attempts=(NOT_PAID, ATTEMPT),
        till_no="T1",
        operator="007",
        paid_ms=AT_MS + 7000,
    ),
    "entry-closed": v1.Closed(
        v=1, record_id=RECORD_ID, hold_no=7, attempts=(NOT_PAID,), why="stopped", closed_ms=AT_MS + 9000
    ),
    "entry-returning": v1.Returning(
        v=1,
        record_id=RECORD_ID,
        refund_no=PAY_REF + "02R",
        refund_fen=329915,
        operator="007",
        supervisor="001",
        reason="不想要了",
        begun_ms=AT_MS + 60000,
    ),
    "entry-returned": v1.Returned(
        v=1,
        record_id=RECORD_ID,
        refund_no=PAY_REF + "02R",
        refunded=True,
        refund_fen=329915,
        evidence=EVIDENCE,
        ended_ms=AT_MS + 65000,
    ),
    "entry-supplement": v1.Supplement(v=1, record_id=RECORD_ID, attempt=ATTEMPT, noted_ms=AT_MS + 90000),
    "chained-entry": v1.ChainedEntry(seq=12, prev=HASH, body="e30="),
    "upload": v1.Upload(
        v=1,
        device=KID,
        epoch=1,
        upload_no=3,
        entries=(v1.ChainedEntry(seq=12, prev=HASH, body="e30="),),
        head_seq=12,
        head_hash="f933d006a656c6e4667bcf1466e8dfbf8f4d82ef0eb0466acfa4793463cca87e",
        statement=v1.Statement(upto_hold_no=9, open=(v1.OpenHold(record_id=RECORD_ID, hold_no=7),)),
        refused=(v1.RefusedCount(day="2026-03-01", code=Refusal.PERSON_QUOTA_USED, count=4),),
    ),
    "ack": v1.Ack(v=1, device=KID, epoch=1, seq=12, hash=HASH, answer="accepted"),
    "upload-answer": v1.UploadAnswer(
        v=1,
        acks=(Sealed(typ="ack.v1", alg="Ed25519", kid=KID, payload="e30=", sig="AAAA"),),
        centre_ms=AT_MS + 100,
    ),
}
# Which message stands inside each sealed one, and what it says it is.
SEALED = {
    "promise": v1.PROMISE,
    "refused": v1.REFUSAL,
    "facts-answer": v1.FACTS,
    "upload": v1.UPLOAD,
    "ack": v1.ACK,
    "enrolled": v1.ENROLLED,
    "pack-answer": v1.PACK,
    "heard": v1.HEARD,
}


def golden(name):
    """Return the bytes of a file."""
    return (FILES / f"v1-{name}.json").read_bytes()


@pytest.mark.parametrize("name", EXPECTED)
def test_the_bytes_say_what_they_have_always_said(name):
    expected = EXPECTED[name]
    assert json_bytes.decode(golden(name), type(expected)) == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_the_message_is_written_to_the_same_bytes(name):
    assert msgspec.json.encode(EXPECTED[name]) == golden(name)


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith("entry-")])
def test_an_entry_is_told_by_its_kind(name):
    assert json_bytes.decode(golden(name), v1.Entry) == EXPECTED[name]
    assert json.loads(golden(name))["kind"] == name.removeprefix("entry-")


@pytest.mark.parametrize("name", EXPECTED)
def test_no_message_takes_a_field_more_or_less_at_any_depth(name):
    whole = json.loads(golden(name))
    opaque = ("facts", "files") if name != "facts-answer" else ("files",)
    for path in list(objects_in(whole, opaque)):
        changed = json.loads(golden(name))
        found = changed
        for key in path:
            found = found[key]
        found["more"] = 1
        with pytest.raises(NotStrict, match="unknown field"):
            json_bytes.decode(json.dumps(changed).encode(), read_as(name))
    for key in whole:
        less = json.dumps({one: value for one, value in whole.items() if one != key}).encode()
        with pytest.raises(NotStrict, match="missing required field"):
            json_bytes.decode(less, read_as(name))


def read_as(name):
    """Return what a message is read as where it arrives: an entry as any of its kinds."""
    return v1.Entry if name.startswith("entry-") else type(EXPECTED[name])


def objects_in(value, opaque, path=()):
    """Yield the path of every object in a JSON value, but for what is not the wire's own."""
    if isinstance(value, dict):
        yield path
        for key, one in value.items():
            if key not in opaque:
                yield from objects_in(one, opaque, (*path, key))
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from objects_in(one, opaque, (*path, number))


@pytest.mark.parametrize("name", SEALED)
def test_a_sealed_message_verifies_and_holds_the_bytes_of_its_file(name):
    sealed = json_bytes.decode(golden(f"sealed-{name}"), Sealed)
    keys = {KID: KEY.public_key()}
    assert (sealed.typ, sealed.alg, sealed.kid) == (SEALED[name], "Ed25519", KID)
    assert seal.unseal(sealed, SEALED[name], keys) == golden(name)
    assert msgspec.json.encode(seal.seal(SEALED[name], golden(name), KEY)) == golden(f"sealed-{name}")
    for other in set(SEALED.values()) - {SEALED[name]}:
        with pytest.raises(NotSealed):
            seal.unseal(sealed, other, keys)


def test_the_facts_stand_in_the_promise_byte_for_byte():
    promise = json_bytes.decode(golden("promise"), v1.Promise)
    assert bytes(promise.facts) == FACTS_BYTES
    assert promise.facts_hash == seal.sha256_hex(FACTS_BYTES)
    assert msgspec.json.encode(json_bytes.decode(bytes(promise.facts), Facts)) == FACTS_BYTES


def test_the_upload_is_sealed_over_the_hash_of_its_last_entry():
    upload = json_bytes.decode(golden("upload"), v1.Upload)
    (entry,) = upload.entries
    assert upload.head_hash == entry_hash(upload.device, upload.epoch, entry.seq, entry.prev, b"{}")


def test_every_message_of_this_version_has_its_file():
    named = {type(one) for one in EXPECTED.values()}
    inside = {v1.Message, v1.Item, v1.Prices, v1.Payee, v1.Amounts, v1.Attempt, v1.OpenHold}
    inside |= {v1.Statement, v1.RefusedCount}
    messages = {one for one in vars(v1).values() if isinstance(one, type) and issubclass(one, v1.Message)}
    assert messages - inside == named
    files = {f"v1-{name}.json" for name in EXPECTED} | {f"v1-sealed-{name}.json" for name in SEALED}
    assert {path.name for path in FILES.iterdir()} == files | {"README"}
