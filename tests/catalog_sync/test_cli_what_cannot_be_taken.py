"""Do the policy commands say the place and the remedy where a file is not what it should be?"""

import json
import re

import pytest
import small_pack
from policy_shell import FACTS, SHIPPED, program, run

# decide


HOSTILE = [
    (b"", "$: not JSON at line 1, character 1. Send one JSON value in UTF-8"),
    (b"\x00\x01\x02\xff", "$: byte 3 is not UTF-8. Send UTF-8"),
    (b"\xef\xbb\xbf{}", "$: starts with a byte order mark"),
    (b"[" * 100_000, "$: nested deeper than 32"),
    (b'{\n"programme": }', "$: not JSON at line 2, character 14"),
    (b"null", "$: Expected `object`, got `null`"),
    (b"{}", "$: Object missing required field `sold_at`"),
    (json.dumps({**FACTS, "colour": "red"}).encode(), "$: Object contains unknown field `colour`"),
    (json.dumps({**FACTS, "sold_at": "2026-03-01T10:00:00"}).encode(),
     "$.sold_at: Expected `datetime` with a timezone component"),
    (json.dumps({**FACTS, "sold_at": "0001-01-01T00:00:00+08:01"}).encode(),
     "$: sold_at is not between the years 2000 and 2999"),
    (json.dumps({**FACTS, "initial_price_fen": 459900.0}).encode(), "$: a number with a fraction"),
    (json.dumps({**FACTS, "initial_price_fen": "459900"}).encode(),
     "$.initial_price_fen: Expected `int`, got `str`"),
    (json.dumps({**FACTS, "initial_price_fen": -1}).encode(), "$.initial_price_fen: Expected `int` >= 0"),
    (json.dumps({**FACTS, "initial_price_fen": True}).encode(),
     "$.initial_price_fen: Expected `int`, got `bool`"),
    (json.dumps({**FACTS, "initial_price_fen": 10**13}).encode(), "$.initial_price_fen: Expected `int` <= "),
    (json.dumps({**FACTS, "tender": "cheque"}).encode(), "$.tender: Invalid enum value 'cheque'"),
    (json.dumps({**FACTS, "region": "3212\n02"}).encode(), "$.region: Expected `str` matching"),
    (b'{"programme": "P", "programme": "Q"}', "$.programme: the key stands twice"),
    (b'{"\\ud800": 1, "\\ud800": 2}', "the key stands twice"),
    (json.dumps({**FACTS, "programme": "XX"}).encode(),
     "$.programme: no pack is loaded for programme 'XX'. The packs here: JS-321200, TRAINING"),
    (json.dumps({**FACTS, "merchant_discount_fen": 459901}).encode(),
     "$: merchant_discount_fen is above initial_price_fen. Add or correct this fact"),
    (json.dumps({key: value for key, value in FACTS.items() if key != "category"}).encode(),
     "$: category is absent: no rule can be chosen without it"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "says"), HOSTILE, ids=lambda one: one if isinstance(one, str) else "")
def test_facts_that_cannot_be_taken_end_with_3_place_and_remedy(saved, content, says):
    done = run("decide", "--packs", SHIPPED, "--facts", saved(content))
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith("facts.json, $")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({**FACTS, "sold_at": "yesterday"}, "$[1].sold_at: Invalid RFC3339 encoded datetime"),
        ({**FACTS, "programme": "XX"}, "$[1].programme: no pack is loaded for programme 'XX'"),
        ({**FACTS, "merchant_discount_fen": 459901}, "$[1]: merchant_discount_fen is above"),
        ({**FACTS, "initial_price_fen": 1.5}, "$[1]: a number with a fraction"),
        ([FACTS], "$[1]: Expected `object`, got `array`"),
    ],
)
def test_what_is_wrong_in_an_array_names_its_index(saved, second, says):
    done = run("decide", "--packs", SHIPPED, "--facts", saved([FACTS, second]))
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"facts.json, {says}" in done.stderr


def test_a_key_that_stands_twice_in_an_array_names_its_index(saved):
    raw = f'[{json.dumps(FACTS)}, {{"a": 1, "a": 1}}]'.encode()
    done = run("decide", "--packs", SHIPPED, "--facts", saved(raw))
    assert (done.exit_code, done.stdout) == (3, "")
    assert "facts.json, $[1].a: the key stands twice" in done.stderr


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_facts_that_cannot_be_read_end_with_3(tmp_path, name):
    done = run("decide", "--packs", SHIPPED, "--facts", tmp_path / name)
    assert (done.exit_code, done.stdout) == (3, "")
    assert re.search(r"\$: cannot be read \(.*\)\. Check the path$", done.stderr.strip())


@pytest.mark.parametrize("packs", ["nowhere", ".", "facts.json"])
def test_a_folder_without_packs_ends_with_3(tmp_path, saved, packs):
    done = run("decide", "--packs", tmp_path / packs, "--facts", saved(FACTS))
    assert done.exit_code == 3
    assert "no policy file in this folder. Name the folder that holds *.yaml" in done.stderr


def test_packs_that_cannot_be_taken_end_with_3_file_line_and_remedy(folder, saved):
    rules = folder / "rules.yaml"
    rules.write_text(small_pack.RULES.replace('"2000.00"', "2000.00"), encoding="utf-8")
    done = run("decide", "--packs", folder, "--facts", saved(FACTS))
    assert (done.exit_code, done.stderr) == (
        3,
        "rules.yaml, line 17, categories.FRIDGE.cap_yuan[0].value: 2000.00 is not quoted. "
        'Write yuan in quotes with two decimals, as in "2000.00"\n',
    )


def test_with_json_the_error_is_the_one_document_on_stdout(saved):
    done = run("decide", "--json", "--packs", SHIPPED, "--facts", saved({**FACTS, "programme": "XX"}))
    assert done.exit_code == 3
    assert json.loads(done.stdout)["error"] == {
        "file": "facts.json",
        "where": "$.programme",
        "problem": "no pack is loaded for programme 'XX'",
        "remedy": "The packs here: JS-321200, TRAINING",
    }


# check


def test_check_names_the_broken_file_that_should_define_the_rules(folder):
    (folder / "rules.yaml").write_text("kind: [", encoding="utf-8")
    done = run("check", folder / "programme.yaml")
    assert done.exit_code == 3
    assert re.match(r"rules\.yaml, line \d+: not YAML", done.stderr)


def test_check_says_which_rules_are_nowhere(folder):
    (folder / "rules.yaml").unlink()
    done = run("check", folder / "programme.yaml")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "takes_up[0]: no file here defines the rules R-2026. Add that file to the folder" in done.stderr


def test_check_refuses_two_files_of_one_name(folder, tmp_path):
    (tmp_path / "rules.yaml").write_text(small_pack.RULES, encoding="utf-8")
    done = run("check", folder / "rules.yaml", tmp_path / "rules.yaml")
    assert done.exit_code == 3
    assert "two files of this name" in done.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1: empty. Write the file"),
        (b"\x00\xff", "line 1: byte 1 is not UTF-8. Save it as UTF-8"),
        (b"kind: rules\n\xff", "line 2: byte 12 is not UTF-8"),
        (b"\x7fELF\x02\x01", "a forbidden character"),
        (b"[" * 100_000, "nested deeper than 32"),
        (b"kind: rules\nkind: rules\n", "line 2: the key kind stands twice"),
        (b"kind: &a rules\n", "an alias or anchor"),
        (b"kind: !!str rules\n", "a tag"),
        (b"kind: rules\n---\nkind: rules\n", "found another document"),
        (b"kind: rules\non: 1\n", "the key on is not quoted"),
        (b"kind: nonsense\n", "'nonsense' is not known here"),
    ],
)
def test_check_ends_with_3_place_and_remedy(saved, content, says):
    done = run("check", saved(content, "x.yaml"))
    assert (done.exit_code, done.stdout) == (3, "")
    assert "x.yaml, line " in done.stderr
    assert says in done.stderr


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_check_of_what_cannot_be_read_ends_with_3(tmp_path, name):
    done = run("check", tmp_path / name)
    assert done.exit_code == 3
    assert "cannot be read" in done.stderr


def test_check_with_json_says_the_error_in_json(saved):
    done = run("check", saved(b"kind: rules\n", "x.yaml"), "--json")
    assert done.exit_code == 3
    error = json.loads(done.stdout)["error"]
    assert (error["file"], error["line"], error["problem"]) == ("x.yaml", 1, "rules is missing")


# replay


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ({}, '$: not an array. Write [{"facts": ..., "decision": ...}, ...]'),
        ([{}], "$[0]: Object missing required field `facts`"),
        ([{"facts": FACTS}], "$[0]: Object missing required field `decision`"),
        ([{"facts": FACTS, "decision": {"decision": "maybe"}}], "$[0].decision"),
        ([{"facts": FACTS, "decision": {"decision": "granted"}}], "a granted decision without subsidy_fen"),
        ([{"facts": FACTS, "decision": {"decision": "refused"}}], "a refused decision without reasons"),
        ([{"facts": {**FACTS, "x": 1}, "decision": {"decision": "granted", "subsidy_fen": 1}}],
         "$[0].facts: Object contains unknown field `x`"),
        ([{"facts": FACTS, "decision": {"decision": "granted", "subsidy_fen": 1.5}}],
         "$[0]: a number with a fraction"),
        ([{"facts": {**FACTS, "programme": "XX"}, "decision": {"decision": "granted", "subsidy_fen": 1}}],
         "$[0].facts.programme: no pack is loaded"),
    ],
)  # fmt: skip
def test_records_that_cannot_be_taken_end_with_3_place_and_remedy(saved, records, says):
    done = run("replay", "--packs", SHIPPED, "--records", saved(records, "records.json"))
    assert (done.exit_code, done.stdout) == (3, "")
    assert says in done.stderr
    assert done.stderr.startswith("records.json, $")


# The program itself


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_file_name_that_is_not_utf_8_is_no_traceback(as_json):
    done = program("check", b"/nowhere/\xff.yaml", *as_json)
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    assert b"cannot be read" in done.stderr
