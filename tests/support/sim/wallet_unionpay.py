"""How does UnionPay QR answer in a world?"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from story.shop_files import ROOT, with_values

from sim.network import Came, Sent, Service
from sim.signatures import Certificate, cheap
from sim.wallet import EVERY_WALLETS_FAULTS, PASSWORD_MS, Move, Request, Shown, Wallet
from sim.wallet import ScanRefused as PhoneRefused
from terminal_agent.emulators.faults import Faults, Struck
from terminal_agent.emulators.unionpay_books import UnionPayBooks
from terminal_agent.emulators.unionpay_faults import KNOWN, QUESTIONS, TARGETS
from terminal_agent.emulators.unionpay_file import file_content
from terminal_agent.emulators.unionpay_http import _ECHOED, UnionPayServer, _spoilt
from terminal_agent.emulators.unionpay_orders import Orders, ScanRefused, said
from terminal_agent.emulators.unionpay_signing import (
    NAME,
    Form,
    Keys,
    answer_bytes,
    is_signed,
    open_keys,
    read_form,
    signed,
)

MER_ID, TERM_ID = "EMU000000000001", "EMU00001"
_TARGETS = {"01 06": "pay", "01 07": "show", "99 01": "reverse", "04 00": "refund", "00 00": "query"}
_BROKEN = b"<html>500</html>"


class UnionPayInHere(Wallet):
    """UnionPay QR of one merchant."""

    name = "unionpay"
    url = "http://127.0.0.1:8702"
    layout, file_name, merchant = "unionpay_zm", "unionpay-{date}.txt", MER_ID
    longest_payment_s = 4_500  # its day ends at 23:00
    makes_code, code_begins = "show", "https://qr.95516.com/"
    refund_refused = {"fault": "declined", "on": "refund", "code": "64"}  # noqa: RUF012
    too_late = {"fault": "declined", "on": "reverse", "code": "35"}  # noqa: RUF012
    faults_known = (
        *EVERY_WALLETS_FAULTS,
        {"fault": "wrong_merchant"},
        {"fault": "unknown_key"},
        {"fault": "unclear_code"},
        {"fault": "unclear_code", "charged": False},
        {"fault": "unclear_code", "on": "refund"},
        {"fault": "unclear_code", "on": "refund", "charged": False},
        refund_refused,
        too_late,
        {"fault": "lost_answer", "on": "reverse"},
        {"fault": "declined", "on": "show"},
        {"fault": "lost_answer", "on": "show"},
        {"fault": "unclear_code", "on": "show"},
        {"fault": "wrong_order", "code": "64"},
        {"fault": "wrong_merchant", "on": "show", "code": "64"},
    )

    def __init__(self, keys: Keys, folder: Path, service: Service, note: Callable[[str, str], None]) -> None:
        super().__init__(service, note)
        self.books = UnionPayBooks(folder / "unionpay.jsonl")
        self.faults = Faults(KNOWN, TARGETS, QUESTIONS)
        self._keys = keys
        self._orders = Orders(MER_ID, self.books, PASSWORD_MS)
        self._server: Any = UnionPayServer.__new__(UnionPayServer)
        self._server._orders = self._orders

    @staticmethod
    def keys_in(folder: Path) -> Keys:
        """Return both sides' keys, made in a folder. They sign cheaply, as the tills' do."""
        keys = open_keys(folder)
        known: Any = Certificate(keys.merchant)
        return replace(keys, merchant=known, **cheap(keys, "platform", "stranger"))

    @classmethod
    def profile(cls, keys: Keys, rhythm: dict[str, int]) -> str:
        """Return the merchant's profile as shop IT would have written it."""
        mine = {
            "base_url": cls.url,
            "mer_id": MER_ID,
            "term_id": TERM_ID,
            "name": NAME,
            "certificate": keys.file("merchant.cer"),
            "private_key": keys.file("merchant_key.pem"),
            "root": keys.file("root.cer"),
            "middle": keys.file("middle.cer"),
        }
        return with_values((ROOT / "config/channels/unionpay.yaml").read_text(), {**mine, **rhythm})

    def new_code(self, chance: random.Random) -> str:
        """Return a payment code as a shopper's phone shows it."""
        return f"62{chance.randrange(10**17):017d}"

    def scan(self, code: str) -> None:
        """Be the shopper who scans a code that we show and pays. Raises ScanRefused."""
        try:
            self._orders.scan(code)
        except ScanRefused as refused:
            raise PhoneRefused(str(refused)) from None

    def moves(self) -> Iterator[Move]:
        """Yield all money that moved, in order."""
        for line in self.books.lines:
            at_ms = round(datetime.fromisoformat(line.at).timestamp() * 1000)
            if line.kind == "charge":
                yield Move(line.order_id, line.fen, at_ms)
            elif line.kind in ("reversal", "refund"):
                yield Move(line.orig or line.order_id, -line.fen, at_ms)

    def shown(self) -> Iterator[Shown]:
        """Yield every code that was made for a shopper to scan."""
        for line in self.books.lines:
            if line.kind == "shown":
                yield Shown(line.order_id, line.due_ms)

    def file(self, day: str) -> bytes | None:
        """Return the settlement files of a day."""
        content = file_content(self.books.lines, day, MER_ID, TERM_ID)
        return None if content is None else content.encode("ascii")

    def call_of(self, sent: Sent) -> str:
        """Return the call's name, as in unionpay.refund."""
        form = dict(parse_qsl(sent.body.decode("ascii")))
        kind = f"{form.get('txnType')} {form.get('txnSubType')}"
        return f"unionpay.{_TARGETS[kind]}"

    def hear(self, sent: Sent) -> Request | Came:
        """Return what a request asks for, or the answer to one that is not signed rightly."""
        form = read_form(sent.body)
        assert form is not None
        if not is_signed(self._keys, form):
            return self._signed(form, said("11"), Struck({}))
        request = self._server.route(sent.path, form)
        assert request is not None, sent.path
        return Request(request.target, form, request.work)

    def instead(self, request: Request, struck: Struck) -> Form | None:
        """Return what is answered although nothing is done; None when it is done."""
        if "system_error" in struck and not struck.flag("system_error", "charged"):
            return {}
        if "unclear_code" in struck and not struck.flag("unclear_code", "charged"):
            return said("04")
        if "declined" in struck and request.target in QUESTIONS:
            return said(struck.word("declined", "code"))
        return None

    def worded(self, answer: Form, struck: Struck) -> Form:
        """Return what is said of what was done; nothing stands for an answer that is no form."""
        if "system_error" in struck:
            return {}
        return said("04") if "unclear_code" in struck else answer

    def say(self, request: Request, answer: Form, struck: Struck) -> Came:
        """Return the signed answer."""
        return self._signed(request.form, answer, struck) if answer else Came(500, {}, _BROKEN)

    def told(self, line: Any) -> str:
        """Return a line of the books in words."""
        return f"{line.kind} {line.fen} fen, {line.order_id} {line.orig}"

    def _signed(self, form: Form, answer: Form, struck: Struck) -> Came:
        echoed = {name: form[name] for name in _ECHOED if name in form}
        whole = _spoilt({**echoed, **answer}, struck)
        keys = self._keys
        pem = keys.stranger_pem if "unknown_key" in struck else keys.platform_pem
        key = keys.stranger if {"unknown_key", "wrong_key"} & struck.names else keys.platform
        body = answer_bytes(whole if "missing_signature" in struck else signed(key, pem, whole))
        return Came(200, {}, b"respCode=00&\xff\xfe{{{" if "garbage" in struck else body)
