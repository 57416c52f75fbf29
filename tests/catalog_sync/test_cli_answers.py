"""Do the policy commands answer as the docs say?"""

import json

import policy_cases
import pytest
import small_pack
from policy_shell import FACTS, PHONE, SHIPPED, program, run

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


def test_check_takes_rules_from_another_folder_when_they_are_named(folder, tmp_path):
    rules = (folder / "rules.yaml").rename(tmp_path / "rules.yaml")
    assert run("check", folder / "programme.yaml", rules, rules).exit_code == 0


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


def test_the_program_writes_utf_8_on_a_console_that_cannot_show_it(saved):
    done = program("decide", "--packs", SHIPPED, "--facts", str(saved(FACTS)), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "商办流通函〔2025〕469号".encode() in done.stdout
    assert program("check", f"{SHIPPED}/JS-321200.yaml", PYTHONIOENCODING="ascii").returncode == 0


def test_facts_can_come_from_a_pipe():
    done = program("decide", "--packs", SHIPPED, "--facts", "/dev/stdin", sent=json.dumps(FACTS).encode())
    assert json.loads(done.stdout)["subsidy_fen"] == 59985
