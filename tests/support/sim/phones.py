"""What do shoppers do with their phones at one till? They show a code, or scan the one that the till shows.

All of it is drawn from a chance of its own, so that which wallets a world has changes nothing else.
"""

from typing import TYPE_CHECKING, Any

from sim.wallet import ScanRefused, Wallet, Wish

if TYPE_CHECKING:
    from sim.world import World

_SCANS_AFTER_S = ((2, 40), (2, 40), (2, 40), (2, 40), (2, 40), (60, 200), (600, 1_100))
"""Some take their time. The last have taken a picture of the code, and scan it when they please."""


class Phones:
    """The phones of those who come to one till."""

    def __init__(self, world: "World", till: str) -> None:
        self._world = world
        self._till = till
        self._chance = world.plan.chance(f"{till}, phones")
        self._seen: set[str] = set()

    def tender(self) -> dict[str, Any]:
        """Return how a shopper pays by phone."""
        wallet = self._any_wallet()
        if wallet.name in self._world.plan.shown and self._chance.random() < 0.5:
            return {"kind": "qr_show", "wallet": wallet.name}
        return {"kind": "qr_scan", "pay_code": wallet.new_code(self._chance)}

    def see(self, document: dict[str, Any]) -> None:
        """Look at what a till shows, and scan a code that is new there, once or twice or not at all."""
        code = (document.get("show") or {}).get("code")
        if code is None or code in self._seen:
            return
        self._seen.add(code)
        wallet = next(one for one in self._world.wallets.values() if code.startswith(one.code_begins))
        for _ in range(self._chance.choice((0, 1, 1, 1, 1, 1, 2))):
            after_s = self._chance.uniform(*self._chance.choice(_SCANS_AFTER_S))
            self._world.begins()
            self._world.later(after_s, lambda: self._scan(wallet, code))

    def go_wrong(self) -> None:
        """Let something be wrong with a wallet for the next one."""
        wallet = self._any_wallet()
        self._arm(wallet, self._chance.choice(wallet.faults_known))

    def take_another_amount(self) -> None:
        """Let a wallet take another amount than was asked."""
        wallet = self._any_wallet()
        self._arm(wallet, {"fault": "wrong_amount", "fen": 12_300})
        if wallet.name in self._world.plan.shown:
            self._arm(wallet, {"fault": "wrong_amount", "fen": 12_300, "on": wallet.makes_code})
        if self._chance.random() < 0.4:
            self._arm(wallet, wallet.too_late)

    def lag(self) -> None:
        """Let a wallet charge, not answer, and know nothing of it for a while."""
        wallet = self._any_wallet()
        self._arm(wallet, {"fault": "lost_answer", "on": "pay"})
        self._arm(wallet, {"fault": "not_found_lag", "ms": self._chance.choice((30_000, 70_000))})

    def reverse_late(self) -> None:
        """Let the password of the next one come late, and the reversal of it later still."""
        self._arm(
            self._any_wallet(),
            {"fault": "userpaying", "ms": self._chance.choice((60_000, 75_000, 95_000, 115_000))},
        )
        self._world.undoes_late("reversal", self._chance.choice((40.0, 80.0)))

    def refund_late(self) -> None:
        """Let the next refund take its time to get there, and the try after it be refused."""
        for wallet in self._world.wallets.values():
            self._arm(wallet, wallet.refund_refused)
        self._world.undoes_late("refund", self._chance.choice((30.0, 50.0, 80.0)))

    def _scan(self, wallet: Wallet, code: str) -> None:
        try:
            wallet.scan(code)
            self._note(wallet, "a shopper scans the code and pays")
        except ScanRefused as refused:
            self._note(wallet, f"a shopper scans the code: {refused}")
        wallet.note_books()
        self._world.done()

    def _any_wallet(self) -> Wallet:
        return self._world.wallets[self._chance.choice(self._world.plan.wallets)]

    def _arm(self, wallet: Wallet, wish: Wish) -> None:
        wallet.faults.arm(wish)
        self._note(wallet, f"{wish['fault']} is armed")

    def _note(self, wallet: Wallet, what: str) -> None:
        self._world.trace.note(self._till, f"{wallet.name}: {what}")
