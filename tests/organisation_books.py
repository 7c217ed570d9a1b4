"""Workbooks of an organisation for tests, over a small tree made by rule."""

from datetime import date
from itertools import count
from typing import Any

from sqlalchemy import Engine, select

from documents.organisation_file import CHARGES, POSTS, RELATIONS, SHEETS, TERMS, UNITS
from models.base import metadata, table
from models.batch import Batch
from services.batches.staging import confirm, stage
from services.command import SYSTEM, Actor
from services.env import Env
from tests.founded import HEADER, load
from tests.sheets import Rows, workbook

TREE = f"{HEADER}31,江海市,市,\n3199,滨河区,区,31\n3198,滨江区,区,31\n3199A,梧桐路街道,街镇,3199\n"
DAY, LATER = date(2026, 12, 1), date(2027, 3, 1)
BUREAU: dict[str, Rows] = {
    UNITS: [
        ["B1", "滨河区城管局党组", "", "区", "党组", "滨河区委"],
        ["B1.dept", "滨河区城管局办公室", "", "区", "工作机关", "B1"],
        ["B1.dc", "驻城管局纪检监察组", "驻城管局纪检组", "区", "派驻机构", "B1"],
    ],
    POSTS: [
        ["B1", "书记", "书记", 1],
        ["滨河区城管局党组", "副书记", "班子成员", 2],
        ["B1.dept", "主任", "负责人", 1],
        ["B1.dc", "组长", "负责人", 1],
    ],
    TERMS: [
        ["B1", "书记", "甲", "", DAY, ""],
        ["B1", "副书记", "乙", "N-2", DAY, ""],
        ["B1.dept", "主任", "乙", "N-2", DAY, LATER],
        ["B1.dc", "组长", "丙", "", DAY, ""],
    ],
    CHARGES: [
        ["B1", "副书记", "B1.dept", "", DAY, ""],
        ["B1", "副书记", "", "政治生态", DAY, ""],
    ],
    RELATIONS: [
        ["B1.dc", "纪检机构", "B1", DAY, ""],
        ["滨河区纪委", "上级纪检机构", "B1.dc", DAY, ""],
    ],
}
"""A 党组 with a department and its 派驻机构, new below 滨河区委."""
_keys = count()
_batches = table(Batch)


def key() -> str:
    """A new idempotency key."""
    return f"book-{next(_keys)}"


def book(sheets: dict[str, Rows], **more: Rows) -> bytes:
    """An .xlsx with the headers of the templates."""
    whole = {
        name: [[column.name for column in SHEETS[name]], *rows] for name, rows in sheets.items()
    }
    return workbook(whole | more)


def with_rows(name: str, *rows: list[Any]) -> bytes:
    """The bureau with more rows in one sheet; the first is row 2 + those that are there."""
    return book(BUREAU | {name: [*BUREAU[name], *rows]})


def only(name: str, *rows: list[Any]) -> bytes:
    """A workbook with one sheet."""
    return book({name: list(rows)})


def small_tree(env: Env) -> None:
    """A city, two districts and a street, each with organs, posts and holders by rule."""
    assert load(env, TREE) == []


def bring_in(env: Env, data: bytes, actor: Actor = SYSTEM) -> int:
    """Stage and confirm at once; the batch."""
    batch = stage(env, actor, data=data, filename="组织.xlsx", key=key())
    fingerprint = fingerprint_of(env.engine, batch)
    confirm(env, actor, batch_id=batch, fingerprint=fingerprint, key=key())
    return batch


def fingerprint_of(engine: Engine, batch: int) -> str:
    """Of the difference that is shown."""
    with engine.connect() as db:
        query = select(_batches.c.fingerprint).where(_batches.c.id == batch)
        return str(db.execute(query).scalar_one())


def contents(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the organisation's tables."""
    names = ("organisation", "former_organisation", "relation", "post", "person", "appointment")
    with engine.connect() as db:
        return {
            name: sorted(
                (tuple(row) for row in db.execute(select(metadata.tables[name]))), key=repr
            )
            for name in (*names, "portfolio")
        }
