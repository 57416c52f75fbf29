"""Who may be made a user, with which roles, and when does a token count?"""

import pytest
from centre import APPROVER, PASSWORD, PROPOSER, add_person
from sqlalchemy.exc import IntegrityError

from settlement.db.connection import reading, writing
from settlement.people import passwords, sessions, tokens, totp, users
from settlement.people.roles import MAY, NEVER_A_SERVICE, Grant, Permission, Role, Scope, read_grant
from settlement.people.users import UserRefused
from settlement.system import random_bytes


def change(books, name, give=(), take=(), by="tests"):
    """Give and take roles."""
    with writing(books.engine) as connection:
        users.change_roles(connection, name, give, take, by, 0)


def service(books, name="robot"):
    """Make a service user."""
    with writing(books.engine) as connection:
        users.add_service(connection, name, "tests", 0)
    return name


def token(books, name, label="one", ends_ms=None):
    """Make a token."""
    with writing(books.engine) as connection:
        return tokens.make(connection, name, label, random_bytes, "tests", books.clock.now_ms(), ends_ms)


def who(books, one):
    """Return whose token it is now."""
    found = sessions.who_is(books.engine, one, books.clock.now_ms())
    return found and found.name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "W",
        "Wang",
        "wang ",
        " wang",
        "wang\0",
        "wa\nng",
        "王芳",
        "w\u0430ng",
        "\u202egnaw",
        "wang\u200b",
        "x" * 33,
        "x" * 100_000,
        "wang'--",
        "os:root",
        "1wang",
        "wang.",
        "..",
    ],
    ids=lambda name: ascii(name[:40]),
)
def test_a_name_that_could_be_taken_for_another_is_no_name(books, name):
    before = books.state_hash()
    with pytest.raises(UserRefused, match="a name is at most"):
        add_person(books.centre, name)
    assert books.state_hash() == before


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "x" * 129,
        "aaaaaaaaaaaaaaaa",
        "zhao-zhao-zhao-1",
        "four horses\0drink tea",
        "abc\u202edefghijkl",
    ],
)
def test_a_password_that_is_soon_guessed_is_not_taken(password):
    assert passwords.problem_of(password, "zhao")


def test_a_name_is_given_once_for_good(books):
    with writing(books.engine) as connection:
        users.disable(connection, APPROVER, "tests", 0)
    with pytest.raises(UserRefused, match="never given twice"):
        add_person(books.centre, APPROVER)
    with pytest.raises(IntegrityError, match="append-only"):
        books.sql("DELETE FROM centre_user")


@pytest.mark.parametrize("role", [role for role in Role if MAY[role] & NEVER_A_SERVICE])
def test_a_service_is_never_given_what_needs_a_person(books, role):
    with pytest.raises(UserRefused, match="a service is never"):
        change(books, service(books), [Grant(role)])


def test_nobody_changes_their_own_roles_or_disables_themselves(books):
    with pytest.raises(UserRefused, match="their own roles"):
        change(books, PROPOSER, [Grant(Role.APPROVER)], by=PROPOSER)
    with pytest.raises(UserRefused, match="themselves"), writing(books.engine) as connection:
        users.disable(connection, PROPOSER, PROPOSER, 0)


@pytest.mark.parametrize("other", [Role.OPERATIONS, Role.APPROVER])
def test_whoever_gives_roles_neither_proposes_nor_approves(books, other):
    add_person(books.centre, "zhao", Grant(Role.ADMINISTRATOR))
    with pytest.raises(UserRefused, match="give roles and use them"):
        change(books, "zhao", [Grant(other)])


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.REVIEWER, Role.MERCHANT)])
def test_what_cannot_be_limited_to_a_county_is_not_given_for_one(books, role):
    with pytest.raises(UserRefused, match="cannot be limited"):
        change(books, PROPOSER, [Grant(role, Scope.COUNTY, "321202")])


def test_a_role_is_taken_by_what_it_was_given_with(books):
    add_person(books.centre, "sun", Grant(Role.REVIEWER, Scope.COUNTY, "321202"))
    with pytest.raises(UserRefused, match="is not reviewer"):
        change(books, "sun", take=[Grant(Role.REVIEWER)])
    change(books, "sun", take=[Grant(Role.REVIEWER, Scope.COUNTY, "321202")])
    with reading(books.engine) as connection:
        assert users.find(connection, "sun").grants == ()


def test_a_role_that_this_version_does_not_know_gives_nothing(books):
    add_person(books.centre, "sun")
    books.sql("INSERT INTO user_role VALUES ('sun', 'emperor', 'everything', '', 0, 'x')")
    with reading(books.engine) as connection:
        assert users.find(connection, "sun").grants == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "emperor",
        "reviewer@",
        "reviewer@county",
        "reviewer@county:",
        "reviewer@everything:",
        "reviewer@x:1",
        "@county:1",
    ],
)
def test_what_is_no_role_is_not_read_as_one(text):
    assert read_grant(text) is None


def test_a_role_is_read_as_it_is_written():
    for grant in (Grant(Role.AUDITOR), Grant(Role.REVIEWER, Scope.COUNTY, "321202")):
        assert read_grant(str(grant)) == grant


def test_every_permission_is_somebodys():
    assert frozenset().union(*MAY.values()) | {Permission.LEAVE} == frozenset(Permission)


# Tokens.


def test_a_token_counts_until_it_ends(books):
    one = token(books, PROPOSER, ends_ms=books.clock.now_ms() + 1000)
    assert who(books, one) == PROPOSER
    books.clock.ahead_ms += 1000
    assert who(books, one) is None


def test_a_token_counts_until_it_is_revoked_and_never_again(books):
    one = token(books, PROPOSER)
    with writing(books.engine) as connection:
        tokens.revoke(connection, PROPOSER, "one", books.clock.now_ms())
    assert who(books, one) is None
    with pytest.raises(UserRefused, match="revoked already"), writing(books.engine) as connection:
        tokens.revoke(connection, PROPOSER, "one", 0)
    with pytest.raises(IntegrityError, match="revoked once"):
        books.sql("UPDATE user_token SET revoked_ms = NULL WHERE label = 'one'")
    with pytest.raises(UserRefused, match="another label"):
        token(books, PROPOSER)


def test_a_token_is_not_given_to_another_user(books):
    token(books, PROPOSER)
    with pytest.raises(IntegrityError, match="belongs to one user"):
        books.sql(f"UPDATE user_token SET name = '{APPROVER}' WHERE label = 'one'")


def test_a_token_counts_until_its_user_is_disabled(books):
    one = token(books, PROPOSER)
    with writing(books.engine) as connection:
        users.disable(connection, PROPOSER, "tests", 0)
    assert who(books, one) is None
    with pytest.raises(UserRefused):
        token(books, PROPOSER, "two")


@pytest.mark.parametrize(
    "label", ["", " ", "a\0b", "a\nb", "x" * 65, "\u202e", "of 321202199003070013"], ids=ascii
)
def test_a_label_is_a_line_that_can_be_read(books, label):
    with pytest.raises(UserRefused, match="label"):
        token(books, PROPOSER, label)


@pytest.mark.parametrize("text", ["", "x", "\0", "\ud800", "x" * 1_000_000], ids=lambda text: ascii(text[:9]))
def test_what_is_no_token_is_nobodys(books, text):
    assert who(books, text) is None


def test_a_token_is_not_kept(books):
    one = token(books, PROPOSER)
    assert one not in str(books.sql_rows("SELECT * FROM user_token"))
    assert tokens.hash_of(one) in str(books.sql_rows("SELECT * FROM user_token"))


# The second factor.


def test_a_sealed_secret_opens_for_its_user_under_its_key_only(books):
    key = books.centre.keys.sealing_key()
    sealed = totp.seal_secret(key, "wang", b"s" * 20, random_bytes)
    assert totp.open_secret(key, "wang", sealed) == b"s" * 20
    assert totp.open_secret(key, "li", sealed) is None
    assert totp.open_secret(b"x" * 32, "wang", sealed) is None
    assert totp.open_secret(key, "wang", sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
    assert totp.open_secret(key, "wang", b"") is None


@pytest.mark.parametrize(
    ("at_s", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
)
def test_codes_are_those_of_rfc_6238(at_s, code):
    assert totp.step_of(b"12345678901234567890", code, at_s * 1000) == at_s // 30


def test_nobodys_password_fits_nothing():
    kept = passwords.hash_of(PASSWORD, random_bytes)
    assert passwords.fits(kept, PASSWORD)
    assert not passwords.fits(kept, PASSWORD + " ")
    assert not passwords.fits("", PASSWORD)
    assert not passwords.fits("", "")
    assert not passwords.fits("not a hash", PASSWORD)
