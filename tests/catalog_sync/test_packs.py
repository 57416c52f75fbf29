"""Which policy packs lie in this folder?"""

import pytest
import small_pack

from catalog_sync import packs
from subsidy.strict.yaml_text import FileError


def save(folder, files):
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())


def test_the_packs_of_a_folder_are_read_by_programme(tmp_path):
    save(tmp_path, small_pack.texts())
    (tmp_path / "README.md").write_text("not a pack")
    assert packs.read_folder(tmp_path) == {"P": small_pack.pack()}


def test_the_hash_is_over_the_bytes_on_disk(tmp_path):
    save(tmp_path, small_pack.texts())
    before = packs.read_folder(tmp_path)["P"]
    save(tmp_path, {"rules.yaml": small_pack.RULES.replace("\n", "\r\n")})
    after = packs.read_folder(tmp_path)["P"]
    assert after.rule_sets == before.rule_sets
    assert after.hash != before.hash


def test_a_file_over_the_limit_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "MOST_BYTES", 10)
    save(tmp_path, {"x.yaml": "kind: rules\n"})
    with pytest.raises(FileError, match=r"x\.yaml, line 1: more than 10 bytes\. Split the file"):
        packs.read_folder(tmp_path)


def test_a_folder_named_like_a_file_is_refused(tmp_path):
    (tmp_path / "x.yaml").mkdir()
    with pytest.raises(FileError, match="cannot be read"):
        packs.read_folder(tmp_path)


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_a_folder_without_files_is_refused(tmp_path, name):
    with pytest.raises(FileError, match="no policy file in this folder"):
        packs.read_folder(tmp_path / name)
