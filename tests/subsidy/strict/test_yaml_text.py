"""What does this YAML file say, taken at its word?"""

import contextlib
import datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import MOST_CHARACTERS, FileError, Node, read

OURS = [
    one.read_text(encoding="utf-8") for one in sorted((Path(__file__).parents[3] / "config").rglob("*.yaml"))
]
ODD = "\t\n\r :-#[]{},\"'|>?&*!%@`~\\é空\x85\u2028\ufeff\x00\x07\xa001x"


def value(text: str) -> Node:
    return dict(read(f"a: {text}\n", "f.yaml").items())["a"]


def test_an_error_says_file_line_path_problem_and_remedy():
    root = read("a:\n  - b: 1\n  - b: x\n", "shop.yaml")
    node = root.mapping(["a"])["a"].sequence()[1].mapping(["b"])["b"]
    with pytest.raises(FileError) as raised:
        node.integer(0, 5)
    wrong = raised.value
    assert str(wrong) == (
        "shop.yaml, line 3, a[1].b: 'x' is not a whole number. Write a whole number from 0 to 5"
    )
    assert (wrong.file, wrong.line, wrong.where) == ("shop.yaml", 3, "a[1].b")
    assert (wrong.problem, wrong.remedy) == ("'x' is not a whole number", "Write a whole number from 0 to 5")


@pytest.mark.parametrize(
    "text",
    ["on", "ON", "no", "yes", "off", "null", "~", "true", "0123", "1_000", "12:30", "1.5", "0x1f", "0o17",
     "1e3", "+1", "-1", ".5", ".inf", ".NaN", "2026-01-01", "1,000", "0b1"],
)  # fmt: skip
def test_what_yaml_would_guess_at_must_be_quoted_to_be_text(text):
    with pytest.raises(FileError, match=r"is not quoted\. Write it in quotes, as in "):
        value(text).text()
    assert value(f'"{text}"').text() == text
    with pytest.raises(FileError, match=r"the key .* is not quoted"):
        read(f"{text}: 1\n", "f").items()


@pytest.mark.parametrize("text", ["空调", "二(一)", "示例市商务局〔2025〕1号", "half_up", "a b", "1号"])
def test_plain_words_need_no_quotes(text):
    assert value(text).text() == text


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("7", 7), ("0", 0), ('"7"', "7"), ("x", "x"), ("[1, a]", [1, "a"])]
)
def test_plain_converts_only_what_cannot_be_misread(text, expected):
    assert value(text).plain() == expected


@pytest.mark.parametrize("text", ["yes", "0123", "1_000", "12:30", "1.0", "null", "2026-01-01"])
def test_plain_refuses_what_yaml_would_guess_at(text):
    with pytest.raises(FileError, match="is not quoted"):
        value(text).plain()


def test_each_kind_of_value_is_read():
    assert value('"321202"').code() == "321202"
    assert value('"2000.00"').yuan() == 200000
    assert value("900").integer(30, 900) == 900
    assert value("2026-01-31").day() == datetime.date(2026, 1, 31)
    assert value('"2026-01-31"').day() == datetime.date(2026, 1, 31)
    assert value("false").flag() is False
    assert value("down").choice(["up", "down"]) == "down"
    assert [one.text() for one in value("[b, c]").sequence()] == ["b", "c"]


@pytest.mark.parametrize(
    ("text", "read_it", "says"),
    [
        ("321202", Node.code, "321202 is not quoted. Write codes in quotes"),
        ('""', Node.code, "empty. Write the code"),
        ('"321202 "', Node.code, "a space or line end around it. Write the code alone"),
        ("|\n  321202", Node.code, "a space or line end around it"),
        ("[a]", Node.code, "not a single value. Write one value here"),
        ("{a: b}", Node.text, "not a single value"),
        ('"  "', Node.text, "empty. Write the text"),
        ("", Node.text, "empty. Write the text"),
        ("2000.00", Node.yuan, "2000.00 is not quoted"),
        ('"2000"', Node.yuan, "is not an amount in yuan"),
        ("yes", Node.flag, "'yes' is neither true nor false. Write true or false, unquoted"),
        ("True", Node.flag, "'True' is neither true nor false"),
        ("2026-13-01", Node.day, "'2026-13-01' is not a day. Write a day as 2026-01-31"),
        ("2026-01-01 00:00:00", Node.day, "is not a day"),
        ("２０２６-01-01", Node.day, "is not a day"),
        ("x", Node.sequence, "not a list. Write `- value` lines here"),
        ("x", Node.items, "not a list of `key: value`. Write `key: value` lines here"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(text, read_it, says):
    with pytest.raises(FileError) as raised:
        read_it(value(text))
    assert says in str(raised.value)
    assert raised.value.where == "a"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key a stands twice. Keep one of them"),
        ("a: 1\nc: 2\n", 2, "unknown key c. Known here: a, b"),
        ("b: 1\n", 1, "a is missing. Add `a:`"),
        ("? [x]\n: 1\n", 1, "a key that is not text. Write plain keys"),
    ],
)
def test_keys_are_those_that_are_known_once_each(text, line, says):
    with pytest.raises(FileError) as raised:
        read(text, "f").mapping(["a"], ["b"])
    assert says in str(raised.value)
    assert raised.value.line == line


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: &x 2\n", 2, "an alias or anchor. Write the value out"),
        ("a: 1\nb: *x\n", 2, "an alias or anchor"),
        ("a: !!str 1\n", 1, "a tag. Write the value without a tag"),
        ("!!python/object/apply:os.system [true]\n", 1, "a tag"),
        ("--- \na: 1\n---\nb: 1\n", 3, "but found another document"),
        ("a: 1\n...\n---\nb: 1\n", 3, "but found another document"),
        ("a: [1\n", 2, "not YAML: "),
        ("a:\tb: c\n", 1, "not YAML: "),
        ("a: \x07\n", 1, "a forbidden character. Correct the file"),
        ("a: \ud800\n", 1, "a forbidden character"),
        ('a: "\\x07"\n', 1, "a control character or half a pair"),
        ('"\\uDFFF": 1\n', 1, "a control character or half a pair"),
        ('a: "\\UFFFFFFFF"\n', 1, "a forbidden character"),
        ("%YAML 1." + "9" * 5000 + "\n---\na: 1\n", 1, "a forbidden character"),
        ("[" * 33 + "]" * 33, 1, "nested deeper than 32. Write it flatter"),
        ("- " * 33 + "a", 1, "nested deeper than 32"),
        ("[" * 100_000, 1, "nested deeper than 32"),
        ("", 1, "empty. Write the file"),
        ("# only a comment\n", 1, "empty"),
        ("a" * (MOST_CHARACTERS + 1), 1, "longer than 4194304 characters. Split the file"),
    ],
)
def test_what_is_more_than_one_plain_document_is_refused(text, line, says):
    with pytest.raises(FileError) as raised:
        read(text, "f")
    assert says in str(raised.value)
    assert raised.value.line == line


def test_a_merge_key_merges_nothing():
    with pytest.raises(FileError, match="unknown key <<"):
        read("<<: {a: 1}\n", "f").mapping(["a"])


@given(st.text(max_size=60))
def test_no_text_brings_anything_but_a_tree_or_an_error(text):
    with contextlib.suppress(FileError):
        read(text, "f").plain()


def as_read(text, parser):
    """Return everything that a parser makes of a text, with its lines; what is wrong in words."""

    def tree(node):
        if isinstance(node, yaml.ScalarNode):
            return (node.start_mark.line, node.value, bool(node.style))
        if isinstance(node, yaml.SequenceNode):
            return (node.start_mark.line, [tree(one) for one in node.value])
        return (node.start_mark.line, [(tree(key), tree(value)) for key, value in node.value])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_text, "_QUICK", parser)
        try:
            return tree(read(text, "f")._node)
        except FileError as wrong:
            return str(wrong)


@st.composite
def changed_texts(draw):
    """Draw a piece of one of our files, with a few characters put in, taken out or changed."""
    text = draw(st.sampled_from(OURS))
    start = draw(st.integers(0, len(text) - 1))
    text = text[start : start + draw(st.integers(5, 300))]
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(ODD)) + text[at + draw(st.integers(0, 1)) :]
    return text


def test_libyaml_is_what_our_files_are_read_with():
    assert yaml_text._QUICK is yaml.CSafeLoader


@pytest.mark.parametrize("text", OURS)
def test_both_parsers_read_each_of_our_files_alike(text):
    assert as_read(text, yaml.CSafeLoader) == as_read(text, yaml.SafeLoader)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1-01\t{\n",  # only libyaml takes a tab in plain text
        "a: {b: 〔2025〕469?, c: d}\n",
        "? a b\n    ",
        "a: |#\n",
        "a:\n  - b: [c,x d]\n\ufeff   e: f\n",
        "!]x\n,",
    ],
)
def test_what_libyaml_reads_otherwise_is_read_as_by_the_other(text):
    assert as_read(text, yaml.CSafeLoader) == as_read(text, yaml.SafeLoader)


@given(changed_texts())
def test_both_parsers_read_a_changed_file_alike(text):
    assert as_read(text, yaml.CSafeLoader) == as_read(text, yaml.SafeLoader)
