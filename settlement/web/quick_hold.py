"""How is a hold answered before the framework gets to see it?

At a busy till's address the framework costs more than the decision. This reads, checks and answers
`POST /v1/holds` itself, in the event loop, and hands everything else on. The signature and the seal are
computed without Python's lock, so the writer works meanwhile.
"""

from http import HTTPStatus
from typing import Any

from litestar import post
from litestar.params import JSONBody
from litestar.types import ASGIApp, Receive, Send
from msgspec import json

from settlement.funds.gather_facts import Question
from settlement.funds.place_hold import PlaceHold
from settlement.system import clock_us
from settlement.trail import trace_in
from settlement.web.buckets import Buckets
from settlement.web.edge import Edge, sealed
from settlement.web.later import Deliveries
from settlement.web.problems import ANSWERS, LATER, busy, headers_of, of_exception, problem_of, unsure
from settlement.web.signed import SIGNED, Signatures, covered
from settlement.web.strict_request import decode
from settlement.writer.step import Denied, Signed
from settlement.writer.writer import Busy
from subsidy.policy.next_action import NextAction
from subsidy.problem import Problem, of_http_status, of_not_strict
from subsidy.seal import Sealed
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.wire import v1

PATH = "/v1/holds"
_PATH = PATH.encode()
# As many as are answered about as fast as they can be: one more would only make all of them wait longer.
MOST_UNDER_WAY = 40
_JSON = (b"application/json", b"application/json;charset=utf-8")


@post(PATH, status_code=200, sync_to_thread=False, guards=SIGNED, responses=ANSWERS)
def place_hold(data: JSONBody[v1.HoldRequest]) -> Sealed:
    """Return the fund's signed promise, or every reason why there is none."""
    raise AssertionError("only its description is served: HoldsFirst answers")


class HoldsFirst:
    """The application, with holds answered before it."""

    def __init__(self, app: ASGIApp, edge: Edge, signatures: Signatures) -> None:
        self.app = app
        self.edge = edge
        self._signatures = signatures
        self._deliveries = Deliveries()
        self._buckets = Buckets(edge.holds_per_device_s)
        self._under_way = 0

    def refuse_at_once(self, method: bytes, path: bytes) -> bytes | None:
        """Return the whole answer to a request that can only be told to come again, or None."""
        if path != _PATH or method != b"POST" or not self._is_full():
            return None
        self.edge.turned_away.busy += 1
        return _BUSY

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer a hold; hand on what is none."""
        is_hold = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST"
        if not is_hold and not _asks_for_nul(scope):
            await self.app(scope, receive, send)
            return
        headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]
        try:
            if not is_hold:
                raise of_http_status(404)
            status, content = 200, await self._answer(scope, receive)
        except Problem as problem:
            status, content = problem.status, problem.content()
            self._log(scope, problem)
            headers = _headers_of(problem)
        except Exception as wrong:
            self.edge.log.error("request.failed", method="POST", path=PATH, exc_info=wrong)
            told = of_exception(wrong)
            status, content, headers = told.status, told.content(), _headers_of(told)
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})

    async def _answer(self, scope: Any, receive: Receive) -> bytes:
        edge = self.edge
        began_us = clock_us()
        found, kind = covered(scope["headers"])
        if kind.replace(b" ", b"").lower() not in _JSON:
            raise of_http_status(415)
        body = await _body(receive)
        if self._is_full():
            # Others have come since its header was read. Said before anything is checked.
            edge.turned_away.busy += 1
            raise busy()
        if not body:
            raise Problem(400, "BODY_INVALID", "$: the body is empty. Send one JSON value in UTF-8")
        path, query = scope["raw_path"], scope["query_string"]
        known = self._signatures.verify_known(
            "POST", path.decode("ascii", "replace"), query.decode("ascii", "replace"), body, found
        )
        if not self._buckets.take(known.device, edge.now_ms()):
            edge.turned_away.device += 1
            raise Problem(
                429,
                "TOO_MANY_REQUESTS",
                "This device asks for more holds than a shop sells. Ask again in a second",
                next_action=NextAction.TRY_LATER,
                retryable=True,
            )
        try:
            request = await decode(body, v1.HoldRequest)
        except NotStrict as wrong:
            raise of_not_strict(wrong) from None
        question = Question(
            device=known.device,
            item=request.item,
            prices=request.prices,
            qualification=edge.keys.qualification_index(request.qualification_code),
            terminal_no=request.terminal_no,
            tender=request.tender,
        )
        answer = await self._ask(PlaceHold(request, question, known.epoch, edge.keys.request_mac(body)))
        outcome = answer.code if isinstance(answer, Denied) else answer.typ
        edge.trail.answered(
            "hold.answered",
            trace_in(scope["headers"]),
            known.device,
            request.record_id,
            outcome,
            clock_us() - began_us,
        )
        if isinstance(answer, Denied):
            raise problem_of(answer)
        return json.encode(sealed(edge, answer))

    def _is_full(self) -> bool:
        return self._under_way >= MOST_UNDER_WAY or self.edge.is_full()

    async def _ask(self, command: PlaceHold) -> Signed | Denied:
        self._under_way += 1
        try:
            answer = await self._deliveries.wait(lambda waiter: self.edge.submit_soon(command, waiter))
        except Busy:
            raise busy() from None
        except TimeoutError:
            raise unsure() from None
        except Exception as wrong:
            raise self.edge.problem_of_failure(wrong) from wrong
        finally:
            self._under_way -= 1
        assert isinstance(answer, Signed | Denied)
        return answer

    def _log(self, scope: Any, problem: Problem) -> None:
        if problem.status in LATER:
            return  # counted by the metrics: a flood must not fill the log too
        found, _ = covered(scope["headers"])
        self.edge.log.info(
            "request.refused",
            method=scope["method"],
            path=scope["path"],
            status=problem.status,
            code=problem.body.code,
            device=found.get("tradein-device", "")[:40] or None,
        )


def _whole(problem: Problem) -> bytes:
    """Return a problem as it goes over the line."""
    content = problem.content()
    headers = {**headers_of(problem), "content-length": str(len(content))}
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


_BUSY = _whole(busy())


def _headers_of(problem: Problem) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers_of(problem).items()]


def _asks_for_nul(scope: Any) -> bool:
    """Whether an address names something with the character NUL, which no database can hold."""
    return scope["type"] == "http" and (b"%00" in scope["raw_path"] or b"%00" in scope["query_string"])


async def _body(receive: Receive) -> bytes:
    """Return the request's body. Raises Problem when it is too large or the caller has gone."""
    body: bytes = b""
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise of_http_status(400)
        body += message.get("body", b"")
        if len(body) > json_bytes.MOST_BYTES:
            raise of_http_status(413)
        if not message.get("more_body", False):
            return body
