"""Log-ins, revocable sessions, administrators, and the record of what was done to accounts."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index, false, text
from sqlmodel import Field

from models.base import Key, Row, instant, words
from policy.administration import AdministratorRole


class Account(Row, table=True):
    """The one log-in of a person; ``password`` is an argon2 hash, or None: no log-in yet.

    ``must_change``: somebody else knows the password (a first one, or one that was reset), and
    nothing but changing it is possible. ``password_at``: when it was set last.
    """

    __tablename__ = "account"
    login: str = Field(unique=True)
    person_id: int = Field(foreign_key="person.id", sa_type=Key, unique=True, index=True)
    password: str | None = None
    disabled: bool = False
    must_change: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    password_at: datetime | None = instant(nullable=True)


class Session(Row, table=True):
    """A log-in session: the token is kept as its SHA-256 only; the CSRF secret is bound to it.

    ``post_id`` is the post as which the person acts, by their own choice; None: their first.
    """

    __tablename__ = "session"
    account_id: int = Field(foreign_key="account.id", sa_type=Key, index=True)
    token_hash: str = Field(unique=True)
    csrf: str
    created_at: datetime = instant()
    seen_at: datetime = instant()
    revoked_at: datetime | None = instant(nullable=True)
    post_id: int | None = Field(default=None, foreign_key="post.id", sa_type=Key, index=True)
    address: str = Field(default="", sa_column_kwargs={"server_default": ""})
    browser: str = Field(default="", sa_column_kwargs={"server_default": ""})


class LoginFailure(Row, table=True):
    """A log-in that failed in the last quarter of an hour; older ones are deleted.

    ``login`` is a short tag of what was typed, never the text itself; ``address`` an IPv4 address,
    the /64 of an IPv6 one, or '' for what was none.
    """

    __tablename__ = "login_failure"
    __table_args__ = (
        Index("ix_login_failure_login", "login", "at"),
        Index("ix_login_failure_address", "address", "at"),
    )
    login: str
    address: str
    at: datetime = instant(index=True)


class SecondFactor(Row, table=True):
    """The secret of a person's one-time codes (TOTP), encrypted with the installation's key.

    It counts once ``confirmed_at`` is set. ``used_step`` is the time step of the last code that
    was taken: no code counts twice.
    """

    __tablename__ = "second_factor"
    account_id: int = Field(foreign_key="account.id", sa_type=Key, unique=True)
    secret: str
    made_at: datetime = instant()
    confirmed_at: datetime | None = instant(nullable=True)
    used_step: int = Field(default=0, sa_type=BigInteger)


class Administrator(Row, table=True):
    """One of the three administrators of an organisation and what stands below it, while open.

    Nobody is two of them: a person has one open row (a unique index).
    """

    __tablename__ = "administrator"
    __table_args__ = (
        Index(
            "ux_administrator_open",
            "person_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )
    person_id: int = Field(foreign_key="person.id", sa_type=Key)
    role: AdministratorRole = Field(sa_type=words(AdministratorRole))
    organisation_id: int = Field(foreign_key="organisation.id", sa_type=Key, index=True)
    begun_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)


class AccountAct(StrEnum):
    """What happened to an account, or at the door."""

    SIGNED_IN = "signed_in"
    REFUSED = "refused"
    HELD = "held"
    SIGNED_OUT = "signed_out"
    SESSIONS_ENDED = "sessions_ended"
    MADE = "made"
    CLOSED = "closed"
    REOPENED = "reopened"
    PASSWORD_RESET = "password_reset"
    PASSWORD_CHANGED = "password_changed"
    FACTOR_ADDED = "factor_added"
    FACTOR_DROPPED = "factor_dropped"
    FACTOR_RECOVERED = "factor_recovered"
    APPOINTED = "appointed"
    DISMISSED = "dismissed"


class AccountEvent(Row, table=True):
    """A line of the record of log-ins and accounts (读日志). Append-only.

    ``account_id`` is None for a log-in that is not there: what was typed is not kept, since people
    type passwords there. ``by_person_id`` is who did it, None at the door and for the system.
    """

    __tablename__ = "account_event"
    __table_args__ = (
        Index("ix_account_event_account", "account_id", "id"),
        Index("ix_account_event_act", "act", "id"),
    )
    at: datetime = instant()
    act: AccountAct = Field(sa_type=words(AccountAct))
    account_id: int | None = Field(default=None, foreign_key="account.id", sa_type=Key)
    by_person_id: int | None = Field(default=None, foreign_key="person.id", sa_type=Key, index=True)
    session_id: int | None = Field(default=None, sa_type=Key)
    address: str = ""
