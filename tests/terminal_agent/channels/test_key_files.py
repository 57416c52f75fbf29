import datetime
import os

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from terminal_agent.channels.key_files import KeyTrouble, Reread
from terminal_agent.channels.wechat_keys import KeyFiles, KeyPlaces


@pytest.fixture(scope="module")
def keys():
    return [generate_private_key(65_537, 2048) for _ in range(2)]


def private_pem(key, password=None):
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def files(tmp_path, keys):
    private, public, own = (tmp_path / f"{name}.pem" for name in ("private", "public", "own"))
    private.write_bytes(private_pem(keys[0]))
    public.write_bytes(public_pem(keys[0]))
    own.write_bytes(certificate_pem(keys[0], 0xABCDEF01))
    return private, public, own


def certificate_pem(key, serial):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EMU")])
    at = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), serial)
    made = made.not_valid_before(at).not_valid_after(at + datetime.timedelta(days=1)).sign(key, SHA256())
    return made.public_bytes(Encoding.PEM)


def opened(files):
    places = KeyPlaces(files[0], files[2], {"PUB_KEY_ID_1": files[1]})
    return KeyFiles(Reread(lambda: 0, lambda: places))


def put(file, content):
    beside = file.with_suffix(".new")
    beside.write_bytes(content)
    os.replace(beside, file)


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(files, keys):
    own = opened(files)
    first = own.current()
    assert own.current() is first
    put(files[0], private_pem(keys[1]))
    put(files[2], certificate_pem(keys[1], 0xABCDEF02))
    assert own.current().serial == "ABCDEF02"
    assert own.current().private.private_numbers() == keys[1].private_numbers()
    put(files[1], public_pem(keys[1]))
    assert own.current().platform["PUB_KEY_ID_1"].public_numbers() == keys[1].public_key().public_numbers()


def test_the_old_keys_go_on_while_a_new_one_cannot_be_read(files, keys):
    own = opened(files)
    first = own.current()
    put(files[0], b"half a key")
    assert own.current() is first
    assert "private.pem" in own.problem
    files[0].unlink()
    assert own.current() is first
    put(files[0], private_pem(keys[1]))
    put(files[2], certificate_pem(keys[1], 0xABCDEF02))
    assert own.current() is not first
    assert own.problem is None


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        private_pem(ec_key(SECP256R1())),
        public_pem(ec_key(SECP256R1())),
        private_pem(generate_private_key(65_537, 1024)),
        public_pem(generate_private_key(65_537, 1024)),
        private_pem(generate_private_key(65_537, 2048), b"password"),
        None,
    ],
    ids=["empty", "text", "torn", "ec", "ec public", "short", "short public", "password", "missing"],
)
def test_a_file_that_is_no_key_says_which_it_is_and_nothing_of_it(files, which, content):
    if content is None:
        files[which].unlink()
    else:
        files[which].write_bytes(content)
    with pytest.raises(KeyTrouble) as trouble:
        opened(files).current()
    assert str(files[which]) in str(trouble.value)
    assert "BEGIN" not in str(trouble.value)


def test_keys_do_not_show_themselves(files):
    assert repr(opened(files).current()) == "Keys(serial='ABCDEF01', platform=['PUB_KEY_ID_1'])"
