"""Every command of the code, each in a scene where it can be carried out.

A move prepares the scene, in the order of this page, and gives what carries the command out under
a key. ``tests/test_fault_commands.py`` fails when a command of the code is not among them.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update

from documents.feedback import PROBLEM_COLUMNS, PROBLEMS, TASK_COLUMNS, TASKS
from models.base import table
from models.casework import Branch, Effect, Step, StepState
from models.message import Message
from models.operating import Installation
from models.organisation import Appointment
from services import alarms, calendar, channel, clock_watch, installation, session
from services.accounts import set_password
from services.calendar import Day
from services.casework import (
    claim_effect,
    decide,
    drain,
    fail_effect,
    finish_effect,
    ready_effects,
)
from services.casework.branch import wake
from services.casework.launching import open_due
from services.casework.vacancies import find_vacancies
from services.command import SYSTEM, Work, execute
from services.launch import launch
from services.launch_preview import preview
from services.message_read import read_messages
from services.organisation import import_csv
from services.problem_import import import_feedback
from services.publishing import publish, recompute
from services.rectification import start
from services.task_import import import_tasks
from services.termination import terminate
from services.watch import sweep
from tests import two_step
from tests.fault_scene import MOVES, Act, Scene, move
from tests.founded import HEADER
from tests.sheets import workbook
from tests.web_house import PASSWORD

__all__ = ["MOVES"]
_appointments, _branches, _effects = table(Appointment), table(Branch), table(Effect)
_installation, _messages, _steps = table(Installation), table(Message), table(Step)
_PROBLEM = [1, "履行全面从严治党责任方面", "政治生态", "台账更新不及时", 1, "有 7 项", "党建办"]
_DUE = date(2026, 6, 1)
_TASKS = [
    [1, "1-1", "建立清单", "清单印发", "副书记", "党建办", "", _DUE, "否"],
    [2, "2-1", "合并表格", "减少报表", "副书记", "城市管理办", "党建办", _DUE, "是"],
]


@move("calendar.seed")
def _seed(scene: Scene) -> Act:
    return lambda key: execute(
        scene.env, SYSTEM, "calendar.seed", key, {}, lambda work: {"id": calendar.seed(work)}
    )


@move("organisation.import_tree")
def _tree(scene: Scene) -> Act:
    rows = f"{HEADER}00,中央,中央,\n31,江海市,市,00\n3199,云山区,区,31\n"
    return lambda key: import_csv(scene.env, SYSTEM, rows.encode(), key=key, on=date(2026, 3, 2))


@move("account.set_password", keyed=False)
def _password(scene: Scene) -> Act:
    return lambda key: set_password(scene.env, SYSTEM, "city_head", PASSWORD)


@move("session.open", keyed=False)
def _sign_in(scene: Scene) -> Act:
    def act(key: str) -> None:
        given = {"login": "clerk", "password": PASSWORD, "address": "::1"}
        scene.kept["token"] = session.sign_in(scene.env, **given)

    return act


@move("session.refuse", keyed=False)
def _refuse(scene: Scene) -> Act:
    def act(key: str) -> None:
        given = {"login": "clerk", "password": "wrong", "address": "::1"}
        try:
            session.sign_in(scene.env, **given)
        except session.WrongLogin:
            return

    return act


@move("session.close")
def _sign_out(scene: Scene) -> Act:
    who = session.signed_in(scene.env, scene.kept["token"])
    return lambda key: session.sign_out(scene.env, who)


@move("channel.add")
def _channel(scene: Scene) -> Act:
    def act(key: str) -> int:
        given: Any = {"key": key, "url": "inside://clerk"}
        scene.kept["channel"] = channel.add_channel(scene.env, scene.actor("clerk"), **given)
        return int(scene.kept["channel"])

    return act


@move("channel.code")
def _code(scene: Scene) -> Act:
    scene.clock.forward(seconds=90)
    of: Any = {"channel_id": scene.kept["channel"]}
    return lambda key: channel.new_code(scene.env, scene.actor("clerk"), key=key, **of)


@move("channel.confirm")
def _confirm(scene: Scene) -> Act:
    if not scene.twin.posted:  # nobody knew whether it was kept, so it was not sent
        scene.clock.forward(seconds=90)
        again = {"channel_id": scene.kept["channel"]}
        channel.new_code(scene.env, scene.actor("clerk"), key="again", **again)
    code = "".join(letter for letter in scene.twin.posted[-1].body if letter.isdigit())[:6]
    of: Any = {"channel_id": scene.kept["channel"], "code": code}
    return lambda key: channel.confirm_channel(scene.env, scene.actor("clerk"), key=key, **of)


@move("channel.drop")
def _drop(scene: Scene) -> Act:
    of: Any = {"channel_id": scene.kept["channel"]}
    return lambda key: channel.drop_channel(scene.env, scene.actor("clerk"), key=key, **of)


@move("message.read")
def _read(scene: Scene) -> Act:
    with scene.env.engine.connect() as db:
        query = select(_messages.c.id, _messages.c.person_id).order_by(_messages.c.id)
        message = db.execute(query).first()
    assert message is not None
    actor = replace(SYSTEM, person_id=message.person_id, via="web")
    return lambda key: read_messages(scene.env, actor, ids=[message.id], key=key)


def _feedback(scene: Scene, key: str, batch: str, *, open_case: bool) -> Any:
    data = scene.kept.setdefault(
        "feedback", workbook({PROBLEMS: [list(PROBLEM_COLUMNS), _PROBLEM]})
    )
    given: Any = {"organisation": "town", "data": data, "filename": "反馈.xlsx", "batch": batch}
    return import_feedback(scene.env, SYSTEM, **given, key=key, open_case=open_case)


@move("problem.import")
def _problems(scene: Scene) -> Act:
    return lambda key: _feedback(scene, key, "第二轮", open_case=True)


@move("rectification.start")
def _start(scene: Scene) -> Act:
    _feedback(scene, "before", "第三轮", open_case=False)
    town = scene.case.world.organisations["town"]
    of: Any = {"organisation_id": town, "batch": "第三轮"}

    def act(key: str) -> int:
        scene.kept["started"] = start(scene.env, SYSTEM, **of, key=key)
        return int(scene.kept["started"])

    return act


def _left(work: Work, branch_id: int) -> dict[str, Any]:
    wake(work, branch_id)
    return {}


@move("branch.drain", keyed=False, leaves=("wake",), again=lambda s: s.clock.forward(minutes=2))
def _drain(scene: Scene) -> Act:
    while drain(scene.env):
        pass
    with scene.env.engine.connect() as db:
        branch = int(db.execute(select(_branches.c.id).order_by(_branches.c.id)).scalars().all()[0])
    scene.kept["branch"] = branch
    scene.case.world.do(lambda work: _left(work, branch))
    return lambda key: drain(scene.env)


@move("step.decide")
def _decide(scene: Scene) -> Act:
    slot, _, post = next(
        slot for slot in scene.case.world.open_slots() if slot[1] == "assign-roles"
    )
    given: Any = {"slot_id": slot, "answer": "done"}
    return lambda key: decide(scene.env, scene.actor(post), **given, key=key)


@move("task.import")
def _tasks(scene: Scene) -> Act:
    scene.case.settle()
    data = workbook({TASKS: [list(TASK_COLUMNS), *_TASKS]})
    of: Any = {"case_id": scene.case.case_id, "data": data, "filename": "任务.xlsx"}
    return lambda key: import_tasks(scene.env, SYSTEM, **of, key=key)


@move("task_list", commits=True)
def _list(scene: Scene) -> Act:
    scene.case.answer("draft-plan")
    scene.case.review()
    scene.case.world.answer("approve-plan", "agree")
    while drain(scene.env):
        pass
    with scene.env.engine.connect() as db:
        ready = ready_effects(db, scene.case.case_id)
    call = claim_effect(scene.env, ready[0].id)
    assert call is not None
    scene.kept["effect"] = call.effect_id
    return lambda key: call.run()


@move("effect.finish", keyed=False)
def _finish(scene: Scene) -> Act:
    return lambda key: finish_effect(scene.env, scene.kept["effect"], {"units": 3})


@move("task_list_recalled")
def _recall(scene: Scene) -> Act:
    recalled = {"name": "recall_task_list", "state": "queued", "key": "recall"}
    _again(scene, recalled)
    call = claim_effect(scene.env, scene.kept["effect"])
    assert call is not None
    return lambda key: call.run()


def _again(scene: Scene, values: dict[str, Any]) -> None:
    """Another effect like the one that was done."""
    with scene.env.engine.begin() as db:
        of = _effects.c.id == scene.kept["effect"]
        row = dict(db.execute(select(_effects).where(of)).one()._mapping)
        row |= {"id": None, "done_at": None, "result": None, **values}
        row.pop("id")
        made = db.execute(insert(_effects).values(**row).returning(_effects.c.id))
        scene.kept["effect"] = int(made.scalar_one())


@move("effect.fail", keyed=False)
def _fail(scene: Scene) -> Act:
    return lambda key: fail_effect(scene.env, scene.kept["effect"], "TimeoutError")


def _tomorrow(scene: Scene) -> None:
    scene.clock.forward(days=1)


@move("vacancy.find", keyed=False, leaves=("command",), again=_tomorrow)
def _gap(scene: Scene) -> Act:
    scene.clock.forward(days=1)
    held = _appointments.c.ends_on.is_(None)
    asked = {post for key, post in scene.case.world.waiting() if key == "do-task"}
    post = min(asked - scene.kept.setdefault("vacant", set()))
    scene.kept["vacant"].add(post)
    named = _appointments.c.post_id == scene.case.world.posts[post]
    scene.write(update(_appointments).where(held, named).values(ends_on=scene.clock().date()))
    return lambda key: find_vacancies(scene.env)


@move("calendar.publish")
def _publish(scene: Scene) -> Act:
    days = [Day(date(2027, 1, 1), False, "元旦")]
    of: Any = {"horizon": date(2027, 12, 31), "days": days, "source": "国办发明电"}
    return lambda key: publish(scene.env, SYSTEM, **of, key=key)


@move("calendar.recompute", keyed=False)
def _recompute(scene: Scene) -> Act:
    with scene.env.engine.connect() as db:
        newest = calendar.latest(db).id
        opened = select(func.max(_steps.c.id)).where(_steps.c.state == StepState.OPEN)
        step = db.execute(opened).scalar_one()
    scene.write(update(_steps).where(_steps.c.id == step).values(provisional=True))
    return lambda key: recompute(scene.env, newest, 1)


@move("watch", keyed=False)
def _watch(scene: Scene) -> Act:
    scene.clock.forward(days=40)
    find_vacancies(scene.env)
    return lambda key: sweep(scene.env)


@move("launch.preview", keyed=False, commits=False)
def _preview(scene: Scene) -> Act:
    wanted = [scene.case.world.organisations["other"]]
    return lambda key: preview(scene.env, SYSTEM, mechanism=two_step.NAME, organisations=wanted)


@move("launch.record")
def _launch(scene: Scene) -> Act:
    wanted: Any = {"organisations": [scene.case.world.organisations["other"]]}
    return lambda key: launch(scene.env, SYSTEM, mechanism=two_step.NAME, **wanted, key=key)


@move(
    "launch.open",
    keyed=False,
    leaves=("launch_target", "message"),
    again=lambda scene: scene.clock.forward(hours=2),
)
def _open(scene: Scene) -> Act:
    return lambda key: open_due(scene.env, 1)


@move(
    "launch.done",
    keyed=False,
    leaves=("launch_target", "message"),
    again=lambda scene: scene.clock.forward(hours=2),
)
def _done(scene: Scene) -> Act:
    wanted: Any = {"organisations": [scene.case.world.organisations["town"]]}
    launch(scene.env, SYSTEM, mechanism=two_step.NAME, **wanted, key="another")
    return lambda key: open_due(scene.env, 1)


@move("case.terminate")
def _terminate(scene: Scene) -> Act:
    scene.case.settle()
    of: Any = {"case_id": scene.kept["started"], "reason": "单位已撤销"}
    return lambda key: terminate(scene.env, scene.actor("district_secretary"), **of, key=key)


@move("clock.doubt", keyed=False)
def _doubt(scene: Scene) -> Act:
    ago = scene.clock() - timedelta(days=9)
    scene.write(update(_installation).values(seen_at=ago, doubted_at=None))
    return lambda key: clock_watch.believed(scene.env)


@move("alarm.outbox", keyed=False)
@move("alarm", keyed=False)
def _alarm(scene: Scene) -> Act:
    """A wake that nobody took; the outbox grows."""
    scene.case.world.do(lambda work: _left(work, scene.kept["branch"]))
    scene.clock.forward(days=1)
    outside = alarms.Outside(scene.clock() - timedelta(days=9), prefect_away=True)
    return lambda key: alarms.look(scene.env, outside)


@move("installation.restored")
def _restored(scene: Scene) -> Act:
    return lambda key: installation.restored(scene.env, SYSTEM, key=key, backup="20260302")


@move("installation.release")
def _release(scene: Scene) -> Act:
    return lambda key: installation.release(scene.env, SYSTEM, key=key, send=False)
