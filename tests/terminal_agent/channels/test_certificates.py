"""A certificate that runs out is told of before, and stops new payments after; what is under way goes on."""

import datetime
import secrets
from pathlib import Path

import pytest
from broken_certificates import of_no_known_version
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from msgspec.structs import replace
from unionpay import EmulatedUnionPay
from wechat import EmulatedWechat, RealClock, new_ask, only_platform_key

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent import doctor
from terminal_agent.channels.certificates import RAN_OUT, Certificates, WhileValid, ends_of
from terminal_agent.channels.codes import Wallet
from terminal_agent.channels.key_files import KeyTrouble, public_key
from terminal_agent.channels.profile import read_profile
from terminal_agent.channels.wallets import UnionPayChannel, WechatChannel
from terminal_agent.channels.wechat import open_wechat
from terminal_agent.checkout.ports import Answer, Ask, Back, Clocks, Say, Secret

NOW_MS = 1_772_337_600_000  # 2026-03-01 12:00 in Shanghai
DAY_MS = 86_400_000
ASK = Ask(pay_ref="AGNQ7WAAOAAHNAABAAAAAAAAAA01", amount_fen=100, operator="cashier-1", till_no="01")
KEY = generate_private_key(65_537, 2048)


class At:
    """A clock that stands."""

    def __init__(self, ms: int = NOW_MS) -> None:
        self.ms = ms

    def wall_ms(self) -> int:
        return self.ms

    def steady_ms(self) -> int:
        return self.ms

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


class Link:
    """A link that does all that it is asked."""

    clocks = Clocks(1, 1, 1, 1, 1, 0, 1)
    not_found_is_no = False
    reverses_blind = True

    def __init__(self) -> None:
        self.asked: list[str] = []

    def prepare(self, ask: Ask) -> str | None:
        return self._done("prepare", "-")

    def take(self, ask: Ask) -> Answer:
        return self._done("take", Answer(Say.APPROVED, 100))

    def query(self, ask: Ask) -> Answer:
        return self._done("query", Answer(Say.APPROVED, 100))

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        return self._done("reverse", Answer(Say.APPROVED))

    def refund(self, ask: Ask, back: Back) -> Answer:
        return self._done("refund", Answer(Say.APPROVED, 100))

    def _done(self, what, answer):
        self.asked.append(what)
        return answer


def certificate(file: Path, days: float, *, key=KEY) -> Path:
    """Write a certificate that ends so many days after now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EMU")])
    at = datetime.datetime.fromtimestamp(NOW_MS / 1000, datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - datetime.timedelta(days=400))
        .not_valid_after(at + datetime.timedelta(days=days))
        .sign(KEY, SHA256())
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return file


def public_pem(key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize(
    ("days", "left", "said"),
    [
        (45, 45, "runs out on 2026-04-15, in 45 days"),
        (0.5, 0, "runs out on 2026-03-02, in 0 days"),
        (-0.5, -1, "ran out on 2026-03-01: nothing can be paid with it"),
    ],
)
def test_it_is_said_when_it_ends(tmp_path, days, left, said):
    (ends,) = ends_of(Certificates({"app_certificate": certificate(tmp_path / "app.crt", days)}))
    assert ends.days_left(NOW_MS) == left
    assert ends.words(NOW_MS) == f"app_certificate ({tmp_path / 'app.crt'}) {said}"


def test_of_a_chain_the_first_to_end_counts_and_a_bare_key_has_no_end(tmp_path):
    first, second = certificate(tmp_path / "1", 90), certificate(tmp_path / "2", 20)
    chain = tmp_path / "chain"
    chain.write_bytes(first.read_bytes() + second.read_bytes())
    bare = tmp_path / "bare"
    bare.write_bytes(public_pem(KEY))
    (ends,) = ends_of(Certificates({"chain": chain, "bare": bare}))
    assert (ends.name, ends.days_left(NOW_MS)) == ("chain", 20)


@pytest.mark.parametrize(
    ("days", "ends"),
    [
        ((20, 90), [90]),  # the new one stands below or above the old one
        ((90, -3), [90]),
        ((-3,), [-3]),
        ((-3, -9), [-3]),
    ],
)
def test_of_those_that_stand_beside_each_other_the_last_to_end_counts(tmp_path, days, ends):
    one_file = tmp_path / "both"
    one_file.write_bytes(b"".join(certificate(tmp_path / "x", one).read_bytes() for one in days))
    apart = {f"platform key {one}": certificate(tmp_path / str(one), one) for one in days}
    for files in ({"platform key": one_file}, apart):
        assert [one.days_left(NOW_MS) for one in ends_of(Certificates(one_of=(files,)))] == ends


def test_beside_a_bare_key_no_certificate_is_needed(tmp_path):
    bare = tmp_path / "bare"
    bare.write_bytes(public_pem(KEY))
    files = {"platform key A1": certificate(tmp_path / "old", -3), "platform key PUB_KEY_ID_1": bare}
    assert ends_of(Certificates(one_of=(files,))) == ()


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_said_to_be_none(tmp_path, content):
    file = tmp_path / "app.crt"
    file.write_bytes(content)
    with pytest.raises(KeyTrouble, match="is no PEM certificate"):
        ends_of(Certificates({"app_certificate": file}))


def test_an_impossible_certificate_is_said_to_be_none(tmp_path):
    file = certificate(tmp_path / "app.crt", 90)
    file.write_text(of_no_known_version(file.read_text()))
    with pytest.raises(KeyTrouble, match="is no PEM certificate"):
        ends_of(Certificates({"app_certificate": file}))
    with pytest.raises(KeyTrouble, match="is no PEM certificate"):
        public_key(file)


def test_after_its_end_nothing_is_taken_and_all_else_goes_on(tmp_path):
    link, clock = Link(), At()
    files = {"certificate": certificate(tmp_path / "own.cer", 1)}
    payment = WhileValid(link, lambda: Certificates(files), clock)
    assert payment.take(ASK).say is Say.APPROVED
    clock.ms += DAY_MS + 1000
    link.asked.clear()
    assert payment.take(ASK) == RAN_OUT
    assert (RAN_OUT.say, RAN_OUT.evidence.code) == (Say.DECLINED, "CERTIFICATE_RAN_OUT")
    assert payment.query(ASK).say is Say.APPROVED
    assert payment.reverse(ASK, Evidence()).say is Say.APPROVED
    assert payment.refund(ASK, Back("R", 100, Evidence())).say is Say.APPROVED
    assert payment.prepare(ASK) == "-"
    assert link.asked == ["query", "reverse", "refund", "prepare"]


def test_a_new_one_in_its_place_counts_at_once(tmp_path):
    files = {"certificate": certificate(tmp_path / "own.cer", -1)}
    payment = WhileValid(Link(), lambda: Certificates(files), At())
    assert payment.take(ASK) == RAN_OUT
    certificate(tmp_path / "own.cer", 365)
    assert payment.take(ASK).say is Say.APPROVED


def test_a_file_that_is_gone_is_the_links_to_tell(tmp_path):
    payment = WhileValid(Link(), lambda: Certificates({"certificate": tmp_path / "none"}), At())
    assert payment.take(ASK).say is Say.APPROVED


def test_a_platforms_key_may_come_in_its_certificate(tmp_path):
    assert public_key(certificate(tmp_path / "wechatpay.pem", 90)) == KEY.public_key()


class Shop:
    """A configuration with one channel, as far as its certificates are looked at."""

    def __init__(self, files: dict[str, Path]) -> None:
        channel = type("Channel", (), {"certificates": Certificates(files)})()
        self.channels = {Wallet.UNIONPAY: channel}


@pytest.mark.parametrize(("days", "told"), [(45, 0), (29, 1), (-3, 1)])
def test_the_till_is_told_thirty_days_before(tmp_path, days, told):
    files = {"certificate": certificate(tmp_path / "own.cer", days)}
    said = doctor.running_out(Shop(files), NOW_MS)
    assert len(said) == told
    assert all(one.startswith("unionpay: certificate (") for one in said)


def test_files_that_cannot_be_read_are_the_doctors_to_tell(tmp_path):
    assert doctor.running_out(Shop({"certificate": tmp_path / "none"}), NOW_MS) == []


def test_every_channel_whose_certificates_are_here_is_stopped_by_them(tmp_path):
    """In a wallet's own words: what it names is what the payments are wrapped by."""
    with EmulatedUnionPay.start(tmp_path) as emulated:
        channel = UnionPayChannel(emulated.profile())
        ends = ends_of(channel.certificates)
        assert {one.name for one in ends} == {"certificate", "middle", "root"}
        payment = channel.payment(At(max(one.ends_ms for one in ends) + DAY_MS), lambda count: bytes(count))
        assert payment.take(replace(ASK, pay_code=Secret("6212345678901234567"))) == RAN_OUT
        assert emulated.moved(ASK.pay_ref) == []


def test_wechat_pays_only_certificate_stops_new_payments_and_nothing_else(tmp_path):
    with EmulatedWechat.start(tmp_path) as emulated:
        first = WechatChannel(emulated.profile()).payment(RealClock(), secrets.token_bytes)
        paid, gone = new_ask(), new_ask()
        assert first.take(paid).say is Say.APPROVED
        assert first.take(gone).say is Say.APPROVED
        new = emulated.call("POST", "/renew", {"what": "platform_certificate", "keep_old": False})
        old = tmp_path / "old.pem"
        old.write_bytes(Path(new["file"]).read_bytes())
        text = only_platform_key(emulated.profile_text(), f'  AAAAAAA1: "{old}"')
        channel = WechatChannel(read_profile(text, "wechat.yaml", Path("/"), training=True))
        (ends,) = (one for one in ends_of(channel.certificates) if one.name == "platform key AAAAAAA1")
        assert f"platform key AAAAAAA1 ({old}) runs out" in ends.words(ends.ends_ms - DAY_MS)
        # The end of the certificate at WeChat Pay, which the emulator lets stand: it answers as before.
        payment = channel.payment(At(ends.ends_ms + DAY_MS), secrets.token_bytes)
        for late in (payment, channel.showing(At(ends.ends_ms + DAY_MS), secrets.token_bytes)):
            assert late.take(new_ask()) == RAN_OUT
        still = WhileValid(
            open_wechat(channel.profile, RealClock(), secrets.token_bytes),
            lambda: channel.certificates,
            At(ends.ends_ms + DAY_MS),
        )
        assert still.take(asked := new_ask()) == RAN_OUT
        assert emulated.moved(asked.pay_ref) == []
        assert still.query(paid).say is Say.APPROVED
        assert still.reverse(gone, Evidence()).say is Say.APPROVED
        back = Back(ids.refund_no(paid.pay_ref), paid.amount_fen, Evidence())
        assert still.refund(paid, back).say is Say.APPROVED
