"""A generated organisation as the workbook that ``fourduties org import`` takes."""

import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from deployments.generating.organisation import SINCE, Generated
from documents.organisation_file import CHARGES, POSTS, RELATIONS, SHEETS, TERMS, UNITS


def workbook(made: Generated, since: date = SINCE) -> bytes:
    """An .xlsx of the five sheets; the same organisation and day give the same bytes."""
    out = io.BytesIO()
    options = {"constant_memory": True, "default_date_format": "yyyy-mm-dd"}
    book = xlsxwriter.Workbook(out, options)
    book.set_properties({"created": datetime(since.year, since.month, since.day)})  # noqa: DTZ001
    for name, rows in _sheets(made, since).items():
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, [column.name for column in SHEETS[name]])
        for number, cells in enumerate(rows, start=1):
            sheet.write_row(number, 0, cells)
    book.close()
    return out.getvalue()


def _sheets(made: Generated, since: date) -> Mapping[str, Sequence[Sequence[Any]]]:
    return {
        UNITS: [[u.code, u.name, "", u.level, u.kind, u.parent] for u in made.units],
        POSTS: [[p.unit, p.title, p.kind, p.rank] for p in made.posts],
        TERMS: [[t.unit, t.title, t.name, t.code, since, ""] for t in made.terms],
        CHARGES: [[c.unit, c.title, c.over, c.area, since, ""] for c in made.charges],
        RELATIONS: [[r.organ, r.kind, r.served, since, ""] for r in made.relations],
    }
