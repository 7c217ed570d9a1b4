"""三员: three administrators, each with a work of their own, and none that decides anything.

Classified-network practice (BMB17, GB/T 22239) wants the work of administration held by three
persons who watch each other: who makes accounts cannot give themselves another's password, who
gives passwords makes no account, and who reads the record of both can do neither. What each may do
is this table; a test holds that no act stands in it twice.
"""

from enum import StrEnum


class AdministratorRole(StrEnum):
    """Which of the three somebody is."""

    SYSTEM = "system"
    SECURITY = "security"
    AUDIT = "audit"


class Permission(StrEnum):
    """An act of administration. Looking accounts up goes with the acts done to them."""

    MAKE_ACCOUNTS = "make_accounts"
    CLOSE_ACCOUNTS = "close_accounts"
    RESET_PASSWORDS = "reset_passwords"
    RECOVER_FACTORS = "recover_factors"
    END_SESSIONS = "end_sessions"
    READ_RECORD = "read_record"


PERMISSIONS: dict[AdministratorRole, frozenset[Permission]] = {
    AdministratorRole.SYSTEM: frozenset({Permission.MAKE_ACCOUNTS, Permission.CLOSE_ACCOUNTS}),
    AdministratorRole.SECURITY: frozenset(
        {Permission.RESET_PASSWORDS, Permission.RECOVER_FACTORS, Permission.END_SESSIONS}
    ),
    AdministratorRole.AUDIT: frozenset({Permission.READ_RECORD}),
}
ON_ACCOUNTS = frozenset(Permission) - {Permission.READ_RECORD}
"""The acts that are done to an account: whoever has one of them sees the list of accounts."""


def holds(role: AdministratorRole | None, permission: Permission) -> bool:
    """Whether a role, if somebody has one, includes an act."""
    return role is not None and permission in PERMISSIONS[role]


def sees_accounts(role: AdministratorRole | None) -> bool:
    """Whether a role, if somebody has one, works on accounts."""
    return role is not None and not ON_ACCOUNTS.isdisjoint(PERMISSIONS[role])
