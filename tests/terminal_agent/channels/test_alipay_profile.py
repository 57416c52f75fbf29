"""Is an application's profile read strictly, and are its keys and certificates those that belong together?"""

import datetime
import re
import shutil
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest
from alipay import PROFILE_FILE, EmulatedAlipay, profile_text
from broken_certificates import of_no_known_version, with_a_broken_name
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from subsidy.strict.yaml_text import FileError
from terminal_agent.channels.alipay_client import Believed, believed
from terminal_agent.channels.alipay_keys import ByCertificate, ByPublicKey, serial_of
from terminal_agent.channels.alipay_profile import read_profile
from terminal_agent.channels.certificates import ends_of
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.wallets import AlipayChannel
from terminal_agent.checkout.ports import Clocks

SHIPPED = PROFILE_FILE.read_text(encoding="utf-8")
FOLDER = Path("/etc/tradein")
BY_CERTIFICATE = """keys:
  mode: certificate
  private_key: keys/a.pem
  app_certificate: keys/b.crt
  alipay_certificate: keys/c.crt
  root_certificates: keys/d.crt
"""


def changed(old, new):
    assert old in SHIPPED
    return SHIPPED.replace(old, new, 1)


def with_keys(keys):
    text, found = re.subn(r"(?m)^keys:\n(?:  .+\n)+", keys, SHIPPED)
    assert found == 1
    return text


def read(text, **options):
    return read_profile(text, PROFILE_FILE.name, FOLDER, **options)


def test_the_shipped_profile_has_the_waits_of_alipay():
    profile = read(SHIPPED)
    assert profile.clocks == Clocks(10, 15, 60, 3, 60, 0, 60)
    assert (profile.limits.connect_s, profile.limits.read_s, profile.limits.whole_s) == (3, 10, 15)
    assert profile.keys == ByPublicKey(
        FOLDER / "keys/app_private_key.pem", FOLDER / "keys/alipay_public_key.pem"
    )


def test_nothing_that_may_still_be_paid_is_a_no():
    profile = read(SHIPPED)
    for reason in (
        "ACQ.SYSTEM_ERROR",
        "ACQ.TRADE_HAS_SUCCESS",
        "ACQ.TRADE_HAS_CLOSE",
        "ACQ.CONTEXT_INCONSISTENT",
        "ACQ.TRADE_NOT_EXIST",
        "ACQ.PULL_MOBILE_CASHIER_FAIL",
        "isp.unknow-error",
        "aop.ACQ.SYSTEM_ERROR",
    ):
        assert reason not in profile.refused
    assert not {"10000", "10003", "20000", "20001"} & profile.failed
    assert not {"TRADE_SUCCESS", "TRADE_FINISHED", "WAIT_BUYER_PAY"} & profile.no_states


def test_certificates_may_stand_in_the_place_of_the_public_key():
    assert read(with_keys(BY_CERTIFICATE)).keys == ByCertificate(
        *(FOLDER / f"keys/{name}" for name in ("a.pem", "b.crt", "c.crt", "d.crt"))
    )


def test_an_emulator_and_the_sandbox_are_refused_unless_it_is_training():
    for text, said in (
        (profile_text(app_id="EMU0000000000001"), "is an emulator's"),
        (profile_text(gateway="https://openapi-sandbox.dl.alipaydev.com/gateway.do"), "sandbox"),
        (profile_text(gateway="https://ALIPAYDEV.com/gateway.do"), "sandbox"),
        (profile_text(gateway="http://127.0.0.1:1/gateway.do"), "plain http"),
    ):
        with pytest.raises(FileError, match=said):
            read(text)
        assert read(text, training=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (profile_text(gateway="https://openapi.alipay.com"), "another path"),
        (profile_text(gateway="https://openapi.alipay.com/gateway.do?charset=gbk"), "another path"),
        (profile_text(gateway="https://a:b@openapi.alipay.com/gateway.do"), "no address"),
        (profile_text(gateway="http://10.0.0.1/gateway.do"), "plain http"),
        (profile_text(family="alipay_v2"), ""),
        (profile_text(app_id="2021"), "not an application's number"),
        (profile_text(pay_within_minutes=0), ""),
        (profile_text(subject="冰" * 43), "longer than 128 bytes"),
        (profile_text(store_id="a b"), "not a store's number"),
        (profile_text(answer_cap_ms=1), "shorter than answer_wait_ms"),
        (changed('done: ["10000"]', 'done: ["10000", "10003"]'), "two meanings"),
        (changed('done: ["10000"]', "done: [10000]"), ""),
        (changed('done: ["10000"]', 'done: ["ok"]'), "no code"),
        (changed("paid: [TRADE_SUCCESS", "paid: [TRADE_CLOSED"), "two meanings"),
        (changed("  ACQ.TOTAL_FEE_EXCEED:", "  ACQ.TRADE_NOT_EXIST:"), "pending too"),
        (changed("  ACQ.TOTAL_FEE_EXCEED:", "  TOTAL_FEE_EXCEED:"), "no error code"),
        (changed("  mode: public_key", "  mode: none"), ""),
        (changed("  mode: public_key", "  mode: certificate"), ""),
        (changed("  mode: public_key\n", "  mode: public_key\n  app_certificate: x.crt\n"), "unknown key"),
        (changed("connect_ms: 3000", "connect_ms: 3.5"), ""),
        (SHIPPED + "timeout: 5\n", "unknown key"),
    ],
)
def test_what_is_wrong_is_refused_with_line_and_remedy(text, said):
    with pytest.raises(FileError) as wrong:
        read(text, training=True)
    assert said in wrong.value.problem
    assert wrong.value.line > 1
    assert wrong.value.remedy


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two merchants' key files, each of its own Alipay."""
    folders = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        with EmulatedAlipay.start(folder, certificates=True) as emulator:
            folders.append(
                {key: Path(value) for key, value in emulator.ready["keys"].items() if key != "mode"}
            )
    return folders


def copied(files, folder):
    """Return a merchant's files, copied so that a test may change them."""
    return {name: Path(shutil.copy(file, folder / name)) for name, file in files.items()}


def test_certificates_that_belong_together_are_taken(made):
    keys = ByCertificate(**made[0]).reread().current()
    assert set(keys.said) == {"app_cert_sn", "alipay_root_cert_sn"}
    assert len(keys.platform) == 1
    assert repr(keys).startswith("AlipayKeys(said=")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("private_key", "is not of our private key"),
        ("app_certificate", "is not of our private key"),
        ("alipay_certificate", "was not issued under the root certificates"),
        ("root_certificates", "was not issued under the root certificates"),
    ],
)
def test_somebody_elses_certificate_or_key_is_refused(name, said, made, tmp_path):
    files = copied(made[0], tmp_path)
    shutil.copy(made[1][name], files[name])
    with pytest.raises(KeyTrouble, match=said):
        ByCertificate(**files).reread().current()


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\x00" * 100, "证书".encode()])
@pytest.mark.parametrize("name", ["app_certificate", "alipay_certificate", "root_certificates"])
def test_what_is_no_certificate_is_refused_without_showing_it(name, content, made, tmp_path):
    files = copied(made[0], tmp_path)
    files[name].write_bytes(content)
    with pytest.raises(KeyTrouble, match="is no PEM certificate") as trouble:
        ByCertificate(**files).reread().current()
    assert str(files[name]) in str(trouble.value)


@pytest.mark.parametrize("spoil", [of_no_known_version, with_a_broken_name])
@pytest.mark.parametrize("name", ["app_certificate", "alipay_certificate", "root_certificates"])
def test_an_impossible_certificate_is_refused_by_its_file(name, spoil, made, tmp_path):
    files = copied(made[0], tmp_path)
    files[name].write_text(spoil(files[name].read_text()))
    with pytest.raises(KeyTrouble, match="is no PEM certificate"):
        ByCertificate(**files).reread().current()


def test_a_chain_of_certificates_is_followed_to_the_root(made, tmp_path):
    files = copied(made[0], tmp_path)
    # Alipay's own file holds its certificate and the one above it.
    files["alipay_certificate"].write_bytes(
        made[0]["alipay_certificate"].read_bytes() + made[0]["root_certificates"].read_bytes()
    )
    assert ByCertificate(**files).reread().current()
    files["alipay_certificate"].write_bytes(
        made[0]["alipay_certificate"].read_bytes() + made[0]["app_certificate"].read_bytes()
    )
    with pytest.raises(KeyTrouble, match="was not issued"):
        ByCertificate(**files).reread().current()


def test_an_old_certificate_of_alipays_stands_in_the_file_of_the_new_one(tmp_path):
    """While both are in use an answer under either is believed; the last to end is the one that ends."""
    root, app, *platform = (generate_private_key(65_537, 2048) for _ in range(4))
    at = datetime.datetime.now(datetime.UTC)

    def issued(key, of, days, *, may_issue=False):
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("EMU Root", of)]
        made = x509.CertificateBuilder(names[0], names[1], key.public_key(), x509.random_serial_number())
        made = made.add_extension(x509.BasicConstraints(ca=may_issue, path_length=None), critical=True)
        made = made.not_valid_before(at - datetime.timedelta(days=400))
        return made.not_valid_after(at + datetime.timedelta(days=days)).sign(root, SHA256())

    files = {name: tmp_path / name for name in ByCertificate.__struct_fields__}
    files["private_key"].write_bytes(app.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    above = issued(root, "EMU Root", 4000, may_issue=True)
    old, new = (issued(key, "EMU Alipay", days) for key, days in zip(platform, (-1, 300), strict=True))
    pem = {one: one.public_bytes(Encoding.PEM) for one in (above, old, new)}
    files["root_certificates"].write_bytes(pem[above])
    files["app_certificate"].write_bytes(issued(app, "EMU App", 500).public_bytes(Encoding.PEM))
    files["alipay_certificate"].write_bytes(pem[old] + pem[above])
    reread = ByCertificate(**files).reread()
    assert list(reread.current().platform) == [serial_of(old)]
    files["alipay_certificate"].write_bytes(pem[new] + pem[above] + pem[old])
    platform_keys = reread.current().platform
    assert list(platform_keys) == [serial_of(new), serial_of(old)]
    for key, one in zip(platform, (old, new), strict=True):
        content = b'{"code":"10000"}'
        sign = b64encode(key.sign(content, PKCS1v15(), SHA256())).decode()
        body = f'{{"alipay_trade_query_response":{content.decode()},"alipay_cert_sn":"{serial_of(one)}"'
        heard = believed(f'{body},"sign":"{sign}"}}'.encode(), "alipay.trade.query", platform_keys)
        assert heard == Believed(content)
    profile = msgspec.structs.replace(read(SHIPPED), keys=ByCertificate(**files))
    (first, second) = ends_of(AlipayChannel(profile).certificates)
    assert (first.name, second.name) == ("alipay_certificate", "app_certificate")
    assert first.ends_ms == round(new.not_valid_after_utc.timestamp() * 1000)
