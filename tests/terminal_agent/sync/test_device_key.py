"""Is the device's key there as a whole, or not at all, whenever the power fails?"""

import os
import stat
from pathlib import Path

import pytest

from terminal_agent.sync.device_key import make_key


class PowerCut(BaseException):
    """The host goes off."""


def random_bytes(count):
    return bytes(range(count))


def test_only_its_user_may_read_it(tmp_path):
    key = tmp_path / "data" / "device.key"
    make_key(key, random_bytes)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [one.name for one in key.parent.iterdir()] == ["device.key"]


def test_it_is_on_the_disk_before_it_has_its_name_and_its_name_before_it_is_used(tmp_path, monkeypatch):
    key, done = tmp_path / "device.key", []
    fsync, rename = os.fsync, Path.replace

    def noted_fsync(file):
        done.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else os.fstat(file).st_size)
        fsync(file)

    def noted_rename(path, to):
        done.append("name")
        return rename(path, to)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_rename)
    make_key(key, random_bytes)
    assert done == [65, "name", "folder"]


@pytest.mark.parametrize("content", ["", "00"])
def test_what_a_power_cut_left_unfinished_is_no_key_and_is_in_nobodys_way(tmp_path, monkeypatch, content):
    key = tmp_path / "device.key"

    def cut(_path, _to):
        raise PowerCut

    with monkeypatch.context() as off:
        off.setattr(Path, "replace", cut)
        with pytest.raises(PowerCut):
            make_key(key, random_bytes)
    assert not key.exists()
    (left,) = tmp_path.iterdir()
    left.write_text(content)
    make_key(key, random_bytes)
    assert key.read_text() == bytes(range(32)).hex() + "\n"
