"""A line's profile is read strictly, and a configured terminal says at once what is wrong with it."""

import pytest
from watched_line import PROFILE, profile_text

from subsidy.strict.yaml_text import FileError
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.relay.profile import address_of, read_profile
from terminal_agent.terminals.relay.seen import Said

TEXT = PROFILE.read_text(encoding="utf-8")


def test_the_shipped_profile_is_read():
    profile = read_profile(TEXT, "relay.yaml")
    assert profile.acquirer == ("10.1.2.3", 8001)
    assert (profile.armed_for_s, profile.clocks.poll_for_s, profile.no_original_ms) == (180, 300, 120_000)
    assert (profile.codes["00"], profile.codes["68"], profile.codes["25"]) == (
        Said.YES,
        Said.UNSURE,
        Said.NO_ORIGINAL,
    )


BAD = {
    "an acquirer without a port": ('"10.1.2.3:8001"', '"10.1.2.3"'),
    "an acquirer at port 0": ('"10.1.2.3:8001"', '"10.1.2.3:0"'),
    "an acquirer that is an address of the web": ('"10.1.2.3:8001"', '"https://10.1.2.3:8001"'),
    "a port that is none": ('"10.1.2.3:8001"', '"10.1.2.3:70000"'),
    "digits that are none": ('"10.1.2.3:8001"', '"10.1.2.3:٨٠"'),
    "another family": ("family: relay", "family: stx_lrc"),
    "a dialect that is not there": ("dialect: unionpay_terminal", "dialect: nobodys"),
    "armed for ever": ("armed_for_ms: 180000", "armed_for_ms: 99999999"),
    "armed for no time": ("armed_for_ms: 180000", "armed_for_ms: 0"),
    "a code that is a number": ('    - "68"', "    - 68"),
    "a code that stands twice": ('    - "68"', '    - "00"'),
    "a code of three": ('    - "68"', '    - "068"'),
    "a key that nobody knows": ("family: relay", "family: relay\nspeed: 1"),
    "a wait in seconds": ("resolver_ms: 60000", "resolver_ms: 60.5"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused_with_its_place(name):
    before, after = BAD[name]
    assert TEXT.count(before) == 1
    with pytest.raises(FileError, match=r"relay\.yaml|nobodys\.yaml"):
        read_profile(TEXT.replace(before, after), "relay.yaml")


@pytest.mark.parametrize("port", ["/dev/ttyUSB0", "COM3", "9101", "0.0.0.0:", "::1:9101"])
def test_a_port_that_no_terminal_could_call_needs_a_serial_line(port):
    with pytest.raises(FileError, match="line"):
        DRIVERS["relay"](port, TEXT, "relay.yaml")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:9101", ("0.0.0.0", 9101)),
        ("till-1.shop:1", ("till-1.shop", 1)),
        ("a:b:1", None),
        (":1", None),
        ("x y:1", None),
    ],
)
def test_an_address_is_a_host_and_a_port(text, address):
    assert address_of(text) == address


def test_the_short_profile_of_the_tests_is_one():
    assert read_profile(profile_text(("127.0.0.1", 1), armed_for_ms=70), "relay.yaml").armed_for_s == 0.07
