"""Whatever is appointed, held and left: one role a person, and none with a post."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from models.account import Administrator
from models.base import table
from policy.administration import PERMISSIONS, AdministratorRole, Permission
from policy.calendar import local_day
from services.administration import (
    HoldsPost,
    TwoRoles,
    administers,
    appoint_administrator,
    dismiss_administrator,
)
from services.command import SYSTEM
from services.database import open_engine
from services.env import Env
from services.errors import NotFound
from services.scope import standing
from tests import world as cast
from tests.account_scene import hold, leave
from tests.web_house import give_accounts
from tests.world import Clock, World, lay_out

_administrators = table(Administrator)
LOGINS = ("clerk", "deputy")
ACT = st.one_of(
    st.tuples(st.just("appoint"), st.sampled_from(LOGINS), st.sampled_from(AdministratorRole)),
    st.tuples(st.just("dismiss"), st.sampled_from(LOGINS), st.none()),
    st.tuples(st.just("leave"), st.sampled_from(LOGINS), st.none()),
    st.tuples(st.just("hold"), st.sampled_from(LOGINS), st.sampled_from(LOGINS)),
)


def carry_out(world: World, kind: str, login: str, what: Any) -> None:
    """One act, whose refusals are answers too."""
    try:
        if kind == "appoint":
            of: Any = {"role": what, "organisation": "town", "login": login}
            appoint_administrator(world.env, SYSTEM, **of, key=world.key())
        elif kind == "dismiss":
            dismiss_administrator(world.env, SYSTEM, login=login, key=world.key())
        elif kind == "leave":
            leave(world, login)
        else:
            hold(world, what, login)
    except (HoldsPost, TwoRoles, NotFound):
        return


@settings(max_examples=40)
@given(st.lists(ACT, max_size=14))
@example(
    [
        ("leave", "clerk", None),
        ("appoint", "clerk", AdministratorRole.AUDIT),
        ("appoint", "clerk", AdministratorRole.SYSTEM),
        ("hold", "clerk", "deputy"),
        ("leave", "deputy", None),
    ]
)
def test_nobody_is_two_and_nobody_who_administers_holds_a_post(acts: list[Any]) -> None:
    engine = open_engine("sqlite://")
    lay_out(engine)
    world = cast.build(Env(engine, Clock()))
    give_accounts(world)
    for act in acts:
        carry_out(world, *act)
        today = local_day(world.env.clock())
        with engine.connect() as db:
            opened = select(_administrators.c.person_id, func.count()).where(
                _administrators.c.ended_at.is_(None)
            )
            assert all(n == 1 for _, n in db.execute(opened.group_by(_administrators.c.person_id)))
            for login in LOGINS:
                person = world.people[login]
                found = administers(db, person, today)
                posts = standing(db, person, today).posts
                assert found is None or posts == ()
                able = [p for p in Permission if found is not None and found.may(p)]
                assert found is None or set(able) == PERMISSIONS[found.role]
    engine.dispose()
