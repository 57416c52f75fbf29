"""Can one administrator become two people, by any command? And what can a person still do alone?"""

import getpass
import time

import pytest
from people_shell import (
    PASSWORD,
    STEP_MS,
    add,
    administrators,
    agree,
    audited,
    fresh_centre,
    let_in,
    log_in,
    shown,
)
from phone import code, secret_of

from settlement.system import wall_ms

ANOTHER = "seven cats chase one ball"
US = f"os:{getpass.getuser()}"
TOP_UP = ("top-up", "--year", "2026", "--part", "central=1.00", "--reference", "doc 1")


@pytest.fixture
def fresh(tmp_path):
    """A centre that was just set up."""
    return fresh_centre(tmp_path)


@pytest.fixture
def staffed(fresh):
    """A centre with an administrator, who proposes and who approves, then with a second administrator."""
    (fresh.wang,) = administrators(fresh, "wang")
    fresh.phones = {
        name: add(fresh, name, "--role", role, token=fresh.wang)
        for name, role in (("zhao", "operations"), ("li", "approver"))
    }
    fresh.phones["chen"] = add(fresh, "chen", "--first")
    fresh.chen = log_in(fresh, "chen", fresh.phones["chen"])
    return fresh


def people(shell):
    """Return everything that says who is known and what each can do, but for tries to log in."""
    query = "SELECT name, password, hex(totp), disabled_ms FROM centre_user ORDER BY name"
    return [*shell.rows(query), *shell.rows("SELECT * FROM user_role ORDER BY name, role, scope")]


def own(shell, name, *typed, exit_code=0, words=()):
    """Change one's own password: what is typed is the old one, the code and the new one."""
    lines = "".join(f"{one}\n" for one in typed)
    return shell.json("users", "password", name, *words, typed=lines, exit_code=exit_code)


# Another person's password.


def test_one_administrator_resets_nobody_and_two_do(staffed):
    before = people(staffed)
    proposed = staffed.json("users", "password", "li", token=staffed.wang, typed=f"{ANOTHER}\n")
    name = proposed["proposal"]
    assert people(staffed) == before
    # Neither who proposed it, nor whom it is about, nor who is no administrator.
    staffed.run("approve", name, token=staffed.wang, exit_code=6)
    assert "Another person approves it" in staffed.stderr
    li = log_in(staffed, "li", staffed.phones["li"])
    for other in (li, staffed.first_token, log_in(staffed, "zhao", staffed.phones["zhao"])):
        staffed.run("approve", name, token=other, exit_code=6)
    staffed.run("approve", name, exit_code=6)
    said = ("users", "password", "li", "--proposal", name)
    typed = f"{proposed['code']}\n{ANOTHER}\n"
    staffed.run(*said, token=staffed.chen, typed=typed, exit_code=6)
    staffed.json("approve", name, token=staffed.chen)
    assert people(staffed) == before
    # Who proposed it has the code and not the approval, who approved it the other way round.
    staffed.run(*said, token=staffed.wang, typed=typed, exit_code=6)
    staffed.run(*said, token=staffed.chen, typed=f"AAAA-AAAA-AAAA-AAAA\n{ANOTHER}\n", exit_code=6)
    staffed.run(*said, token=staffed.chen, typed=f"{proposed['code']}\nshort\n", exit_code=2)
    staffed.run("users", "password", "zhao", "--proposal", name, token=staffed.chen, typed=typed, exit_code=6)
    staffed.run(*said, "--dry-run", token=staffed.chen, typed=typed)
    assert people(staffed) == before
    secret = let_in(staffed, "li", proposed | {"code": proposed["code"].lower()}, staffed.chen, ANOTHER)
    staffed.run(*said, token=staffed.chen, typed=typed, exit_code=6)
    assert log_in(staffed, "li", secret, "new phone", password=ANOTHER)
    # What was made with the old ones counts no more.
    staffed.run("proposals", "ls", token=li, exit_code=6)
    assert "does not count" in staffed.stderr
    tried = audited(staffed, "users password --proposal")
    assert tried == [
        ("chen", "token", "refused"),
        ("wang", "token", "refused"),
        *[("chen", "token", "refused")] * 3,
        ("chen", "token", "dry run"),
        ("chen", "token", "done"),
        ("chen", "token", "refused"),
    ]
    assert audited(staffed, "users password") == [("wang", "token", "done")]


def test_what_was_proposed_for_one_resets_no_two(staffed):
    proposed = agree(staffed, "users", "password", "li", by=staffed.wang, approved_by=staffed.chen)
    own(staffed, "li", PASSWORD, code(staffed.phones["li"], wall_ms()), ANOTHER)
    # The person was faster: whoever holds the code now has nothing.
    typed = f"{proposed['code']}\n{PASSWORD}\n"
    words = ("users", "password", "li", "--proposal", proposed["proposal"])
    staffed.run(*words, token=staffed.chen, typed=typed, exit_code=6)
    assert "another password was set since" in staffed.stderr


def test_the_code_is_shown_to_who_proposed_and_lies_nowhere(staffed):
    proposed = staffed.json("users", "password", "li", token=staffed.wang)
    assert proposed["code"] not in staffed.run("proposals", "show", proposed["proposal"])
    dry = staffed.json("users", "password", "li", "--dry-run", token=staffed.wang)
    assert (dry["proposal"], "code" in dry) == (None, False)
    kept = b"".join(path.read_bytes() for path in staffed.folder.glob("centre.sqlite3*"))
    assert proposed["code"].encode() not in kept
    assert proposed["code"].replace("-", "").encode() not in kept


def test_whom_it_is_about_neither_proposes_nor_approves_it(staffed):
    added = agree(
        staffed, "users", "add", "gao", "--role", "administrator", by=staffed.wang, approved_by=staffed.chen
    )
    gao = log_in(staffed, "gao", let_in(staffed, "gao", added, staffed.chen))
    staffed.run("users", "password", "wang", token=staffed.wang, exit_code=2)
    assert "your own password you change without a token" in staffed.stderr
    proposed = staffed.json("users", "password", "wang", token=staffed.chen)["proposal"]
    staffed.run("approve", proposed, token=staffed.wang, exit_code=6)
    assert "it is about wang" in staffed.stderr
    staffed.json("approve", proposed, token=gao)
    # Three can agree on any one of them, so the server's account has no business with it.
    staffed.json("users", "password", "chen", "--rescue", typed=f"{ANOTHER}\n", exit_code=6)
    staffed.json("users", "disable", "chen", exit_code=6)
    for words in (("disable", "chen"), ("roles", "chen", "--take", "administrator")):
        proposal = staffed.json("users", *words, token=staffed.wang)["proposal"]
        staffed.run("approve", proposal, token=staffed.chen, exit_code=6)
        staffed.run("proposals", "decline", proposal, "--reason", "no", token=gao)


def test_an_administrator_whom_no_two_can_help_is_rescued_on_the_server(staffed):
    staffed.run("users", "password", "chen", token=staffed.wang, exit_code=6)
    assert "--rescue" in staffed.stderr
    rescued = staffed.json("users", "password", "chen", "--rescue", typed=f"{ANOTHER}\n")
    assert log_in(staffed, "chen", secret_of(rescued["second_factor"]), "new", password=ANOTHER)
    for name in ("li", "operator", "nobody"):
        staffed.json("users", "password", name, "--rescue", typed=f"{ANOTHER}\n", exit_code=6)
    # It is never done under a token.
    staffed.json("users", "password", "chen", "--rescue", token=staffed.wang, exit_code=2)
    assert audited(staffed, "users password --rescue")[0] == (US, "os", "done")


def test_one_administrator_alone_resets_nobody(fresh):
    (wang,) = administrators(fresh, "wang")
    add(fresh, "li", "--role", "approver", token=wang)
    fresh.run("users", "password", "li", token=wang, typed=f"{ANOTHER}\n", exit_code=6)
    assert "settlement users add NAME --first" in fresh.stderr


# One's own.


def test_a_person_changes_the_own_password_alone(staffed):
    while wall_ms() % STEP_MS > STEP_MS // 2:  # the code that logs in has to be this step's still
        time.sleep(0.1)
    li = log_in(staffed, "li", staffed.phones["li"])
    codes = [code(staffed.phones["li"], wall_ms() + later * STEP_MS) for later in (0, 1)]
    before = people(staffed)
    for old, number, new, exit_code in (
        ("a wrong password", codes[1], ANOTHER, 6),
        (PASSWORD, "000000", ANOTHER, 6),
        (PASSWORD, codes[0], ANOTHER, 6),  # it was used to log in
        (PASSWORD, codes[1], "short", 2),
        (ANOTHER, codes[1], ANOTHER, 6),
    ):
        staffed.sql("UPDATE centre_user SET not_before_ms = 0")
        own(staffed, "li", old, number, new, exit_code=exit_code)
    own(staffed, "nobody", PASSWORD, codes[1], ANOTHER, exit_code=6)
    staffed.sql("UPDATE centre_user SET not_before_ms = 0")
    assert own(staffed, "li", PASSWORD, codes[1], ANOTHER, words=["--dry-run"])["second_factor"] is None
    assert people(staffed) == before
    made = own(staffed, "li", PASSWORD, codes[1], ANOTHER)
    assert log_in(staffed, "li", secret_of(made["second_factor"]), "new", password=ANOTHER)
    assert audited(staffed, "users password") == [("li", "login", "done")]
    staffed.run("proposals", "ls", token=li, exit_code=6)


# New people, and roles.


def test_one_administrator_decides_alone_and_is_warned_until_there_is_another(fresh):
    (wang,) = administrators(fresh, "wang")
    phones = {
        name: add(fresh, name, "--role", role, token=wang)
        for name, role in (("zhao", "operations"), ("li", "approver"))
    }
    zhao, li = (log_in(fresh, name, secret) for name, secret in phones.items())
    fresh.json("approve", fresh.json(*TOP_UP, token=zhao)["proposal"], token=li)
    for words in (
        ("add", "sun", "--role", "auditor"),
        ("add", "robot", "--service", "--role", "operations"),
        ("roles", "sun", "--give", "reviewer"),
    ):
        said = fresh.run("users", *words, token=wang, typed=f"{ANOTHER}\n")
        assert "who could be two of these people" in said
        fresh.run("users", *words, typed=f"{ANOTHER}\n", exit_code=6)
    # What stops somebody, one does at once, and nobody has another's password set alone.
    assert "who could be" not in fresh.run("users", "roles", "zhao", "--take", "operations", token=wang)
    fresh.json("users", "disable", "li", token=wang)
    fresh.run("users", "password", "zhao", token=wang, typed=f"{ANOTHER}\n", exit_code=6)
    assert "it takes two administrators" in fresh.stderr
    add(fresh, "chen", "--first")
    before = people(fresh)
    assert fresh.json("users", "add", "gao", token=wang)["proposal"]
    assert fresh.json("users", "roles", "sun", "--give", "approver", token=wang)["proposal"]
    assert people(fresh) == before


def test_a_new_person_is_agreed_on_and_comes_in_by_the_code(staffed):
    words = ("users", "add", "sun", "--role", "reviewer@county:321202", "--role", "auditor")
    before = people(staffed)
    proposed = staffed.json(*words, token=staffed.wang)
    staffed.run("approve", proposed["proposal"], token=staffed.wang, exit_code=6)
    assert people(staffed) == before
    said = staffed.run("approve", proposed["proposal"], "--dry-run", token=staffed.chen)
    assert "make sun a user, a person, with reviewer@county:321202, auditor" in said
    assert people(staffed) == before
    staffed.json("approve", proposed["proposal"], token=staffed.chen)
    # Nobody can log in as a person who has no password yet.
    assert log_in(staffed, "sun", b"\0" * 20, exit_code=6, password="") is None
    sun = log_in(staffed, "sun", let_in(staffed, "sun", proposed, staffed.chen))
    staffed.json("proposals", "ls", token=sun)
    shown = next(one for one in staffed.json("users", "ls")["users"] if one["name"] == "sun")
    assert (shown["roles"], shown["made_by"]) == (["auditor", "reviewer@county:321202"], "wang, chen")
    staffed.run(*words, token=staffed.wang, exit_code=6)
    assert "never given twice" in staffed.stderr


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        ("add Sun", 2),
        ("add sun --role emperor", 2),
        ("add sun --role approver@county:1", 2),
        ("add sun --role administrator --role approver", 6),
        ("add robot --service --role approver", 6),
        ("add operator --service", 6),
        ("roles nobody --give auditor", 2),
        ("roles operator --give approver", 6),
        ("roles li --give administrator", 6),
        ("roles li --give auditor --take operations", 2),
        ("password operator", 2),
        ("password nobody", 2),
    ],
)
def test_what_cannot_be_is_not_proposed(staffed, words, exit_code):
    staffed.run("users", *words.split(), token=staffed.wang, exit_code=exit_code)
    assert staffed.rows("SELECT count(*) FROM proposal") == [(0,)]


def test_a_service_is_agreed_on_too(staffed):
    words = ("users", "add", "robot", "--service", "--role", "operations")
    proposed = agree(staffed, *words, by=staffed.wang, approved_by=staffed.chen)
    assert "code" not in proposed
    typed = shown(staffed.phones["chen"], later=1)
    robot = staffed.json("token", "new", "x", "--user", "robot", token=staffed.chen, typed=typed)["token"]
    assert staffed.json(*TOP_UP, token=robot)["proposal"]


def test_roles_are_given_by_two_and_taken_by_one(staffed):
    given = staffed.json("users", "roles", "zhao", "--give", "approver", token=staffed.wang)
    assert "approver" not in staffed.run("users", "roles", "zhao", token=staffed.wang)
    staffed.json("approve", given["proposal"], token=staffed.chen)
    assert "approver, operations" in staffed.run("users", "roles", "zhao", token=staffed.wang)
    staffed.json("users", "roles", "zhao", "--take", "approver", token=staffed.wang)
    assert "approver" not in staffed.run("users", "roles", "zhao", token=staffed.wang)


def test_of_two_administrators_one_is_disabled_on_the_server_alone(staffed):
    staffed.run("users", "disable", "chen", token=staffed.wang, exit_code=6)
    staffed.run("users", "roles", "chen", "--take", "administrator", token=staffed.wang, exit_code=6)
    staffed.run("users", "disable", "li", exit_code=6)
    staffed.json("users", "disable", "chen", "--dry-run")
    staffed.json("users", "disable", "chen")
    staffed.run("users", "ls", token=staffed.chen, exit_code=6)


# Who decides what.


def test_what_is_about_people_is_for_administrators_and_the_rest_is_not(staffed):
    zhao = log_in(staffed, "zhao", staffed.phones["zhao"])
    li = log_in(staffed, "li", staffed.phones["li"])
    of_books = staffed.json(*TOP_UP, token=zhao)["proposal"]
    of_people = staffed.json("users", "add", "sun", token=staffed.wang)["proposal"]
    for words in (("approve",), ("proposals", "decline")):
        reason = ("--reason", "no") if len(words) == 2 else ()
        staffed.run(*words, of_books, *reason, token=staffed.chen, exit_code=6)
        staffed.run(*words, of_people, *reason, token=li, exit_code=6)
    staffed.run("proposals", "withdraw", of_people, "--reason", "no", token=zhao, exit_code=6)
    file = staffed.folder / "people.json"
    file.write_text('{"type": "disable_user", "name": "li"}')
    for token in (zhao, staffed.wang):
        staffed.run("propose", str(file), token=token, exit_code=3 if token == zhao else 6)
    assert of_people in staffed.run("proposals", "ls", token=staffed.chen)
    staffed.run("proposals", "withdraw", of_people, "--reason", "typed twice", token=staffed.wang)
