"""How does this host become a device of its centre?"""

import re

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from subsidy import seal
from subsidy.seal import NotSealed, Sealed
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.wire import v1
from terminal_agent.checkout.ports import CentreUnreachable, Clock
from terminal_agent.sync.device_key import DeviceKey
from terminal_agent.sync.line import post

_WITHIN_S = 20.0
_CODE = re.compile(r"[A-Z2-7]+-[0-9a-f]{16}")


def is_a_code(text: str) -> bool:
    """Whether `text` has the form of a one-time code: a secret, a dash, the id of the centre's key."""
    return _CODE.fullmatch(text) is not None


def enrol(url: str, code: str, key: DeviceKey, host: str, version: str, clock: Clock) -> v1.Enrolled:
    """Show the one-time code to the centre and return what it makes of this host.

    The code ends in the id of the centre's key: an answer sealed by another key is a stranger's.
    Raises CentreUnreachable and CentreDenied.
    """
    request = v1.EnrolmentRequest(
        v=1,
        code=code,
        public_key=seal.public_text(key.signing.public_key()),
        host=host,
        agent_version=version,
    )
    content = post(url.rstrip("/") + "/v1/enrolments", msgspec.json.encode(request), {}, _WITHIN_S, clock)
    try:
        sealed = json_bytes.decode(content, Sealed)
        # Read before it is verified only to find the key, which the code then vouches for.
        claimed = json_bytes.decode(sealed.payload_bytes(), v1.Enrolled)
        keys = centre_keys(claimed)
        trusted = {kid: one for kid, one in keys.items() if kid == code.rpartition("-")[2]}
        return json_bytes.decode(seal.unseal(sealed, v1.ENROLLED, trusted), v1.Enrolled)
    except (NotStrict, NotSealed) as wrong:
        raise CentreUnreachable(f"the answer is not from the centre that gave the code: {wrong}") from None


def centre_keys(enrolled: v1.Enrolled) -> dict[str, Ed25519PublicKey]:
    """Return the centre's pinned keys by id."""
    keys = [seal.public_key(text) for text in enrolled.centre_keys]
    return {seal.key_id(key): key for key in keys}
