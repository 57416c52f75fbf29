"""What do the centre's commands do, print and exit with?"""

import errno
import stat
from pathlib import Path

import pytest
import reference_data as reference
from books import copy_template
from centre import POLICIES, write_config
from centre_shell import Shell
from typer.testing import CliRunner

from settlement.cli import app
from settlement.db.connection import engine_on, writing
from settlement.db.place import Sqlite

COMMANDS = (
    ["init"],
    ["serve"],
    ["enrol-code"],
    ["import", "shops"],
    ["import", "products"],
    ["import", "prices"],
    ["import", "qualifications"],
    ["top-up"],
    ["ledger", "verify"],
    ["ledger", "balances"],
    ["config", "show"],
    ["register", "init"],
    ["register", "show"],
    ["claims", "build"],
    ["claims", "pay"],
    ["claims", "reject"],
    ["claims", "correct"],
    ["claims", "repaid"],
    ["claims", "enter-late"],
    ["claims", "show"],
    ["year", "close"],
    ["propose"],
    ["approve"],
    ["proposals", "ls"],
    ["proposals", "show"],
    ["proposals", "decline"],
    ["proposals", "withdraw"],
    ["users", "add"],
    ["users", "disable"],
    ["users", "roles"],
    ["users", "ls"],
    ["users", "password"],
    ["token", "new"],
    ["token", "revoke"],
    ["token", "ls"],
    ["audit", "ls"],
    ["audit", "verify"],
)
TOP_UP = ("top-up", "--year", "2026", "--reference", "示例财建〔2026〕9号")


@pytest.fixture
def fresh(tmp_path):
    """A configuration, and nothing else."""
    return Shell(tmp_path, write_config(tmp_path))


@pytest.fixture
def shell(tmp_path):
    """A centre that is set up, with reference data and money."""
    return Shell(tmp_path, copy_template(tmp_path))


# Set-up.


def test_init_makes_database_keys_and_a_token_that_is_shown_once(fresh):
    first = fresh.json("init")
    assert first["programme"] == "TRAINING"
    assert len(first["api_token"]) == 43
    assert first["api_token"] not in (fresh.folder / "centre.sqlite3").read_bytes().decode("latin-1")
    again = fresh.json("init")
    assert again["api_token"] is None
    assert again["key_id"] == first["key_id"]
    assert fresh.rows("SELECT value FROM meta WHERE name = 'programme'") == [("TRAINING",)]


def test_another_token_is_made_only_when_it_is_asked_for(fresh):
    first = fresh.json("init")["api_token"]
    second = fresh.json("init", "--new-token")["api_token"]
    assert second not in (None, first)
    assert len(fresh.rows("SELECT token_hash FROM user_token WHERE name = 'operator'")) == 2


def test_only_the_services_user_may_read_keys_and_database(fresh):
    fresh.run("init")
    for path in (fresh.folder / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((fresh.folder / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((fresh.folder / "centre.sqlite3").stat().st_mode) == 0o600


def test_init_keeps_what_is_there(shell):
    before = shell.rows("SELECT * FROM balance"), shell.rows("SELECT * FROM qualification")
    shell.run("init")
    assert (shell.rows("SELECT * FROM balance"), shell.rows("SELECT * FROM qualification")) == before


def test_another_programmes_database_is_refused(shell):
    file = write_config(shell.folder, POLICIES, programme='"JS-321200"')
    shell.file = file
    for command in (["init"], ["ledger", "verify"], ["serve"]):
        shell.run(*command, exit_code=3)
        assert "holds the books of programme TRAINING, not JS-321200" in shell.stderr
    assert shell.rows("SELECT value FROM meta WHERE name = 'programme'") == [("TRAINING",)]


def test_a_training_programme_is_not_loaded_unless_the_configuration_says_so(fresh):
    fresh.file = write_config(fresh.folder, training="false")
    fresh.run("init", exit_code=3)
    assert "is for training" in fresh.stderr
    assert not (fresh.folder / "centre.sqlite3").exists()


def test_a_real_programme_takes_no_emulated_terminal_even_in_a_training_configuration(fresh):
    fresh.file = write_config(fresh.folder, POLICIES, programme='"JS-321200"', training="true")
    fresh.run("init")
    shops = reference.write(fresh.folder)["shops"]
    fresh.run("import", "shops", str(shops), exit_code=3)
    assert "emulated" in fresh.stderr


# Reference data, codes and money.


def test_reference_data_is_taken_in(fresh):
    fresh.run("init")
    for kind, file in reference.write(fresh.folder).items():
        dry = fresh.json("import", kind, str(file), "--dry-run")
        assert dry["dry_run"] is True
        found = fresh.json("import", kind, str(file))
        assert found["imported"] == dry["imported"]
        assert found["imported"][0]["new"] > 0
        again = fresh.json("import", kind, str(file))
        assert all((one["new"], one["changed"]) == (0, 0) for one in again["imported"])


def test_a_dry_run_changes_nothing(fresh):
    fresh.run("init")
    for kind, file in reference.write(fresh.folder).items():
        if kind != "prices":
            fresh.run("import", kind, str(file), "--dry-run")
    for table in ("merchant", "shop", "terminal", "product", "qualification"):
        assert fresh.rows(f"SELECT * FROM {table}") == []


def test_every_error_of_a_file_is_printed_and_the_exit_is_3(shell):
    file = shell.folder / "products.csv"
    file.write_text("gtin,name,brand,category,energy_level\n1,a,b,AC,1\n2,a,b,AC,1\n")
    shell.run("import", "products", str(file), exit_code=3)
    lines = shell.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"{file}, line 2, column gtin",
        f"{file}, line 3, column gtin",
    ]


def test_a_code_is_made_for_a_shop(shell):
    found = shell.json("enrol-code", "--shop", reference.SHOP, "--valid-minutes", "5")
    secret, _, kid = found["code"].partition("-")
    assert (len(secret), len(kid)) == (26, 16)
    assert found["shop"] == reference.SHOP
    assert "code   " in shell.run("enrol-code", "--shop", reference.SHOP)
    assert secret not in str(shell.rows("SELECT * FROM enrol_code"))


def test_a_dry_run_makes_no_code(shell):
    dry = shell.json("enrol-code", "--shop", reference.SHOP, "--dry-run")
    assert (dry["code"], dry["shop"], dry["dry_run"]) == (None, reference.SHOP, True)
    assert "dry run" in shell.run("enrol-code", "--shop", reference.SHOP, "--dry-run")
    assert shell.rows("SELECT * FROM enrol_code") == []
    shell.run("enrol-code", "--shop", "NOSUCH", "--dry-run", exit_code=2)


def test_a_dry_run_saves_nothing(shell):
    target = shell.folder / "copies" / "copy.sqlite3"
    dry = shell.json("backup", str(target), "--dry-run")
    assert dry == {"file": str(target), "dry_run": True, "manifest": None}
    assert "dry run" in shell.run("backup", str(target), "--dry-run")
    assert not target.parent.exists()


def test_a_dry_run_of_init_makes_nothing(fresh):
    before = sorted(fresh.folder.rglob("*"))
    dry = fresh.json("init", "--dry-run")
    assert (dry["api_token"], dry["key_id"], dry["dry_run"]) == (None, None, True)
    assert "dry run" in fresh.run("init", "--dry-run")
    assert sorted(fresh.folder.rglob("*")) == before
    assert fresh.json("init")["database"] == dry["database"]


def test_there_is_no_code_for_a_shop_that_is_not_there(shell):
    shell.run("enrol-code", "--shop", "NOSUCH", exit_code=2)
    assert "there is no shop NOSUCH" in shell.stderr


def test_money_is_added_once_for_each_document(shell):
    parts = ("--part", "central=100.00", "--part", "county=5.50")
    dry = shell.propose(*TOP_UP, *parts, "--dry-run")
    assert dry["available_fen"] == {"central": 85_010_000, "county": 5_000_550}
    assert shell.rows("SELECT count(*) FROM proposal") == [(0,)]
    proposed = shell.propose(*TOP_UP, *parts)
    assert proposed["available_fen"] == dry["available_fen"]
    assert shell.rows("SELECT count(*) FROM funding") == [(1,)]
    shell.run("approve", proposed["proposal"], token=shell.approver)
    for more in ((), ("--dry-run",)):
        shell.run(*TOP_UP, *parts, *more, exit_code=6, token=shell.proposer)
        assert "示例财建〔2026〕9号 is booked for 2026" in shell.stderr
    assert shell.json("ledger", "balances")["balances"][0]["fen"] == -85_010_000


@pytest.mark.parametrize(
    "part",
    [
        "central=100",
        "central=1e3",
        "central=-1.00",
        "central=0.00",
        "central",
        "=1.00",
        "nobody=1.00",
        "central=１.00",
    ],
)
def test_money_is_written_as_yuan_of_a_known_funder(shell, part):
    shell.run(*TOP_UP, "--part", part, exit_code=2, token=shell.proposer)
    assert shell.rows("SELECT count(*) FROM funding") == [(1,)]


def test_a_funder_stands_once(shell):
    shell.run(*TOP_UP, "--part", "central=1.00", "--part", "central=2.00", exit_code=2, token=shell.proposer)


@pytest.mark.parametrize("year", ["2023", "26", "x"])
def test_a_programme_year_is_one_that_can_be(shell, year):
    shell.run("top-up", "--year", year, "--reference", "x", "--part", "central=1.00", exit_code=2)


# The books.


def test_true_books_are_told_so(shell):
    assert shell.json("ledger", "verify") == {"true": True, "faults": []}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            "UPDATE balance SET fen = fen + 1 WHERE funder = 'city' AND account = 'available'",
            "city available 2026",
        ),
        (
            "INSERT INTO posting VALUES (1, 99, 'topped_up', 'city', 'available', 2026, 5, '')",
            "event 1: city 2026",
        ),
        ("DELETE FROM balance WHERE funder = 'city'", "balance city"),
    ],
)
def test_books_that_are_not_true_are_named_and_the_exit_is_1(shell, change, fault):
    shell.sql(change)
    found = shell.json("ledger", "verify", exit_code=1)
    assert found["true"] is False
    assert any(fault in one for one in found["faults"])


def test_balances_are_printed_in_yuan(shell):
    out = shell.run("ledger", "balances")
    assert "2026  central         available                        850000.00" in out


def test_books_without_money_are_no_error(fresh):
    fresh.run("init")
    assert "no money has moved yet" in fresh.run("ledger", "balances")
    assert fresh.json("ledger", "balances") == {"balances": []}


# The configuration.


def test_the_settings_are_shown_with_their_origin(shell):
    found = shell.json("config", "show", "--origin", "--set", "listen=127.0.0.1:9")
    assert found["listen"] == {"value": "127.0.0.1:9", "origin": "--set listen"}
    assert found["programme"] == {"value": "TRAINING", "origin": f"{shell.file}, line 1"}
    assert shell.json("config", "show")["training"] == "true"
    assert f"({shell.file}, line 1)" in shell.run("config", "show", "--origin")


# What an operator can get wrong.


def test_no_command_shows_a_traceback_for_what_an_operator_can_cause(fresh):
    fresh.run("ledger", "verify", exit_code=3)
    assert "Run `settlement init`" in fresh.stderr
    fresh.run("import", "products", "missing.csv", exit_code=3)
    (fresh.folder / "centre.sqlite3").write_bytes(b"this is no database" * 100)
    fresh.run("init", exit_code=3)
    assert "not an SQLite database" in fresh.stderr
    fresh.file = fresh.folder / "missing.yaml"
    fresh.run("init", exit_code=3)
    assert "No such file" in fresh.stderr


def test_somebody_elses_database_is_refused_and_left_as_it_is(fresh):
    import pysqlite3.dbapi2 as sqlite

    file = fresh.folder / "centre.sqlite3"
    with sqlite.connect(file) as theirs:
        theirs.execute("CREATE TABLE theirs (a)")
    theirs.close()
    before = file.read_bytes()
    fresh.run("init", exit_code=3)
    assert "not a centre's database" in fresh.stderr
    assert file.read_bytes() == before


def test_a_locked_database_is_5_and_try_again(shell, monkeypatch):
    monkeypatch.setattr("settlement.db.connection.BUSY_S", 0.1)
    with writing(engine_on(Sqlite(shell.folder / "centre.sqlite3"))):
        shell.run("enrol-code", "--shop", reference.SHOP, exit_code=5)
    assert "try again" in shell.stderr


def test_a_file_that_is_missing_is_3(shell):
    shell.run("import", "products", str(shell.folder / "missing.csv"), exit_code=3)
    assert "No such file" in shell.stderr
    shell.run("import", "products", str(shell.folder), exit_code=3)


@pytest.mark.parametrize("key", ["signing.key", "index.key"])
def test_a_key_that_is_missing_or_open_to_others_is_3(shell, key):
    path = shell.folder / "keys" / key
    path.chmod(0o644)
    shell.run("ledger", "verify", exit_code=3)
    assert "chmod 600" in shell.stderr
    path.unlink()
    shell.run("ledger", "verify", exit_code=3)
    path.write_text("zz")
    path.chmod(0o600)
    shell.run("ledger", "verify", exit_code=3)
    assert "not 32 bytes in hex" in shell.stderr


def test_a_folder_without_packs_or_with_a_broken_one_is_3(fresh):
    (fresh.folder / "packs").mkdir()
    fresh.file = write_config(fresh.folder, fresh.folder / "packs")
    fresh.run("init", exit_code=3)
    (fresh.folder / "packs/a.yaml").write_text("kind: nothing\n")
    fresh.run("init", exit_code=3)
    assert "a.yaml, line 1" in fresh.stderr


def test_a_programme_without_a_pack_is_3(fresh):
    fresh.file = write_config(fresh.folder, programme='"NOSUCH"')
    fresh.run("init", exit_code=3)
    assert "no pack is of programme NOSUCH" in fresh.stderr
    assert "TRAINING" in fresh.stderr


def test_tables_of_another_version_are_3(shell):
    shell.sql("UPDATE alembic_version SET version_num = '0000'")
    shell.run("ledger", "verify", exit_code=3)
    assert "another version" in shell.stderr


def test_an_error_with_json_is_one_document_too(fresh):
    found = fresh.json("ledger", "verify", exit_code=3)
    assert found["exit_code"] == 3
    assert "there is no database" in found["error"]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command):
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    shown = " ".join(result.output.replace("│", " ").split())
    assert f"settlement {' '.join(command)} " in shown
    assert "Example:" in shown
    assert "--json" in shown
    assert "--config" in shown


def test_the_file_may_be_named_by_the_environment(shell, monkeypatch):
    monkeypatch.setenv("SETTLEMENT_CONFIG", str(shell.file))
    assert CliRunner().invoke(app, ["ledger", "verify"]).exit_code == 0


def test_nothing_runs_without_a_configuration():
    assert CliRunner().invoke(app, ["ledger", "verify"]).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("claims", "show", "C-{}"),
        ("claims", "build", "--date", "2026-03-01", "--merchant", "{}"),
        ("proposals", "show", "{}"),
        ("holds", "ls", "--shop", "{}"),
        ("devices", "gaps", "{}"),
        ("devices", "freeze", "{}", "--reason", "stolen"),
        ("freeze", "shop", "{}", "--reason", "a test"),
        ("enrol-code", "--shop", "{}"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_a_terminal_of_another_encoding_types_is_not_called_a_bug_of_ours(shell, words):
    typed = "门店".encode("gbk").decode(errors="surrogateescape")
    before = shell.rows("SELECT count(*) FROM event")
    shell.run(*(word.format(typed) for word in words), exit_code=2)
    assert "not UTF-8. Set the terminal to UTF-8" in shell.stderr
    assert shell.json(*(word.format(typed) for word in words), exit_code=2)["exit_code"] == 2
    assert shell.rows("SELECT count(*) FROM event") == before
    shell.run("audit", "verify")


@pytest.mark.parametrize(
    ("words", "exit_code"), [(("restore", "backup", "--into", "new.sqlite3"), 5), (("drill", "backup"), 1)]
)
def test_what_this_account_may_not_touch_is_named_and_no_bug_of_ours(shell, monkeypatch, words, exit_code):
    is_file = Path.is_file

    def denied(file):
        if file == Path("backup"):
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return is_file(file)

    monkeypatch.chdir(shell.folder)
    monkeypatch.setattr(Path, "is_file", denied)
    shell.run(*words, exit_code=exit_code)
    assert "Permission denied" in shell.stderr
    assert "backup" in shell.stderr
