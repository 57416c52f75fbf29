"""An agent whose host was enrolled at a centre that is not there: enough for what it must refuse by itself.

agent = LoneAgent(tmp_path)
with agent.running():
    ...
"""

import atexit
import functools
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from story import shop_files
from story.processes import Process, answers, free_port, wait_for

from subsidy import seal
from subsidy.wire import v1
from terminal_agent import system
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import open_journal
from terminal_agent.sync import device_key


class LoneAgent:
    """A host with configuration, key and journal, enrolled unless told otherwise."""

    def __init__(self, folder: Path, *, enrolled: bool = True) -> None:
        self.folder = folder
        self.port = free_port()
        self.centre_port = _centre_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "agent.yaml"
        shop_files.write_agent_files(folder, self.port, self.centre_port)
        self.journal_file = folder / "agent-data" / "journal.db"
        self.key_file = folder / "agent-data" / "device.key"
        self.process = Process(folder, "agent", ["terminal-agent", "run", "--config", "agent.yaml", "--json"])
        if enrolled:
            shutil.copytree(_enrolled_data(), folder / "agent-data")

    @contextmanager
    def running(self) -> Iterator[Process]:
        """Run it until the block ends."""
        self.process.start()
        try:
            wait_for("the agent", lambda: answers(f"{self.url}/v1/status"))
            yield self.process
        finally:
            self.process.stop()


@functools.cache
def _centre_port() -> int:
    return free_port()


@functools.cache
def _enrolled_data() -> Path:
    """Return the data folder of an enrolled host, made once."""
    folder = Path(tempfile.mkdtemp(prefix="lone-agent-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    key = device_key.make_key(folder / "device.key", lambda count: hashlib.sha256(b"device").digest()[:count])
    centre = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"centre").digest()).public_key()
    journal = SqliteJournal(
        open_journal(folder / "journal.db"),
        system.new_lock(),
        system.SystemClock(),
        "",
        changed=lambda: None,
        entry_written=lambda: None,
    )
    journal.enrol(
        v1.Enrolled(
            v=1,
            device=seal.key_id(key.signing.public_key()),
            epoch=1,
            programme="TRAINING",
            training=True,
            shop="S0031",
            shop_name="示例电器海陵店",
            merchant_name="示例电器有限公司",
            terminals=tuple(shop_files.TERMINALS),
            centre_keys=(seal.public_text(centre),),
            lag_target_s=300,
        ),
        f"http://127.0.0.1:{_centre_port()}",
    )
    journal.shut()
    return folder
