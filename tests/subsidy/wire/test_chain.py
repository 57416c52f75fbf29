"""Does each entry's hash stand for its place, its content and everything before it?"""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from subsidy.wire.chain import GENESIS, entry_hash

HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
PLACES = st.tuples(
    st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    st.integers(1, 9),
    st.integers(1, 10**6),
    HASHES,
    st.binary(max_size=50),
)


def test_the_hash_is_over_this_text():
    text = b"tradein.entry.v1\n56475aa75463474c\n1\n1\n" + b"0" * 64 + b"\n{}"
    assert entry_hash("56475aa75463474c", 1, 1, GENESIS, b"{}") == hashlib.sha256(text).hexdigest()


def test_a_chain_begins_with_nothing():
    assert GENESIS == "0" * 64


@given(PLACES, PLACES)
def test_two_places_or_contents_never_share_a_hash(one, two):
    assert (entry_hash(*one) == entry_hash(*two)) == (one == two)


@given(st.lists(st.binary(max_size=20), min_size=2, max_size=6), st.data())
def test_no_entry_can_be_dropped_put_in_or_changed_unseen(bodies, data):
    def head(of):
        found = GENESIS
        for seq, body in enumerate(of, 1):
            found = entry_hash("device", 1, seq, found, body)
        return found

    at = data.draw(st.integers(0, len(bodies) - 1))
    assert head(bodies[:at] + bodies[at + 1 :]) != head(bodies)
    assert head([*bodies[:at], b"put in", *bodies[at:]]) != head(bodies)
    assert head([*bodies[:at], bodies[at] + b"x", *bodies[at + 1 :]]) != head(bodies)
