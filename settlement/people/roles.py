"""Which role may do what, and how far does a grant of it reach? Deny by default.

A role is a row of one table below. A grant gives a role to a user with a scope, which is data: everything,
one county or one merchant. What is not granted is not allowed.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Permission(StrEnum):
    """What an address or a command may need."""

    READ_BOOKS = "read_books"
    READ_RECORDS = "read_records"
    READ_CLAIMS = "read_claims"
    READ_DIFFERENCES = "read_differences"
    READ_DEVICES = "read_devices"
    READ_NIGHT = "read_night"
    READ_PROPOSALS = "read_proposals"
    READ_AUDIT = "read_audit"
    RUN = "run"
    """Routine: import files, make one-time codes, run the night, serve."""
    BUILD_CLAIMS = "build_claims"
    FREEZE = "freeze"
    """Stop something at once; letting it go again is proposed."""
    PROPOSE = "propose"
    APPROVE = "approve"
    MANAGE_PEOPLE = "manage_people"
    LEAVE = "leave"
    """What everybody who is known may do: end a session, see and revoke tokens of one's own."""


class Role(StrEnum):
    """What a person is to the centre."""

    ADMINISTRATOR = "administrator"
    OPERATIONS = "operations"
    APPROVER = "approver"
    REVIEWER = "reviewer"
    MERCHANT = "merchant"
    AUDITOR = "auditor"


_READ_SALES = frozenset({Permission.READ_RECORDS, Permission.READ_CLAIMS, Permission.READ_DIFFERENCES})
_READ_ALL = _READ_SALES | {
    Permission.READ_BOOKS,
    Permission.READ_DEVICES,
    Permission.READ_NIGHT,
    Permission.READ_PROPOSALS,
}

MAY: dict[Role, frozenset[Permission]] = {
    # Who gives roles does not propose or approve.
    Role.ADMINISTRATOR: frozenset(
        {Permission.MANAGE_PEOPLE, Permission.READ_AUDIT, Permission.READ_PROPOSALS}
    ),
    Role.OPERATIONS: _READ_ALL
    | {Permission.RUN, Permission.BUILD_CLAIMS, Permission.FREEZE, Permission.PROPOSE},
    Role.APPROVER: _READ_ALL | {Permission.FREEZE, Permission.APPROVE},
    Role.REVIEWER: _READ_SALES,
    Role.MERCHANT: _READ_SALES,
    Role.AUDITOR: _READ_ALL | {Permission.READ_AUDIT},
}

# What the server's own account may do without a token: it can read database and keys anyway. It may
# stop things, never what moves money, decides, or says who may.
OF_THE_SERVER = frozenset(Permission) - {
    Permission.PROPOSE,
    Permission.APPROVE,
    Permission.MANAGE_PEOPLE,
    Permission.LEAVE,
}

# A service has no second factor and no face: it never approves, and gives no roles.
NEVER_A_SERVICE = frozenset({Permission.APPROVE, Permission.MANAGE_PEOPLE})


class Scope(StrEnum):
    """How far a grant reaches."""

    EVERYTHING = "everything"
    COUNTY = "county"
    MERCHANT = "merchant"


class Grant(msgspec.Struct, frozen=True):
    """A role that a user has. `scope` is the county's code or the merchant's id; empty for everything."""

    role: Role
    scope_kind: Scope = Scope.EVERYTHING
    scope: str = ""

    def __str__(self) -> str:
        return (
            self.role
            if self.scope_kind is Scope.EVERYTHING
            else f"{self.role}@{self.scope_kind}:{self.scope}"
        )


class Reach(msgspec.Struct, frozen=True):
    """What of the sales somebody sees: everything, or those of some counties and merchants."""

    everything: bool
    counties: tuple[str, ...] = ()
    merchants: tuple[str, ...] = ()


EVERYTHING = Reach(True)


def may_be_scoped(role: Role) -> bool:
    """Whether all that a role may do can be limited to a county or a merchant."""
    return MAY[role] <= _READ_SALES


def reach(grants: Iterable[Grant], permission: Permission) -> Reach | None:
    """Return how far `permission` reaches by these grants, or None when it is not given at all."""
    if permission is Permission.LEAVE:
        return EVERYTHING
    giving = [one for one in grants if permission in MAY[one.role]]
    if any(one.scope_kind is Scope.EVERYTHING for one in giving):
        return EVERYTHING
    if not giving or permission not in _READ_SALES:
        return None
    return Reach(
        False,
        tuple(sorted(one.scope for one in giving if one.scope_kind is Scope.COUNTY)),
        tuple(sorted(one.scope for one in giving if one.scope_kind is Scope.MERCHANT)),
    )


def read_grant(text: str) -> Grant | None:
    """Return the grant that is written as `reviewer`, `reviewer@county:320102`, or None."""
    name, at, scope = text.partition("@")
    kind, _, value = scope.partition(":")
    if name not in set(Role) or (at and (kind not in (Scope.COUNTY, Scope.MERCHANT) or not value)):
        return None
    return Grant(Role(name), Scope(kind), value) if at else Grant(Role(name))
