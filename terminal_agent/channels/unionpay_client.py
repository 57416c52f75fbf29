"""How does one signed request go to UnionPay and an answer come back that can be believed?

Both sides sign every message. Their certificate comes with the answer and must lead to what we have
pinned. An answer that is not signed so is the same as silence, whatever it says. Nothing is ever sent
twice here.
"""

from collections.abc import Callable, Mapping

import msgspec

from subsidy import calendar
from terminal_agent.bounded_http import BoundedSession
from terminal_agent.channels import unionpay_form
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.one_exchange import Limits, Silence, exchange
from terminal_agent.channels.unionpay_form import NoForm
from terminal_agent.channels.unionpay_keys import UnionPayKeys
from terminal_agent.checkout.ports import Clock

VERSION = "5.1.0"
_RSA = "01"
_FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", "Accept": "*/*"}


class Said(msgspec.Struct, frozen=True):
    """An answer with a right signature. Shows its size only: it may name the shopper."""

    fields: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Said({len(self.fields)} fields)"

    def get(self, name: str) -> str:
        """Return a field, empty when it is not there."""
        return self.fields.get(name, "")


class UnionPayClient:
    """The line of one merchant to UnionPay. One call at a time."""

    def __init__(
        self,
        *,
        session: BoundedSession,
        base_url: str,
        mer_id: str,
        keys: Callable[[], UnionPayKeys],
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._mer_id = mer_id
        self._keys = keys
        self._clock = clock
        self._limits = limits

    def call(self, path: str, fields: Mapping[str, str]) -> Said | Silence:
        """Send one request and return its answer. What every request has is added here."""
        try:
            keys = self._keys()
        except KeyTrouble:
            return Silence.NO_KEYS
        request = {
            "version": VERSION,
            "encoding": "UTF-8",
            "signMethod": _RSA,
            "bizType": "000000",
            "channelType": "08",
            "accessType": "0",
            "merId": self._mer_id,
            "certId": keys.cert_id,
            **fields,
        }
        body = unionpay_form.write(unionpay_form.sign(request, keys.private))
        heard = exchange(self._session, self._limits, "POST", self._base_url + path, _FORM, body)
        if isinstance(heard, Silence):
            return heard
        if heard.status != 200:
            return Silence.NOT_SIGNED
        return believed(heard.body, keys, self._clock.wall_ms())


def believed(body: bytes, keys: UnionPayKeys, wall_ms: int) -> Said | Silence:
    """Return what an answer says, or why it cannot be believed."""
    try:
        fields = unionpay_form.read(body)
    except NoForm:
        return Silence.NOT_SIGNED
    if not fields.get(unionpay_form.SIGNATURE) or fields.get("signMethod") != _RSA:
        return Silence.NOT_SIGNED
    key = keys.key_of(fields.get("signPubKeyCert", ""), calendar.from_ms(wall_ms))
    if key is None:
        return Silence.UNKNOWN_KEY
    return Said(fields) if unionpay_form.is_signed_by(fields, key) else Silence.WRONG_SIGNATURE
