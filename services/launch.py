"""Opening cases of one mechanism for many organisations by one command (rule H).

The command records who is to get a case, and when; ``services.casework.launching`` opens them, in
whichever process. Prefect has no part in it: what is due stands in our own table.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select

from models.audit import Command
from models.base import table
from models.operating import Launch, LaunchTarget
from models.organisation import Level, Organisation
from models.planned_change import PlannedChange, PlannedState
from policy.calendar import local_day
from services.casework.launching import STREAM
from services.casework.opening import edition_for
from services.command import Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.ids import reserve
from services.posts import COMMITTEES

SAME_LAUNCH = timedelta(hours=12)
"""For so long a launch without a name is taken for the one of the day before."""
_NONE, _DAY, _YEAR = timedelta(), timedelta(days=1), timedelta(days=366)
_NAMED = 5
"""How many of the organisations that are no more an error names."""
_commands = table(Command)
_launches = table(Launch)
_organisations = table(Organisation)
_planned = table(PlannedChange)
_targets = table(LaunchTarget)
_closed = _organisations.c.ends_on
_closing = select(_planned.c.id).where(
    _planned.c.unit_id == _organisations.c.id,
    _planned.c.what.in_(("close", "merge")),
    _planned.c.state.in_((PlannedState.WAITING, PlannedState.BEGUN)),
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An organisation that gets no case: it was closed, or is planned to be, on a day."""

    name: str
    planned: bool
    on: date

    @property
    def why(self) -> str:
        """For people."""
        return f"{'计划' if self.planned else '已'}于 {self.on.isoformat()} 撤并"


class OpenedWithMaterial(Invalid):
    """这类事项须随材料逐件导入启动，不能批量发起。"""

    code = "opened_with_material"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a launch is: ``opened`` of ``cases``; ``parked`` could not be opened so far."""

    id: int
    mechanism: str
    due_at: datetime
    cases: int
    opened: int
    parked: int
    done: bool


def launch(
    env: Env,
    actor: Actor,
    *,
    key: str,
    mechanism: str,
    organisations: Collection[int],
    urgent: Collection[int] = (),
    due_at: datetime | None = None,
) -> int:
    """Have a case opened for each of these organisations, at once or when ``due_at`` has come.

    The id of the launch, once it and its list are recorded; nothing is opened yet. ``urgent`` are
    those that come first. All cases are of the edition that is the newest now. NotAuthorised;
    :class:`OpenedWithMaterial`; Invalid for an unknown mechanism, for no organisation, or one that
    does not exist, or will not on that day.
    """
    wanted = sorted(set(organisations))
    first = sorted(set(urgent) & set(wanted))
    body = {
        "mechanism": mechanism,
        "organisations": wanted,
        "urgent": first,
        "due_at": due_at.isoformat() if due_at else None,
    }

    def act(work: Work) -> dict[str, int]:
        require_launcher(work)
        edition = launchable(env, mechanism)
        _check(work.db, wanted, max(local_day(due_at or work.now), work.today))
        launch_id = _record(work, (mechanism, edition), due_at or work.now, wanted, first)
        work.audit(STREAM, {"act": "launched", "launch": launch_id, "edition": edition, **body})
        work.after_commit(env.nudge)
        return {"launch": launch_id}

    return int(execute(env, actor, "launch.record", key, body, act)["launch"])


def usual_name(env: Env, mechanism: str) -> str:
    """What a launch is called whose name nobody gave: the mechanism and the day.

    One that was recorded yesterday and no longer than :data:`SAME_LAUNCH` ago is meant again, so
    that what was interrupted before midnight and is run again after it opens nothing twice.
    """
    now = env.clock()
    today, yesterday = (f"{mechanism} {local_day(now) - days}" for days in (_NONE, _DAY))
    same = (
        select(_launches.c.id)
        .join(_commands, _commands.c.id == _launches.c.command_id)
        .where(_commands.c.key == key_of(yesterday), _launches.c.at > now - SAME_LAUNCH)
    )
    with reading(env.engine) as db:
        return yesterday if db.execute(same).first() is not None else today


def key_of(name: str) -> str:
    """The idempotency key of a launch of this name."""
    return f"launch:{name}"


def launch_progress(env: Env, launch_id: int | None = None) -> list[Progress]:
    """How far this launch is, or each that is not done, in the order in which they begin."""
    wanted = _launches.c.done_at.is_(None) if launch_id is None else _launches.c.id == launch_id
    query = (
        select(
            _launches.c.id,
            _launches.c.mechanism,
            _launches.c.due_at,
            func.count(_targets.c.id),
            func.count(_targets.c.case_id),
            func.count(_targets.c.id).filter(_targets.c.case_id.is_(None), _targets.c.attempts > 0),
            _launches.c.done_at.is_not(None),
        )
        .outerjoin(_targets, _targets.c.launch_id == _launches.c.id)
        .where(wanted)
        .group_by(_launches.c.id)
        .order_by(_launches.c.due_at, _launches.c.id)
    )
    with reading(env.engine) as db:
        return [Progress(*row) for row in db.execute(query)]


def committees(
    env: Env, *, on: date | None = None, under: str = "", level: Level | None = None
) -> list[int]:
    """The ids of the committees and Party groups below the one with code ``under`` (everywhere),
    it included, of a level (all), without those that are no more on a day (today), or are planned
    not to be. Invalid when there is no such code."""
    day = on or local_day(env.clock())
    with reading(env.engine) as db:
        wanted = _wanted(db, under, level)
        query = select(_organisations.c.id).where(*wanted, ~over(day))
        return list(db.execute(query.order_by(_organisations.c.path)).scalars())


def left_out(
    env: Env, *, on: date | None = None, under: str = "", level: Level | None = None
) -> list[LeftOut]:
    """Whom :func:`committees` leaves out of those, and why: those closed in the last year, and
    those that are planned to be."""
    day = on or local_day(env.clock())
    with reading(env.engine) as db:
        wanted = *_wanted(db, under, level), over(day)
        return _over(db, *wanted, or_(_closed.is_(None), _closed > day - _YEAR))


def coded(env: Env, codes: Sequence[str]) -> list[int]:
    """The ids of the organisations with these codes; Invalid names those that do not exist."""
    query = select(_organisations.c.code, _organisations.c.id)
    with reading(env.engine) as db:
        found = dict(db.execute(query.where(_organisations.c.code.in_(codes))).tuples().all())
    missing = [code for code in codes if code not in found]
    if missing:
        raise Invalid(f"没有编码为 {'、'.join(missing)} 的组织。", field="organisations")
    return [found[code] for code in codes]


def over(on: date) -> ColumnElement[bool]:
    """The condition on ``organisation`` for what is no more on a day, or is planned not to be."""
    ends = _closing.where(_planned.c.due_on <= on).correlate(_organisations)
    return or_(and_(_closed.is_not(None), _closed <= on), ends.exists())


def require_launcher(work: Work) -> None:
    """Only the system, through its command line, until an office launches what it is in charge of.

    Nobody's post alone is enough: 系统运维员 mends, and decides about nobody's work.
    """
    if work.actor.person_id is not None:
        raise NotAuthorised


def launchable(env: Env, mechanism: str) -> int:
    """The edition that a launch opens now; Invalid, :class:`OpenedWithMaterial`."""
    if mechanism not in {name for name, _ in env.mechanisms}:
        raise Invalid(f"没有名为 {mechanism} 的机制。", field="mechanism")
    edition = edition_for(env, mechanism)
    if not env.mechanisms[mechanism, edition].series:
        raise OpenedWithMaterial(mechanism=mechanism)
    return edition


def _check(db: Connection, wanted: Sequence[int], on: date) -> None:
    if not wanted:
        raise Invalid("没有选定任何组织。", field="organisations")
    known = select(func.count()).where(_organisations.c.id.in_(wanted))
    if db.execute(known).scalar_one() != len(wanted):
        raise Invalid("所选组织中有系统中没有的。", field="organisations")
    gone = _over(db, _organisations.c.id.in_(wanted), over(on))
    if gone:
        named = "、".join(f"{one.name}（{one.why}）" for one in gone[:_NAMED])
        raise Invalid(f"所选组织中有到时已不存在的：{named}。", field="organisations")


def _wanted(db: Connection, under: str, level: Level | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [_organisations.c.kind.in_(COMMITTEES)]
    if under:
        wanted.append(_organisations.c.path.startswith(_path(db, under), autoescape=True))
    if level is not None:
        wanted.append(_organisations.c.level == level)
    return wanted


def _over(db: Connection, *conditions: ColumnElement[bool]) -> list[LeftOut]:
    day = _closing.with_only_columns(func.min(_planned.c.due_on)).correlate(_organisations)
    columns = _organisations.c.short_name, _closed, day.scalar_subquery().label("due_on")
    rows = db.execute(select(*columns).where(*conditions).order_by(_organisations.c.path))
    return [LeftOut(row.short_name, row.ends_on is None, row.ends_on or row.due_on) for row in rows]


def _record(
    work: Work,
    pinned: tuple[str, int],
    due_at: datetime,
    wanted: Sequence[int],
    urgent: Collection[int],
) -> int:
    values = {
        "command_id": work.command_id,
        "mechanism": pinned[0],
        "edition": pinned[1],
        "person_id": work.actor.person_id,
        "due_at": due_at,
        "at": work.now,
    }
    launch_id = next(reserve(work.db, _launches, 1))
    work.db.execute(insert(_launches), {"id": launch_id, **values})
    first, usual = frozenset(urgent), {"launch_id": launch_id, "attempts": 0, "error": ""}
    targets = [
        {**usual, "organisation_id": id_, "urgent": id_ in first, "try_at": due_at}
        for id_ in wanted
    ]
    work.db.execute(insert(_targets), targets)
    return launch_id


def _path(db: Connection, code: str) -> str:
    found = db.execute(select(_organisations.c.path).where(_organisations.c.code == code)).scalar()
    if found is None:
        raise Invalid(f"没有编码为 {code} 的组织。", field="under")
    return str(found)
