"""Organisations, their relations, posts, and who holds a post from when to when (design §2)."""

from datetime import date
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from models.base import Key, Row, words


class Level(StrEnum):
    """Where an organisation stands in the tree."""

    CENTRAL = "中央"
    CITY = "市"
    DISTRICT = "区"
    TOWN = "街镇"
    VILLAGE = "居村"
    UNIT = "企事业"


class OrganisationKind(StrEnum):
    """What an organisation is (glossary §5)."""

    COMMITTEE = "党委"
    PARTY_GROUP = "党组"
    DISCIPLINE = "纪委"
    STATIONED = "派驻机构"
    ORGANISATION_DEPT = "组织部"
    PUBLICITY_DEPT = "宣传部"
    INSPECTION_OFFICE = "巡察办"
    PARTY_OFFICE = "党委办"
    LEADING_GROUP = "领导小组"
    WORKING_ORGAN = "工作机关"
    ENTERPRISE = "企事业党组织"


class RelationKind(StrEnum):
    """What an organ is to the organisation it serves."""

    DISCIPLINE = "discipline"
    SUPERIOR_DISCIPLINE = "superior_discipline"
    ORGANISATION_DEPT = "organisation_dept"
    PUBLICITY_DEPT = "publicity_dept"
    INSPECTION_OFFICE = "inspection_office"
    PARTY_OFFICE = "party_office"
    LEADING_GROUP = "leading_group"


class PostKind(StrEnum):
    """What a post is for; work is routed by it. ``operator`` (系统运维员) mends, never decides."""

    SECRETARY = "secretary"
    MEMBER = "member"
    HEAD = "head"
    CLERK = "clerk"
    OPERATOR = "operator"


class Organisation(Row, table=True):
    """A node of the tree. ``path`` is ``/1/14/233/``: a subtree is one LIKE on it.

    A closed one keeps its row and its place: from ``ends_on`` its work is that of its successor.
    """

    __tablename__ = "organisation"
    __table_args__ = (
        Index("ix_organisation_path", "path"),
        Index(
            "ix_organisation_closed",
            "successor_id",
            postgresql_where=text("successor_id IS NOT NULL"),
            sqlite_where=text("successor_id IS NOT NULL"),
        ),
    )
    code: str = Field(unique=True)
    name: str
    short_name: str
    level: Level = Field(sa_type=words(Level))
    kind: OrganisationKind = Field(sa_type=words(OrganisationKind))
    parent_id: int | None = Field(
        default=None, foreign_key="organisation.id", sa_type=Key, index=True
    )
    path: str
    ends_on: date | None = None
    successor_id: int | None = Field(default=None, foreign_key="organisation.id", sa_type=Key)


class FormerOrganisation(Row, table=True):
    """What an organisation was called, and under whom it stood, until the day before ``ends_on``.

    Old names stay in history: papers of their time show them.
    """

    __tablename__ = "former_organisation"
    organisation_id: int = Field(foreign_key="organisation.id", sa_type=Key, index=True)
    name: str
    short_name: str
    parent_id: int | None = Field(default=None, foreign_key="organisation.id", sa_type=Key)
    ends_on: date


class Relation(Row, table=True):
    """``organ_id`` is the ``kind`` of ``served_id``, until the day before ``ends_on``."""

    __tablename__ = "relation"
    __table_args__ = (Index("ix_relation_served_kind", "served_id", "kind"),)
    kind: RelationKind = Field(sa_type=words(RelationKind))
    organ_id: int = Field(foreign_key="organisation.id", sa_type=Key, index=True)
    served_id: int = Field(foreign_key="organisation.id", sa_type=Key)
    starts_on: date
    ends_on: date | None = None


class Post(Row, table=True):
    """A post of an organisation; ``rank`` orders the posts of one organisation (0 leads it).

    An abolished one has a successor, which takes what is open, from ``ends_on``.
    """

    __tablename__ = "post"
    __table_args__ = (
        UniqueConstraint("organisation_id", "title"),
        Index(
            "ix_post_abolished",
            "successor_id",
            postgresql_where=text("successor_id IS NOT NULL"),
            sqlite_where=text("successor_id IS NOT NULL"),
        ),
    )
    organisation_id: int = Field(foreign_key="organisation.id", sa_type=Key, index=True)
    kind: PostKind = Field(sa_type=words(PostKind))
    title: str
    rank: int
    successor_id: int | None = Field(default=None, foreign_key="post.id", sa_type=Key)
    ends_on: date | None = None


class FormerPost(Row, table=True):
    """Where a post stood, and what it was called there, until the day before ``ends_on``."""

    __tablename__ = "former_post"
    post_id: int = Field(foreign_key="post.id", sa_type=Key, index=True)
    organisation_id: int = Field(foreign_key="organisation.id", sa_type=Key)
    title: str
    ends_on: date


class Person(Row, table=True):
    """Somebody who holds posts. The demo names people by their posts.

    ``code`` (人员编号) is the office's own number for them, by which imports know who is who.
    """

    __tablename__ = "person"
    __table_args__ = (Index("ux_person_code", "code", unique=True),)
    name: str
    code: str | None = None


class Appointment(Row, table=True):
    """A person holds a post from ``starts_on`` until the day before ``ends_on``."""

    __tablename__ = "appointment"
    __table_args__ = (
        Index("ix_appointment_post", "post_id", "starts_on"),
        Index("ix_appointment_person", "person_id", "starts_on"),
    )
    post_id: int = Field(foreign_key="post.id", sa_type=Key)
    person_id: int = Field(foreign_key="person.id", sa_type=Key)
    starts_on: date
    ends_on: date | None = None


class Portfolio(Row, table=True):
    """A post is in charge (分管) of a unit, an area (1–7), or both, from–to."""

    __tablename__ = "portfolio"
    __table_args__ = (Index("ix_portfolio_unit", "unit_id", "area"),)
    post_id: int = Field(foreign_key="post.id", sa_type=Key, index=True)
    unit_id: int | None = Field(default=None, foreign_key="organisation.id", sa_type=Key)
    area: int | None = None
    starts_on: date
    ends_on: date | None = None
