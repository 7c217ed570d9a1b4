"""A ledger from its file to its rows: names become posts and units, dates are held against today.

Nothing is written here: what is found is shown first, and written when it is confirmed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from documents.fault import Fault
from documents.feedback import PROBLEMS, TASKS
from documents.ledger import EXTENSIONS, ROLES, LedgerFile, LedgerProblem, LedgerTask, Stage
from documents.resemble import Resembling
from services.casework import Here
from services.command import Work
from services.directory import Directory
from services.importing import Unit
from services.rectification_roles import superior_of
from services.rectification_roles_form import (
    FIELDS,
    LeaderIsHead,
    SupervisorIsOwner,
    require_four_eyes,
    watchers_of,
)
from services.task_rows import PlannedTask, planned

_FIELD = dict(zip(ROLES, FIELDS, strict=True))


@dataclass(frozen=True, slots=True)
class PlacedProblem:
    """A problem whose names were found; ``roles`` are ids by field, closed ones may lack some."""

    told: LedgerProblem
    roles: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PlacedTask:
    """A task whose names were found."""

    told: LedgerTask
    plan: PlannedTask


@dataclass(frozen=True, slots=True)
class Placed:
    """What a ledger would write, and everything that is wrong with it."""

    problems: Sequence[PlacedProblem]
    tasks: Sequence[PlacedTask]
    faults: Sequence[Fault]
    today: date

    def tasks_of(self, number: int) -> list[PlacedTask]:
        """The tasks of a problem, in the order of the file."""
        return [task for task in self.tasks if task.told.plan.problem == number]

    def fingerprint(self) -> str:
        """What of it people agree to: the same rows, meaning the same posts and units."""
        problems = [[str(one.told), sorted(one.roles.items())] for one in self.problems]
        tasks = [
            [str(one.told), one.plan.leader_post_id, one.plan.lead_unit_id, one.plan.supports]
            for one in self.tasks
        ]
        body = json.dumps([problems, tasks], ensure_ascii=False, default=str)
        return hashlib.sha256(body.encode()).hexdigest()

    def said(self) -> dict[str, Any]:
        """What the preview shows: counts, and a line for each problem."""
        lines = [self._line(one) for one in self.problems]
        left = [task for task in self.tasks if task.told.done_on is None]
        return {
            "counts": {
                "problems": len(lines),
                **{stage.name.lower(): _of_stage(lines, stage) for stage in Stage},
                "tasks": len(self.tasks),
                "left": len(left),
                "late": sum(self._late(task) for task in left),
                "extensions": sum(len(task.told.extensions) for task in self.tasks),
            },
            "problems": lines,
        }

    def _line(self, problem: PlacedProblem) -> dict[str, Any]:
        tasks = self.tasks_of(problem.told.number)
        left = [task for task in tasks if task.told.done_on is None]
        return {
            "row": problem.told.row,
            "number": problem.told.number,
            "text": problem.told.text,
            "stage": problem.told.stage.value,
            "department": problem.told.roles["责任部门"],
            "closed_on": _iso(problem.told.closed_on or problem.told.applied_on),
            "tasks": len(tasks),
            "done": len(tasks) - len(left),
            "due_on": _iso(min((task.told.plan.due_on for task in left), default=None)),
            "original": _iso(min((task.told.original for task in left), default=None)),
            "extensions": max((len(task.told.extensions) for task in left), default=0),
            "late": sum(self._late(task) for task in left),
            "evidence": problem.told.evidence,
        }

    def _late(self, task: PlacedTask) -> bool:
        return task.told.plan.due_on < self.today


def place(work: Work, unit: Unit, file: LedgerFile) -> Placed:
    """Find every name of a ledger among the unit's posts and units; faults for what is wrong."""
    directory = Directory.of(work.db, unit.id)
    plans, faults = planned(directory, [task.plan for task in file.tasks])
    told = {task.plan.row: task for task in file.tasks}
    placing = _Placing(work, unit, directory)
    problems = [placing.problem(one) for one in file.problems]
    found = [*file.faults, *faults, *placing.faults, *_in_future(file, work.today)]
    tasks = [PlacedTask(told[plan.row.row], plan) for plan in plans]
    return Placed(problems, tasks, sorted(set(found)), work.today)


class _Placing:
    """The roles of problems, each name looked for where it may be."""

    def __init__(self, work: Work, unit: Unit, directory: Directory) -> None:
        self._here = Here(work, 0, unit.id, 0, None)
        self._unit = directory
        self._watchers: set[int] = set()
        self.faults: list[Fault] = []
        with suppress(LookupError):  # then nobody is accepted, and the fault says so
            self._watchers = watchers_of(self._here)

    def problem(self, told: LedgerProblem) -> PlacedProblem:
        """A problem with the ids of those of its roles that are filled in."""
        found = {role: self._role(told, role) for role in ROLES if told.roles[role]}
        roles = {_FIELD[role]: id_ for role, id_ in found.items() if id_ is not None}
        if len(roles) == len(ROLES) and told.stage is not Stage.CLOSED:
            self._four_eyes(told, roles)
        return PlacedProblem(told, roles)

    def _role(self, told: LedgerProblem, role: str) -> int | None:
        name = told.roles[role]
        if role == "监督":
            found = self._watcher(name)
        else:
            found = self._unit.unit(name) if role == "责任部门" else self._unit.post(name)
        if isinstance(found, str):
            self.faults.append(Fault(PROBLEMS, told.row, role, found))
            return None
        return found

    def _watcher(self, name: str) -> int | str:
        """Who supervises is found in the unit or one level up, where the inspection office is."""
        found = self._unit.post(name)
        if isinstance(found, str):
            found = self._above.post(name)
        if isinstance(found, int) and found in self._watchers:
            return found
        known = isinstance(found, int)
        why = "监督须是纪检或巡察机构的职务" if known else f"纪检或巡察机构没有名为“{name}”的职务"
        names = self._watching
        near = Resembling(names).nearest(name) or names[:3]
        return f"{why}{'，可以写：' if near else ''}{'、'.join(f'“{one}”' for one in near)}"

    @cached_property
    def _above(self) -> Directory:
        here = self._here
        return Directory.of(here.db, superior_of(here.db, here.organisation_id))

    @cached_property
    def _watching(self) -> list[str]:
        """The posts that may supervise, each by a name that means it alone."""
        names: dict[int, str] = {}
        for directory in (self._unit, self._above):
            for name, ids in directory.posts.items():
                if len(ids) == 1 and ids <= self._watchers:
                    (post,) = ids
                    names[post] = max(names.get(post, ""), name, key=len)
        return [names[post] for post in sorted(names)]

    def _four_eyes(self, told: LedgerProblem, roles: Mapping[str, int]) -> None:
        try:
            require_four_eyes(self._here, roles, told.number)
        except LeaderIsHead as error:
            self.faults.append(Fault(PROBLEMS, told.row, "领题", error.message))
        except SupervisorIsOwner as error:
            self.faults.append(Fault(PROBLEMS, told.row, "监督", error.message))
        except LookupError:
            self.faults.append(Fault(PROBLEMS, told.row, "责任部门", "该部门没有负责人的职务"))


def _in_future(file: LedgerFile, today: date) -> Iterator[Fault]:
    """What has happened, happened by today."""
    happened = [
        *((PROBLEMS, one.row, "申请销号日期", one.applied_on) for one in file.problems),
        *((PROBLEMS, one.row, "销号日期", one.closed_on) for one in file.problems),
        *((TASKS, one.plan.row, "完成日期", one.done_on) for one in file.tasks),
        *(
            (EXTENSIONS, one.row, "批准日期", one.agreed_on)
            for task in file.tasks
            for one in task.extensions
        ),
    ]
    for sheet, row, column, day in happened:
        if day is not None and day > today:
            yield Fault(sheet, row, column, f"不应晚于今天 {today.isoformat()}")


def _of_stage(lines: Sequence[Mapping[str, Any]], stage: Stage) -> int:
    return sum(line["stage"] == stage for line in lines)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
