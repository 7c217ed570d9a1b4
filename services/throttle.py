"""How often a log-in may be tried: per account from one address, per account, per address, and the
same for the IPv6 site that an address is of: who has one has thousands of addresses.

The failures of the last quarter of an hour are kept in the database, so that a restart forgets
none and several web processes count together. The failures of others, elsewhere or behind one
address, never keep somebody from signing in where they have signed in before.
"""

import hashlib
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from models.account import LoginFailure, Session
from models.audit import Command
from models.base import table
from services.command import Work
from services.env import Env
from services.errors import DutiesError

WINDOW = timedelta(minutes=15)
PER_PAIR, PER_LOGIN, PER_ADDRESS, PER_SITE = 5, 20, 50, 200
_REMEMBERED = 200
"""How many of somebody's last sessions tell from where they sign in."""
_OF_64, _OF_48 = len("2001:0db8:0000:0000"), len("2001:0db8:0000:")
_commands = table(Command)
_failures = table(LoginFailure)
_sessions = table(Session)


class TooManyTries(DutiesError):
    """登录失败次数过多，请稍后再试。"""

    status = 429
    code = "too_many_tries"


def admit(
    env: Env, db: Connection, *, login: str, address: str, account_id: int | None, now: datetime
) -> None:
    """TooManyTries, with the minutes that are left, while this log-in must wait.

    ``account_id`` is the account of the log-in, None where there is none.
    """
    mine, here = _failures.c.login == _tag(env, login), _failures.c.address == network(address)
    wait = _left(db, now, PER_PAIR, mine, here)
    site = _of_site(address)
    of_others = max(
        _left(db, now, PER_LOGIN, mine),
        _left(db, now, PER_ADDRESS, here),
        _left(db, now, PER_PAIR, mine, site),
        _left(db, now, PER_SITE, site),
    )
    if of_others > wait and not _known(db, account_id, address):
        wait = of_others
    if wait:
        raise TooManyTries(f"登录失败次数过多，请 {-(-wait.seconds // 60)} 分钟后再试。")


def count(work: Work, *, login: str, address: str) -> None:
    """Count a failure, and forget those that are over.

    After the line of the record: who has that lock deletes alone, and nobody crosses.
    """
    row = {"login": _tag(work.env, login), "address": network(address), "at": work.now}
    work.db.execute(insert(_failures).values(row))
    work.db.execute(delete(_failures).where(_failures.c.at <= work.now - WINDOW))


def forgive(work: Work, *, login: str, address: str) -> None:
    """Forget the failures of this account from this address; after the line, as :func:`count`."""
    mine, here = _failures.c.login == _tag(work.env, login), _failures.c.address == network(address)
    work.db.execute(delete(_failures).where(mine, here))


def held_key(env: Env, address: str, now: datetime) -> str:
    """The key of the one command that tells that an address must wait, a quarter of an hour."""
    return f"held-{_tag(env, network(address), 16)}-{int(now.timestamp() // WINDOW.seconds)}"


def told(db: Connection, key: str) -> bool:
    """Whether the command of :func:`held_key` was done: a read, where a write is not needed."""
    return db.execute(select(_commands.c.id).where(_commands.c.key == key)).first() is not None


def network(address: str) -> str:
    """What counts as one address: of IPv6 its /64, which is one subscriber's, in full. Whatever is
    no address is '', all of it one: it can be made up.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or f"{found.exploded[:_OF_64]}::/64")


def _of_site(address: str) -> ColumnElement[bool]:
    """The failures from the same site: of IPv6 the /48; from the address alone else."""
    one = network(address)
    if not one.endswith("/64"):
        return _failures.c.address == one
    return _failures.c.address.startswith(one[:_OF_48])


def _left(db: Connection, now: datetime, limit: int, *of: ColumnElement[bool]) -> timedelta:
    """How long until fewer than ``limit`` failures are in the window."""
    recent = select(_failures.c.at).where(*of, _failures.c.at.between(now - WINDOW, now))
    last = recent.order_by(_failures.c.at.desc()).offset(limit - 1).limit(1)
    at: datetime | None = db.execute(last).scalar()
    return timedelta() if at is None else max(at + WINDOW - now, timedelta())


def _known(db: Connection, account_id: int | None, address: str) -> bool:
    """Whether the person has signed in from this address before."""
    query = select(_sessions.c.address).where(_sessions.c.account_id == account_id)
    seen = db.execute(query.order_by(_sessions.c.id.desc()).limit(_REMEMBERED)).scalars()
    return network(address) in {network(one) for one in seen}


def _tag(env: Env, text: str, size: int = 3) -> str:
    """Enough to count by, too little to tell what was typed: people type passwords there."""
    key = hashlib.sha256(env.sign_in.key.encode()).digest()
    return hashlib.blake2b(text.encode(), key=key, digest_size=size).hexdigest()
