"""Who reaches what: the one table of role × action × relation to the organisation (design §8).

A role is what a post is for, one of the three administrators, or nothing but that a case has to do
with somebody. A reach says from where to where an action goes: an own post's unit, what stands in
its line below, a unit it is in charge of or whose organ it belongs to. What no cell allows is not
there for who asks: the same answer as for what does not exist (trap 15).

``services/scope.py`` makes SQL of it, for lists, counts, pages, options, files and the API alike.
What is done to a step by who may see it is ``policy.acts.RULES``; what each administrator does to
accounts ``policy.administration.PERMISSIONS``, from which their rows here are made.
"""

from collections.abc import Mapping
from enum import StrEnum

from policy.administration import AdministratorRole, Permission, holds, sees_accounts


class Role(StrEnum):
    """What somebody is. The kinds of posts have the names of ``PostKind``."""

    SECRETARY = "secretary"
    """书记: leads a unit, and is the superior of those below."""
    MEMBER = "member"
    """班子成员."""
    HEAD = "head"
    """Who leads an office."""
    CLERK = "clerk"
    """联络员: works for the secretary."""
    OPERATOR = "operator"
    """系统运维员."""
    SYSTEM = "system"
    SECURITY = "security"
    AUDIT = "audit"
    """The three administrators, who hold no post."""
    CONCERNED = "concerned"
    """Whoever a case asks, asked, or told that it ended: also somebody without any post now."""


class Action(StrEnum):
    """What is done to a unit, or to what belongs to it."""

    READ_WORK = "read_work"
    """Cases with problems, tasks, steps, evidence and its files."""
    READ_RESTRICTED = "read_restricted"
    """The same of restricted mechanisms (design §9)."""
    READ_UNIT = "read_unit"
    """The page of a unit: its posts, and who held them."""
    CHANGE_UNIT = "change_unit"
    """Names, place in the tree, merging, splitting, closing."""
    CHANGE_POSTS = "change_posts"
    """Posts of the unit, and who holds them."""
    IMPORT_WORK = "import_work"
    """A feedback, or running work, for the unit."""
    IMPORT_TASKS = "import_tasks"
    """The task sheet of a plan, beside who is asked for the plan."""
    IMPORT_UNITS = "import_units"
    """Imports of the organisation that were sent there."""
    ARRANGE = "arrange"
    """离岗委托 for posts of others."""
    KEEP_ACCOUNTS = "keep_accounts"
    READ_RECORD = "read_record"
    """What was done to accounts."""


class Reach(StrEnum):
    """From a post to a unit; the organs have the names of ``RelationKind``. Or to a case."""

    OWN = "own"
    """The unit of the post."""
    OFFICE = "office"
    """The post is in an own office of the unit: below it, at the same level."""
    IN_LINE = "in_line"
    """The unit of the post, and what is below it in the tree."""
    CHARGE = "charge"
    """The post is in charge of the unit (分管)."""
    DISCIPLINE = "discipline"
    SUPERIOR_DISCIPLINE = "superior_discipline"
    INSPECTION_OFFICE = "inspection_office"
    PARTY_OFFICE = "party_office"
    ORGANISATION_DEPT = "organisation_dept"
    """The unit of the post serves it as this. Propaganda departments and leading groups reach
    nothing by what they are."""
    ASKED = "asked"
    """An open slot of the case waits for the post, or for one in which somebody stands in."""
    DECIDED = "decided"
    """They answered something in the case."""
    TOLD = "told"
    """Their step in the case ended because it was terminated."""


ORGANS = frozenset(
    {
        Reach.DISCIPLINE,
        Reach.SUPERIOR_DISCIPLINE,
        Reach.INSPECTION_OFFICE,
        Reach.PARTY_OFFICE,
        Reach.ORGANISATION_DEPT,
    }
)
"""Oversight: by what the unit of the post is to another."""
TO_CASES = frozenset({Reach.ASKED, Reach.DECIDED, Reach.TOLD})
"""To a case, whatever its unit."""
Cells = Mapping[Action, frozenset[Reach]]
_NEAR = frozenset({Reach.OWN, Reach.OFFICE, Reach.CHARGE, *ORGANS})
_LEADING = _NEAR | {Reach.IN_LINE}
_IMPORTS = frozenset({Reach.INSPECTION_OFFICE, Reach.PARTY_OFFICE})
_PERSONNEL = frozenset({Reach.ORGANISATION_DEPT})
_WATCHING = frozenset({Reach.DISCIPLINE, Reach.SUPERIOR_DISCIPLINE})
_LINE = frozenset({Reach.IN_LINE})
_NOTHING: frozenset[Reach] = frozenset()


def _post(work: frozenset[Reach], restricted: frozenset[Reach], below: frozenset[Reach]) -> Cells:
    """A kind of post; ``below``: what it does to whatever stands in its line."""
    return {
        Action.READ_WORK: work,
        Action.READ_RESTRICTED: restricted,
        Action.READ_UNIT: work | below,
        Action.CHANGE_UNIT: below,
        Action.CHANGE_POSTS: below | _PERSONNEL,
        Action.IMPORT_WORK: _IMPORTS,
        Action.IMPORT_TASKS: frozenset({Reach.PARTY_OFFICE}),
        Action.IMPORT_UNITS: below,
        Action.ARRANGE: below,
    }


def _administrator(role: AdministratorRole) -> Cells:
    return {
        Action.KEEP_ACCOUNTS: _LINE if sees_accounts(role) else _NOTHING,
        Action.READ_RECORD: _LINE if holds(role, Permission.READ_RECORD) else _NOTHING,
    }


RULES: Mapping[Role, Cells] = {
    Role.SECRETARY: _post(_LEADING, _WATCHING | {Reach.OWN, Reach.IN_LINE}, _NOTHING),
    Role.MEMBER: _post(_NEAR, _WATCHING, _NOTHING),
    Role.HEAD: _post(_NEAR, _WATCHING, _NOTHING),
    Role.CLERK: _post(_LEADING, _WATCHING, _NOTHING),
    Role.OPERATOR: _post(_NEAR, _NOTHING, _LINE),
    **{Role(role.value): _administrator(role) for role in AdministratorRole},
    Role.CONCERNED: {Action.READ_WORK: TO_CASES, Action.READ_RESTRICTED: TO_CASES},
}


def reaches(role: Role, action: Action) -> frozenset[Reach]:
    """How far an action of a role goes; a cell that is not in the table allows nothing."""
    return RULES[role].get(action, _NOTHING)
