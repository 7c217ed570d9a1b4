"""The last number given out in a series of a year (文号): no gap and no repeat (INV-7)."""

from sqlalchemy import UniqueConstraint

from models.base import Row


class NumberSeries(Row, table=True):
    """``last`` is the number given last in ``series`` (巡改, 抄告 …) in ``year``."""

    __tablename__ = "number_series"
    __table_args__ = (UniqueConstraint("series", "year"),)
    series: str
    year: int
    last: int
