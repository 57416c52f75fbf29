"""Is what a device signs exactly the request, as RFC 9421 writes it down?"""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from subsidy.seal import key_id
from subsidy.wire import http_signature
from subsidy.wire.http_signature import NotSigned

KEY = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"b" * 32)
BODY = b'{"v":1}'
SAID = {
    "method": "POST",
    "path": "/v1/holds",
    "body": BODY,
    "device": "56475aa75463474c",
    "epoch": 3,
    "created_s": 1772330400,
    "nonce": "abcdefghijklmnop",
}


def signed(**changes):
    """Return the headers of a request, names in lower case as a server has them."""
    return {name.lower(): value for name, value in http_signature.sign(KEY, **(SAID | changes)).items()}


def read(headers, method="POST", path="/v1/holds", query="", body=BODY):
    """Read a signature as the server does."""
    return http_signature.read(method, path, query, body, headers)


def test_the_signature_is_over_this_text_and_no_other():
    # Written by hand from RFC 9421, 2.5.
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    kid = hashlib.sha256(KEY.public_key().public_bytes_raw()).hexdigest()[:16]
    expected = (
        '"@method": POST\n'
        '"@path": /v1/holds\n'
        '"@query": ?\n'
        f'"content-digest": sha-256=:{digest}:\n'
        '"tradein-device": 56475aa75463474c\n'
        '"tradein-epoch": 3\n'
        '"@signature-params": ("@method" "@path" "@query" "content-digest" "tradein-device" "tradein-epoch")'
        f';created=1772330400;nonce="abcdefghijklmnop";keyid="{kid}";alg="ed25519"'
    )
    headers = signed()
    assert read(headers).signed == expected.encode()
    signature = base64.b64decode(headers["signature"].removeprefix("sig1=:").removesuffix(":"))
    KEY.public_key().verify(signature, expected.encode())
    assert headers["signature-input"] == "sig1=" + expected.partition('"@signature-params": ')[2]
    assert headers["content-digest"] == f"sha-256=:{digest}:"


def test_what_was_signed_is_read_back_and_verifies():
    found = read(signed())
    found.verify(KEY.public_key())
    assert (found.device, found.epoch, found.kid) == ("56475aa75463474c", 3, key_id(KEY.public_key()))
    assert (found.created_s, found.nonce) == (1772330400, "abcdefghijklmnop")


@given(st.binary(max_size=100), st.from_regex(r"/[a-z0-9/-]{0,40}", fullmatch=True))
def test_any_body_and_path_are_covered(body, path):
    headers = {
        name.lower(): value
        for name, value in http_signature.sign(KEY, **(SAID | {"body": body, "path": path})).items()
    }
    read(headers, path=path, body=body).verify(KEY.public_key())
    with pytest.raises(NotSigned, match="Content-Digest"):
        read(headers, path=path, body=body + b"x")
    with pytest.raises(NotSigned, match="wrong"):
        read(headers, path=path + "x", body=body).verify(KEY.public_key())


@pytest.mark.parametrize(
    "change",
    [{"method": "PUT"}, {"path": "/v1/facts"}, {"path": "/v1/holds/"}, {"query": "a=1"}, {"method": "post"}],
)
def test_another_request_does_not_verify(change):
    with pytest.raises(NotSigned, match="signature is wrong"):
        read(signed(), **change).verify(KEY.public_key())


@pytest.mark.parametrize(
    ("name", "value"),
    [("tradein-device", "0000000000000000"), ("tradein-epoch", "4")],
)
def test_device_and_epoch_are_covered(name, value):
    with pytest.raises(NotSigned, match="signature is wrong"):
        read({**signed(), name: value}).verify(KEY.public_key())


@pytest.mark.parametrize("old", ["created=1772330400", 'nonce="abcdefghijklmnop"'])
def test_time_and_nonce_are_covered(old):
    headers = signed()
    new = old.replace("1772330400", "1772330401").replace("ponm", "x").replace("abcd", "bbcd")
    headers["signature-input"] = headers["signature-input"].replace(old, new)
    with pytest.raises(NotSigned, match="signature is wrong"):
        read(headers).verify(KEY.public_key())


def test_another_key_does_not_verify():
    with pytest.raises(NotSigned, match="another key"):
        read(signed()).verify(OTHER.public_key())


def test_a_key_id_alone_proves_nothing():
    headers = signed()
    other = headers["signature-input"].replace(key_id(KEY.public_key()), key_id(OTHER.public_key()))
    with pytest.raises(NotSigned, match="signature is wrong"):
        read({**headers, "signature-input": other}).verify(OTHER.public_key())


@pytest.mark.parametrize("name", sorted(signed()))
def test_no_header_may_be_missing(name):
    headers = {key: value for key, value in signed().items() if key != name}
    with pytest.raises(NotSigned):
        read(headers)


INPUT = signed()["signature-input"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("signature-input", INPUT.replace("sig1=", "sig2=")),
        ("signature-input", INPUT.replace('"@query" ', "")),
        ("signature-input", INPUT.replace('"@method" "@path"', '"@path" "@method"')),
        ("signature-input", INPUT.replace('alg="ed25519"', 'alg="hmac-sha256"')),
        ("signature-input", INPUT.replace(';alg="ed25519"', "")),
        ("signature-input", INPUT + ";expires=1"),
        ("signature-input", INPUT + "\n"),
        ("signature-input", " " + INPUT),
        ("signature-input", INPUT.replace("created=1772330400", "created=-1")),
        ("signature-input", INPUT.replace("created=1772330400", "created=１")),
        ("signature-input", INPUT.replace("created=1772330400", "created=" + "9" * 13)),
        ("signature-input", INPUT.replace("abcdefghijklmnop", "short")),
        ("signature-input", INPUT.replace("abcdefghijklmnop", "a" * 65)),
        ("signature-input", INPUT.replace("abcdefghijklmnop", 'a";keyid="0000000000000000')),
        ("signature-input", INPUT + ", " + INPUT),
        ("signature", "sig1=:AAAA:"),
        ("signature", signed()["signature"].replace("sig1", "sig2")),
        ("signature", signed()["signature"] + " "),
        ("content-digest", "sha-256=:AAAA:"),
        ("content-digest", signed()["content-digest"] + ", sha-512=:AAAA:"),
        ("tradein-device", ""),
        ("tradein-device", "a b"),
        ("tradein-device", "a" * 41),
        ("tradein-device", "x\n"),
        ("tradein-epoch", ""),
        ("tradein-epoch", "0"),
        ("tradein-epoch", "-1"),
        ("tradein-epoch", "03"),
        ("tradein-epoch", "3 "),
        ("tradein-epoch", "1" * 10),
    ],
)
def test_no_header_may_be_of_another_form(name, value):
    with pytest.raises(NotSigned):
        read({**signed(), name: value})


@given(st.text(max_size=80), st.sampled_from(sorted(signed())))
def test_whatever_stands_in_a_header_is_refused_and_raises_nothing_else(text, name):
    headers = {**signed(), name: text}
    if headers == signed():
        return
    with pytest.raises(NotSigned):
        read(headers).verify(KEY.public_key())
