"""How does a shop's agent live in a world? The shipped agent on its own journal, started anew when dead.

A till's call runs the shipped handler in a task of the agent: when the agent dies, the till's line breaks.
"""

import functools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from sim.disk import Disk
from sim.scheduler import Process
from sim.template import Shop, Template
from sim.threads import Here, threading
from subsidy.problem import Problem, of_http_status, of_not_strict
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from terminal_agent.app import Agent
from terminal_agent.till import cash, requests, returns, routes

_BODIES: Mapping[str, type] = {
    "quote": requests.QuoteBody,
    "sell": requests.SaleBody,
    "pay": requests.PayBody,
    "stop": requests.StopBody,
    "return": returns.ReturnBody,
    "answer": returns.AnswerBody,
    "cash": cash.CashBody,
}


class _TillHere:
    """The till's handlers of the agent that answers now: they are made once, which costs more than a sale."""

    def __getattr__(self, name: str) -> Any:
        task = Here.scheduler.current
        assert task is not None
        return getattr(task.process.till, name)


@functools.cache
def _doors() -> dict[str, Callable[..., Any]]:
    till: Any = _TillHere()
    quotes, sales, status = routes.controllers(till)
    (after_sale,) = returns.controllers(till)
    (of_cash,) = cash.controllers(till)
    return {
        "quote": quotes.quote.fn,
        "sell": sales.sell.fn,
        "pay": sales.pay.fn,
        "stop": sales.stop.fn,
        "show": sales.show.fn,
        "return": after_sale.give_back.fn,
        "answer": after_sale.answer.fn,
        "cash": of_cash.said.fn,
        "status": status.status.fn,
    }


class Told(NamedTuple):
    """What a till was answered. Status 0: the line broke, or nothing came."""

    status: int
    document: dict[str, Any]


BROKEN = Told(0, {})


class ShopHost:
    """The host of one shop's agent."""

    def __init__(
        self,
        template: Template,
        shop: Shop,
        folder: Path,
        point: Callable[[Process, str], None],
        note: Callable[[str, str], None],
        failed: Callable[[str, BaseException | None], None],
        name: str = "agent",
    ) -> None:
        self.shop = shop
        self.name = f"{name} {shop.shop}"
        self.data = folder
        self.is_doubtful = False
        """Whether its journal has two histories."""
        self.forgotten: set[str] = set()
        """Sales whose other history nobody has heard of: what happened to them in it nobody can know."""
        if not folder.exists():
            shutil.copytree(template.hosts[shop.shop], folder)
        self.config = replace(template.configs[shop.shop], data=folder)
        self.disk = Disk(point)
        self.skew_ms = 0
        self.is_off = False
        """Whether it is switched off, and nobody starts it again."""
        self.version = 0
        """Which version of the program is started: 0 is the shipped one, 1 the next."""
        self.reports_again_after: int | None = None
        """After which entry its people let it report again, once, as `outbox again` does."""
        self.twist: Callable[[Agent], None] = lambda _agent: None
        self.process: Process | None = None
        self.agent: Agent | None = None
        self.boots = 0
        self._note = note
        self._failed = failed

    def boot(self) -> None:
        """Start the agent on what lies on its disk."""
        self.boots += 1
        self.disk.forget()
        born_ms = Here.scheduler.now_ms - 60_000
        process = Process(self.name, lambda: self.skew_ms, born_ms)
        process.version = self.version
        self.process, self.agent = process, None
        process.when_dead.append(self._went)
        Here.scheduler.spawn(process, "boot", self._start)

    @property
    def is_up(self) -> bool:
        """Whether a till is answered."""
        return self.agent is not None

    def call(
        self, what: str, document: dict[str, Any], key: str, record_id: str = "", wait_s: int = 25
    ) -> Told:
        """Call the agent as a till does, and wait for its answer up to a minute longer than it may take."""
        process = self.process
        if process is None or not process.alive or self.agent is None:
            return BROKEN
        told: list[Told] = []
        done = threading.Event()
        process.when_dead.append(done.set)

        def work() -> None:
            told.append(self._answer(what, document, key, record_id, wait_s))
            done.set()

        Here.scheduler.spawn(process, f"till {what}", work)
        done.wait(120)
        process.when_dead.remove(done.set)
        return told[0] if told else BROKEN

    def _went(self) -> None:
        self.agent = None

    def _start(self) -> None:
        try:
            agent = Agent(self.config, self._log)
            if self.reports_again_after is not None:
                agent.journal.wait_again(self.reports_again_after)
                self.reports_again_after = None
            self.twist(agent)
            agent.start()
        except Exception as wrong:
            self._failed("agent.boot", wrong)
            assert self.process is not None
            Here.scheduler.kill(self.process)
            raise
        process = self.process
        assert process is not None
        process.till = agent._till
        self.agent = agent
        self._note(self.name, "is up")

    def _answer(self, what: str, document: dict[str, Any], key: str, record_id: str, wait_s: int) -> Told:
        path = f"/v1/sales/{record_id}/{what}" if record_id else f"/v1/{what}"
        request = SimpleNamespace(
            headers=SimpleNamespace(getall=lambda _name, _default: [key]), url=SimpleNamespace(path=path)
        )
        more: dict[str, Any] = {"record_id": record_id} if record_id else {}
        try:
            if what in _BODIES:
                try:
                    more["data"] = json_bytes.decode(msgspec.json.encode(document), _BODIES[what])
                except NotStrict as wrong:
                    raise of_not_strict(wrong) from None
                more["request"] = request
                if what != "quote":
                    more["wait_s"] = wait_s
            found = _doors()[what](None, **more)
            return Told(200, msgspec.json.decode(msgspec.json.encode(found)))
        except Problem as problem:
            return Told(problem.status, msgspec.json.decode(problem.content()))
        except Exception as wrong:
            self._failed("till.bug", wrong)
            return Told(500, msgspec.json.decode(of_http_status(500).content()))

    def _log(self, event: str, **fields: Any) -> None:
        if event == "worker.failed":
            self._failed(event, fields["exc_info"])
        if event in ("upload.denied",):
            self._note(self.name, f"{event} {fields.get('why')}")
