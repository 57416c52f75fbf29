"""Codes of EMVCo's layout: the golden one, there and back, and nothing but our error for what is none."""

import os
import random

import pytest
from cpu_time import cpu_time
from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.channels.emv_code import EmvCode, NoEmvCode, check_of, read, template, write

GOLDEN = (
    "00020101021215310123456789ABCDEF0123456789ABCDE52045732530315654073299.005802CN5910TEST STORE"
    "6007TAIZHOU62330117T20251123000123450708123456786304AB6B"
)
SAID = EmvCode(
    dynamic=True,
    accounts={"15": "0123456789ABCDEF0123456789ABCDE"},
    category="5732",
    name="TEST STORE",
    city="TAIZHOU",
    amount_fen=329_900,
    more={"01": "T2025112300012345", "07": "12345678"},
)
MUTATIONS = int(os.environ.get("MUTATIONS", "20000"))
"""How many broken codes are tried; more on demand."""


def with_check(body):
    return f"{body}6304{check_of(f'{body}6304')}"


def test_the_golden_code_is_read_and_written_as_it_is():
    assert read(GOLDEN) == SAID
    assert write(SAID) == GOLDEN


def test_the_check_is_that_of_the_standard():
    assert check_of("123456789") == "29B1"


def test_a_static_code_names_no_amount():
    code = EmvCode(dynamic=False, accounts={"16": "A" * 31}, category="5732", name="示例电器", city="泰州")
    text = write(code)
    assert read(text) == code
    assert "54" not in template(text[:-8])
    assert read(text).amount_fen is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "version"),
        ("000202" + GOLDEN[6:-8], "version"),
        (GOLDEN[:-8].replace("5802CN", ""), "field 58 is missing"),
        (GOLDEN[:-8].replace("010212", "010213"), "static nor dynamic"),
        (GOLDEN[:-8].replace("54073299.00", "54073299.0x"), "no amount"),
        (GOLDEN[:-8].replace("54073299.00", "540703299.0"), "no amount|cut off|without tag"),
        (GOLDEN[:-8].replace("52045732", "52045７32"), "no number"),
        (GOLDEN[:-8] + "5802CN", "stands twice"),
        (GOLDEN[:-8] + "8000", "empty or cut off"),
        (GOLDEN[:-8] + "80", "without tag or length"),
        (GOLDEN[:-8] + "8099x", "cut off"),
        (GOLDEN[:-8] + "8１01x", "without tag or length"),
        ("000201" + GOLDEN[GOLDEN.index("5204") : -8], "no merchant account"),
        (GOLDEN[:-8] + "x" * 600, "too long"),
        (GOLDEN[:-8] + "8002\x00\x01", "control"),
    ],
)
def test_what_is_no_code_is_refused_with_why(body, problem):
    with pytest.raises(NoEmvCode, match=problem):
        read(with_check(body))


@pytest.mark.parametrize("text", [GOLDEN[:-1], GOLDEN[:-4] + "ab6b", GOLDEN[:-4] + "0000", GOLDEN + "0"])
def test_a_wrong_check_is_refused(text):
    with pytest.raises(NoEmvCode, match="check is wrong"):
        read(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"accounts": {"52": "x"}},
        {"accounts": {}},
        {"rest": {"63": "ABCD"}},
        {"rest": {"00": "01"}},
        {"rest": {"59": "twice"}},
        {"name": ""},
        {"name": "x" * 26},
        {"amount_fen": -1},
        {"amount_fen": 10**12},
        {"category": "57320"},
        {"more": {"1": "x"}},
        {"more": {"01": "x" * 96}},
    ],
)
def test_what_would_be_no_code_is_not_written(changes):
    fields = {name: getattr(SAID, name) for name in SAID.__struct_fields__}
    with pytest.raises(NoEmvCode):
        write(EmvCode(**{**fields, **changes}))


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=15)
CODES = st.builds(
    EmvCode,
    dynamic=st.booleans(),
    accounts=st.dictionaries(st.sampled_from(["02", "15", "16", "26", "51"]), TEXT, min_size=1, max_size=3),
    category=st.from_regex(r"[0-9]{4}", fullmatch=True),
    name=TEXT,
    city=TEXT,
    amount_fen=st.none() | st.integers(0, 10**12 - 1),
    postal_code=st.from_regex(r"[0-9]{0,6}", fullmatch=True),
    more=st.dictionaries(st.sampled_from(["01", "03", "05", "07"]), TEXT, max_size=3),
    rest=st.dictionaries(st.sampled_from(["55", "57", "80", "99"]), TEXT, max_size=2),
)


@given(CODES)
def test_what_is_written_is_read_again(code):
    assert read(write(code)) == code


def test_mutated_codes_raise_nothing_but_ours_and_cost_little():
    dice = random.Random(20_261_128)
    slowest, read_well = 0.0, 0
    for number in range(MUTATIONS):
        text = list(GOLDEN[:-8])
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(text))
            text[at : at + dice.randrange(2)] = chr(
                dice.choice([dice.randrange(48, 58), dice.randrange(1, 0x3000)])
            )
        # Half of them with a right check, so that what is behind it is tried too.
        whole = "".join(text)
        whole = with_check(whole) if number % 2 else whole + GOLDEN[-8:]
        with cpu_time() as cost:
            try:
                read(whole)
                read_well += 1
            except NoEmvCode:
                pass
        slowest = max(slowest, cost.s)
    assert slowest < 0.1
    assert read_well > 0


@given(st.text(max_size=600))
def test_any_text_is_a_code_or_refused(text):
    for one in (text, f"000201{text}", with_check(f"000201{text}")):
        try:
            read(one)
        except NoEmvCode:
            continue
