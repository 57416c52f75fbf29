"""Our codec and pyiso8583 read the same dialect and agree on every message."""

import iso8583
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from iso8583_messages import APPROVAL, SALE, any_fields, codec

CODECS = {name: codec(name) for name in ("unionpay_terminal", "mis_line")}


def theirs(mti, fields, dialect):
    written, _ = iso8583.encode({"t": mti, **fields}, dialect.spec)
    return bytes(written)


@pytest.mark.parametrize(("mti", "fields"), [("0200", SALE), ("0210", APPROVAL)])
def test_they_write_a_whole_message_alike(mti, fields):
    ours = CODECS["unionpay_terminal"]
    assert ours.encode(mti, fields) == theirs(mti, fields, ours.dialect)


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.data())
@pytest.mark.parametrize("name", CODECS)
def test_they_agree_on_any_message(name, data):
    ours = CODECS[name]
    fields = data.draw(any_fields(ours.dialect))
    body = ours.encode("0500", fields)
    assert body == theirs("0500", fields, ours.dialect)
    read, _ = iso8583.decode(body, ours.dialect.spec)
    message = ours.decode(body, clear_test_card=True)
    assert {"t": message.mti, **message.fields} == {key: one for key, one in read.items() if key != "p"}
