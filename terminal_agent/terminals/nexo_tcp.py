"""How is money taken, looked up and given back at a terminal that speaks nexo Sale-to-POI?

Every message has a ServiceID that follows from what it is for, so whoever asks later, after a restart too,
can ask the terminal what became of it (TransactionStatus). A message is sent again, under the same
ServiceID, only when the terminal says that it knows none, and would know it still: it forgets.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

from subsidy.calendar import SHANGHAI
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Say
from terminal_agent.terminals.exchange import Link, LinkFault
from terminal_agent.terminals.link_serial import open_patiently
from terminal_agent.terminals.nexo_messages import (
    CURRENCY,
    SUCCESS,
    Address,
    Decoder,
    NexoFault,
    Said,
    Tree,
    read_message,
    request,
    time_text,
    yuan,
)
from terminal_agent.terminals.nexo_profile import NexoProfile
from terminal_agent.terminals.profile import CodeClass

UNCLEAR = Answer(Say.UNCLEAR)
_MARK = re.compile(r"([0-9a-f]{1,12})(?:@(.+))?", re.ASCII)  # older ones name no device
_HOUR_MS = 3_600_000
_MOST_FEN = 10**12 - 1
_SAYS = {
    CodeClass.APPROVED: Say.APPROVED,
    CodeClass.PARTIAL: Say.APPROVED,  # of its own amount, which the checkout compares
    CodeClass.DECLINED: Say.DECLINED,
    CodeClass.BUSY: Say.PENDING,
    CodeClass.UNCLEAR: Say.UNCLEAR,
}
_NOT_FOUND, _IN_PROGRESS = "NotFound", "InProgress"
_NO_ORIGINAL = Evidence(code="NO_ORIGINAL", text="没有原交易，未发出退货")


class NexoTerminal:
    """A card terminal on the network. Fits `checkout.ports.Payment`. Connects for each call.

    `trouble` says why it could not be prepared last, as `terminal.TellsTrouble` has it.
    """

    not_found_is_no = True
    reverses_blind = False

    def __init__(
        self, profile: NexoProfile, poi_id: str, open_link: Callable[[], Link], clock: Clock
    ) -> None:
        self.clocks = profile.clocks
        self._profile = profile
        self._address = Address(profile.sale_id, poi_id)
        self._open_link = open_link
        self._clock = clock
        self.trouble = ""

    def prepare(self, ask: Ask) -> str | None:
        """Return a mark of this moment and device when that is there and idle, else None. Moves no money."""
        mark = f"{self._clock.wall_ms():x}@{self._address.poi_id}"
        self.trouble = ""
        try:
            with closing(self._open()) as link:
                if self._profile.login and not self._is_well(link, "Login", self._login(), mark):
                    return None
                body: Tree = {"HostDiagnosisFlag": False}
                return mark if self._is_well(link, "Diagnosis", body, mark) else None
        except LinkFault as fault:
            self.trouble = str(fault)
        except NexoFault as fault:
            self.trouble = (
                f"The terminal sent what is no message ({fault}). Check that it speaks nexo in JSON, and TLS "
                "where the profile does, and only there"
            )
        return None

    def take(self, ask: Ask) -> Answer:
        """Take the amount. This moves money, and is sent once.

        When no answer comes in time the terminal is told to give up; what it then says still counts.
        """
        assert 0 < ask.amount_fen <= _MOST_FEN
        service_id = _payment_id(ask)
        body: Tree = {
            "SaleData": self._sale_data(ask.pay_ref, ask.operator),
            "PaymentTransaction": {
                "AmountsReq": {"Currency": CURRENCY, "RequestedAmount": yuan(ask.amount_fen)}
            },
        }
        try:
            with closing(self._open()) as link:
                said = self._ask_for_money(link, "Payment", service_id, body)
        except (LinkFault, NexoFault):
            return UNCLEAR
        return UNCLEAR if said is None else self._judge(said, ask)

    def query(self, ask: Ask) -> Answer:
        """Say what became of the attempt. A payment that was reversed since is UNCLEAR."""
        try:
            with closing(self._open()) as link:
                answer = self._status(link, ask)
                if answer.say is Say.APPROVED:
                    undone = self._ask_status(link, "Reversal", _reversal_id(ask))
                    if undone is None or undone.condition != _NOT_FOUND:
                        refused = undone is not None and self._class_of_back(undone) is CodeClass.DECLINED
                        return answer if refused else UNCLEAR
                return answer
        except (LinkFault, NexoFault):
            return UNCLEAR

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Reverse the attempt whole. APPROVED: nothing of it stands. May be repeated."""
        try:
            with closing(self._open()) as link:
                found = self._status(link, ask)
                if found.say is Say.DECLINED:
                    return Answer(Say.APPROVED, evidence=found.evidence)  # it never stood
                if found.say is Say.PENDING:
                    return found
                sale = found.evidence if found.say is Say.APPROVED else evidence
                if sale.channel_no == "":
                    return found if found.say is Say.NOT_FOUND else UNCLEAR
                if not self._remembers(ask.mark):
                    return UNCLEAR
                said = self._undo(link, _reversal_id(ask), ask.pay_ref, ask.operator, sale, None)
        except (LinkFault, NexoFault):
            return UNCLEAR
        if said is None:
            return UNCLEAR
        state = self._class_of_back(said)
        # A refusal says that the payment stands only where it certainly was one.
        sure = state is not CodeClass.DECLINED or found.say is Say.APPROVED
        if not sure or state in (CodeClass.PARTIAL, CodeClass.UNCLEAR):
            return UNCLEAR
        return Answer(_SAYS[state], evidence=said.evidence)

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Give back `back.fen` by a reversal of so much. Moves money once per refund number and mark."""
        assert 0 < back.fen <= _MOST_FEN
        try:
            with closing(self._open()) as link:
                sale = back.evidence
                if sale.channel_no == "":
                    found = self._status(link, ask)
                    if found.say is not Say.APPROVED:
                        known = found.say in (Say.DECLINED, Say.NOT_FOUND)
                        return Answer(Say.DECLINED, evidence=_NO_ORIGINAL) if known else UNCLEAR
                    sale = found.evidence
                if not self._remembers(back.mark):
                    return UNCLEAR
                service_id = _service_id("R", back.refund_no + (back.mark or ""))
                said = self._undo(link, service_id, back.refund_no, ask.operator, sale, back.fen)
        except (LinkFault, NexoFault):
            return UNCLEAR
        if said is None:
            return UNCLEAR
        state = self._class_of_back(said)
        if state in (CodeClass.APPROVED, CodeClass.PARTIAL) and said.amount_fen is not None:
            return Answer(Say.APPROVED, approved_fen=said.amount_fen, evidence=said.evidence)
        if state in (CodeClass.DECLINED, CodeClass.BUSY):
            return Answer(_SAYS[state], evidence=said.evidence)
        return UNCLEAR

    def _undo(
        self, link: Link, service_id: str, number: str, operator: str, sale: Evidence, fen: int | None
    ) -> Said | None:
        """Return what the terminal said of this reversal, sending it when it knows of none."""
        known = self._ask_status(link, "Reversal", service_id)
        if known is None or known.condition != _NOT_FOUND:
            return known if known is None or known.order in ("", number) else None
        body: Tree = {
            "SaleData": self._sale_data(number, operator),
            "OriginalPOITransaction": {
                "POITransactionID": {"TransactionID": sale.channel_no, "TimeStamp": time_text(sale)}
            },
            "ReversalReason": "MerchantCancel",
        }
        if fen is not None:
            body["ReversedAmount"] = yuan(fen)
        said = self._ask_for_money(link, "Reversal", service_id, body)
        return said if said is None or said.order in ("", number) else None

    def _status(self, link: Link, ask: Ask) -> Answer:
        said = self._ask_status(link, "Payment", _payment_id(ask))
        if said is None:
            return UNCLEAR
        if said.result != SUCCESS and said.condition == _NOT_FOUND:
            return Answer(Say.NOT_FOUND) if self._remembers(ask.mark) else UNCLEAR
        return self._judge(said, ask)

    def _ask_status(self, link: Link, category: str, service_id: str) -> Said | None:
        """Return how that message was answered; NotFound and InProgress stand in `condition`."""
        own = _service_id("S", f"{service_id}{self._clock.wall_ms()}{self._clock.steady_ms()}")
        reference = {
            "MessageCategory": category,
            "ServiceID": service_id,
            "SaleID": self._address.sale_id,
            "POIID": self._address.poi_id,
        }
        body: Tree = {"MessageReference": reference, "ReceiptReprintFlag": False}
        link.write(request(self._address, "TransactionStatus", own, body))
        wait = self._profile.status_wait_s
        said = self._listen(link, "TransactionStatus", own, wait, wait)
        if said is None:
            return None
        if said.repeated is not None:
            ours = said.repeated.service_id == service_id and said.repeated.category == category
            return said.repeated if ours else None
        return said if said.condition in (_NOT_FOUND, _IN_PROGRESS) and said.result != SUCCESS else None

    def _ask_for_money(self, link: Link, category: str, service_id: str, body: Tree) -> Said | None:
        link.write(request(self._address, category, service_id, body))
        clocks = self.clocks
        said = self._listen(link, category, service_id, clocks.answer_wait_s, clocks.answer_cap_s)
        if said is not None or category != "Payment":
            return said
        reference = {"MessageCategory": category, "ServiceID": service_id, "SaleID": self._address.sale_id}
        reference["POIID"] = self._address.poi_id
        own = _service_id("A", service_id)
        link.write(
            request(
                self._address, "Abort", own, {"MessageReference": reference, "AbortReason": "MerchantAbort"}
            )
        )
        wait = self._profile.abort_wait_s
        return self._listen(link, category, service_id, wait, wait)

    def _listen(self, link: Link, category: str, service_id: str, wait_s: float, cap_s: float) -> Said | None:
        """Return the answer to one message, or None when none came in time. Progress restarts the wait."""
        cap = self._clock.steady_ms() + round(cap_s * 1000)
        until = min(self._clock.steady_ms() + round(wait_s * 1000), cap)
        decoder = Decoder()
        while (left_ms := until - self._clock.steady_ms()) > 0:
            for body in decoder.feed(link.read(left_ms / 1000)):
                said = read_message(body, self._address)
                if said.is_progress:
                    until = min(self._clock.steady_ms() + round(wait_s * 1000), cap)
                elif said.category == category and said.service_id == service_id:
                    return said
        return None

    def _remembers(self, mark: str | None) -> bool:
        """Whether the terminal still knows whatever it was told since `mark`, if that was this device."""
        found = _MARK.fullmatch(mark or "")
        if found is None or found[2] not in (None, self._address.poi_id):
            return False
        return 0 <= self._clock.wall_ms() - int(found[1], 16) < self._profile.remembers_h * _HOUR_MS

    def _is_well(self, link: Link, category: str, body: Tree, mark: str) -> bool:
        own = _service_id(category[0], mark)
        link.write(request(self._address, category, own, body))
        wait = self._profile.status_wait_s
        said = self._listen(link, category, own, wait, wait)
        return said is not None and said.result == SUCCESS and said.condition in ("", "OK")

    def _login(self) -> Tree:
        software = {"ManufacturerID": "tradein-subsidy", "ApplicationName": "terminal-agent"}
        return {"DateTime": self._now(), "SaleSoftware": software, "OperatorLanguage": "zh"}

    def _sale_data(self, number: str, operator: str) -> Tree:
        return {
            "OperatorID": operator[:20],
            "SaleTransactionID": {"TransactionID": number, "TimeStamp": self._now()},
        }

    def _now(self) -> str:
        return iso_time(self._clock.wall_ms())

    def _judge(self, said: Said, ask: Ask) -> Answer:
        say = _SAYS[self._profile.class_of(said.result, said.condition)]
        if said.order != ask.pay_ref and (said.order or say is Say.APPROVED):
            return UNCLEAR
        if say is Say.APPROVED and said.amount_fen is None:
            # A yes to no amount, or to one in another currency, is no yes.
            return Answer(Say.UNCLEAR, evidence=said.evidence)
        return Answer(say, said.amount_fen if say is Say.APPROVED else None, said.evidence)

    def _class_of_back(self, said: Said) -> CodeClass:
        return self._profile.class_of_back(said.result, said.condition)

    def _open(self) -> Link:
        return open_patiently(self._open_link, self._clock, self._profile.status_wait_s)


def iso_time(wall_ms: int) -> str:
    """Return a moment as a message has it."""
    return datetime.fromtimestamp(wall_ms // 1000, SHANGHAI).isoformat()


def _payment_id(ask: Ask) -> str:
    return _service_id("P", ask.pay_ref)


def _reversal_id(ask: Ask) -> str:
    return _service_id("V", ask.pay_ref)


def _service_id(kind: str, of: str) -> str:
    """Return the ServiceID (ten characters, no two alike within 48 hours) of one message."""
    digest = hashlib.sha256(f"{kind} {of}".encode()).digest()
    return kind + base64.b32encode(digest).decode()[:9]
