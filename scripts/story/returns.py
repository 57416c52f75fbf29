"""What happens when goods come back? The shopper gets what was paid, the funders what they gave."""

from typing import Any

from story.at_the_till import Story
from story.processes import wait_for
from story.shop_files import PIN, SUPERVISOR


def tell(story: Story) -> None:
    """Tell of a card that is voided, a phone and a settled card that are refunded."""
    print("Goods come back; a supervisor's PIN is asked for:", flush=True)
    by_card, by_phone, settled = story.by_card[0], story.by_phone[0], story.by_card[-1]
    path = f"/v1/sales/{by_card['record_id']}/return"
    wrong = story.stage.answer(path, {**_body(), "supervisor_pin": "000000"})
    story.claim(wrong.status_code == 403 and len(story.moved(by_card)) == 1, "a wrong PIN returns nothing")
    _come_back(story, by_card, "paid by card today: voided at the terminal")
    _come_back(story, by_phone, "paid by phone: refunded by WeChat Pay")
    for terminal in story.stage.terminals.values():
        terminal.settle()
    _come_back(story, settled, "paid by card, the batch is settled meanwhile: refunded to the card")
    again = story.stage.post(path, _body())
    story.claim(
        again["state"] == "returned" and len(story.moved(by_card)) == 2,
        "asked for twice it is the same return",
    )


def _come_back(story: Story, sold: dict[str, Any], how: str) -> None:
    stage = story.stage
    returned = stage.post(f"/v1/sales/{sold['record_id']}/return", _body())
    story.claim(
        returned["state"] == "returned" and story.moved(sold) == [sold["paid_fen"], -sold["paid_fen"]], how
    )
    path = f"/v1/records/{sold['record_id']}"
    wait_for("the pool has it back", lambda: stage.ask_centre(path).get("state") == "RETURNED")


def _body() -> dict[str, str]:
    return {
        "operator": "cashier-1",
        "supervisor": SUPERVISOR,
        "supervisor_pin": PIN,
        "reason": "顾客不喜欢颜色",
    }
