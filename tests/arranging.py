"""How tests arrange a substitution (离岗委托), and look at what came of it."""

from datetime import date
from typing import Any

from policy.calendar import local_day
from services.casework import Decided, decide
from services.database import reading
from services.inbox import Inbox, Item
from services.message import messages_for
from services.scope import Standing, standing
from services.substitution import make
from services.substitution_terms import Terms
from tests.world import World

TODAY = date(2026, 3, 2)
FRIDAY = date(2026, 3, 6)


def terms(world: World, post: str, by: str, **given: Any) -> Terms:
    """``by`` for ``post``, from Monday to Friday unless something else is given."""
    values = {"starts_on": TODAY, "until_on": FRIDAY} | given
    return Terms(world.posts[post], world.posts[by], **values)


def arrange(world: World, post: str, by: str, actor: str = "", **given: Any) -> int:
    """Whoever holds ``by`` stands in for whoever holds ``post``."""
    return make(
        world.env,
        world.actor(actor or post),
        terms=terms(world, post, by, **given),
        reason="外出学习",
        key=world.key(),
    )


def who(world: World, db: Any, post: str) -> Standing:
    """What whoever holds a post is today."""
    return standing(db, world.people[post], local_day(world.env.clock()))


def waits(world: World, post: str, *, behalf: bool = False) -> list[Item]:
    """The inbox of whoever holds a post; it is as long as its count says."""
    with reading(world.env.engine) as db:
        mine = Inbox(who(world, db, post), behalf)
        found = mine.items(db, world.env.clock())
        assert len(found) == mine.count(db)
        return found


def answer(world: World, by: str, key: str, answer: str = "done", **given: Any) -> Decided:
    """Whoever holds ``by`` answers the first open slot of a step, or that of the post ``of``."""
    of = given.pop("of", "")
    slot = next(slot for slot, step, post in world.open_slots() if step == key and of in ("", post))
    given = {"key": world.key(), **given}
    return decide(world.env, world.actor(by), slot_id=slot, answer=answer, **given)


def told(world: World, post: str) -> list[str]:
    """The titles of what a person was told, the newest first."""
    with reading(world.env.engine) as db:
        return [message.title for message in messages_for(db, world.people[post])]
