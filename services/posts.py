"""Whose something is: posts, their holders, organs and superiors on a day (rules N and O).

Every function either finds, or says what is missing: None where an empty answer is an answer (a
vacancy, 缺位), otherwise ``LookupError`` whose message names the gap. Abolished posts (with a
successor) are never found.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Row,
    ScalarSelect,
    Select,
    bindparam,
    func,
    or_,
    select,
)

from models.base import table
from models.organisation import (
    Appointment,
    Organisation,
    OrganisationKind,
    Portfolio,
    Post,
    PostKind,
    Relation,
    RelationKind,
)
from policy.subjects import serving
from policy.superiors import Station, committee_route, discipline_route
from services.scope import in_force

COMMITTEES = (
    OrganisationKind.COMMITTEE,
    OrganisationKind.PARTY_GROUP,
    OrganisationKind.ENTERPRISE,
)
_DISCIPLINE = (OrganisationKind.DISCIPLINE, OrganisationKind.STATIONED)
ORGAN_NAMES = {
    RelationKind.DISCIPLINE: "纪检机构",
    RelationKind.SUPERIOR_DISCIPLINE: "上级纪检机构",
    RelationKind.ORGANISATION_DEPT: "组织部门",
    RelationKind.PUBLICITY_DEPT: "宣传部门",
    RelationKind.INSPECTION_OFFICE: "巡视巡察机构",
    RelationKind.PARTY_OFFICE: "党委办公机构",
    RelationKind.LEADING_GROUP: "巡视巡察工作领导小组",
}
KIND_NAMES = {
    PostKind.SECRETARY: "书记",
    PostKind.MEMBER: "班子成员",
    PostKind.HEAD: "负责人",
    PostKind.CLERK: "联络员",
    PostKind.OPERATOR: "系统运维员",
}
_appointments = table(Appointment)
_organisations = table(Organisation)
_portfolios = table(Portfolio)
_posts = table(Post)
_relations = table(Relation)
_living = _posts.c.successor_id.is_(None)
_leads = _posts.c.rank == 0
_given: ColumnElement[int] = bindparam("p_organisation")


def _first(of: ColumnElement[int], *which: ColumnElement[bool]) -> Select[tuple[int]]:
    """The first post that fits of an organisation; built once, for steps look posts up."""
    return (
        select(_posts.c.id)
        .where(_posts.c.organisation_id == of, _living, *which)
        .order_by(_posts.c.rank, _posts.c.id)
        .limit(1)
    )


_LEADING = _first(_given, _leads)
_OF_KIND = _first(_given, _posts.c.kind == bindparam("p_kind"))
_TITLED = _first(_given, _posts.c.title == bindparam("p_title"))
_organ = _organisations.alias()
_SERVING = (
    select(
        _organisations.c.id,
        _organisations.c.kind,
        _relations.c.organ_id,
        _organ.c.kind.label("organ_kind"),
    )
    .outerjoin(
        _relations,
        (_relations.c.served_id == _organisations.c.id)
        & (_relations.c.kind == bindparam("p_kind"))
        & in_force(_relations.c, bindparam("p_on", type_=Date)),
    )
    .outerjoin(_organ, _organ.c.id == _relations.c.organ_id)
    .order_by(func.length(_organisations.c.path).desc(), _relations.c.id)
)
"""A line upwards with what serves each of it itself."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a post on a day, and the appointment that says so (the basis of a decision)."""

    person_id: int
    appointment_id: int


def holder(db: Connection, post_id: int, on: date) -> Holder | None:
    """Who holds a post on a day, the latest appointed of several; None for a vacancy (缺位)."""
    row = db.execute(
        select(_appointments.c.person_id, _appointments.c.id)
        .where(_appointments.c.post_id == post_id, in_force(_appointments.c, on))
        .order_by(_appointments.c.starts_on.desc(), _appointments.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else Holder(*row)


def holders(db: Connection, post_ids: Iterable[int], on: date) -> dict[int, Holder]:
    """:func:`holder` for several posts in one query; vacant ones are left out."""
    rows = db.execute(
        select(_appointments.c.post_id, _appointments.c.person_id, _appointments.c.id)
        .where(_appointments.c.post_id.in_(sorted(set(post_ids))), in_force(_appointments.c, on))
        .order_by(_appointments.c.starts_on, _appointments.c.id)
    )
    return {row.post_id: Holder(row.person_id, row.id) for row in rows}


def appointment_of(db: Connection, post_id: int, person_id: int, on: date) -> int:
    """The appointment by which a person holds a post on a day; NoResultFound if they do not."""
    held = select(_appointments.c.id).where(
        _appointments.c.post_id == post_id,
        _appointments.c.person_id == person_id,
        in_force(_appointments.c, on),
    )
    return int(db.execute(held.limit(1)).scalar_one())


def leading_post(db: Connection, organisation_id: int) -> int:
    """The post that leads an organisation (rank 0); LookupError if it has none."""
    found = _leading_post(db, organisation_id)
    return _or_gap(db, organisation_id, found or "没有设置主要负责人职务")


def post_of_kind(db: Connection, organisation_id: int, kind: PostKind) -> int:
    """The highest post of a kind in an organisation; LookupError if it has none."""
    found = db.execute(_OF_KIND, {"p_organisation": organisation_id, "p_kind": kind}).scalar()
    return _or_gap(db, organisation_id, found or f"没有设置{KIND_NAMES[kind]}职务")


def leading_post_within(unit: ColumnElement[int]) -> ScalarSelect[int]:
    """:func:`leading_post` of a column, as a part of a larger question; NULL if it has none."""
    return _first(unit, _leads).scalar_subquery()


def post_of_kind_within(unit: ColumnElement[int], kind: PostKind) -> ScalarSelect[int]:
    """:func:`post_of_kind` of a column, as a part of a larger question; NULL if it has none."""
    return _first(unit, _posts.c.kind == kind).scalar_subquery()


def post_by_title(db: Connection, organisation_id: int, title: str) -> int | None:
    """The post of exactly this title in an organisation, or None."""
    return db.execute(_TITLED, {"p_organisation": organisation_id, "p_title": title}).scalar()


def organ(db: Connection, organisation_id: int, kind: RelationKind, on: date) -> int:
    """The organ of a kind that serves an organisation, or the nearest one above that has it.

    Of a 党组 only its own 派驻机构 is its discipline organ (R6-2). Returns the organ's organisation
    id; LookupError if nobody that counts has one.
    """
    line: dict[int, str] = {}
    own: dict[int, tuple[int, str]] = {}
    for row in db.execute(
        _SERVING.where(_organisations.c.id.in_(_ids(_path(db, organisation_id)))),
        {"p_kind": kind, "p_on": on},
    ):
        line.setdefault(row.id, row.kind)
        if row.organ_id is not None:
            own.setdefault(row.id, (row.organ_id, row.organ_kind))
    found = serving(
        list(line.values()),
        [own.get(unit_id) for unit_id in line],
        discipline=kind is RelationKind.DISCIPLINE,
        name=ORGAN_NAMES[kind],
    )
    return _or_gap(db, organisation_id, found)


def organs(
    db: Connection, organisation_ids: Iterable[int], kind: RelationKind, on: date
) -> dict[int, int]:
    """The organ of a kind that serves each organisation itself, without a look up the tree."""
    rows = db.execute(
        select(_relations.c.served_id, _relations.c.organ_id)
        .where(
            _relations.c.served_id.in_(sorted(set(organisation_ids))),
            _relations.c.kind == kind,
            in_force(_relations.c, on),
        )
        .order_by(_relations.c.id.desc())
    )
    return {row.served_id: row.organ_id for row in rows}


def leading_posts(db: Connection, organisation_ids: Iterable[int]) -> dict[int, int]:
    """:func:`leading_post` for several organisations in one query; those without are left out."""
    rows = db.execute(
        select(_posts.c.organisation_id, _posts.c.id)
        .where(
            _posts.c.organisation_id.in_(sorted(set(organisation_ids))), _posts.c.rank == 0, _living
        )
        .order_by(_posts.c.id.desc())
    )
    return {row.organisation_id: row.id for row in rows}


def leader_in_charge(db: Connection, unit_id: int, area: int | None, on: date) -> int | None:
    """The post in charge (分管) of a unit or, for an ``area`` (1–7), of that area in its committee.

    For a unit below a committee: whoever has the unit for this area, the unit, the area. For a
    committee without an area: the leader above who has it; with one: its own member for it.
    Where nobody is in charge it is the committee's secretary; None if there is no such post either.
    """
    line = _line(db, unit_id)
    committee = next((row.id for row in line if row.kind in COMMITTEES), None)
    below = [row.id for row in line[: _place(line, committee)]]
    if area is None and not below:
        below = [unit_id]
    found = _in_charge(db, below, area, on)
    if committee is None:
        return found
    if found is None and area is not None:
        found = _in_charge_of_area(db, committee, area, on)
    return _leading_post(db, committee) if found is None else found


def superiors(db: Connection, post_id: int, on: date) -> list[int]:
    """The route upwards from a post, nearest first, without itself (rule N, CK-8).

    分管领导 → 书记 → the next committee …, at the top the discipline commission. A post of a
    discipline organ goes to higher discipline organs. LookupError if there is no such post.
    """
    own = db.execute(select(_posts.c.organisation_id).where(_posts.c.id == post_id)).scalar()
    if own is None:
        raise LookupError(f"没有编号为 {post_id} 的职务")
    line = _line(db, own)
    if line[0].kind in _DISCIPLINE:
        return _discipline_superiors(db, post_id, line, on)
    committees = [row.id for row in line if row.kind in COMMITTEES]
    leads = leading_posts(db, committees)
    stations = [
        Station(_charge_over(db, below, post_id, on), leads.get(committee))
        for committee, below in zip(committees, _below_each(line, committees), strict=True)
    ]
    return committee_route(post_id, stations, _top_discipline(db, committees, on))


def operator_post(db: Connection, organisation_id: int) -> int:
    """The 系统运维员 of an organisation or of the nearest one above; LookupError without one."""
    found = db.execute(
        select(_posts.c.id)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(
            _posts.c.organisation_id.in_(_ids(_path(db, organisation_id))),
            _posts.c.kind == PostKind.OPERATOR,
            _living,
        )
        .order_by(func.length(_organisations.c.path).desc(), _posts.c.rank, _posts.c.id)
        .limit(1)
    ).scalar()
    return _or_gap(db, organisation_id, found or "及其上级没有设置系统运维员")


def _leading_post(db: Connection, organisation_id: int) -> int | None:
    return db.execute(_LEADING, {"p_organisation": organisation_id}).scalar()


def _or_gap(db: Connection, organisation_id: int, found: int | str) -> int:
    """What was found; LookupError with the organisation's name for the words of a gap."""
    if not isinstance(found, str):
        return int(found)
    name = select(_organisations.c.name).where(_organisations.c.id == organisation_id)
    raise LookupError(f"{db.execute(name).scalar() or f'编号为 {organisation_id} 的组织'}{found}")


def _path(db: Connection, organisation_id: int) -> str:
    path = db.execute(
        select(_organisations.c.path).where(_organisations.c.id == organisation_id)
    ).scalar()
    if path is None:
        raise LookupError(f"没有编号为 {organisation_id} 的组织")
    return str(path)


def _ids(path: str) -> list[int]:
    return [int(part) for part in path.split("/") if part]


def _line(db: Connection, organisation_id: int) -> list[Row[tuple[int, OrganisationKind]]]:
    """The organisation and those above it, the nearest first."""
    above = _organisations.c.id.in_(_ids(_path(db, organisation_id)))
    return list(
        db.execute(
            select(_organisations.c.id, _organisations.c.kind)
            .where(above)
            .order_by(func.length(_organisations.c.path).desc())
        )
    )


def _place(line: list[Row[tuple[int, OrganisationKind]]], organisation_id: int | None) -> int:
    return next((n for n, row in enumerate(line) if row.id == organisation_id), len(line))


def _below_each(
    line: list[Row[tuple[int, OrganisationKind]]], committees: list[int]
) -> list[int | None]:
    """For each committee on the line what it oversees there; None where the line starts in it."""
    ids: list[int | None] = [None, *(row.id for row in line)]
    return [ids[ids.index(committee) - 1] for committee in committees]


def _in_charge(db: Connection, units: list[int], area: int | None, on: date) -> int | None:
    """Over one of ``units`` (nearest first), for an area before for all; None if nobody is."""
    for unit_id in units:
        found = db.execute(
            select(_portfolios.c.post_id)
            .join(_posts, _posts.c.id == _portfolios.c.post_id)
            .where(
                _portfolios.c.unit_id == unit_id,
                or_(_portfolios.c.area.is_(None), _portfolios.c.area == area),
                in_force(_portfolios.c, on),
                _living,
            )
            .order_by(_portfolios.c.area.is_(None), _posts.c.rank, _posts.c.id)
            .limit(1)
        ).scalar()
        if found is not None:
            return int(found)
    return None


def _in_charge_of_area(db: Connection, committee: int, area: int, on: date) -> int | None:
    return db.execute(
        select(_portfolios.c.post_id)
        .join(_posts, _posts.c.id == _portfolios.c.post_id)
        .where(
            _posts.c.organisation_id == committee,
            _portfolios.c.unit_id.is_(None),
            _portfolios.c.area == area,
            in_force(_portfolios.c, on),
            _living,
        )
        .order_by(_posts.c.rank, _posts.c.id)
        .limit(1)
    ).scalar()


def _charge_over(db: Connection, unit_id: int | None, post_id: int, on: date) -> int | None:
    return None if unit_id is None else _in_charge(db, [unit_id], None, on)


def _top_discipline(db: Connection, committees: list[int], on: date) -> int | None:
    """Who leads the discipline commission of the topmost committee that has one."""
    if not committees:
        return None
    found = organs(db, committees, RelationKind.DISCIPLINE, on)
    top = next((found[committee] for committee in reversed(committees) if committee in found), 0)
    return leading_posts(db, [top]).get(top)


def _discipline_superiors(
    db: Connection, post_id: int, line: list[Row[tuple[int, OrganisationKind]]], on: date
) -> list[int]:
    route = [line[0].id]
    while (higher := _superior_organ(db, route[-1], on)) is not None and higher not in route:
        route.append(higher)
    heads = leading_posts(db, route)
    committee = next((row.id for row in line if row.kind in COMMITTEES), 0)
    secretary = leading_posts(db, [committee]).get(committee)
    return discipline_route(post_id, [heads.get(organ_id) for organ_id in route], secretary)


def _superior_organ(db: Connection, organ_id: int, on: date) -> int | None:
    return db.execute(
        select(_relations.c.organ_id)
        .where(
            _relations.c.served_id == organ_id,
            _relations.c.kind == RelationKind.SUPERIOR_DISCIPLINE,
            in_force(_relations.c, on),
        )
        .order_by(_relations.c.id)
        .limit(1)
    ).scalar()
