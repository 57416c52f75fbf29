"""Is exactly what Alipay has signed believed, and is it signed as openssl says?

The golden files were made with the openssl command. What goes over the line is asked of it in
`test_alipay_oracle.py`.
"""

import json
import os
import random
import string
from base64 import b64encode

import pytest
from alipay import REPO
from cpu_time import cpu_time
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from terminal_agent.channels.alipay_client import Believed, believed, members_of, signed, text_to_sign
from terminal_agent.channels.one_exchange import Silence

GOLDEN = REPO / "tests/files/alipay"
METHOD = "alipay.trade.pay"
MEMBER = b"alipay_trade_pay_response"
THEIRS, STRANGER = (generate_private_key(65_537, 2048) for _ in range(2))
PLATFORM = {"": THEIRS.public_key()}
FUZZED = int(os.environ.get("MUTATIONS", "3000"))
"""So many mutated answers; more are a parameter of `mutate_and_read`."""


def sign(content, key=THEIRS):
    return b64encode(key.sign(content, PKCS1v15(), SHA256()))


def envelope(content, *, member=MEMBER, signature=None, before=b"", after=b""):
    signature = sign(content) if signature is None else signature
    return b"{" + before + b'"%s":%s,"sign":"%s"' % (member, content, signature) + after + b"}"


PAID = '{"code":"10000","out_trade_no":"A","store_name":"测试\\/门店 \\"{\\""}'.encode()


def test_a_request_is_signed_as_openssl_signs_it():
    text = (GOLDEN / "request.txt").read_bytes()
    parameters = dict(pair.split("=", 1) for pair in split_at_names(text.decode()))
    key = load_pem_private_key((GOLDEN / "app_private_key.pem").read_bytes(), None)
    shuffled = dict(random.Random(1).sample(sorted(parameters.items()), len(parameters)))
    assert text_to_sign(shuffled) == text
    assert signed(key, shuffled) == (GOLDEN / "request.sign").read_text()


def split_at_names(text):
    """Return the parts of the golden text: a value may hold & and = itself."""
    names = ("app_id", "biz_content", "charset", "format", "method", "sign_type", "timestamp", "version")
    starts = [text.index(f"{name}=") if name == "app_id" else text.index(f"&{name}=") + 1 for name in names]
    ends = [start - 1 for start in starts[1:]] + [len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def test_empty_parameters_and_the_signature_are_not_signed():
    assert (
        text_to_sign({"b": "2", "sign": "x", "a": "", "B": "1", "sign_type": "RSA2"})
        == b"B=1&b=2&sign_type=RSA2"
    )


def test_an_answer_that_openssl_has_signed_is_believed_in_its_own_bytes():
    body = (GOLDEN / "answer.json").read_bytes()
    platform = {"": load_pem_public_key((GOLDEN / "alipay_public_key.pem").read_bytes())}
    found = believed(body, METHOD, platform)
    assert isinstance(found, Believed)
    assert found.body in body
    assert rb"\u6d4b\u8bd5\/" in found.body
    for place in range(body.index(found.body), body.index(found.body) + len(found.body)):
        other = body[:place] + bytes((body[place] ^ 0x01,)) + body[place + 1 :]
        assert isinstance(believed(other, METHOD, platform), Silence), place


def test_the_signed_bytes_are_believed_wherever_they_stand():
    for body in (
        envelope(PAID),
        envelope(PAID, before=b' "alipay_cert_sn" : "" , '),
        b" \r\n" + envelope(PAID, after=b"\n") + b"\n",
        b'{"sign":"%s","%s":%s}' % (sign(PAID), MEMBER, PAID),
        envelope(PAID, after=b',"of":[1,{"tomorrow":"}"}],"x":null,"y":-1.5e3'),
        envelope(PAID, member=b"error_response"),
    ):
        assert believed(body, METHOD, PLATFORM) == Believed(PAID)


REENCODED = json.dumps(json.loads(PAID), ensure_ascii=False, separators=(",", ":")).encode()
EVIL = b'{"code":"10000","out_trade_no":"A","total_amount":"1.00"}'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (envelope(REENCODED, signature=sign(PAID)), Silence.WRONG_SIGNATURE),
        (envelope(PAID + b" ", signature=sign(PAID + b" ")), Silence.WRONG_SIGNATURE),
        (envelope(PAID, signature=sign(PAID, STRANGER)), Silence.WRONG_SIGNATURE),
        (envelope(PAID, signature=b"AAAA"), Silence.WRONG_SIGNATURE),
        (envelope(PAID, signature=sign(PAID)[:-4] + b"===="), Silence.WRONG_SIGNATURE),
        (envelope(PAID, signature=b""), Silence.WRONG_SIGNATURE),
        (b'{"%s":%s}' % (MEMBER, PAID), Silence.NOT_SIGNED),
        # Two answers, of which one is signed: whichever stands where.
        (envelope(PAID, before=b'"%s":%s,' % (MEMBER, EVIL)), Silence.NOT_SIGNED),
        (envelope(PAID, after=b',"%s":%s' % (MEMBER, EVIL)), Silence.NOT_SIGNED),
        (envelope(PAID, before=b'"error_response":%s,' % EVIL), Silence.NOT_SIGNED),
        # The name of the second one is written with an escape.
        (envelope(PAID, after=b',"\\u0061lipay_trade_pay_response":%s' % EVIL), Silence.NOT_SIGNED),
        (envelope(PAID, after=b',"sign":"%s"' % sign(EVIL)), Silence.NOT_SIGNED),
        # A quote that seems to end the signed text, and one that seems not to.
        (envelope(b'{"a":"x\\"},"b":"y"', signature=sign(b'{"a":"x\\"}')), Silence.NOT_SIGNED),
        (envelope(b'{"a":"x\\\\"}', signature=sign(b'{"a":"x\\\\"},"sign":"')), Silence.WRONG_SIGNATURE),
        # The signed bytes stand somewhere else, and another answer in their place.
        (envelope(EVIL, signature=sign(PAID), after=b',"x":%s' % PAID), Silence.WRONG_SIGNATURE),
        (
            envelope(b'{"%s":%s}' % (MEMBER, PAID), member=b"x", signature=sign(PAID)),
            Silence.NOT_SIGNED,
        ),
        (envelope(PAID, member=b"alipay_trade_query_response"), Silence.NOT_SIGNED),
        (envelope(b'"10000"'), Silence.NOT_SIGNED),
        (envelope(b"[1]"), Silence.NOT_SIGNED),
        (envelope(PAID, after=b',"alipay_cert_sn":"abc"'), Silence.UNKNOWN_KEY),
        (envelope(PAID) + b"x", Silence.NOT_SIGNED),
        (envelope(PAID)[:-1], Silence.NOT_SIGNED),
        (envelope(PAID)[1:], Silence.NOT_SIGNED),
        (b"\xef\xbb\xbf" + envelope(PAID), Silence.NOT_SIGNED),
        (b"", Silence.NOT_SIGNED),
        (b"<html>", Silence.NOT_SIGNED),
        (b"{" * 60_000, Silence.NOT_SIGNED),
        (b'{"' * 30_000, Silence.NOT_SIGNED),
        (b'{"a":' + b'"\\' * 30_000, Silence.NOT_SIGNED),
        (b'{"a":' + b"[" * 60_000, Silence.NOT_SIGNED),
    ],
)
def test_nothing_else_is_believed(body, why):
    with cpu_time() as cost:
        assert believed(body, METHOD, PLATFORM) is why
    assert cost.s < 0.1


def test_the_members_are_those_that_python_reads():
    made = random.Random(7)
    for _ in range(500):
        value = {word(made): thing(made, 3) for _ in range(made.randrange(5))}
        raw = json.dumps(value, indent=made.choice([None, 1]), ensure_ascii=made.random() < 0.5).encode()
        found = members_of(raw)
        if not value:
            assert found is None
            continue
        assert found is not None
        assert {name: json.loads(one) for name, one in found.items()} == value


def word(made):
    return "".join(made.choices(string.ascii_letters + "_", k=8))


def thing(made, depth):
    kinds = ["text", "number", "none"] + ["list", "object"] * (depth > 0)
    match made.choice(kinds):
        case "text":
            return "".join(made.choices('"\\/{}[],:测 \n', k=made.randrange(6)))
        case "number":
            return made.choice([0, -1, 1.5, True])
        case "list":
            return [thing(made, depth - 1) for _ in range(made.randrange(3))]
        case "object":
            return {word(made): thing(made, depth - 1) for _ in range(made.randrange(3))}
    return None


def mutate_and_read(count, seed):
    """Mutate a right answer `count` times; return how often it was still believed, always as it was."""
    made = random.Random(seed)
    right = envelope(PAID, before=b'"alipay_cert_sn":"",')
    taken = 0
    for _ in range(count):
        body = bytearray(right)
        for _ in range(made.randrange(1, 4)):
            place = made.randrange(len(body))
            match made.randrange(4):
                case 0:
                    body[place] = made.randrange(256)
                case 1:
                    del body[place : place + made.randrange(1, 9)]
                case 2:
                    body[place:place] = made.choice([b'"', b"\\", b"{", b"}", b",", b"\x00", b"\xff"])
                case _:
                    start = made.randrange(len(body))
                    body[place:place] = body[start : start + made.randrange(1, 40)]
        with cpu_time() as cost:
            found = believed(bytes(body), METHOD, PLATFORM)
        assert cost.s < 0.1
        if isinstance(found, Believed):
            assert found.body == PAID
            taken += 1
        else:
            assert isinstance(found, Silence)
    return taken


def test_a_mutated_answer_is_silence_or_the_same_answer():
    assert mutate_and_read(FUZZED, 1) < FUZZED / 10


def test_what_is_believed_does_not_show_itself():
    assert repr(Believed(PAID)) == f"Believed({len(PAID)} bytes)"
