"""Do the commands answer as the docs say, also to files that are not what they should be?"""

import json
import os
import re
import subprocess
import sys

import policy_cases
import pytest
import small_pack
from typer.testing import CliRunner

from catalog_sync.cli import app

SHIPPED = str(policy_cases.POLICIES)
FACTS = {
    "sold_at": "2026-03-01T10:00:00+08:00",
    "programme": "JS-321200",
    "region": "321202",
    "category": "FRIDGE",
    "energy_level": 1,
    "initial_price_fen": 459900,
    "merchant_discount_fen": 60000,
    "filed_price_fen": 459900,
    "used_in_category": 0,
    "fund_left_fen": 100000000,
}
PHONE = {
    "sold_at": "2026-03-01T10:00:00+08:00",
    "programme": "JS-321200",
    "category": "PHONE",
    "initial_price_fen": 600001,
}


def run(*arguments: str):
    return CliRunner().invoke(app, ["policy", *map(str, arguments)])


@pytest.fixture
def saved(tmp_path):
    def save(content, name="facts.json"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return save


@pytest.fixture
def folder(tmp_path):
    """A folder with the small pack of these tests, to be changed."""
    made = tmp_path / "packs"
    made.mkdir()
    for name, text in small_pack.texts().items():
        (made / name).write_text(text, encoding="utf-8")
    return made


# decide


def test_decide_prints_the_example_of_the_docs(saved):
    done = run("decide", "--packs", SHIPPED, "--facts", saved(FACTS))
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert (answer["decision"], answer["final_price_fen"], answer["subsidy_fen"]) == (
        "granted",
        399900,
        59985,
    )
    assert answer["funders"] == [
        {"funder": "central", "fen": 50988},
        {"funder": "province", "fen": 2999},
        {"funder": "city", "fen": 2999},
        {"funder": "county", "fen": 2999},
    ]
    assert answer["because"][0] == {
        "rule": "FRIDGE.rate_bp",
        "value": "1500",
        "from": "2026-01-01",
        "source": "商办流通函〔2025〕469号 一，一级能效或水效，15%",
    }


def test_decide_prints_a_refusal_with_its_sentences(saved):
    done = run("decide", "--packs", SHIPPED, "--facts", saved(PHONE), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "decision": "refused",
        "reasons": [
            {
                "code": "PRICE_ABOVE_LIMIT",
                "zh": "单件售价超过补贴限价。",
                "en": "The price is above the programme's limit.",
                "next_action": "SELL_AT_FULL_PRICE",
            }
        ],
    }


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_array_gets_as_many_answers_in_its_order(saved, count):
    done = run("decide", "--packs", SHIPPED, "--facts", saved(([PHONE, FACTS] * 2)[:count]))
    kinds = [one["decision"] for one in json.loads(done.stdout)]
    assert kinds == (["refused", "granted"] * 2)[:count]


def test_null_is_known_to_be_none_and_absent_is_not_judged(saved):
    done = run("decide", "--packs", SHIPPED, "--facts", saved({**FACTS, "filed_price_fen": None}))
    assert [one["code"] for one in json.loads(done.stdout)["reasons"]] == ["PRICE_NOT_FILED"]


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


def test_check_takes_every_shipped_file():
    done = run("check", *sorted(policy_cases.POLICIES.glob("*.yaml")))
    assert done.exit_code == 0
    assert "15 rows are to be set by the bureau: open, regions, hours, tenders" in done.stdout
    assert "for training only: it may move no real money" in done.stdout


def test_check_finds_the_rules_of_a_programme_beside_it():
    done = run("check", policy_cases.POLICIES / "JS-321200.yaml", "--json")
    answer = json.loads(done.stdout)
    assert answer["files"] == [
        "CN-2025-A.yaml",
        "CN-2025-D.yaml",
        "CN-2026-A.yaml",
        "CN-2026-D.yaml",
        "JS-321200.yaml",
    ]
    assert [one["programme"] for one in answer["programmes"]] == ["JS-321200"]


@pytest.mark.parametrize("path", sorted(policy_cases.POLICIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_check_takes_each_shipped_file_alone(path):
    assert run("check", path).exit_code == 0


def test_what_check_hashes_is_what_a_folder_is_loaded_as(folder):
    answer = json.loads(run("check", folder / "programme.yaml", "--json").stdout)
    assert answer["programmes"][0]["hash"] == small_pack.pack().hash


def test_check_does_not_mind_a_broken_file_that_is_not_asked_for(folder):
    (folder / "a-draft.yaml").write_text("kind: [", encoding="utf-8")
    assert run("check", folder / "programme.yaml").exit_code == 0


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


def test_check_takes_rules_from_another_folder_when_they_are_named(folder, tmp_path):
    rules = (folder / "rules.yaml").rename(tmp_path / "rules.yaml")
    assert run("check", folder / "programme.yaml", rules, rules).exit_code == 0


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


def decided(saved, *facts):
    done = run("decide", "--packs", SHIPPED, "--facts", saved(list(facts)))
    pairs = zip(facts, json.loads(done.stdout), strict=True)
    return [{"facts": one, "decision": decision} for one, decision in pairs]


def test_replay_finds_nothing_in_what_the_packs_decided(saved):
    records = decided(saved, FACTS, PHONE)
    done = run("replay", "--packs", SHIPPED, "--records", saved(records, "records.json"))
    assert done.exit_code == 0
    assert done.stdout == "2 decided again, 0 differ, by 0.00 in all (0.00 more, 0.00 less)\n"


def test_replay_takes_decisions_as_the_books_store_them(saved):
    records = [
        {"facts": PHONE, "decision": {"decision": "refused", "reasons": ["PRICE_ABOVE_LIMIT"]}},
        {
            "facts": FACTS,
            "decision": {"decision": "granted", "subsidy_fen": 59985},
            "record_id": "r",
            "more": 1,
        },
    ]
    assert run("replay", "--packs", SHIPPED, "--records", saved(records)).exit_code == 0


def test_replay_of_a_changed_pack_lists_every_decision_that_differs_and_the_fen(saved, folder):
    def facts(**changes):
        return {**FACTS, "programme": "P", **changes}

    def granted(fen):
        return {"decision": "granted", "subsidy_fen": fen}

    records = [
        {"facts": facts(), "decision": granted(79980)},
        {"facts": facts(energy_level=2), "decision": granted(59985)},
        {"facts": facts(initial_price_fen=1_500_000, filed_price_fen=None), "decision":
            {"decision": "refused", "reasons": ["PRICE_NOT_FILED"]}},
        {"facts": facts(initial_price_fen=1_260_000, filed_price_fen=1_260_000), "decision": granted(200000),
         "record_id": "01981234-5678-7123-8123-123456789012"},
        {"facts": facts(energy_level=3), "decision": granted(100)},
        {"facts": facts(used_in_category=1), "decision":
            {"decision": "refused", "reasons": ["RISK_BLOCKED"]}},
    ]  # fmt: skip
    path = saved(records, "records.json")
    rules = small_pack.RULES.replace('"2000.00"', '"1800.00"')
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")

    done = run("replay", "--packs", folder, "--records", path, "--json")
    assert done.exit_code == 4
    answer = json.loads(done.stdout)
    listed = [(one["index"], one["differs"], one["fen"]) for one in answer.pop("decisions")]
    assert listed == [(3, ["subsidy_fen"], -20000), (4, ["decision"], -100), (5, ["reasons"], 0)]
    assert answer == {"records": 6, "differing": 3, "fen": -20100, "fen_up": 0, "fen_down": -20100}

    done = run("replay", "--packs", folder, "--records", path)
    assert done.exit_code == 4
    assert done.stdout.splitlines() == [
        "$[3] 01981234-5678-7123-8123-123456789012 P 2026-03-01T10:00:00+08:00: was 2000.00, "
        "would be 1800.00 (-200.00; differs in subsidy_fen)",
        "$[4] P 2026-03-01T10:00:00+08:00: was 1.00, would be refused ENERGY_LEVEL_NOT_COVERED "
        "(-1.00; differs in decision)",
        "$[5] P 2026-03-01T10:00:00+08:00: was refused RISK_BLOCKED, would be refused PERSON_QUOTA_USED "
        "(0.00; differs in reasons)",
        "6 decided again, 3 differ, by -201.00 in all (0.00 more, -201.00 less)",
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("final_price_fen",), 399901),
        (("category",), "TV"),
        (("programme_year",), 2025),
        (("funders", 0, "fen"), 50989),
        (("because", 0, "value"), "1600"),
        (("because", 1, "from"), "2025-01-01"),
        (("because", 0, "source"), "another notice"),
    ],
)
def test_replay_compares_whatever_the_archive_says(saved, path, value):
    records = decided(saved, FACTS)
    *way, last = path
    spot = records[0]["decision"]
    for step in way:
        spot = spot[step]
    spot[last] = value
    done = run("replay", "--packs", SHIPPED, "--records", saved(records), "--json")
    assert done.exit_code == 4
    (found,) = json.loads(done.stdout)["decisions"]
    assert (found["differs"], found["fen"]) == ([path[0]], 0)


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


@pytest.mark.parametrize(
    "arguments",
    [[], ["check"], ["decide"], ["decide", "--packs", "x"], ["replay", "--record", "x"], ["nonsense"]],
)
def test_wrong_usage_ends_with_2(arguments):
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("command", ["check", "decide", "replay"])
def test_help_has_an_example(command):
    done = run(command, "--help")
    assert done.exit_code == 0
    assert f"Example:\n    catalog-sync policy {command} " in done.stdout


def program(
    *arguments: str | bytes, sent: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", "from catalog_sync.cli import main; main()", "policy", *arguments],
        capture_output=True,
        input=sent,
        cwd=policy_cases.ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )


def test_the_program_writes_utf_8_on_a_console_that_cannot_show_it(saved):
    done = program("decide", "--packs", SHIPPED, "--facts", str(saved(FACTS)), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "商办流通函〔2025〕469号".encode() in done.stdout
    assert program("check", f"{SHIPPED}/JS-321200.yaml", PYTHONIOENCODING="ascii").returncode == 0


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_file_name_that_is_not_utf_8_is_no_traceback(as_json):
    done = program("check", b"/nowhere/\xff.yaml", *as_json)
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    assert b"cannot be read" in done.stderr


def test_facts_can_come_from_a_pipe():
    done = program("decide", "--packs", SHIPPED, "--facts", "/dev/stdin", sent=json.dumps(FACTS).encode())
    assert json.loads(done.stdout)["subsidy_fen"] == 59985
