"""The composition root: settings in, one :class:`Env` out. Knows every part, and no Prefect."""

from pathlib import Path

from sqlalchemy import Engine

from deployments.clock import Looks, now
from deployments.settings import Settings
from flows import rectification, rectification_1, vacancy
from notifications.channels import AppriseChannels
from policy.calendar import local_day
from services.casework import mechanisms
from services.catalogue import translated
from services.database import open_engine, reading
from services.editions import MissingEdition, missing_editions
from services.env import Env, SignInRules
from services.errors import DutiesError
from services.file_store import FileStore
from services.migration import newest, revision
from services.operator import operator_person

SCRIPTS = (rectification, rectification_1, vacancy)
"""The mechanisms of this installation, with the editions that running cases may be pinned to:
importing a script registers it."""


class WrongSchema(DutiesError):
    """数据库尚未建立或结构不是当前程序的版本，请先运行 fourduties migrate。"""

    status = 503
    code = "wrong_schema"


class MissingEditions(DutiesError):
    """有未结事项所用的流程版本不在当前程序中，程序不能启动。"""

    status = 503
    code = "missing_editions"


def build(settings: Settings) -> Env:
    """What the services need in this process.

    :class:`WrongSchema` for a database that was not migrated, and :class:`MissingEditions` when an
    open case is pinned to an edition that this code lacks (rule F): such a process must not start.
    """
    engine = open_engine(settings.database_url)
    if revision(engine) != newest():
        raise WrongSchema
    known = mechanisms()
    with reading(engine) as db:
        require_editions(missing_editions(db, known))
        operator = operator_person(db, local_day(now()), settings.operator)
    return Env(
        engine=engine,
        clock=now,
        mechanisms=known,
        channels=AppriseChannels(inside_hosts=settings.inside_mail),
        base_url=settings.base_url,
        sending=settings.sending,
        runs_per_second=settings.runs_per_second,
        operator=operator,
        looked=Looks(),
        sign_in=SignInRules(
            key=settings.account_key,
            password_days=settings.password_days,
            administrators_need_codes=settings.administrators_need_codes,
        ),
        files=files_of(settings),
        seal_key=settings.seal_key,
        seal_hash=settings.seal_hash,
        seal_outbox=Path(settings.seal_outbox).expanduser() if settings.seal_outbox else None,
        words=translated,
    )


def files_of(settings: Settings) -> FileStore:
    """Where this installation keeps the files that people give."""
    return FileStore(settings.files, settings.evidence_mb << 20)


def require_editions(missing: list[MissingEdition]) -> None:
    """:class:`MissingEditions`, naming them and how many cases each, unless there are none."""
    if missing:
        named = "、".join(f"{m.mechanism} 第{m.edition}版（{m.cases} 件）" for m in missing)
        raise MissingEditions(
            f"当前程序缺少未结事项所用的流程版本：{named}。请安装含有它们的版本。"
        )


def database(settings: Settings) -> Engine:
    """The engine alone, for what must work before the schema is there."""
    return open_engine(settings.database_url)
