"""How do the merchant and WeChat Pay get new keys and certificates, while both go on?

What would be downloaded is put into the folder of keys, beside the old files; whoever tries a till out
takes it into use there. A start anew begins with the first keys again.
"""

from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from terminal_agent.emulators.control import Body, BodyRefused
from terminal_agent.emulators.wechat_signing import Keys, certify, new_public_key_id, pem, public_pem, put

MERCHANT, CERTIFICATE, PUBLIC_KEY = "merchant", "platform_certificate", "platform_public_key"
_WHAT = (MERCHANT, CERTIFICATE, PUBLIC_KEY)


def read_renewal(body: Body) -> tuple[str, bool]:
    """Return what is renewed, and whether the old one stays in use beside the new one."""
    what, keep_old = body.get("what"), body.get("keep_old")
    if set(body) != {"what", "keep_old"} or what not in _WHAT or not isinstance(keep_old, bool):
        raise BodyRefused(f'write {{"what": "{MERCHANT}", "keep_old": true}}; there are {", ".join(_WHAT)}')
    return str(what), keep_old


def renew(keys: Keys, what: str, *, keep_old: bool) -> tuple[Keys, dict[str, str]]:
    """Return the keys from now on, and the new one's `id` and files."""
    key = generate_private_key(65_537, 2048)
    certificate, serial = certify(key)
    name = serial[:8]
    if what == MERCHANT:
        files = _put_all(keys.folder, {f"{name}_key.pem": pem(key), f"{name}_certificate.pem": certificate})
        former = {keys.serial: keys.merchant} if keep_old else {}
        said = {"id": serial, "key": files[0], "certificate": files[1]}
        return replace(keys, serial=serial, merchant=key, former=former), said
    is_certificate = what == CERTIFICATE
    key_id = serial if is_certificate else new_public_key_id()
    content = certificate if is_certificate else public_pem(key)
    (file,) = _put_all(keys.folder, {f"{name}_platform.pem": content})
    beside = {keys.platform_id: keys.platform} if keep_old else {}
    said = {"id": key_id, "file": file}
    return replace(keys, platform_id=key_id, platform=key, beside=beside), said


def _put_all(folder: Path, contents: dict[str, bytes]) -> list[str]:
    for name, content in contents.items():
        put(folder / name, content)
    return [str(folder / name) for name in contents]
