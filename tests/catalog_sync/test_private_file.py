"""May others read a key? By its permission bits, where the system has them."""

import pytest

from catalog_sync.private_file import bits_tell, refuse_shared
from subsidy.strict.yaml_text import FileError

# What Windows says of every file that may be written, and of every other one.
OF_WINDOWS = (0o666, 0o444)


@pytest.fixture
def key(tmp_path):
    file = tmp_path / "device.key"
    file.touch()
    return file


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_of_its_users_alone_is_taken(key, mode):
    key.chmod(mode)
    refuse_shared(key, "this key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, *OF_WINDOWS])
def test_a_key_that_others_may_read_is_refused(key, mode):
    key.chmod(mode)
    with pytest.raises(FileError, match=f"others may read this key. Run `chmod 600 {key}`"):
        refuse_shared(key, "this key", "posix")


@pytest.mark.parametrize("mode", OF_WINDOWS)
def test_on_windows_the_bits_say_nothing_and_no_key_is_refused_by_them(key, mode):
    key.chmod(mode)
    refuse_shared(key, "this key", "nt")
    assert bits_tell("posix")
    assert not bits_tell("nt")


@pytest.mark.parametrize("system", ["posix", "nt"])
def test_a_key_that_is_not_there_is_not_taken(tmp_path, system):
    with pytest.raises(FileNotFoundError):
        refuse_shared(tmp_path / "gone.key", "this key", system)
