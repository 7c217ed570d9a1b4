"""What must be there before the processes start: schema, calendar, and the demo if wanted."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Engine, exists, select

from deployments.clock import now
from deployments.demo import DISTRICT, DemoLogin, demo_logins, give, set_up_demo
from deployments.root import build, database
from deployments.settings import Settings, secret
from models.account import Account
from models.base import table
from models.calendar import CalendarVersion
from models.organisation import Organisation
from policy.calendar import local_day
from services import calendar
from services.command import SYSTEM, Actor, execute
from services.database import reading
from services.env import Env
from services.migration import migrate

RUNNER = Actor(None, "runner")
_accounts = table(Account)
_calendars = table(CalendarVersion)
_organisations = table(Organisation)


def upgrade(engine: Engine) -> None:
    """Bring the database to this code's schema, with the first calendar; repeated, does nothing."""
    migrate(engine)
    with reading(engine) as db:
        if db.execute(select(exists(select(_calendars.c.id)))).scalar_one():
            return
    env = Env(engine, now)
    key = "calendar-seed-first"
    execute(env, SYSTEM, "calendar.seed", key, {}, lambda work: {"id": calendar.seed(work)})


def prepare(settings: Settings, say: Callable[[str], None]) -> list[DemoLogin]:
    """Schema, calendar and, in an empty database, the demo; the demo's log-ins, [] without it.

    A demo that was stopped on the way to its passwords is gone on with.
    """
    engine = database(settings)
    upgrade(engine)
    engine.dispose()
    env = build(settings)
    try:
        if settings.demo and (_is_empty(env) or _has_demo(env)):
            say("首次启动：建立演示区 滨河区…… | first start: setting up the demo district")
            set_up_demo(env, RUNNER, local_day(now()))
        return log_ins(settings, env)
    finally:
        env.engine.dispose()


def log_ins(settings: Settings, env: Env) -> list[DemoLogin]:
    """The demo's log-ins, given their passwords once and kept for their owner's eyes only.

    [] without the demo, and where somebody has a password already: those are theirs to change.
    They are kept before they are given, so that a kill in between loses nothing.
    """
    kept, new = kept_at(settings), settings.demo and _has_demo(env)
    if not kept.exists() and not new:
        return []
    text = secret(kept, lambda: _as_text(demo_logins(env)))
    logins = [DemoLogin(**login) for login in json.loads(text)]
    if new:
        give(env, RUNNER, logins)
    return logins


def kept_at(settings: Settings) -> Path:
    """The file of the demo's log-ins."""
    return settings.secrets / "demo-logins.json"


def _as_text(logins: list[DemoLogin]) -> str:
    return json.dumps([asdict(login) for login in logins], ensure_ascii=False, indent=1)


def _is_empty(env: Env) -> bool:
    with reading(env.engine) as db:
        return db.execute(select(_organisations.c.id).limit(1)).first() is None


def _has_demo(env: Env) -> bool:
    """Whether the demo district is there and nobody has a password yet."""
    there = exists().where(_organisations.c.code == DISTRICT)
    used = exists().where(_accounts.c.password.is_not(None))
    with reading(env.engine) as db:
        return bool(db.execute(select(there & ~used)).scalar())
