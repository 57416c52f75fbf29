"""Does every shipped pack decide as the cases that a reviewer has read say?"""

from pathlib import Path

import policy_cases
import pytest

from catalog_sync.packs import read_folder

PACKS = read_folder(policy_cases.POLICIES)
CASES = policy_cases.all_cases()


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.policy}:{case.line} {case.name.rpartition(' / ')[2]}"
)
def test_the_pack_does_what_the_case_expects(case):
    assert policy_cases.what_differs(case, policy_cases.pack_for(case.policy, PACKS)) is None


def test_every_policy_file_has_its_cases():
    assert _stems(policy_cases.POLICIES) == _stems(policy_cases.CASES)


def test_a_case_expects_what_a_decision_has():
    answers = ({"granted_yuan"}, {"granted_yuan", "funders"}, {"refused"}, set())
    assert [case for case in CASES if set(case.expect) not in answers] == []


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.yaml"))
