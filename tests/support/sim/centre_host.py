"""How does the centre live in a world? The shipped writer, steps and handlers, on a copy of its books.

Handlers are called as the framework would call them, with a body that was read strictly and a signature
that was checked; the framework itself is left out, since it costs more than all the rest. The engine and
what it has compiled are made once for all worlds: only the file behind it changes.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec

from settlement.app import Centre
from settlement.trail import Trail
from settlement.web import agents, holds_and_records
from settlement.web.edge import Edge
from settlement.web.problems import of_exception
from settlement.web.quick_hold import PATH as HOLDS
from settlement.web.quick_hold import HoldsFirst
from settlement.web.signed import Signatures, covered
from settlement.writer.step import Answer
from settlement.writer.writer import Waiter, Writer
from sim.disk import Disk
from sim.network import Came, Sent, Service
from sim.scheduler import Process
from sim.template import Template, uri
from sim.threads import Here, threading, time
from subsidy.problem import Problem, of_not_strict
from subsidy.seal import Sealed
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.wire import v1

T = TypeVar("T")


class _Lines:
    """A log that nobody reads."""

    def msg(self, _line: str) -> None:
        return


class _Log:
    def __init__(self, failed: Callable[[str, BaseException | None], None]) -> None:
        self._failed = failed

    def info(self, _event: str, **_: Any) -> None:
        return

    warning = info

    def error(self, event: str, exc_info: BaseException | None = None, **_: Any) -> None:
        self._failed(event, exc_info)


class _AtOnce:
    """Stands for the event loop's deliveries: the task itself waits for the writer."""

    async def wait(self, submit: Callable[[Waiter], None]) -> Answer:
        answer = _Promised()
        submit(answer)
        return answer.wait(30)


class _Promised:
    def __init__(self) -> None:
        self._event = threading.Event()
        self._answer: Answer | None = None
        self._wrong: BaseException | None = None

    def give(self, answer: Answer, /) -> None:
        self._answer = answer
        self._event.set()

    def fail(self, wrong: BaseException, /) -> None:
        self._wrong = wrong
        self._event.set()

    def wait(self, timeout_s: float) -> Answer:
        if not self._event.wait(timeout_s):
            raise TimeoutError
        if self._wrong is not None:
            raise self._wrong
        assert self._answer is not None
        return self._answer


class CentreHost:
    """The host of the centre, with its disk and its service."""

    def __init__(
        self,
        template: Template,
        centre: Centre,
        books: Path,
        service: Service,
        point: Callable[[Process, str], None],
        note: Callable[[str, str], None],
        failed: Callable[[str, BaseException | None], None],
    ) -> None:
        self.books = books
        self.moved = {uri(template.centre.settings.database.path): uri(books)}  # type: ignore[union-attr]
        self.disk = Disk(point, self.moved)
        self.skew_ms = 0
        self.is_off = False
        self.service = service
        self.process: Process | None = None
        self._writer: Writer | None = None
        self._centre = centre
        self._packs = template.packs
        self.when_committed: Callable[[], None] = lambda: None
        self._note = note
        self._log = _Log(failed)
        self._failed = failed

    def boot(self) -> None:
        """Start the service on the books as they lie there."""
        self.disk.forget()
        self._start()

    def overtake(self) -> Process | None:
        """Start a second service beside the one that serves; return the first, which does not know."""
        first = self.process
        if first is None or not first.alive:
            return None
        # What the first one was told goes on being answered by it.
        first.when_dead.remove(self._went)
        self._start()
        return first

    def _start(self) -> None:
        process = Process("centre", lambda: self.skew_ms, Here.scheduler.now_ms - 1_000_000)
        self.process = process
        process.when_dead.append(self._went)
        Here.scheduler.spawn(process, "boot", self._try_to_serve)

    def now_ms(self) -> int:
        """Return the centre's time."""
        return time.time_ns() // 1_000_000

    def ask(self, command: Any) -> bool:
        """Give the writer a command from the centre's own people; return whether it answered."""

        def submit(writer: Writer) -> Answer | None:
            try:
                answer = writer.submit(command)
            except Exception as wrong:
                self._note("clerk", f"{command}: {type(wrong).__name__}")
                return None
            self._note("clerk", f"{command} -> {type(answer).__name__}")
            return answer

        return self.within("clerk's", submit) is not None

    def within(self, name: str, work: Callable[[Writer], T]) -> T | None:
        """Do something in the service that runs, and return what it returned; None when it died meanwhile."""
        process, writer = self.process, self._writer
        if process is None or not process.alive or writer is None:
            return None
        done, found = threading.Event(), list[T]()
        process.when_dead.append(done.set)

        def go() -> None:
            try:
                found.append(work(writer))
            finally:
                done.set()

        Here.scheduler.spawn(process, name, go)
        done.wait(60)
        process.when_dead.remove(done.set)
        return found[0] if found else None

    def _went(self) -> None:
        self.service.process = self._writer = None

    def _try_to_serve(self) -> None:
        try:
            self._serve()
        except Exception as wrong:
            self._failed("centre.boot", wrong)
            assert self.process is not None
            Here.scheduler.kill(self.process)

    def _serve(self) -> None:
        process, centre, setting = self.process, self._centre, self._centre.setting()
        assert process is not None
        writer = centre.writer(lambda wrong: self._failed("writer.failed", wrong), self._committed)
        writer.start()
        self._writer = writer
        edge = Edge(
            engine=centre.engine,
            keys=centre.keys,
            setting=lambda: setting,
            writer=writer,
            now_ms=self.now_ms,
            packs=self._packs,
            log=self._log,  # type: ignore[arg-type]
            trail=Trail(self.now_ms, _Lines()),  # type: ignore[arg-type]
            registers=centre.registers,
        )
        doors = Doors(edge)
        self.service.answer = doors.answer
        self.service.process = process
        self._note("centre", "serves")

    def _committed(self, _last: int, happened: Any, _commands: int, _us: int) -> None:
        self.when_committed()
        for one in happened:
            self._note("centre", f"{one.event.__struct_config__.tag} {one.event.about() or ''}")


class Doors:
    """The centre's addresses for shops."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._signatures = Signatures(edge)
        self._holds = HoldsFirst(_nothing, edge, self._signatures)
        self._holds._deliveries = _AtOnce()  # type: ignore[assignment]
        self._handlers: dict[str, tuple[type, Callable[..., Any]]] = {
            "/v1/facts": (v1.FactsRequest, agents.tell_facts.fn),
            "/v1/heard": (v1.HeardRequest, agents.tell_what_is_heard.fn),
            "/v1/packs": (v1.PackRequest, lambda request, data, edge: agents.hand_out_pack.fn(data, edge)),
            "/v1/records": (Sealed, holds_and_records.take_records.fn),
            "/v1/returns": (v1.ChainedEntry, holds_and_records.take_return.fn),
        }

    def answer(self, sent: Sent) -> Came:
        """Answer one request."""
        if sent.path == HOLDS:
            return self._answer_hold(sent)
        try:
            return Came(200, {}, msgspec.json.encode(self._handle(sent)))
        except Problem as problem:
            return Came(problem.status, {}, problem.content())
        except Exception as wrong:
            self._edge.log.error("request.failed", exc_info=wrong)
            problem = of_exception(wrong)
            return Came(problem.status, {}, problem.content())

    def _handle(self, sent: Sent) -> Any:
        raw = [(name.lower().encode(), value.encode()) for name, value in sent.headers.items()]
        caller = self._signatures.verify(sent.method, sent.path, "", sent.body, covered(raw)[0])
        request = SimpleNamespace(state=SimpleNamespace(caller=caller), scope={"headers": raw})
        if sent.path.endswith("/release"):
            record_id = sent.path.split("/")[3]
            kind: type = v1.ChainedEntry
            handler: Callable[..., Any] = functools.partial(_release, record_id)
        else:
            kind, handler = self._handlers[sent.path]
        try:
            data = json_bytes.decode(sent.body, kind)
        except NotStrict as wrong:
            raise of_not_strict(wrong) from None
        return handler(request, data, self._edge)

    def _answer_hold(self, sent: Sent) -> Came:
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": sent.body}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        scope = {
            "type": "http",
            "method": sent.method,
            "path": sent.path,
            "raw_path": sent.path.encode(),
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.headers.items()],
        }
        try:
            self._holds(scope, receive, send).send(None)  # type: ignore[arg-type]
        except StopIteration:
            return Came(said[0]["status"], {}, said[1]["body"])
        raise AssertionError("the hold waited for an event loop")


async def _nothing(*_: Any) -> None:
    raise AssertionError("holds are answered before the framework")


def _release(record_id: str, request: Any, data: Any, edge: Edge) -> Any:
    return holds_and_records.release_hold.fn(request, record_id, data, edge)
