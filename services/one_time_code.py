"""One-time codes (TOTP, RFC 6238): six digits, thirty seconds, each taken once (reliability §5).

The secret is encrypted with a key of the installation that is not in the database: a copy of the
tables alone makes no code.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import Connection, Row, delete, select, update

from models.account import SecondFactor
from models.base import table
from policy.password import plain
from services.command import Work
from services.env import Env
from services.errors import DutiesError

DIGITS, SECONDS = 6, 30
_DRIFT = 1
"""How many steps a device's clock may be off."""
_factors = table(SecondFactor)


class NoKey(DutiesError):
    """本系统没有动态口令的加密密钥，或者密钥换过，不能使用动态口令。请告诉系统运维员。"""

    status = 409
    code = "no_key"


def factor_of(db: Connection, account_id: int) -> Row[Any] | None:
    """The row of an account's secret; it counts once ``confirmed_at`` is set."""
    return db.execute(select(_factors).where(_factors.c.account_id == account_id)).first()


def is_right(env: Env, db: Connection, account_id: int, code: str, now: datetime) -> bool:
    """Whether a code is right and new. Nothing is changed: :func:`take_code` decides."""
    row = factor_of(db, account_id)
    step = _step(env, row, code, now) if row is not None else None
    return row is not None and step is not None and bool(row.used_step < step)


def take_code(env: Env, work: Work, account_id: int, code: str) -> bool:
    """Whether a code is right and new; it counts as used from then on (compare-and-set)."""
    row = factor_of(work.db, account_id)
    step = _step(env, row, code, work.now) if row is not None else None
    if step is None:
        return False
    taken = (
        update(_factors)
        .where(_factors.c.account_id == account_id, _factors.c.used_step < step)
        .values(used_step=step)
    )
    return work.db.execute(taken).rowcount == 1


def forget_factor(work: Work, account_id: int) -> bool:
    """Delete an account's secret; whether there was one. The caller notes why."""
    gone = delete(_factors).where(_factors.c.account_id == account_id)
    return work.db.execute(gone).rowcount == 1


def codes(raw: bytes) -> TOTP:
    """What makes the codes of a secret."""
    return TOTP(raw, DIGITS, SHA1(), SECONDS)


def sealed(env: Env, raw: bytes) -> str:
    """A secret as it is kept; NoKey where the installation has none."""
    return _vault(env).encrypt(raw).decode()


def opened(env: Env, kept: str) -> bytes:
    """The secret again; NoKey where it was kept under another key."""
    try:
        return _vault(env).decrypt(kept.encode())
    except InvalidToken as error:  # a database that was brought from elsewhere
        raise NoKey from error


def _step(env: Env, row: Row[Any], code: str, now: datetime) -> int | None:
    """The time step whose code this is, near enough to now; None for a wrong one."""
    given = "".join(plain(code).split()).encode()
    made, present = codes(opened(env, row.secret)), int(now.timestamp()) // SECONDS
    near = range(present - _DRIFT, present + _DRIFT + 1)
    return next((n for n in near if hmac.compare_digest(made.generate(n * SECONDS), given)), None)


def _vault(env: Env) -> Fernet:
    if not env.sign_in.key:
        raise NoKey
    digest = hashlib.sha256(b"fourduties second factor\0" + env.sign_in.key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
