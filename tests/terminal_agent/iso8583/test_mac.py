from functools import partial

import pytest
from iso8583_messages import PUBLISHED, PUBLISHED_KEY, SALE, codec

from terminal_agent.iso8583.faults import KeyFault, MessageFault
from terminal_agent.iso8583.mac import MACS, cut_mac, fits

SINGLE = PUBLISHED_KEY
DOUBLE = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


@pytest.mark.parametrize(
    ("name", "key", "data", "mac"),
    [
        ("cup", SINGLE, PUBLISHED, b"8A9E91B8"),
        ("cup_3des", DOUBLE, PUBLISHED, b"84C8B241"),
        ("cup_sm4", DOUBLE, PUBLISHED, b"D0656CDC"),
        ("x919", DOUBLE, b"Now is the time for all ", bytes.fromhex("A1C72E74EA3FA9B6")),
    ],
    ids=["cup", "cup_3des", "cup_sm4", "x919"],
)
def test_published_macs_come_out(name, key, data, mac):
    assert MACS[name](key, data) == mac


@pytest.mark.parametrize("name", MACS)
def test_a_key_of_another_size_is_refused_and_not_shown(name):
    with pytest.raises(KeyFault) as refused:
        MACS[name](bytes.fromhex("0A0B0C"), b"x")
    assert "0a0b0c" not in str(refused.value).lower()


@pytest.mark.parametrize(("name", "key"), [("cup", SINGLE), ("x919", DOUBLE)])
def test_one_changed_bit_anywhere_spoils_the_mac(name, key):
    seal = partial(MACS[name], key)
    body = codec().encode("0200", SALE, seal)
    assert fits(seal, body)
    for at in range(len(body)):
        if at == 9:
            continue  # where bit 64 itself stands
        changed = bytearray(body)
        changed[at] ^= 0x10
        assert not fits(seal, bytes(changed))


def test_a_message_without_a_mac_says_so():
    body = codec().encode("0200", {key: text for key, text in SALE.items() if key != "64"})
    with pytest.raises(MessageFault, match="carries no MAC"):
        cut_mac(body)
