"""Document numbers (文号): one series per kind of paper and year, without gap or repeat (INV-7)."""

from sqlalchemy import text

from models.base import table
from models.numbering import NumberSeries
from services.command import Work

_SERIES = table(NumberSeries).name
# SQLAlchemy compiles its own ON CONFLICT anew each time, which costs more than the statement
_NEXT = text(
    f'INSERT INTO {_SERIES} (series, year, "last") VALUES (:p_series, :p_year, 1)'
    f' ON CONFLICT (series, year) DO UPDATE SET "last" = {_SERIES}."last" + 1 RETURNING "last"'
)


def next_number(work: Work, series: str) -> str:
    """The next number of a series in the year of the transaction: ``巡改〔2026〕14号``.

    It is given out with the commit; a transaction that fails gives it back, because the row of the
    series stays locked until then.
    """
    year = work.today.year
    given = work.db.execute(_NEXT, {"p_series": series, "p_year": year}).scalar_one()
    return f"{series}〔{year}〕{given}号"
