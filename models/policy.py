"""The policy that cases go by, kept as it was when they began."""

from typing import Any

from sqlmodel import Field

from models.base import Row, json_field


class PolicyVersion(Row, table=True):
    """Durations and ladders as they were frozen for cases; rows are never changed."""

    __tablename__ = "policy_version"
    digest: str = Field(unique=True)
    body: Any = json_field()
