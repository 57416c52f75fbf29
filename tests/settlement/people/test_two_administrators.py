"""What does the step, and what does the database itself, let happen to people?"""

import msgspec
import pytest
from books import copy_template
from centre import APPROVER, PROPOSER, RunningCentre, add_person
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from settlement.copies.move import move
from settlement.copies.rebuild import rebuild
from settlement.copies.sqlite_file import open_scratch
from settlement.db.connection import engine_on, reading, writing
from settlement.db.place import Sqlite
from settlement.people import permits, sessions, standing, users
from settlement.people.agreed import AddUser, ChangeRoles, DisableUser, ResetCredentials
from settlement.people.roles import Grant, Role
from settlement.people.users import UserRefused
from settlement.proposals import make, two_people
from settlement.proposals.approve import LASTS_MS, Approve
from settlement.proposals.make import Desk
from settlement.system import random_bytes
from settlement.writer import store
from settlement.writer.rows import Proposal
from settlement.writer.step import Denied, Done

WANG, CHEN, GAO = "admin-wang", "admin-chen", "admin-gao"
CODE = "ABCD-EFGH-2345-6767"
NEW = "seven cats chase one ball"


@pytest.fixture
def centre(any_books):
    """Books with two administrators, beside who proposes and who approves."""
    for name in (WANG, CHEN):
        add_person(any_books.centre, name, Grant(Role.ADMINISTRATOR))
    return any_books


def proposed(books, command, by=WANG):
    """Propose and return the proposal, or what was denied."""
    desk = Desk(
        books.engine, books.setting(), books.clock.now_ms(), random_bytes, lambda c: books.write(c)[0]
    )
    made = make.make(desk, command, by)
    if isinstance(made, Denied):
        return made
    with reading(books.engine) as connection:
        return next(one for one in store.read_where(connection, Proposal) if one.proposal == made)


def approve(books, proposal, by=CHEN):
    """Approve what was shown and return the answer."""
    return books.write(Approve(proposal.proposal, by, proposal.shown_hash))[0]


def agreed(books, command, by=WANG, approved_by=CHEN):
    """Propose and approve, and return the proposal."""
    books.clock.ahead_ms += 1
    proposal = proposed(books, command, by)
    assert approve(books, proposal, approved_by) == Done()
    return proposal


def use(books, proposal, name=APPROVER, by=CHEN, code=CODE, password=NEW):
    """Set a password with what was agreed on."""
    with writing(books.engine) as connection:
        return permits.use(
            connection,
            proposal.proposal,
            name,
            by,
            code,
            password,
            books.centre.keys,
            random_bytes,
            books.clock.now_ms(),
        )


def user(books, name):
    """Return a user, or None."""
    with reading(books.engine) as connection:
        return users.find(connection, name)


def reset(name=APPROVER):
    """Return the command that lets somebody set a password."""
    return ResetCredentials(name, permits.hash_of_code(CODE))


def test_what_two_administrators_agree_on_happens_on_both_databases(centre):
    agreed(centre, AddUser("sun", ("operations",), code_hash=permits.hash_of_code(CODE)))
    assert (user(centre, "sun").grants, user(centre, "sun").made_by) == (
        (Grant(Role.OPERATIONS),),
        f"{WANG}, {CHEN}",
    )
    agreed(centre, ChangeRoles("sun", ("approver",), ("operations",)), CHEN, WANG)
    assert user(centre, "sun").grants == (Grant(Role.APPROVER),)
    agreed(centre, DisableUser("sun"))
    assert user(centre, "sun").disabled_ms is not None
    kinds = centre.sql_rows("SELECT kind FROM event ORDER BY event_no")
    assert [kind for (kind,) in kinds if kind not in ("proposed", "proposal_approved")][-3:] == [
        "user_added",
        "roles_changed",
        "user_disabled",
    ]


@pytest.mark.parametrize(
    ("by", "code"),
    [(PROPOSER, "NO_ADMINISTRATOR"), ("nobody", "NO_ADMINISTRATOR"), (APPROVER, "ABOUT_YOURSELF")],
)
def test_who_is_no_administrator_or_whom_it_is_about_proposes_nothing(books, by, code):
    for name in (WANG, CHEN):
        add_person(books.centre, name, Grant(Role.ADMINISTRATOR))
    assert proposed(books, reset(), by).code == code
    assert books.sql_rows("SELECT count(*) FROM proposal") == [(0,)]


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (WANG, "SAME_PERSON"),
        (PROPOSER, "NO_ADMINISTRATOR"),
        (APPROVER, "ABOUT_YOURSELF"),
        ("nobody", "NO_ADMINISTRATOR"),
    ],
)
def test_who_proposed_whom_it_is_about_and_who_is_no_administrator_approve_nothing(books, by, code):
    for name in (WANG, CHEN):
        add_person(books.centre, name, Grant(Role.ADMINISTRATOR))
    proposal = proposed(books, reset())
    assert approve(books, proposal, by).code == code
    assert books.sql_rows("SELECT state FROM proposal") == [("OPEN",)]


def test_what_was_proposed_by_who_is_no_administrator_any_more_is_not_approved(books):
    for name in (WANG, CHEN):
        add_person(books.centre, name, Grant(Role.ADMINISTRATOR))
    use(books, agreed(books, AddUser(GAO, ("administrator",), code_hash=permits.hash_of_code(CODE))), GAO)
    proposal = proposed(books, reset())
    agreed(books, DisableUser(WANG), GAO, CHEN)
    assert approve(books, proposal).code == "NO_ADMINISTRATOR"


def test_a_permit_counts_once_for_its_person_by_its_approver_with_its_code_in_time(books):
    for name in (WANG, CHEN):
        add_person(books.centre, name, Grant(Role.ADMINISTRATOR))
    open_one = proposed(books, reset(PROPOSER))
    proposal = agreed(books, reset())
    for changes in (
        {"name": PROPOSER},
        {"by": WANG},
        {"by": APPROVER},
        {"code": CODE[:-1]},
        {"code": ""},
        {"code": "\ud800"},
        {"proposal": open_one, "name": PROPOSER},
        {"proposal": msgspec.structs.replace(open_one, proposal="P-NOTHERE")},
    ):
        with pytest.raises(UserRefused, match="no such proposal"):
            use(books, **({"proposal": proposal} | changes))
    books.clock.ahead_ms += LASTS_MS
    with pytest.raises(UserRefused, match="too old"):
        use(books, proposal)
    books.clock.ahead_ms -= 1
    assert use(books, proposal, code=f" {CODE.lower()} ")
    with pytest.raises(UserRefused, match="has been used"):
        use(books, proposal)
    whole = agreed(books, DisableUser(PROPOSER))
    with pytest.raises(UserRefused, match="no such proposal"):
        use(books, whole, PROPOSER)


def test_sessions_and_tokens_of_before_end_with_the_password(books):
    add_token = add_person(books.centre, "sun", Grant(Role.AUDITOR))
    for name in (WANG, CHEN):
        add_person(books.centre, name, Grant(Role.ADMINISTRATOR))
    with writing(books.engine) as connection:
        session = sessions.begin(connection, "sun", random_bytes, books.clock.now_ms())
    proposal = agreed(books, reset("sun"))
    now_ms = books.clock.now_ms()
    assert sessions.who_is(books.engine, session, now_ms) is not None
    use(books, proposal, "sun")
    for token in (session, add_token):
        assert sessions.who_is(books.engine, token, now_ms) is None


def test_two_can_agree_where_there_are_two_besides_the_one_it_is_about(books):
    with reading(books.engine) as connection:
        assert not standing.is_alone(connection)
    add_person(books.centre, WANG, Grant(Role.ADMINISTRATOR))
    with reading(books.engine) as connection:
        assert standing.is_alone(connection)
    add_person(books.centre, CHEN, Grant(Role.ADMINISTRATOR))
    with reading(books.engine) as connection:
        assert not standing.is_alone(connection)
        assert standing.two_can_agree(connection, "sun")
        assert not standing.two_can_agree(connection, CHEN)
        assert standing.administrators(connection) == [CHEN, WANG]


# The database, whatever the application does.


def sql(books, statement, **values):
    """Run a statement behind the application's back."""
    with writing(books.engine) as connection:
        connection.execute(text(statement), values)


def forged(books, proposal, by):
    """Approve a proposal behind the application's back."""
    sql(
        books,
        "UPDATE proposal SET state = 'APPROVED', decided_by = :by, decided_hash = shown_hash, decided_ms = 9 "
        "WHERE proposal = :name",
        by=by,
        name=proposal,
    )


@pytest.mark.parametrize(
    ("by", "about", "approver"),
    [
        (WANG, APPROVER, PROPOSER),
        (WANG, APPROVER, APPROVER),
        (WANG, CHEN, CHEN),
        (WANG, WANG, CHEN),
        (PROPOSER, APPROVER, CHEN),
        (WANG, APPROVER, WANG),
    ],
)
def test_the_database_refuses_what_two_administrators_have_not_agreed_on(centre, by, about, approver):
    command = two_people.written(reset(about))
    values = {"by": by, "command": command}
    sql(
        centre,
        "INSERT INTO proposal VALUES ('P-1', 'OPEN', 'reset_credentials', :command, '{}', 'h', :by, 1, '', "
        "'', NULL, '')",
        **values,
    )
    with pytest.raises(IntegrityError):
        forged(centre, "P-1", approver)
    with pytest.raises(IntegrityError):
        sql(
            centre,
            "INSERT INTO proposal VALUES ('P-2', 'APPROVED', 'reset_credentials', :command, '{}', 'h', :by, "
            "1, :approver, 'h', 2, '')",
            approver=approver,
            **values,
        )


def test_the_database_takes_what_two_administrators_have_agreed_on(centre):
    forged(centre, proposed(centre, reset()).proposal, CHEN)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO user_role VALUES ('wang', 'approver', 'everything', '', 5, 'os:root')",
        "INSERT INTO user_role VALUES ('wang', 'approver', 'everything', '', 5, 'admin-wang')",
        "UPDATE user_role SET role = 'approver' WHERE name = 'wang'",
        "UPDATE user_role SET name = 'li' WHERE name = 'wang'",
        "UPDATE centre_user SET password = 'x' WHERE name = 'li'",
        "UPDATE centre_user SET totp = (SELECT totp FROM centre_user WHERE name = 'wang') WHERE name = 'li'",
        "UPDATE centre_user SET password = 'x', credentials_by = 'admin-wang' WHERE name = 'li'",
        "UPDATE centre_user SET password = 'x', credentials_by = 'os:root' WHERE name = 'li'",
        "UPDATE centre_user SET password = 'x', credentials_by = 'P-1', credentials_ms = 9 WHERE name = 'li'",
        "UPDATE centre_user SET name = 'lee' WHERE name = 'li'",
        "UPDATE centre_user SET kind = 'service', password = '' WHERE name = 'li'",
        "INSERT INTO centre_user SELECT 'sun', kind, password, totp, 0, 0, 0, 1, 'os:root', NULL, '', 0 "
        "FROM centre_user WHERE name = 'li'",
    ],
)
def test_the_database_refuses_a_role_or_password_that_nobody_has_agreed_on(centre, statement):
    proposed(centre, reset())
    before = centre.state_hash()
    with pytest.raises(IntegrityError):
        sql(centre, statement)
    assert centre.state_hash() == before


def test_the_database_refuses_a_role_under_what_was_agreed_for_another(centre):
    agreed(centre, ChangeRoles(PROPOSER, ("auditor",)))
    at_ms = centre.clock.now_ms()
    for name, role in ((PROPOSER, "approver"), (APPROVER, "auditor")):
        with pytest.raises(IntegrityError, match="nobody has agreed that this role is given"):
            sql(
                centre,
                "INSERT INTO user_role VALUES (:name, :role, 'everything', '', :at_ms, 'x')",
                name=name,
                role=role,
                at_ms=at_ms,
            )


def test_the_database_refuses_a_permit_that_was_used_or_is_anothers(centre):
    proposal = agreed(centre, reset())
    use(centre, proposal)
    for name in (APPROVER, PROPOSER):
        with pytest.raises(IntegrityError, match="nobody has agreed that this password is set"):
            sql(
                centre,
                "UPDATE centre_user SET password = 'x', credentials_by = :permit, credentials_ms = :at_ms "
                "WHERE name = :name",
                permit=proposal.proposal,
                at_ms=centre.clock.now_ms() + 1,
                name=name,
            )


def test_the_database_refuses_to_rescue_whom_two_can_help_and_who_is_no_administrator(centre):
    rescue = (
        "UPDATE centre_user SET password = :new, credentials_by = 'os:root', credentials_ms = 9 "
        "WHERE name = :name"
    )
    with pytest.raises(IntegrityError, match="nobody has agreed"):
        sql(centre, rescue, name=APPROVER, new="x")
    sql(centre, rescue, name=CHEN, new="x")
    proposal = agreed(centre, AddUser(GAO, ("administrator",), code_hash=permits.hash_of_code(CODE)))
    # A third one helps once there is somebody to log in.
    sql(centre, rescue, name=CHEN, new="y")
    use(centre, proposal, GAO)
    with pytest.raises(IntegrityError, match="nobody has agreed"):
        sql(centre, rescue, name=CHEN, new="z")


def test_who_is_disabled_stays_so(centre):
    agreed(centre, DisableUser(APPROVER))
    with pytest.raises(IntegrityError, match="stays disabled"):
        sql(centre, "UPDATE centre_user SET disabled_ms = NULL WHERE name = 'li'")


def test_one_administrator_gives_roles_alone_until_there_is_another(any_books):
    add_person(any_books.centre, WANG, Grant(Role.ADMINISTRATOR))
    role = "INSERT INTO user_role VALUES ('wang', :role, 'everything', '', 5, :by)"
    sql(any_books, role, role="auditor", by=WANG)
    add_person(any_books.centre, CHEN, Grant(Role.ADMINISTRATOR))
    for by in (WANG, "os:root"):
        with pytest.raises(IntegrityError, match="nobody has agreed"):
            sql(any_books, role, role="approver", by=by)


def test_people_who_were_agreed_on_move_with_the_books(centre, tmp_path):
    proposal = agreed(centre, AddUser("sun", ("auditor",), code_hash=permits.hash_of_code(CODE)))
    use(centre, proposal, "sun")
    target = Sqlite(tmp_path / "target.sqlite3")
    done = move(centre.engine, centre.centre.settings.database, target)
    assert done.before == done.after
    engine = engine_on(target)
    with reading(engine) as connection:
        assert users.find(connection, "sun").grants == (Grant(Role.AUDITOR),)
        # The books follow from their events, of which those about people change nothing.
        assert rebuild(connection, open_scratch(tmp_path / "scratch")).faults == ()
    engine.dispose()


# Over HTTP.


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """A centre that serves, with two administrators."""
    folder = tmp_path_factory.mktemp("centre")
    copy_template(folder)
    with RunningCentre.start_again(folder) as running:
        for name in (WANG, CHEN):
            add_person(running.centre, name, Grant(Role.ADMINISTRATOR))
        yield running


@pytest.mark.parametrize(
    "body",
    [
        {"type": "add_user", "name": "sun", "roles": ["approver"], "code_hash": "0" * 64},
        {"type": "change_roles", "name": "wang", "give": ["approver"]},
        {"type": "disable_user", "name": "li"},
        {"type": "reset_credentials", "name": "li", "code_hash": "0" * 64},
    ],
    ids=lambda body: body["type"],
)
def test_over_http_nothing_about_people_is_proposed(serving, body):
    before = serving.state_hash()
    assert serving.post("/v1/proposals", body).status_code == 400
    assert serving.state_hash() == before


def test_over_http_nothing_about_people_is_decided(serving):
    command = two_people.written(reset())
    sql(
        serving.centre,
        "INSERT INTO proposal VALUES ('P-1', 'OPEN', 'reset_credentials', :command, :shown, 'h', :by, "
        ":at_ms, '', '', NULL, '')",
        command=command,
        shown=f'{{"command":{command},"says":"s","events":{{}},"moves":[]}}',
        by=WANG,
        at_ms=serving.clock.now_ms(),
    )
    before = serving.state_hash()
    for verb, token, body in (
        ("approve", serving.second_token, {"shown_hash": "0" * 64}),
        ("decline", serving.second_token, {"reason": "no"}),
        ("withdraw", serving.token, {"reason": "no"}),
    ):
        answer = serving.post(f"/v1/proposals/P-1/{verb}", body, token)
        assert (answer.status_code, answer.json()["code"]) == (403, "FOR_ADMINISTRATORS")
    assert serving.state_hash() == before
    assert serving.get("/v1/proposals/P-1").json()["proposed_by"] == WANG
