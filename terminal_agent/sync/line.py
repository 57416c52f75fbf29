"""How does one signed request go to the centre and come back, within a time?

Whatever comes back counts only when it is sealed by a key that was pinned at enrolment: a captive
portal's page or a stranger's answer is the same as silence.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from subsidy import seal
from subsidy.problem import ProblemBody
from subsidy.seal import NotSealed, Sealed
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.wire import http_signature, trace
from terminal_agent.bounded_http import BoundedSession
from terminal_agent.checkout.ports import CentreDenied, CentreUnreachable, Clock

T = TypeVar("T")

_CONNECT_S = 2.0
_CHUNK = 64 << 10
_MOST_ANSWER = 8 << 20
_THIS_HOST = ("127.0.0.1", "localhost")


class Line:
    """The signed line of one device to its centre."""

    def __init__(
        self,
        *,
        url: str,
        device: str,
        epoch: int,
        key: Ed25519PrivateKey,
        centre_keys: Mapping[str, Ed25519PublicKey],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._url = url.rstrip("/")
        self._device = device
        self._epoch = epoch
        self._key = key
        self._centre_keys = centre_keys
        self._clock = clock
        self._random_bytes = random_bytes
        self.skew_ms = 0
        self._signing_skew_ms = 0
        self.online = False
        self.denied: str | None = None

    def ask(self, path: str, body: bytes, within_s: float, record_id: str | None = None) -> bytes:
        """POST `body` and return the answer's bytes. `record_id` is the sale that it is about, if one.

        Raises CentreUnreachable when none came in time, CentreDenied when the centre refused us.
        """
        until_ms = self._clock.steady_ms() + int(within_s * 1000)
        try:
            try:
                content = self._post(path, body, within_s, record_id)
            except CentreDenied as wrong:
                if wrong.centre_ms is None:
                    raise
                # Our clock is off by more than the centre takes: sign once more with its time.
                self._signing_skew_ms = wrong.centre_ms - self._clock.wall_ms()
                left_s = max((until_ms - self._clock.steady_ms()) / 1000, 0.001)
                content = self._post(path, body, left_s, record_id)
        except CentreUnreachable:
            self.online = False
            raise
        except CentreDenied as wrong:
            self.denied = str(wrong)
            raise
        self.online, self.denied = True, None
        return content

    def _post(self, path: str, body: bytes, within_s: float, record_id: str | None) -> bytes:
        headers = http_signature.sign(
            self._key,
            method="POST",
            path=path,
            body=body,
            device=self._device,
            epoch=self._epoch,
            created_s=(self._clock.wall_ms() + self._signing_skew_ms) // 1000,
            nonce=self._random_bytes(16).hex(),
        )
        if record_id is not None:
            headers[trace.HEADER] = trace.traceparent(record_id)
        return post(self._url + path, body, headers, within_s, self._clock)

    def unseal(self, content: bytes, typ: str, as_type: type[T]) -> T:
        """Return the payload of a sealed answer. Raises CentreUnreachable when it is not believable."""
        try:
            return self.open(json_bytes.decode(content, Sealed, _MOST_ANSWER), typ, as_type)
        except NotStrict as wrong:
            raise self.not_the_centre(f"the answer is no {typ}: {wrong.problem}") from None

    def open(self, sealed: Sealed, typ: str, as_type: type[T]) -> T:
        """Return a sealed payload. Raises CentreUnreachable when it is not believable."""
        try:
            return json_bytes.decode(seal.unseal(sealed, typ, self._centre_keys), as_type, _MOST_ANSWER)
        except (NotSealed, NotStrict) as wrong:
            raise self.not_the_centre(f"the answer is not the centre's: {wrong}") from None

    def not_the_centre(self, sentence: str) -> CentreUnreachable:
        """Note that what answered was somebody else, such as a captive portal, and return what to raise."""
        self.online = False
        return CentreUnreachable(sentence)

    def heard(self, centre_ms: int) -> None:
        """Note the centre's time from a sealed answer."""
        self.skew_ms = self._signing_skew_ms = centre_ms - self._clock.wall_ms()


def session_to(url: str, clock: Clock) -> BoundedSession:
    """Return a session to the centre at `url`, through the shop's proxy unless it is on this host."""
    session = BoundedSession(clock)
    session.trust_env = urlsplit(url).hostname not in _THIS_HOST
    return session


def post(url: str, body: bytes, headers: Mapping[str, str], within_s: float, clock: Clock) -> bytes:
    """POST `body` and return the answer's bytes, all within `within_s`.

    Raises CentreUnreachable and CentreDenied. The whole is bounded, head and body, so that a line that
    drips cannot make a queue of shoppers wait.
    """
    session = session_to(url, clock)
    session.deadline.start(within_s)
    try:
        with (
            session,
            session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=(min(_CONNECT_S, within_s), within_s),
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            content = bytearray()
            for chunk in answer.iter_content(_CHUNK):
                content += chunk
                if len(content) > _MOST_ANSWER:
                    raise CentreUnreachable("the answer does not end")
            status = answer.status_code
    except requests.RequestException as wrong:
        raise CentreUnreachable(f"no answer from the centre ({type(wrong).__name__})") from None
    if status == 200:
        return bytes(content)
    problem = _problem(bytes(content))
    # With the centre's time it can be signed once more, which is better than waiting.
    if problem is None or status >= 500 or (problem.retryable and problem.centre_time is None):
        raise CentreUnreachable(f"the centre answered {status}")
    raise CentreDenied(f"{problem.code}: {problem.detail}", _ms(problem.centre_time))


def _ms(centre_time: str | None) -> int | None:
    """Return the centre's time in Unix milliseconds, or None when it said none that can be read."""
    try:
        return int(datetime.fromisoformat(centre_time or "").timestamp() * 1000)
    except ValueError:
        return None


NO_ANSWER = "no answer"


def answers(session: BoundedSession, url: str, within_s: float) -> str:
    """Return "yes" when a centre answers at `url`, else what came instead."""
    session.deadline.start(within_s)
    try:
        with session, session.get(f"{url}/livez", timeout=within_s, stream=True) as answer:
            status = answer.status_code
    except requests.RequestException as wrong:
        return f"{NO_ANSWER} ({type(wrong).__name__})"
    return "yes" if status == 200 else f"it answers {status}"


def _problem(content: bytes) -> ProblemBody | None:
    try:
        return msgspec.json.decode(content, type=ProblemBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
