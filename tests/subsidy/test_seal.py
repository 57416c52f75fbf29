"""Does a seal say who said which bytes as what kind of message, and nothing else?"""

import base64
import subprocess

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from subsidy import seal
from subsidy.seal import NotSealed, Sealed
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict

KEY = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"b" * 32)
KEYS = {seal.key_id(KEY.public_key()): KEY.public_key()}


@given(st.binary(max_size=200), st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True))
def test_what_was_sealed_comes_out_and_survives_the_wire(payload, typ):
    sealed = seal.seal(typ, payload, KEY)
    again = json_bytes.decode(msgspec.json.encode(sealed), Sealed)
    assert again == sealed
    assert seal.unseal(again, typ, KEYS) == payload
    assert again.payload_bytes() == payload


def test_the_same_bytes_are_sealed_to_the_same_bytes():
    assert seal.seal("a.v1", b"x", KEY) == seal.seal("a.v1", b"x", KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"typ": "b.v1"},
        {"alg": "SM2"},
        {"alg": "none"},
        {"alg": "ed25519"},
        {"kid": "0" * 16},
        {"kid": seal.key_id(OTHER.public_key())},
        {"payload": base64.b64encode(b"y").decode()},
        {"payload": ""},
        {"payload": "AAA"},
        {"sig": ""},
        {"sig": "AAAA"},
        {"sig": seal.seal("a.v1", b"x", OTHER).sig},
        {"sig": seal.seal("a.v1", b"y", KEY).sig},
        {"sig": seal.seal("b.v1", b"x", KEY).sig},
    ],
)
def test_one_thing_changed_breaks_the_seal(change):
    sealed = msgspec.structs.replace(seal.seal("a.v1", b"x", KEY), **change)
    with pytest.raises(NotSealed):
        seal.unseal(sealed, "a.v1", KEYS)


def test_a_message_of_another_kind_is_refused_though_its_seal_is_right():
    sealed = seal.seal("a.v1", b"x", KEY)
    with pytest.raises(NotSealed, match=r"a b\.v1 was expected"):
        seal.unseal(sealed, "b.v1", KEYS)


def test_kind_and_payload_cannot_be_shifted_into_each_other():
    sealed = seal.seal("a", b"b\nEd25519\nx", KEY)
    for typ, payload in (("a\nb", b"Ed25519\nx"), ("a", b"x")):
        forged = msgspec.structs.replace(sealed, typ=typ, payload=base64.b64encode(payload).decode())
        with pytest.raises(NotSealed):
            seal.unseal(forged, typ, KEYS)


def test_no_key_is_trusted_that_was_not_named():
    with pytest.raises(NotSealed, match="not trusted"):
        seal.unseal(seal.seal("a.v1", b"x", OTHER), "a.v1", KEYS)
    with pytest.raises(NotSealed):
        seal.unseal(seal.seal("a.v1", b"x", KEY), "a.v1", {})


@pytest.mark.parametrize(
    "raw",
    [
        b'{"typ":"a","alg":"Ed25519","kid":"k","payload":"","sig":"","more":1}',
        b'{"typ":"a","alg":"Ed25519","kid":"k","payload":""}',
        b'{"typ":"","alg":"Ed25519","kid":"k","payload":"","sig":""}',
        b'{"typ":"a\\n","alg":"Ed25519","kid":"k","payload":"","sig":""}',
        b'{"typ":"a","alg":"Ed25519","kid":"k","payload":"-_","sig":""}',
        b'{"typ":"a","alg":"Ed25519","kid":"k","payload":"AA==\\n","sig":""}',
        b'{"typ":"a","alg":"Ed25519","kid":"k","payload":"A=A=","sig":""}',
    ],
)
def test_a_sealed_message_has_one_form(raw):
    with pytest.raises(NotStrict):
        json_bytes.decode(raw, Sealed)


def test_a_public_key_is_read_from_its_text_and_named_by_its_hash():
    text = seal.public_text(KEY.public_key())
    assert seal.key_id(seal.public_key(text)) == seal.key_id(KEY.public_key())
    assert seal.key_id(KEY.public_key()) == seal.sha256_hex(KEY.public_key().public_bytes_raw())[:16]


@pytest.mark.parametrize("text", ["", "AAAA", "A" * 43, "A" * 43 + "!", "é" * 44, "A" * 60])
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(NotSealed):
        seal.public_key(text)


def test_openssl_agrees_on_what_was_signed(tmp_path):
    sealed = seal.seal("promise.v1", b'{"v":1}', KEY)
    signed = f'tradein.seal.v1\npromise.v1\nEd25519\n{sealed.kid}\n{{"v":1}}'.encode()
    (tmp_path / "signed").write_bytes(signed)
    (tmp_path / "sig").write_bytes(base64.b64decode(sealed.sig))
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "signed"]
    done = subprocess.run(
        [*words, "-sigfile", "sig"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Signature Verified Successfully" in done.stdout, done.stderr
