"""Which keys does the centre have, and what are they for?

- the signing key seals promises and acks; older ones are kept, so that an old answer repeated
  is the same bytes;
- index keys turn identity numbers and codes into blind indexes (HMAC-SHA256), one key for each
  scope in which they must be unique. They are made from one secret with HKDF (RFC 5869);
- from the same secret, the key that seals people's second factors;
- the key of a person register that programmes share, from which the blind index of persons is made there.
"""

import hmac
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from subsidy.seal import key_id


class Keys:
    """The centre's keys. `signing` has the current one first."""

    def __init__(self, signing: list[bytes], index_secret: bytes, person_secret: bytes | None = None) -> None:
        keys = [Ed25519PrivateKey.from_private_bytes(raw) for raw in signing]
        self._signing = {key_id(key.public_key()): key for key in keys}
        self.kid = next(iter(self._signing))
        self._index_secret = index_secret
        self._person_secret = index_secret if person_secret is None else person_secret
        self._of_scope: dict[str, bytes] = {}

    def signing(self, kid: str) -> Ed25519PrivateKey:
        """Return the signing key that `kid` names."""
        return self._signing[kid]

    def public(self) -> Mapping[str, Ed25519PublicKey]:
        """Return the public keys by id, the current one first."""
        return {kid: key.public_key() for kid, key in self._signing.items()}

    def person_index(self, identity_no: str) -> str:
        """Return the blind index of a person, the same in every programme of this register."""
        return self._index("person", identity_no)

    def qualification_index(self, code: str) -> str:
        """Return the blind index of a qualification code."""
        return self._index("qualification", code)

    def request_mac(self, request: bytes) -> str:
        """Return what tells a repeated request from another one."""
        return self._index("request", request)

    def sealing_key(self) -> bytes:
        """Return the key under which second factors are sealed, of 32 bytes."""
        return _derived(self._index_secret, "tradein.seal.second-factor")

    def _index(self, scope: str, content: str | bytes) -> str:
        info = f"tradein.index.{scope}"
        key = self._of_scope.get(scope)
        if key is None:
            secret = self._person_secret if scope == "person" else self._index_secret
            key = self._of_scope[scope] = _derived(secret, info)
        raw = content.encode() if isinstance(content, str) else content
        return hmac.digest(key, raw, "sha256").hex()[:32]


def key_check(secret: bytes) -> str:
    """Return what tells one register's key from another, and says nothing about either."""
    return _derived(secret, "tradein.register.check").hex()[:32]


def _derived(secret: bytes, info: str) -> bytes:
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info.encode())
    return kdf.derive(secret)
