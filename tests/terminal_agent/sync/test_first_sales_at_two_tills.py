"""Two tills sell the first items after a new policy pack: both fetch it, and both must get it whole.

Before, they wrote one side file: one till was told that the centre cannot be reached, or met a fault.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import msgspec
import pytest
import small_pack

from subsidy.policy.read_pack import pack_hash as hash_of
from subsidy.wire import v1
from terminal_agent.sync.centre import CentreLine

FILES = small_pack.texts()
PACK_HASH = hash_of(FILES)


class FetchingLine:
    """A line that brings the pack, to several who ask at the same time."""

    def __init__(self, at_once):
        self._all_have_asked = Barrier(at_once, timeout=10)

    def ask(self, path, body, within_s):
        self._all_have_asked.wait()
        return b""

    def unseal(self, content, typ, as_type):
        return v1.PackAnswer(v=1, programme="P", files=dict(FILES))


@pytest.mark.parametrize("moment", ["after it was written", "while it is being written"])
def test_a_pack_that_another_till_has_just_fetched_is_whole(tmp_path, monkeypatch, moment):
    centre = CentreLine(FetchingLine(1), None, tmp_path, print, training=False)
    write, others = Path.write_bytes, []

    def interrupted(path, content):
        part = content if moment.startswith("after") else content[: len(content) // 2]
        write(path, part)
        if not others:
            others.append(path)
            others.append(centre.pack(PACK_HASH, 5))  # the other till, from beginning to end
        if part is not content:
            with path.open("ab") as file:
                file.write(content[len(part) :])

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    assert centre.pack(PACK_HASH, 5).hash == others[1].hash == PACK_HASH
    stored = msgspec.json.decode((tmp_path / f"{PACK_HASH}.json").read_bytes(), type=v1.PackAnswer)
    assert hash_of(stored.files) == PACK_HASH
    assert [path.name for path in tmp_path.iterdir()] == [f"{PACK_HASH}.json"]


def test_many_tills_at_once_get_the_pack(tmp_path):
    for run in range(20):
        folder = tmp_path / hashlib.sha256(b"%d" % run).hexdigest()
        centre = CentreLine(FetchingLine(4), None, folder, print, training=False)
        with ThreadPoolExecutor(4) as tills:
            packs = list(tills.map(lambda _till: centre.pack(PACK_HASH, 5), range(4)))  # noqa: B023
        assert {pack.hash for pack in packs} == {PACK_HASH}
