"""Is the description of the centre's addresses that is kept here the one that it gives?"""

from pathlib import Path

from settlement.web.app import described

KEPT = Path(__file__).resolve().parents[2] / "docs/openapi/centre.json"


def test_the_description_that_is_kept_is_the_one_that_is_given():
    remedy = "renew it: settlement openapi > docs/openapi/centre.json"
    assert KEPT.read_bytes() == described() + b"\n", remedy
