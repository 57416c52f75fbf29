"""What do the commands on people, tokens, proposals and the audit do, print and exit with?"""

import getpass

import pytest
from books import copy_template
from centre import APPROVER, PROPOSER
from centre_shell import Shell
from people_shell import PASSWORD, add, audited, fresh_centre, log_in, shown

from settlement.db.connection import engine_on, writing
from settlement.db.place import Sqlite
from settlement.people import sessions
from settlement.system import random_bytes, wall_ms

TOP_UP = ("top-up", "--year", "2026", "--part", "central=1.00", "--reference", "doc 1")
US = f"os:{getpass.getuser()}"


@pytest.fixture
def fresh(tmp_path):
    """A centre that was just set up: nobody but its first service."""
    return fresh_centre(tmp_path)


@pytest.fixture
def shell(tmp_path):
    """A centre that is set up, with two people."""
    return Shell(tmp_path, copy_template(tmp_path))


def test_from_the_first_person_to_money_moved_by_two(fresh):
    wang = log_in(fresh, "wang", add(fresh, "wang", "--first"))
    li = log_in(fresh, "li", add(fresh, "li", "--role", "approver", token=wang))
    zhao = log_in(fresh, "zhao", add(fresh, "zhao", "--role", "operations", token=wang))
    proposed = fresh.json(*TOP_UP, token=zhao)
    assert fresh.rows("SELECT count(*) FROM funding") == [(0,)]
    fresh.run("approve", proposed["proposal"], token=zhao, exit_code=6)
    assert fresh.json("approve", proposed["proposal"], token=li)["proposal"]["decided_by"] == "li"
    assert fresh.rows("SELECT count(*) FROM funding") == [(1,)]
    assert audited(fresh, "approve") == [("zhao", "token", "denied"), ("li", "token", "done")]
    assert "whole" in fresh.run("audit", "verify")
    assert "li (token)  approve" in fresh.run("audit", "ls")


def test_the_audits_newest_entry_is_told_so_that_whoever_notes_it_sees_a_cut(fresh):
    fresh.run("ledger", "verify")
    (newest,) = fresh.rows("SELECT entry_no, hash FROM audit_entry ORDER BY entry_no DESC LIMIT 1")
    told = fresh.json("audit", "verify")
    assert (told["newest"], told["newest_hash"]) == newest
    fresh.run("ledger", "verify")
    assert fresh.rows(f"SELECT hash FROM audit_entry WHERE entry_no = {newest[0]}") == [newest[1:]]


def test_the_first_service_reads_and_proposes_and_never_approves(fresh):
    fresh.run("ledger", "balances", token=fresh.first_token)
    proposed = fresh.json(*TOP_UP, token=fresh.first_token)
    fresh.run("approve", proposed["proposal"], token=fresh.first_token, exit_code=6)
    fresh.run("users", "roles", "operator", "--give", "approver", exit_code=6)


def test_the_server_adds_administrators_until_there_are_two(fresh):
    for name in ("wang", "chen"):
        add(fresh, name, "--first")
    fresh.json("users", "add", "gao", "--first", typed=f"{PASSWORD}\n", exit_code=6)
    assert "there are two administrators already" in fresh.stderr
    fresh.json("users", "add", "li", "--first", "--role", "approver", typed=f"{PASSWORD}\n", exit_code=2)
    assert audited(fresh, "users add --first") == [(US, "os", "done")] * 2


def test_the_servers_account_adds_nobody_else(shell):
    shell.json("users", "add", "zhao", "--role", "operations", typed=f"{PASSWORD}\n", exit_code=6)
    assert "needs a user" in shell.stderr
    assert "SETTLEMENT_TOKEN" in shell.stderr
    assert audited(shell, "users add") == [(US, "os", "denied")]


@pytest.mark.parametrize(
    "words",
    [
        TOP_UP,
        ("approve", "P-1"),
        ("proposals", "decline", "P-1", "--reason", "x"),
        ("users", "disable", "li"),
    ],
    ids=lambda words: words[0],
)
def test_what_moves_money_or_decides_needs_a_user(shell, words):
    shell.run(*words, exit_code=6)
    assert "needs a user" in shell.stderr


@pytest.mark.parametrize(
    "words",
    [("ledger", "verify"), ("ledger", "balances"), ("claims", "show"), ("enrol-code", "--shop", "S0031")],
    ids=" ".join,
)
def test_routine_is_done_by_the_servers_account_and_audited(shell, words):
    shell.run(*words)
    what = "enrol-code" if words[0] == "enrol-code" else " ".join(words)
    assert audited(shell, what) == [(US, "os", "done")]


def test_under_a_token_a_command_is_its_users_and_bound_to_its_roles(shell):
    shell.run("enrol-code", "--shop", "S0031", token=shell.approver, exit_code=6)
    assert f"{APPROVER} may not run" in shell.stderr
    shell.run("enrol-code", "--shop", "S0031", token=shell.proposer)
    assert audited(shell, "enrol-code") == [(APPROVER, "token", "denied"), (PROPOSER, "token", "done")]


def test_a_token_that_does_not_count_is_not_the_servers_account(shell):
    shell.run("ledger", "verify", token="x" * 43, exit_code=6)
    assert "does not count" in shell.stderr


def test_a_token_may_lie_in_a_file(shell):
    shell.run(*TOP_UP, "--token-file", str(shell.folder / "token"))
    for content in ("", "王"):
        (shell.folder / "odd").write_text(content)
        shell.run(*TOP_UP, "--token-file", str(shell.folder / "odd"), exit_code=3)
    shell.run(*TOP_UP, "--token-file", str(shell.folder / "missing"), exit_code=3)


def test_a_command_that_is_refused_is_audited_so(shell):
    shell.run("enrol-code", "--shop", "NOSUCH", exit_code=2)
    shell.run(*TOP_UP, "--dry-run", token=shell.proposer)
    assert audited(shell, "enrol-code") == [(US, "os", "refused")]
    assert audited(shell, "top-up 2026") == [(PROPOSER, "token", "dry run")]


def test_people_are_listed_given_roles_and_disabled(fresh):
    wang = log_in(fresh, "wang", add(fresh, "wang", "--first"))
    sun = add(fresh, "sun", "--role", "reviewer@county:321202", token=wang)
    log_in(fresh, "sun", sun)
    assert fresh.json("users", "roles", "sun", "--give", "auditor", token=wang)["roles"] == [
        "auditor",
        "reviewer@county:321202",
    ]
    dry = fresh.json("users", "roles", "sun", "--take", "auditor", "--dry-run", token=wang)
    assert dry["roles"] == ["reviewer@county:321202"]
    assert "auditor, reviewer@county:321202" in fresh.run("users", "ls")
    fresh.run("users", "roles", "wang", "--give", "auditor", token=wang, exit_code=6)
    fresh.run("users", "roles", "sun", "--give", "emperor", token=wang, exit_code=2)
    fresh.run("users", "disable", "sun", "--dry-run", token=wang)
    fresh.run("users", "disable", "sun", token=wang)
    assert "(disabled)" in fresh.run("users", "ls")
    (token,) = [one for one in fresh.run("token", "ls").splitlines() if one.startswith("sun")]
    assert token.endswith("its user is disabled")
    fresh.run("users", "disable", "sun", token=wang, exit_code=6)
    fresh.run("users", "disable", "nobody", token=wang, exit_code=2)


def test_a_dry_run_adds_nobody_and_shows_no_secret(fresh):
    wang = log_in(fresh, "wang", add(fresh, "wang", "--first"))
    for words, token in ((("--role", "approver"), wang), (("--service", "--role", "auditor"), wang)):
        made = fresh.json("users", "add", "li", *words, "--dry-run", token=token, typed=f"{PASSWORD}\n")
        assert made["second_factor"] is None
    assert fresh.rows("SELECT count(*) FROM centre_user WHERE name = 'li'") == [(0,)]


def test_a_weak_password_or_odd_name_adds_nobody(fresh):
    for name, password in (("wang", "short"), ("wang", ""), ("Wang", PASSWORD), ("wa\u202eng", PASSWORD)):
        fresh.json("users", "add", name, "--first", typed=f"{password}\n", exit_code=2)
    assert fresh.rows("SELECT count(*) FROM centre_user WHERE kind = 'human'") == [(0,)]


def test_a_token_is_made_listed_and_revoked(fresh):
    secret = add(fresh, "wang", "--first")
    token = log_in(fresh, "wang", secret)
    mine = fresh.json("token", "new", "report", "--days", "1", token=token, typed=shown(secret, 1))["token"]
    fresh.json("users", "ls", token=mine)
    assert "report" in fresh.run("token", "ls")
    assert mine not in fresh.run("token", "ls")
    fresh.run("token", "revoke", "report", token=token)
    fresh.run("users", "ls", token=mine, exit_code=6)
    fresh.run("token", "revoke", "report", token=token, exit_code=6)
    fresh.run("token", "revoke", "missing", token=token, exit_code=2)
    fresh.run("token", "new", "x", exit_code=2)


def test_a_persons_token_is_made_by_that_person_alone(fresh):
    secret = add(fresh, "wang", "--first")
    wang = log_in(fresh, "wang", secret)
    add(fresh, "li", "--role", "approver", token=wang)
    fresh.run("token", "new", "x", "--user", "li", token=wang, typed=shown(secret, 1), exit_code=6)
    assert "li is a person" in fresh.stderr
    words = ("token", "new", "x", "--user", "operator")
    assert fresh.json(*words, token=wang, typed=shown(secret, 1))["token"]
    assert log_in(fresh, "li", b"s" * 20, exit_code=6) is None


@pytest.mark.parametrize("words", [(), ("--user", "operator")], ids=["of one's own", "of a service"])
@pytest.mark.parametrize("is_session", [True, False])
def test_a_token_alone_makes_no_token_that_outlives_it(fresh, words, is_session):
    token = log_in(fresh, "wang", add(fresh, "wang", "--first"))
    if is_session:
        with writing(engine_on(Sqlite(fresh.folder / "centre.sqlite3"))) as connection:
            token = sessions.begin(connection, "wang", random_bytes, wall_ms())
    before = fresh.rows("SELECT label FROM user_token")
    fresh.run("token", "new", "mine", *words, token=token, exit_code=6)
    assert "the password or the code is wrong" in fresh.stderr
    assert fresh.rows("SELECT label FROM user_token") == before
    assert audited(fresh, "token new")[-1] == ("wang", "session" if is_session else "token", "refused")


def test_a_service_makes_no_token_for_itself(fresh):
    fresh.run("token", "new", "mine", token=fresh.first_token, exit_code=6)
    assert "an administrator makes its tokens" in fresh.stderr


def test_a_command_in_a_file_is_proposed_shown_declined_and_withdrawn(shell):
    file = shell.folder / "close.json"
    file.write_text('{"type": "close_year", "year": 2026}')
    proposed = shell.propose("propose", str(file))
    name = proposed["proposal"]
    assert name in shell.run("proposals", "ls")
    said = shell.run("proposals", "show", name)
    assert proposed["shown_hash"] in said
    assert "close 2026 for good" in said
    shell.run("proposals", "withdraw", name, "--reason", "x", token=shell.approver, exit_code=6)
    shell.run("proposals", "decline", name, "--reason", "not yet", "--dry-run", token=shell.approver)
    shell.run("proposals", "decline", name, "--reason", "not yet", token=shell.approver)
    assert "nothing waits" in shell.run("proposals", "ls")
    assert "DECLINED by li: not yet" in shell.run("proposals", "show", name)
    assert name in shell.run("proposals", "ls", "--all")
    again = shell.propose("propose", str(file))["proposal"]
    shell.run("proposals", "withdraw", again, "--reason", "later", token=shell.proposer)
    shell.run("approve", again, token=shell.approver, exit_code=6)
    shell.run("approve", "P-NOTHERE", token=shell.approver, exit_code=2)


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"type": "place_hold"}', '{"type": "close_year", "year": 2026.0}', "[]", "\ufeff{}"],
)
def test_a_file_that_is_no_command_is_3(shell, content):
    (shell.folder / "odd.json").write_text(content)
    shell.run("propose", str(shell.folder / "odd.json"), token=shell.proposer, exit_code=3)


def test_approving_looks_before_it_acts(shell):
    proposed = shell.propose(*TOP_UP)
    words = ("approve", proposed["proposal"])
    shell.run(*words, "--shown-hash", "0" * 64, token=shell.approver, exit_code=6)
    dry = shell.run(*words, "--dry-run", token=shell.approver)
    assert "nothing was changed" in dry
    assert "central         available" in dry
    assert shell.rows("SELECT count(*) FROM funding") == [(1,)]
    shell.run(*words, "--shown-hash", proposed["shown_hash"], token=shell.approver)
    assert shell.rows("SELECT count(*) FROM funding") == [(2,)]


def test_what_is_approved_names_the_pool_that_loses_and_the_one_that_gains(shell):
    move = ("transfer", "--from", "2026", "--to", "2026", "--to-pool", "group=A/county=321202")
    words = (*move, "--part", "central=1.00", "--reference", "doc 9", "--dry-run")
    said = shell.run(*words, token=shell.proposer).splitlines()
    assert [one.split() for one in said if " available " in one] == [
        ["2026", "central", "available", "-1.00"],
        ["2026", "central", "available", "1.00", "group=A/county=321202"],
    ]
