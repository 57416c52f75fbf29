"""Which users can there be, and which roles can one have together? Pure."""

import re
from collections.abc import Iterable

import msgspec

from settlement.people.roles import MAY, NEVER_A_SERVICE, Grant, Permission, Scope, may_be_scoped

HUMAN, SERVICE = "human", "service"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*", re.ASCII)
_LONGEST_NAME = 32
_SCOPE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class Wrong(msgspec.Struct, frozen=True):
    """Why a user cannot be so. `is_usage` says that the words are wrong, not the moment."""

    problem: str
    is_usage: bool = False


def problem_of_name(name: str) -> str | None:
    """Return why nobody can be called so, or None."""
    if len(name) > _LONGEST_NAME or _NAME.fullmatch(name) is None:
        return "a name is at most 32 of a-z, 0-9 and . _ - between them, and begins with a letter"
    return None


def wrong_with(name: str, kind: str, given: Iterable[Grant]) -> Wrong | None:
    """Return why a user of this kind cannot be given one of these roles, or None."""
    for grant in given:
        if kind == SERVICE and MAY[grant.role] & NEVER_A_SERVICE:
            return Wrong(f"{name} is a service, and a service is never {grant.role}")
        if grant.scope_kind is Scope.EVERYTHING:
            continue
        if not may_be_scoped(grant.role):
            return Wrong(f"{grant.role} cannot be limited to a {grant.scope_kind}", is_usage=True)
        if _SCOPE.fullmatch(grant.scope) is None:
            return Wrong(f"not a code of a {grant.scope_kind}", is_usage=True)
    return None


def wrong_together(name: str, held: Iterable[Grant]) -> Wrong | None:
    """Return why nobody has all these roles: who gives roles neither proposes nor approves, or None."""
    may = frozenset[Permission]().union(*(MAY[one.role] for one in held))
    if Permission.MANAGE_PEOPLE in may and may & {Permission.PROPOSE, Permission.APPROVE}:
        return Wrong(f"{name} would give roles and use them too. Take administrator off, or do not give")
    return None
