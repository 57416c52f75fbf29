"""What do two administrators decide about other people? Pure.

That somebody becomes a user, has other roles, is nobody any more, or gets a new password and second factor.
Neither of the two is the person it is about: whoever could do one of these alone could be both of two people
(docs/decisions/0020-two-administrators.md). What is agreed on is carried out in the transaction that says so
(`carry_out.py`); a password is set afterwards, by the person (`permits.py`).
"""

from collections.abc import Iterable

from settlement.people.roles import Grant, Role, read_grant
from settlement.people.rules import HUMAN, SERVICE, Wrong, problem_of_name, wrong_together, wrong_with
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import CentreUser, UserRole
from settlement.writer.step import Answer, Decision, Denied, Done, Emit, Event

# The roles that are looked at together: none of them can be limited.
_TOGETHER = (Role.ADMINISTRATOR, Role.OPERATIONS, Role.APPROVER)


class AddUser(Decision, frozen=True, tag="add_user"):
    """Somebody becomes a user. `roles` are written as in reviewer@county:320102.

    `code_hash` is of the code that the proposer gives to the person; a service has none.
    """

    name: str
    roles: tuple[str, ...]
    is_service: bool = False
    code_hash: str = ""


class ChangeRoles(Decision, frozen=True, tag="change_roles"):
    """A user gets roles and loses others."""

    name: str
    give: tuple[str, ...] = ()
    take: tuple[str, ...] = ()


class DisableUser(Decision, frozen=True, tag="disable_user"):
    """A user may do nothing any more, for good."""

    name: str


class ResetCredentials(Decision, frozen=True, tag="reset_credentials"):
    """A person may set a new password and second factor without the old ones.

    `code_hash` is of the code that the proposer gives to the person.
    """

    name: str
    code_hash: str


OfPeople = AddUser | ChangeRoles | DisableUser | ResetCredentials


class PeopleChanged(Event, frozen=True, kw_only=True):
    """Something is other about people. They are given, like shops: the books do not follow from them."""

    name: str
    by: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Change nothing of the books."""


class UserAdded(PeopleChanged, frozen=True, kw_only=True, tag="user_added"):
    """Somebody is a user, who cannot log in yet."""

    is_service: bool
    roles: tuple[str, ...]


class RolesChanged(PeopleChanged, frozen=True, kw_only=True, tag="roles_changed"):
    """A user has other roles."""

    give: tuple[str, ...]
    take: tuple[str, ...]


class UserDisabled(PeopleChanged, frozen=True, kw_only=True, tag="user_disabled"):
    """A user may do nothing any more."""


class ResetAgreed(PeopleChanged, frozen=True, kw_only=True, tag="reset_agreed"):
    """A person may set a new password and second factor. Until then the old ones count."""


def grants_of(texts: Iterable[str]) -> list[Grant]:
    """Return the roles that are written so; they must have been looked at."""
    found = [read_grant(text) for text in texts]
    assert None not in found
    return [one for one in found if one is not None]


def keys(command: OfPeople) -> list[Wanted]:
    """Ask for the user and the roles that matter."""
    grants: list[Grant | None] = [Grant(role) for role in _TOGETHER]
    if isinstance(command, ChangeRoles):
        grants += map(read_grant, command.take)
    roles = [(UserRole, _role_key(command.name, one)) for one in grants if one is not None]
    return [(CentreUser, (command.name,)), *roles]


def keys_of_people(people: Iterable[str]) -> list[Wanted]:
    """Ask for what `refuse_people` looks at."""
    admin = Grant(Role.ADMINISTRATOR)
    return [one for name in people for one in ((CentreUser, (name,)), (UserRole, _role_key(name, admin)))]


def refuse_people(rows: Rows, command: OfPeople, people: Iterable[str]) -> Denied | None:
    """Return why these people may not decide it, or None: it is about one, or one is no administrator now."""
    for name in people:
        if name == command.name:
            detail = f"it is about {name}: two other administrators decide it"
            return Denied(403, "ABOUT_YOURSELF", detail)
        user = rows.get(CentreUser, name)
        is_one = _has(rows, name, Grant(Role.ADMINISTRATOR))
        if user is None or user.kind != HUMAN or user.disabled_ms is not None or not is_one:
            return Denied(403, "NO_ADMINISTRATOR", f"{name} is no administrator, and two of them decide it")
    return None


def decide(rows: Rows, command: OfPeople, at_ms: int, emit: Emit) -> Answer:
    """Let it happen, or say why it cannot."""
    against = _against(rows, command)
    if against is not None:
        return against
    name, by = command.name, command.by
    match command:
        case AddUser():
            emit(UserAdded(name=name, is_service=command.is_service, roles=command.roles, by=by, at_ms=at_ms))
        case ChangeRoles():
            emit(RolesChanged(name=name, give=command.give, take=command.take, by=by, at_ms=at_ms))
        case DisableUser():
            emit(UserDisabled(name=name, by=by, at_ms=at_ms))
        case ResetCredentials():
            emit(ResetAgreed(name=name, by=by, at_ms=at_ms))
    return Done()


def _against(rows: Rows, command: OfPeople) -> Denied | None:
    if isinstance(command, AddUser):
        return _against_adding(rows, command)
    user = rows.get(CentreUser, command.name)
    if user is None:
        return Denied(
            404, "USER_UNKNOWN", f"there is no user {command.name}. `settlement users ls` lists them"
        )
    if user.disabled_ms is not None:
        return Denied(409, "USER_DISABLED", f"{command.name} is disabled, which is for good")
    if isinstance(command, ChangeRoles):
        return _against_roles(rows, command, user)
    if isinstance(command, ResetCredentials) and user.kind != HUMAN:
        return Denied(422, "NO_PERSON", f"{command.name} is a service and has no password")
    return None


def _against_adding(rows: Rows, command: AddUser) -> Denied | None:
    problem = problem_of_name(command.name)
    if problem is not None:
        return Denied(422, "NAME_WRONG", problem)
    if rows.get(CentreUser, command.name) is not None:
        detail = f"there is a user {command.name} already; a name is never given twice"
        return Denied(409, "NAME_TAKEN", detail)
    if command.is_service == bool(command.code_hash):
        return Denied(422, "CODE_WRONG", "$.code_hash: a person has one, a service none")
    kind = SERVICE if command.is_service else HUMAN
    return _wrong_roles(command.name, kind, command.roles, (), frozenset())


def _against_roles(rows: Rows, command: ChangeRoles, user: CentreUser) -> Denied | None:
    if not command.give and not command.take:
        return Denied(422, "ROLES_WRONG", "name a role to give or to take")
    held = frozenset(Grant(role) for role in _TOGETHER if _has(rows, user.name, Grant(role)))
    wrong = _wrong_roles(user.name, user.kind, command.give, command.take, held)
    if wrong is not None:
        return wrong
    for grant in grants_of(command.take):
        if not _has(rows, user.name, grant):
            return Denied(422, "ROLES_WRONG", f"{user.name} is not {grant}")
    return None


def _wrong_roles(
    name: str, kind: str, give: tuple[str, ...], take: tuple[str, ...], held: frozenset[Grant]
) -> Denied | None:
    texts = (*give, *take)
    if any(read_grant(text) is None for text in texts) or len(set(texts)) != len(texts):
        return Denied(422, "ROLES_WRONG", f"not roles, or one twice. Known: {', '.join(Role)}")
    given = grants_of(give)
    wrong: Wrong | None = wrong_with(name, kind, given)
    wrong = wrong or wrong_together(name, {*held, *given} - {*grants_of(take)})
    return None if wrong is None else Denied(422 if wrong.is_usage else 409, "ROLES_WRONG", wrong.problem)


def _has(rows: Rows, name: str, grant: Grant) -> bool:
    return rows.get(UserRole, *_role_key(name, grant)) is not None


def _role_key(name: str, grant: Grant) -> tuple[str, ...]:
    return name, grant.role.value, grant.scope_kind.value, grant.scope
