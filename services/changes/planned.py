"""Changes of units for a later day: confirmed today, carried out on their day by the watch.

On its day a planned change is carried out as who planned it, if they still may, and only if what it
moves is what they had seen. Otherwise nothing is done, and they are told what has changed and asked
again. Until then it can be withdrawn by whoever may change the unit.
"""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import Row, insert, select, update

from models.base import table
from models.organisation import Organisation
from models.planned_change import PlannedChange, PlannedState
from policy.calendar import local_day
from services.batch import each_apart
from services.changes.kinds import KINDS
from services.changes.parts import About, Act, Look, later_day, text
from services.command import SYSTEM, Actor, Work, execute
from services.database import reading
from services.env import Env
from services.errors import AlreadyDecided, Busy, DutiesError, Invalid, NotAuthorised, NotFound
from services.organisers import STREAM, actor_of, organises, require_same
from services.reorganising import lock_unit
from services.scope import standing
from services.telling import tell_person

VIA = "planned"
_ASIDE = ("on", "planned")
"""Answers that say nothing of the change itself."""
_OPEN = (PlannedState.WAITING, PlannedState.BEGUN)
_log = logging.getLogger(__name__)
_organisations = table(Organisation)
_planned = table(PlannedChange)


def submit(what: str, act: Act) -> bool:
    """Carry a confirmed change out, or plan it for its day; whether it was planned.

    One that was halted and is confirmed again (``planned``) is done with by it. Errors as of its
    command, and of :func:`plan`.
    """
    kind = KINDS[what]
    again = text(act.given, "planned")
    on = later_day(act.given, local_day(act.env.clock())) if kind.plans else None
    if on is not None:
        plan(act, what, on)
    else:
        kind.act(act)
    if kind.plans and again.isascii() and again.isdecimal() and len(again) < 19:
        _replaced(act, int(again))
    return on is not None


def plan(act: Act, what: str, on: date) -> int:
    """Keep a change of a unit for a later day, as it was seen; its id.

    Errors: NotFound, ``Changed``, Invalid for what the change itself refuses, or when the same is
    planned for the unit already.
    """
    given = {name: list(values) for name, values in act.given.items() if name not in _ASIDE}
    body = {"unit": act.id, "what": what, "given": given, "on": on.isoformat(), "seen": act.seen}

    def do(work: Work) -> dict[str, int]:
        lock_unit(work, act.id)
        who = actor_of(work)
        if who is None:
            raise NotAuthorised
        same = _planned.c.unit_id == act.id, _planned.c.what == what, _planned.c.state.in_(_OPEN)
        if work.db.execute(select(_planned.c.id).where(*same)).first() is not None:
            raise Invalid("这个单位已有同样的变动计划，请先撤回原计划。", field="on")
        look = KINDS[what].look(About(work.db, who, act.id, work.today), given)
        require_same(act.seen, look.fingerprint)
        values = {
            "unit_id": act.id,
            "what": what,
            "given": given,
            "seen": _kept(look),
            "due_on": on,
            "made_by": who.person_id,
            "made_at": work.now,
            "state": PlannedState.WAITING,
        }
        made = insert(_planned).values(values).returning(_planned.c.id)
        planned_id = int(work.db.execute(made).scalar_one())
        work.audit(STREAM, {"act": "change_planned", "planned": planned_id, **body})
        return {"planned": planned_id}

    return int(execute(act.env, act.actor, "change.plan", act.key, body, do)["planned"])


def withdraw(env: Env, actor: Actor, *, planned_id: int, key: str) -> int:
    """Withdraw a planned change that waits, or was halted; the id of its unit.

    NotFound for who may not change the unit; AlreadyDecided for one that was carried out or
    withdrawn.
    """

    def act(work: Work) -> dict[str, int]:
        row = _locked(work, planned_id)
        _require_theirs(work, row.unit_id)
        if row.state not in (PlannedState.WAITING, PlannedState.HALTED):
            raise AlreadyDecided("这一变动已经执行或撤回。")
        _set(work, planned_id, PlannedState.WITHDRAWN, ended_by=actor.person_id)
        return {"unit": row.unit_id}

    body = {"planned": planned_id}
    return int(execute(env, actor, "change.withdraw", key, body, act)["unit"])


def carry_out_due(env: Env) -> int:
    """Carry out what is planned for today, or was for a day before; how many were done or halted.

    Any number may run at once: the command of a planned change has its id for a key. One that was
    killed in the middle is gone on with.
    """
    with reading(env.engine) as db:
        due = _planned.c.due_on <= local_day(env.clock()), _planned.c.state.in_(_OPEN)
        found = select(_planned.c.id).where(*due).order_by(_planned.c.due_on, _planned.c.id)
        ids = list(db.execute(found).scalars())
    return each_apart(_log, ids, lambda planned_id: _carry_out(env, planned_id))


def _carry_out(env: Env, planned_id: int) -> int:
    """First it is begun, so that nobody withdraws what is under way."""
    row = _begin(env, planned_id)
    by, given = Actor(row.made_by, VIA), row.given
    act = Act(env, by, row.unit_id, given, row.seen["fingerprint"], f"planned:{planned_id}")
    try:
        KINDS[row.what].act(act)
    except Busy:
        raise
    except DutiesError as error:
        _finish(env, row, {"changed": _changed(env, row), "why": error.code})
    else:
        _finish(env, row, None)
    return 1


def _begin(env: Env, planned_id: int) -> Row[Any]:
    def act(work: Work) -> dict[str, int]:
        row = _locked(work, planned_id)
        if row.state not in _OPEN:
            raise NotFound(planned=planned_id)
        mine = update(_planned).where(_planned.c.id == planned_id)
        work.db.execute(mine.values(state=PlannedState.BEGUN))
        return {"planned": planned_id}

    execute(env, SYSTEM, "change.begin", _key("begin", planned_id), {"planned": planned_id}, act)
    with reading(env.engine) as db:
        row: Row[Any] = db.execute(select(_planned).where(_planned.c.id == planned_id)).one()
    return row


def _finish(env: Env, row: Row[Any], halted: Mapping[str, Any] | None) -> None:
    """Say what became of it, once; whoever planned it is told."""

    def act(work: Work) -> dict[str, int]:
        if _locked(work, row.id).state != PlannedState.BEGUN:
            return {"planned": row.id}
        state = PlannedState.HALTED if halted else PlannedState.DONE
        _set(work, row.id, state, outcome=halted)
        tell_person(
            work.db,
            key=f"planned:{row.id}",
            person_id=row.made_by,
            template="planned_change",
            context={
                "unit_id": row.unit_id,
                "what": row.what,
                "due_on": row.due_on.isoformat(),
                **(halted or {}),
            },
            now=work.now,
        )
        return {"planned": row.id}

    execute(env, SYSTEM, "change.finish", _key("finish", row.id), {"planned": row.id}, act)


def _changed(env: Env, row: Row[Any]) -> dict[str, list[int]]:
    """Of each kind of thing how many came and how many went since it was seen."""
    with reading(env.engine) as db:
        who = standing(db, row.made_by, local_day(env.clock()))
        try:
            now = _kept(KINDS[row.what].look(About(db, who, row.unit_id, who.on), row.given))
        except DutiesError:
            return {}
    found = {}
    for name in now["moves"]:
        old, new = ({*seen["moves"][name], *seen["ends"][name]} for seen in (row.seen, now))
        if old != new:
            found[name] = [len(new - old), len(old - new)]
    return found


def _kept(look: Look) -> dict[str, Any]:
    return {
        "fingerprint": look.fingerprint,
        "moves": {name: list(ids) for name, ids in asdict(look.moves).items()},
        "ends": {name: list(ids) for name, ids in asdict(look.ends).items()},
    }


def _replaced(act: Act, planned_id: int) -> None:
    """Whatever it was replaced by is there already: a plan that is over stays as it is."""
    try:
        withdraw(act.env, act.actor, planned_id=planned_id, key=f"{act.key}:again")
    except (NotFound, AlreadyDecided):
        _log.info("the planned change was over before it was replaced")


def _require_theirs(work: Work, unit_id: int) -> None:
    """Also of a unit that has been closed meanwhile; NotFound where the person changes none."""
    who = actor_of(work)
    path = select(_organisations.c.path).where(_organisations.c.id == unit_id)
    above = organises(who) if who is not None else ()
    if not above or not str(work.db.execute(path).scalar_one()).startswith(above):
        raise NotFound


def _locked(work: Work, planned_id: int) -> Row[Any]:
    query = select(_planned).where(_planned.c.id == planned_id)
    row = work.db.execute(query.with_for_update()).first()
    if row is None:
        raise NotFound
    return row


def _set(work: Work, planned_id: int, state: PlannedState, **more: Any) -> None:
    values = {"state": state, "ended_at": work.now, **more}
    work.db.execute(update(_planned).where(_planned.c.id == planned_id).values(values))
    said = {"act": f"planned_{state.value}", "planned": planned_id}
    work.audit(STREAM, {**said, **({"outcome": more["outcome"]} if more.get("outcome") else {})})


def _key(act: str, planned_id: int) -> str:
    return f"planned.{act}:{planned_id}:{secrets.token_hex(8)}"
