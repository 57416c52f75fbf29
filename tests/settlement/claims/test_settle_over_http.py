"""Who may settle a record over HTTP, and what is no such word?"""

import pytest
from fake_device import promised

NOBODYS = "0192f4a0-0000-7000-8000-000000000000"


def kept(centre):
    """Return the id of a record whose paid amount is not the promised one."""
    device = centre.enrol()
    sealed = device.hold(person=3).sealed
    device.send_upload(device.chain(device.paid(sealed, paid_fen=1)))
    return promised(sealed).record_id


def test_two_people_reject_a_kept_record(centre):
    record_id = kept(centre)
    proposed = centre.post(f"/v1/records/{record_id}/reject", {"reason": "no such sale", "frees_goods": True})
    assert proposed.status_code == 202, proposed.text
    assert "its person and serial number are free: no such sale" in proposed.json()["shown"]["says"]
    assert centre.get(f"/v1/records/{record_id}").json()["state"] == "KEPT"
    centre.approve(proposed.json())
    assert centre.get(f"/v1/records/{record_id}").json()["state"] == "AVAILABLE_AGAIN"


@pytest.mark.parametrize(
    ("word", "body", "status"),
    [
        ("reject", {"reason": "x", "frees_goods": False}, 404),
        ("reject", {"reason": "x"}, 400),
        ("reject", {"reason": "", "frees_goods": False}, 400),
        ("reject", {"reason": "a\u202eb", "frees_goods": False}, 400),
        ("reject", {"reason": "x", "frees_goods": "yes"}, 400),
        ("reject", {"reason": "x", "frees_goods": False, "by": "wang, li"}, 400),
        ("accept", {"reason": "x", "difference": "decision_differs"}, 404),
        ("accept", {"reason": "x", "difference": ""}, 400),
        ("accept", {"reason": "x"}, 400),
    ],
)
def test_what_is_no_such_word_is_refused(centre, word, body, status):
    answer = centre.post(f"/v1/records/{NOBODYS}/{word}", body)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"]
