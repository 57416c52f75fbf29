"""Is there a case for everything that the shipped packs say?"""

import policy_cases
import pytest
import what_cases_must_show

from catalog_sync.packs import read_folder, read_texts
from subsidy.policy.read_pack import read_packs

PACKS = read_folder(policy_cases.POLICIES)
CASES = policy_cases.all_cases()


def test_the_cases_show_all_that_the_packs_say():
    assert what_cases_must_show.missing(PACKS, CASES) == []


def test_every_category_at_every_level_has_a_case():
    seen = {(case.policy, case.given.get("category"), case.given.get("energy_level")) for case in CASES}
    for pack in PACKS.values():
        for rules in pack.rule_sets:
            for rule in rules.categories.values():
                levels = [None] if "any" in rule.rate_bp else [1, 2, 3, 4, 5, None]
                assert {(rules.rules, rule.category, level) for level in levels} <= seen


def test_a_new_row_brings_a_list_of_cases_to_add():
    texts = read_texts(policy_cases.POLICIES)
    old = "clause: 一，家电每件不超过1500元}\n"
    row = '      - from: 2026-07-01\n        value: "1800.00"\n        source: {title: t, clause: c}\n'
    texts["CN-2026-A.yaml"] = texts["CN-2026-A.yaml"].replace(old, old + row, 1)
    assert what_cases_must_show.missing(read_packs(texts), CASES) == [
        "tests/policies/CN-2026-A.yaml: FRIDGE: a purchase whose rate comes to 1800.00, "
        "the cap from 2026-07-01",
        "tests/policies/CN-2026-A.yaml: FRIDGE: a purchase whose rate comes to 1800.01, "
        "the cap from 2026-07-01 and a fen",
        "tests/policies/CN-2026-A.yaml: expect_settings: cap_yuan of FRIDGE on 2026-06-30, "
        "which is {'value': '1500.00', 'from': '2026-01-01'}",
        "tests/policies/CN-2026-A.yaml: expect_settings: cap_yuan of FRIDGE on 2026-07-01, "
        "which is {'value': '1800.00', 'from': '2026-07-01'}",
    ]


@pytest.mark.parametrize("policy", sorted({case.policy for case in CASES}))
def test_a_file_without_cases_lacks_all_of_them(policy):
    lacking = what_cases_must_show.missing(PACKS, [case for case in CASES if case.policy != policy])
    assert len(lacking) > 20
    assert {line.partition(":")[0] for line in lacking} == {f"tests/policies/{policy}.yaml"}
