"""What do the configuration, the commands and the service say of registers?"""

import pytest
from centre import Clock, RunningCentre, ready_centre, write_config
from centre_shell import Shell

from settlement.config import SettingWrong, read_settings
from settlement.db.place import Postgres, Sqlite
from subsidy.strict.yaml_text import FileError
from subsidy.wire import v1

REGISTERS = """\
registers:
  person: {scope: "CN-2026", database: register.sqlite3, key: person.key}
  serial: {scope: "CN", database: register.sqlite3}
"""


def config(folder, registers=REGISTERS):
    """Write a configuration that names registers and return its file."""
    file = write_config(folder)
    file.write_text(file.read_text() + registers)
    return file


def test_registers_are_read_with_their_places(tmp_path):
    server = REGISTERS.replace('"CN", database: register.sqlite3', '"CN", database: "postgresql:///r"')
    found = read_settings(config(tmp_path, server), environment={}).settings.registers
    assert found.of("person").key == tmp_path / "person.key"
    assert found.of("person").database == Sqlite(tmp_path / "register.sqlite3")
    assert found.of("serial").database == Postgres("postgresql:///r")
    assert [one.line for one in found] == [8, 9]
    assert read_settings(config(tmp_path, ""), environment={}).settings.registers.places == ()


@pytest.mark.parametrize(
    ("registers", "says"),
    [
        ("registers: none\n", "line 7, registers"),
        ("registers: {shop: {}}\n", "unknown key shop"),
        ("registers: {serial: {scope: CN}}\n", "database is missing"),
        ("registers: {person: {scope: CN, database: r.sqlite3}}\n", "key is missing"),
        ("registers: {serial: {scope: CN, database: r.sqlite3, key: k}}\n", "unknown key key"),
        ("registers: {serial: {scope: 2026, database: r.sqlite3}}\n", "2026 is not quoted"),
        ('registers: {serial: {scope: " CN", database: r.sqlite3}}\n', "Write the name alone"),
        ('registers: {serial: {scope: CN, database: "mysql://h/r"}}\n', "neither a file nor postgresql"),
    ],
)
def test_what_cannot_be_taken_is_named_with_its_line(tmp_path, registers, says):
    file = config(tmp_path, registers)
    with pytest.raises(FileError, match=says) as wrong:
        read_settings(file, environment={})
    assert (wrong.value.file, wrong.value.line) == (str(file), 7)


def test_registers_are_named_in_the_file_alone(tmp_path):
    with pytest.raises(SettingWrong, match="named in the file alone"):
        read_settings(config(tmp_path), environment={"SETTLEMENT_REGISTERS": "person"})


def test_a_register_is_made_before_a_programme_enters_it(tmp_path):
    shell = Shell(tmp_path, config(tmp_path))
    shell.run("init", exit_code=5)
    assert "settlement register init" in shell.stderr
    assert not (tmp_path / "centre.sqlite3").exists()
    made = shell.json("register", "init")
    scopes = [(one["kind"], one["scope"]) for one in made["registers"]]
    assert scopes == [("person", "CN-2026"), ("serial", "CN")]
    assert (tmp_path / "person.key").stat().st_mode & 0o777 == 0o600
    assert shell.json("register", "init") == made
    shell.run("init")
    shown = shell.json("register", "show")
    assert shown["waiting"] == 0
    assert [one["taken"] for one in shown["databases"][0]["programmes"]] == [0, 0]
    assert "TRAINING" in shell.run("register", "show")


def test_a_configuration_without_registers_makes_none(tmp_path):
    shell = Shell(tmp_path, write_config(tmp_path))
    shell.run("register", "init", exit_code=2)
    shell.run("init")
    assert "the programme is its own" in shell.run("register", "show")


def test_a_register_that_is_down_is_said_and_records_are_still_taken(tmp_path):
    file = config(tmp_path)
    Shell(tmp_path, file).run("register", "init")
    clock = Clock()
    centre, token = ready_centre(read_settings(file, environment={}).settings, tmp_path, clock)
    (tmp_path / "token").write_text(token)
    register = tmp_path / "register.sqlite3"
    with RunningCentre(centre, token, clock, tmp_path) as running:
        client = running.enrol()
        held = client.hold(person=1).sealed
        assert running.session.get(f"{running.url}/readyz", timeout=10).status_code == 200
    centre.registers.close()
    away = register.rename(tmp_path / "away")
    with RunningCentre.start_again(tmp_path) as running:
        client.url, client.session = running.url, running.session
        answer = running.session.get(f"{running.url}/readyz", timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        request = client.hold_request(client.pack_hash, person=2)
        asked = ("v", "item", "prices", "qualification_code", "terminal_no", "tender")
        facts = v1.FactsRequest(**{name: getattr(request, name) for name in asked})
        for path, body in (("/v1/holds", request), ("/v1/facts", facts)):
            refused = client.post(path, body)
            assert (refused.status_code, refused.json()["code"]) == (503, "UNAVAILABLE"), path
            assert refused.json()["retryable"]
        taken = client.send_upload(client.chain(client.paid(held)))
        assert [one.answer for one in taken] == ["accepted"]
        figures = running.session.get(f"{running.url}/metrics", timeout=10).text
        assert "settlement_register_waiting 0.0" in figures
        assert not register.exists()
    away.rename(register)
