"""What does a configuration say, where does each value come from, and what is refused?"""

import pytest
from centre import REPO, write_config

from settlement.config import Settings, read_settings
from settlement.db.place import Sqlite
from subsidy.strict.yaml_text import FileError

EXAMPLE = REPO / "config/settlement.example.yaml"


def read(file, *overrides, **environment):
    """Read a configuration with this command line and environment."""
    return read_settings(file, overrides, environment)


def test_the_example_is_complete_and_loads():
    loaded = read(EXAMPLE)
    assert set(loaded.origins) == set(Settings.model_fields)
    assert loaded.settings.programme == "TRAINING"
    assert loaded.settings.policies.resolve() == REPO / "config/policies"
    assert str(loaded.settings.listen) == "127.0.0.1:8600"


def test_every_key_of_the_example_is_explained():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line and not line.startswith("#"):
            assert lines[number - 1].startswith("# "), line


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path):
    file = write_config(tmp_path, listen='"127.0.0.1:1"')
    assert read(file).settings.listen.port == 1
    assert read(file, SETTLEMENT_LISTEN="127.0.0.1:2").settings.listen.port == 2
    assert read(file, "listen=127.0.0.1:3", SETTLEMENT_LISTEN="127.0.0.1:2").settings.listen.port == 3


def test_every_value_says_where_it_came_from(tmp_path):
    file = write_config(tmp_path)
    file.write_text(file.read_text().replace('listen: "127.0.0.1:0"\n', ""))
    loaded = read(file, "training=true", SETTLEMENT_DATABASE="other.sqlite3")
    origins = {one.name: one.origin for one in loaded.values()}
    assert origins == {
        "programme": f"{file}, line 1",
        "policies": f"{file}, line 2",
        "database": "the environment's SETTLEMENT_DATABASE",
        "keys": f"{file}, line 4",
        "listen": "default",
        "training": "--set training",
        "night": "default",
        "backups": "default",
        "night_at": "default",
        "holds_per_device_s": "default",
        "registers": "default",
    }


def test_relative_paths_are_relative_to_the_file_wherever_they_are_written(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    file = write_config(tmp_path)
    assert read(file).settings.database == Sqlite(tmp_path / "centre.sqlite3")
    assert read(file, "keys=k").settings.keys == tmp_path / "k"
    assert read(file, SETTLEMENT_KEYS="/elsewhere").settings.keys.as_posix() == "/elsewhere"


def test_training_is_off_unless_it_is_said(tmp_path):
    file = write_config(tmp_path)
    file.write_text(file.read_text().replace("training: true\n", ""))
    assert read(file).settings.training is False
    assert str(read(file).settings.listen) == "127.0.0.1:0"


@pytest.mark.parametrize(
    ("text", "line", "where"),
    [
        ('more: "1"', 7, "more"),
        ('programme: "AGAIN"', 7, ""),
        ("training: yes", 6, "training"),
        ('training: "yes"', 6, "training"),
        ("training: 1", 6, "training"),
        ("training: []", 6, "training"),
        ('listen: "8600"', 5, "listen"),
        ('listen: "127.0.0.1:port"', 5, "listen"),
        ('listen: "127.0.0.1:65536"', 5, "listen"),
        ('listen: ":8600"', 5, "listen"),
        ("listen: 127.0.0.1:8600", 5, "listen"),
        ('programme: " "', 1, "programme"),
        ('programme: "A "', 1, "programme"),
        ("programme: []", 1, "programme"),
        ('programme: "A\\u0007"', 1, ""),
        ("database: 7", 3, "database"),
        ("database: {}", 3, "database"),
        ("keys: &a b", 4, ""),
    ],
)
def test_a_value_that_cannot_be_taken_is_named_with_its_line(tmp_path, text, line, where):
    file = write_config(tmp_path)
    key = text.partition(":")[0]
    lines = file.read_text().splitlines()
    at = [number for number, one in enumerate(lines) if one.startswith(f"{key}:")]
    if at and "AGAIN" not in text:
        lines[at[0]] = text
    else:
        lines.append(text)
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(FileError) as wrong:
        read(file)
    assert (wrong.value.file, wrong.value.line) == (str(file), line)
    assert where in wrong.value.where
    assert wrong.value.remedy


@pytest.mark.parametrize("key", ["programme", "policies", "database", "keys"])
def test_a_key_that_is_missing_is_named(tmp_path, key):
    file = write_config(tmp_path)
    lines = [line for line in file.read_text().splitlines() if not line.startswith(f"{key}:")]
    file.write_text("\n".join(lines))
    with pytest.raises(FileError, match=f"{key} is missing"):
        read(file)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SETTLEMENT_LISTN", "127.0.0.1:1"),
        ("SETTLEMENT_listen", "127.0.0.1:1"),
        ("SETTLEMENT_LISTEN", "nonsense"),
        ("SETTLEMENT_TRAINING", "1"),
        ("SETTLEMENT_PROGRAMME", ""),
    ],
)
def test_the_environment_is_read_as_strictly(tmp_path, variable, value):
    with pytest.raises(FileError, match=variable) as wrong:
        read(write_config(tmp_path), **{variable: value})
    assert wrong.value.remedy


def test_variables_of_others_and_the_files_own_are_no_settings(tmp_path):
    read(write_config(tmp_path), PATH="/bin", SETTLEMENT_CONFIG="x", SETTLEMENTS="y")


@pytest.mark.parametrize("override", ["listn=1", "listen", "=1", "", "training=1", "listen=x"])
def test_the_command_line_is_read_as_strictly(tmp_path, override):
    with pytest.raises(FileError, match="--set") as wrong:
        read(write_config(tmp_path), override)
    assert wrong.value.remedy


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        read(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"programme: \xe9\n")
    with pytest.raises(FileError, match="not UTF-8"):
        read(tmp_path / "latin.yaml")


def test_an_ipv6_address_is_taken(tmp_path):
    settings = read(write_config(tmp_path), "listen=[::1]:8600").settings
    assert (settings.listen.host, str(settings.listen)) == ("::1", "[::1]:8600")


@pytest.mark.parametrize(
    ("text", "shown"), [("10:30", "10:30"), ("00:00", "00:00"), ("23:59", "23:59"), ("never", "")]
)
def test_the_hour_of_the_night_is_a_time_of_day_or_never(tmp_path, text, shown):
    loaded = read(write_config(tmp_path, night_at=f'"{text}"', night="night.yaml"))
    assert {one.name: one.value for one in loaded.values()}["night_at"] == shown
    assert loaded.settings.night == tmp_path / "night.yaml"


@pytest.mark.parametrize("text", ["10", "24:00", "10:60", "1:30", "10:30:00", "noon", "10：30"])
def test_an_hour_that_is_none_is_refused_with_its_line(tmp_path, text):
    with pytest.raises(FileError, match="not a time of day") as wrong:
        read(write_config(tmp_path, night_at=f'"{text}"'))
    assert wrong.value.line == 7
