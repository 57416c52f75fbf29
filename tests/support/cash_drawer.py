"""A cashier's hands over a drawer: money goes in and comes out, and then the till is told where it is.

    drawer = Drawer(shop)
    sold = drawer.take(shop.sell(tender=IN_CASH))

What lies in the drawer is counted by the hands that put it there, and is one of the shop's books
(`Shop.standing`).
"""

from typing import Any

from shop import Shop
from story.count import Movement

IN_CASH = {"kind": "cash"}


class Drawer:
    """The drawers of one shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    @property
    def fen(self) -> int:
        """What lies in them."""
        return sum(one.fen for one in self._shop.in_drawer)

    def put_in(self, sale: dict[str, Any]) -> None:
        """Lay in what the shopper has paid, and say nothing."""
        self._shop.in_drawer.append(Movement(sale["attempts"][-1]["pay_ref"], sale["to_pay_fen"]))

    def take_out(self, sale: dict[str, Any]) -> None:
        """Give the shopper the money again, and say nothing."""
        self._shop.in_drawer.append(Movement(sale["attempts"][-1]["pay_ref"], -sale["to_pay_fen"]))

    def say(self, sale: dict[str, Any], place: str, **more: Any) -> dict[str, Any]:
        """Tell the till where the money of a sale is: "in_till" or "with_shopper"."""
        return self._shop.post(f"/v1/sales/{sale['record_id']}/cash", word(place), **more)

    def take(self, sale: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Take the money that the till asks for, and say so."""
        assert (sale["state"], sale["next_action"]) == ("paying", "TAKE_CASH")
        self.put_in(sale)
        return self.say(sale, "in_till", **more)

    def hand_back(self, sale: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Give back the money that the till says is to go back, and say so."""
        assert sale["next_action"] == "GIVE_CASH_BACK"
        self.take_out(sale)
        return self.say(sale, "with_shopper", **more)


def word(place: str) -> dict[str, str]:
    """Return the body that says where cash is."""
    return {"operator": "cashier-1", "cash": place}
