"""What tests of organisations share: importing a table, counting rows, and who holds a log-in."""

from datetime import date
from itertools import count

from sqlalchemy import Engine, func, select

from models.account import Account
from models.base import metadata, table
from services.command import SYSTEM, Actor
from services.env import Env
from services.faulty import Faulty
from services.organisation import import_csv

ON = date(2026, 11, 30)
HEADER = "code,name,level,parent_code\n"
keys = (f"key-{number}" for number in count())
_accounts = table(Account)


def counts(engine: Engine) -> dict[str, int]:
    """How many rows each table has."""
    with engine.connect() as db:
        return {
            t.name: db.execute(select(func.count()).select_from(t)).scalar_one()
            for t in metadata.sorted_tables
        }


def load(env: Env, text: str, actor: Actor = SYSTEM) -> list[str]:
    """Import a CSV; the faults, if any."""
    try:
        import_csv(env, actor, text.encode(), key=next(keys), on=ON)
    except Faulty as refused:
        return [str(fault) for fault in refused.faults]
    return []


def person_of(engine: Engine, login: str) -> Actor:
    with engine.connect() as db:
        query = select(_accounts.c.person_id).where(_accounts.c.login == login)
        return Actor(db.execute(query).scalar_one())
