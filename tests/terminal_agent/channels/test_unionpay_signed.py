"""Whom do we believe at UnionPay, what is no form, and is nothing else raised whatever comes?"""

import datetime
import hashlib
import os
import random
import time

import msgspec
import pytest
from broken_certificates import der_of, of_no_known_version, pem_of, with_a_broken_name
from cpu_time import cpu_time
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from unionpay import (
    FILES,
    PROFILE_FILE,
    EmulatedUnionPay,
    new_unionpay_ask,
    new_unionpay_shown_ask,
    profile_text,
)
from wechat import RealClock

from subsidy import calendar, ids
from subsidy.records.payment import Evidence
from subsidy.strict.yaml_text import FileError
from terminal_agent.channels import unionpay_form
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.channels.unionpay import UnionPay, UnionPayShown, open_unionpay
from terminal_agent.channels.unionpay_client import Said, believed
from terminal_agent.channels.unionpay_form import NoForm
from terminal_agent.channels.unionpay_keys import UnionPayKeyFiles
from terminal_agent.channels.unionpay_profile import read_profile
from terminal_agent.checkout.ports import Back, Say

FEN = 85_000
PAID, UNPAID = [("charge", FEN)], []
A, D, N, P, U = Say.APPROVED, Say.DECLINED, Say.NOT_FOUND, Say.PENDING, Say.UNCLEAR
MUTATIONS = int(os.environ.get("MUTATIONS", "3000"))
"""How many broken answers are tried; more on demand."""
# The library warns of it; a certificate of that kind is opened, and nothing speaks for it.
SERIAL_BELOW_1 = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")


def prepared(channel, ask=None):
    ask = ask or new_unionpay_ask(FEN)
    return msgspec.structs.replace(ask, mark=channel.prepare(ask))


def back_of(channel, ask, fen=FEN):
    return Back(ids.refund_no(ask.pay_ref), fen, Evidence(), channel.prepare(ask))


# Whom we believe.


@pytest.fixture
def own(tmp_path):
    """An emulator with keys of its own, which a test may change."""
    with EmulatedUnionPay.start(tmp_path) as running:
        yield running


def test_unionpay_changes_its_certificate_while_the_till_goes_on(own):
    channel = own.channel()
    ask = prepared(channel)
    assert channel.take(ask).say is P
    own.change_certificate()
    assert channel.query(ask).say is A


def test_our_key_and_certificate_change_while_the_till_goes_on(own, tmp_path_factory):
    with EmulatedUnionPay.start(tmp_path_factory.mktemp("two")) as two:
        profile = own.profile()
        foreign, right = two.profile(), {name: profile.files[name].read_bytes() for name in FILES}
        for name in FILES:
            profile.files[name].write_bytes(foreign.files[name].read_bytes())
        channel = open_unionpay(profile, RealClock())
        ask = prepared(channel)
        assert channel.take(ask).say is U
        # One after the other: until both are there the old ones go on.
        for name in FILES:
            profile.files[name].write_bytes(right[name])
            assert channel.prepare(ask) is not None
        assert channel.query(ask).say is N
        assert channel.take(prepared(channel)).say is P


@pytest.mark.parametrize("name", ["certificate", "root", "middle"])
def test_a_key_file_with_an_impossible_certificate_is_named(name, own):
    profile = own.profile()
    profile.files[name].write_text(of_no_known_version(profile.files[name].read_text()))
    with pytest.raises(KeyTrouble, match=profile.files[name].name):
        UnionPayKeyFiles(profile.files, profile.platform_name).current()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_broken_key_file_is_named_and_nothing_is_sent(name, content, own):
    profile = own.profile()
    profile.files[name].write_bytes(content)
    with pytest.raises(KeyTrouble, match=profile.files[name].name):
        UnionPayKeyFiles(profile.files, profile.platform_name).current()
    channel = open_unionpay(profile, RealClock())
    ask = new_unionpay_ask(FEN)
    assert channel.prepare(ask) is None
    assert channel.take(msgspec.structs.replace(ask, mark="20260101000000")).say is D


def test_a_key_that_is_not_the_certificates_is_refused(own, tmp_path_factory):
    with EmulatedUnionPay.start(tmp_path_factory.mktemp("two")) as two:
        files = {**own.profile().files, "private_key": two.profile().files["private_key"]}
        with pytest.raises(KeyTrouble, match="does not belong to the certificate"):
            UnionPayKeyFiles(files, "EMU").current()
        files = {**own.profile().files, "root": two.profile().files["root"]}
        with pytest.raises(KeyTrouble, match="not issued by the root"):
            UnionPayKeyFiles(files, "EMU").current()


def keys_of(unionpay, **changes):
    profile = unionpay.profile(**changes)
    return UnionPayKeyFiles(profile.files, profile.platform_name).current()


def platform_pem(unionpay):
    return (unionpay.profile().files["root"].parent / "unionpay.cer").read_text()


def test_a_certificate_counts_between_its_dates_under_the_root_and_in_its_name_only(unionpay):
    keys, pem, now = keys_of(unionpay), platform_pem(unionpay), datetime.datetime.now(datetime.UTC)
    assert keys.key_of(pem, now) is not None
    for years in (-1, 11):
        assert keys.key_of(pem, now + datetime.timedelta(days=365 * years)) is None
    assert keys_of(unionpay, name="中国银联股份有限公司").key_of(pem, now) is None
    for other in ("merchant.cer", "root.cer"):
        assert keys.key_of((unionpay.profile().files["root"].parent / other).read_text(), now) is None
    for broken in ("", "x", pem[:100], pem.replace("M", "N"), pem + "é", "-" * 100_000):
        assert keys.key_of(broken, now) is None


def test_a_new_middle_certificate_stands_in_the_file_of_the_old_one(own):
    """Answers under the one and under the other are believed, in the middle of a sale."""
    channel, profile = own.channel(), own.profile()
    ask = prepared(channel)
    assert channel.take(ask).say is P
    folder, file = profile.files["root"].parent, profile.files["middle"]
    old = file.read_bytes()
    above = x509.load_pem_x509_certificate(profile.files["root"].read_bytes())
    root_key = serialization.load_pem_private_key((folder / "root_key.pem").read_bytes(), None)
    key, at = generate_private_key(65_537, 2048), datetime.datetime.now(datetime.UTC)

    def issued(of, name, issuer, by, *, may_issue):
        made = x509.CertificateBuilder(issuer, name, of.public_key(), x509.random_serial_number())
        made = made.add_extension(x509.BasicConstraints(ca=may_issue, path_length=None), critical=True)
        made = made.not_valid_before(at - datetime.timedelta(days=1))
        return made.not_valid_after(at + datetime.timedelta(days=9)).sign(by, SHA256())

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EMU new middle")])
    middle = issued(key, name, above.subject, root_key, may_issue=True)
    theirs = x509.load_pem_x509_certificate(platform_pem(own).encode())
    end = issued(generate_private_key(65_537, 2048), theirs.subject, name, key, may_issue=False)
    pem = end.public_bytes(serialization.Encoding.PEM).decode()
    assert keys_of(own).key_of(pem, at) is None
    file.write_bytes(middle.public_bytes(serialization.Encoding.PEM) + old)
    assert channel.query(ask).say in (Say.APPROVED, P)
    assert channel.take(prepared(channel)).say is P
    assert keys_of(own).key_of(pem, at) == end.public_key()
    assert keys_of(own).key_of(pem, at + datetime.timedelta(days=10)) is None
    file.write_bytes(old)


def test_the_serial_number_in_a_request_is_the_certificates_in_decimal(unionpay):
    file = unionpay.profile().files["certificate"]
    serial = x509.load_pem_x509_certificate(file.read_bytes()).serial_number
    assert keys_of(unionpay).cert_id == str(serial)
    assert str(serial) in repr(keys_of(unionpay))


# Forms.


def test_what_is_signed_is_sorted_hashed_and_without_the_signature():
    fields = {"b": "2=3", "a": "中", "signature": "x"}
    assert unionpay_form.signed_text(fields) == hashlib.sha256("a=中&b=2=3".encode()).hexdigest().encode()


def test_a_value_may_hold_equals_signs_and_braces_hold_ampersands():
    assert unionpay_form.read(b"a=x=y&b={c=1&d={e=2&f=3}}&g=") == {
        "a": "x=y",
        "b": "{c=1&d={e=2&f=3}}",
        "g": "",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a",
        b"=b",
        b"a=1&a=2",
        b"a=1&&b=2",
        b"a=\x00",
        b"a=\xff",
        b"a={",
        b"a=}",
        b"a={{{{{}}}}}",
        b"a b=1",
        "é=1".encode(),
        b"x" * 41 + b"=1",
        b"&".join(b"a%d=1" % n for n in range(200)),
    ],
)
def test_what_is_no_form_is_refused(body):
    with pytest.raises(NoForm):
        unionpay_form.read(body)


class Recorded:
    """The bytes of a real signed answer."""

    def __init__(self, unionpay):
        folder = unionpay.profile().files["root"].parent
        self.keys = keys_of(unionpay)
        key = serialization.load_pem_private_key((folder / "unionpay_key.pem").read_bytes(), None)
        fields = {
            "respCode": "00",
            "origRespCode": "00",
            "merId": unionpay.ready["mer_id"],
            "orderId": "AGNQ7WAAOAAHNAABAAAAAAAAAA01",
            "txnTime": "20260301120000",
            "txnAmt": "85000",
            "currencyCode": "156",
            "reserved": "{a=1&b=2}",
            "signMethod": "01",
            "signPubKeyCert": platform_pem(unionpay),
        }
        self.fields = unionpay_form.sign(fields, key)
        self.body = "&".join(f"{name}={value}" for name, value in self.fields.items()).encode()
        self.at_ms = time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def recorded(shared_unionpay):
    return Recorded(shared_unionpay)


def test_a_signed_answer_is_believed(recorded):
    said = believed(recorded.body, recorded.keys, recorded.at_ms)
    assert isinstance(said, Said)
    assert dict(said.fields) == recorded.fields


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"txnAmt": "85001"}, Silence.WRONG_SIGNATURE),
        ({"added": "1"}, Silence.WRONG_SIGNATURE),
        ({"signature": ""}, Silence.NOT_SIGNED),
        ({"signature": "AAAA"}, Silence.WRONG_SIGNATURE),
        ({"signature": "no base64!"}, Silence.WRONG_SIGNATURE),
        ({"signMethod": "11"}, Silence.NOT_SIGNED),
        ({"signPubKeyCert": ""}, Silence.UNKNOWN_KEY),
    ],
)
def test_a_changed_answer_is_not_believed(changes, why, recorded):
    body = "&".join(f"{k}={v}" for k, v in {**recorded.fields, **changes}.items()).encode()
    assert believed(body, recorded.keys, recorded.at_ms) is why


def mutated(body, dice):
    content = bytearray(body)
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(content) or 1)
        match dice.randrange(5):
            case 0 if content:
                content[at] = dice.randrange(256)
            case 1:
                content[at:at] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 9)))
            case 2:
                del content[at : at + dice.randrange(1, 60)]
            case 3:
                content[at:at] = dice.choice([b"{" * 50, b"&" * 50, b"=" * 50, b"a=" * 99, "中".encode() * 9])
            case _:
                content += content[at : at + 200]
    return bytes(content)


@SERIAL_BELOW_1
def test_a_mutated_answer_is_believed_only_as_it_was_and_costs_little(recorded):
    dice = random.Random(20_261_128)
    as_it_was = {**recorded.fields, "signature": ""}
    slowest = 0.0
    for _ in range(MUTATIONS):
        body = mutated(recorded.body, dice)
        with cpu_time() as cost:
            said = believed(body, recorded.keys, recorded.at_ms)
        slowest = max(slowest, cost.s)
        # One signature can be written in more than one base64: its last bits are not looked at.
        assert isinstance(said, Silence) or {**said.fields, "signature": ""} == as_it_was
    assert slowest < 0.1


@pytest.mark.parametrize("spoil", [of_no_known_version, with_a_broken_name])
def test_an_answer_with_an_impossible_certificate_is_not_believed(spoil, recorded):
    fields = {**recorded.fields, "signPubKeyCert": spoil(recorded.fields["signPubKeyCert"])}
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    assert believed(body, recorded.keys, recorded.at_ms) is Silence.UNKNOWN_KEY


@SERIAL_BELOW_1
def test_a_certificate_mutated_in_its_own_bytes_speaks_for_nothing_and_costs_little(recorded):
    """Text that is changed is hardly ever a certificate any more: here what is inside is changed."""
    dice = random.Random(20_261_129)
    right = der_of(recorded.fields["signPubKeyCert"])
    at = calendar.from_ms(recorded.at_ms)
    right_key = recorded.keys.key_of(pem_of(right), at)
    assert right_key is not None
    slowest = 0.0
    for _ in range(MUTATIONS):
        spoilt = bytearray(right)
        for _ in range(dice.randrange(1, 4)):
            spoilt[dice.randrange(len(spoilt))] ^= dice.randrange(1, 256)
        with cpu_time() as cost:
            key = recorded.keys.key_of(pem_of(bytes(spoilt)), at)
        slowest = max(slowest, cost.s)
        # What stands around the signed part may change; the key that speaks is the one that was signed.
        assert key is None or key == right_key
    assert slowest < 0.1


@pytest.mark.parametrize(
    "body",
    [b"{" * 65_000, b"&" * 65_000, b"a=" * 32_000, b"a={" * 20_000, b"signPubKeyCert=" + b"A" * 60_000],
)
def test_a_hostile_answer_costs_little(body, recorded):
    with cpu_time() as cost:
        assert isinstance(believed(body, recorded.keys, recorded.at_ms), Silence)
    assert cost.s < 0.1


VALUES = st.dictionaries(
    st.from_regex(r"[A-Za-z][0-9A-Za-z]{0,12}", fullmatch=True),
    st.text(st.characters(exclude_characters="&{}", exclude_categories=["Cc", "Cs"]), max_size=20),
    min_size=1,
    max_size=12,
)


@given(VALUES)
def test_what_is_written_as_an_answer_is_read_again(fields):
    assert unionpay_form.read("&".join(f"{k}={v}" for k, v in fields.items()).encode()) == fields


PROFILE = read_profile(PROFILE_FILE.read_text(encoding="utf-8"), PROFILE_FILE.name, PROFILE_FILE.parent)
ASK = msgspec.structs.replace(new_unionpay_shown_ask(FEN), mark="20260301120000")


class Told:
    def __init__(self, answer):
        self._answer = answer

    def call(self, _path, _fields):
        return self._answer


ODD = st.one_of(
    st.sampled_from(
        ["", "0", "00", "05", "34", "35", "64", "99", "85000", "085000", "-1", "１", "1e3", "156"]
    ),
    st.text(max_size=30),
)
ABOUT_US = st.fixed_dictionaries(
    {
        "merId": st.just(PROFILE.mer_id),
        "orderId": st.sampled_from([ASK.pay_ref, ids.refund_no(ASK.pay_ref)]),
        "txnTime": st.just(ASK.mark),
    }
)


@settings(max_examples=400)
@given(
    ABOUT_US,
    st.dictionaries(
        st.sampled_from(
            ["respCode", "origRespCode", "txnAmt", "currencyCode", "qrCode", "queryId", "traceNo"]
        ),
        ODD,
    ),
)
def test_whatever_is_signed_is_an_answer_and_a_yes_names_its_amount(about, more):
    said = Told(Said({**about, **more}))
    back = Back(ids.refund_no(ASK.pay_ref), FEN, Evidence(), ASK.mark)
    for kind in (UnionPay, UnionPayShown):
        channel = kind(PROFILE, said, lambda: None, RealClock())
        for answer in (
            channel.take(ASK),
            channel.query(ASK),
            channel.reverse(ASK, Evidence()),
            channel.refund(ASK, back),
        ):
            assert (answer.approved_fen is not None) <= (answer.say in (A, D))
            assert not (answer.show and answer.say is not P)
        assert (channel.query(ASK).say is A) <= (more.get("origRespCode") == "00")


# The profile.


def test_the_shipped_profile_is_read():
    assert PROFILE.base_url == "https://gateway.95516.com"
    assert PROFILE.clocks.poll_for_s == 60
    for code in ("01", "02", "03", "04", "05", "12", "34", "35", "36", "37"):
        assert code not in PROFILE.refused


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"mer_id": "EMU000000000001"}, "is an emulator's"),
        ({"name": "EMU银联模拟"}, "is an emulator's"),
        ({"base_url": "http://127.0.0.1:1"}, "over plain http"),
        ({"mer_id": "12"}, "not a merchant number"),
        ({"term_id": "1"}, "not a terminal number"),
        ({"back_url": "none"}, "no address"),
        ({"family": "unionpay_qrc"}, "not known here"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_with_its_line(changes, problem):
    with pytest.raises(FileError, match=problem) as refused:
        read_profile(profile_text(**changes), "unionpay.yaml", PROFILE_FILE.parent)
    assert refused.value.line > 1
    assert refused.value.remedy
