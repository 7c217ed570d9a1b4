"""A Prefect server and our worker as real processes on free ports, for end-to-end tests."""

import os
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any

import httpx
from sqlalchemy import exists, select

from deployments.clock import now
from deployments.health import prefect_status
from deployments.prefect_commands import server_command, worker_command
from deployments.prefect_settings import client_env
from deployments.settings import Settings, load
from models.base import table
from models.casework import Case, CaseState, Effect, RunWake, Slot, SlotState, Step, StepState
from services.casework import decide, mechanisms, open_case
from services.command import Work
from services.database import open_engine
from services.env import Env
from services.runs import STOPPED
from tests import two_step, world

AUTH = "fourduties:of-the-test"
PAGE = 200
LIVE = ("SCHEDULED", "PENDING", "RUNNING", "PAUSED")
_cases, _effects, _slots, _steps = table(Case), table(Effect), table(Slot), table(Step)
_wakes = table(RunWake)


def until(true: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for another process, without a fixed pause; what ``true`` came to."""
    ticker = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if found := true():
            return found
        ticker.wait(0.05)
    raise AssertionError(f"not within {seconds} s")


class House:
    """Server, worker and a database with the small cast of ``tests.world``."""

    def __init__(self, folder: Path, database_url: str, **given: Any) -> None:
        self.folder, self.out = folder, folder / "out"
        self.out.mkdir()
        self.settings: Settings = load(
            env_file=None,
            data=folder / "var",
            database_url=database_url,
            prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
            prefect_auth=AUTH,
            **given,
        )
        self.env = Env(open_engine(database_url), now, mechanisms())
        self.world = world.build(self.env)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.http = httpx.Client(
            base_url=self.settings.prefect_api_url,
            auth=tuple(AUTH.split(":")),  # type: ignore[arg-type]
            timeout=20,
            trust_env=False,
        )

    def start(self, name: str, argv: tuple[str, ...], **env: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                argv, env={**os.environ, **env}, stdout=log, stderr=log, start_new_session=True
            )

    def start_server(self) -> None:
        """Up when it answers."""
        command = server_command(self.settings)
        quick = {"PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5"}
        self.start("server", command.argv, **{**command.env, **quick})
        until(lambda: prefect_status(self.settings.prefect_api_url, AUTH) == 200, 90)

    def start_worker(self) -> None:
        command = worker_command(self.settings)
        env = {**client_env(self.settings), **self.environment()}
        self.start("worker", (command.argv[0], "-m", "tests.two_step_flows"), **env)

    def environment(self) -> dict[str, str]:
        """How the processes of this house find each other."""
        of_house = {f"FOURDUTIES_{k.upper()}": str(v) for k, v in self.given().items()}
        return {**of_house, two_step.OUT: str(self.out)}

    def given(self) -> dict[str, Any]:
        names = "data", "database_url", "prefect_api_url", "prefect_auth", "base_url", "worker"
        return {name: getattr(self.settings, name) for name in (*names, "runs_per_second")}

    def until(self, true: Callable[[], Any], seconds: float = 30.0) -> Any:
        """Wait for the processes; when they do not come to it, their logs tell why."""
        try:
            return until(true, seconds)
        except AssertionError as error:
            for name, process in self.processes.items():
                error.add_note(f"{name} ({process.poll()}):\n{self.log(name)[-3000:]}")
            raise

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End a process of ours and its children."""
        process = self.processes.pop(name)
        os.killpg(process.pid, number)
        process.wait(30)

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        self.http.close()
        self.env.engine.dispose()

    def open(self, mechanism: str = two_step.NAME) -> str:
        """Open a case, and name it by its number."""
        number = f"2026-{self.world.key()}"
        town = self.world.organisations["town"]

        def act(work: Work) -> dict[str, int]:
            given = {"mechanism": mechanism, "organisation_id": town, "number": number}
            return {"case": open_case(work, **given)}  # type: ignore[arg-type]

        self.world.do(act)
        return number

    def answer(self, number: str, key: str, answer: str = "done") -> None:
        """Answer a step of that case as the post it asks."""
        slot_id, post_id = self.until(lambda: self._slot(number, key), 10)
        name = next(name for name, id in self.world.posts.items() if id == post_id)
        actor = self.world.actor(name)
        decide(self.env, actor, slot_id=slot_id, answer=answer, key=self.world.key())

    def _slot(self, number: str, key: str) -> tuple[int, int] | None:
        query = (
            select(_slots.c.id, _slots.c.post_id)
            .join(_steps, _steps.c.id == _slots.c.step_id)
            .where(_steps.c.case_id == self.case(number).id, _slots.c.state == SlotState.OPEN)
            .where(_steps.c.key.startswith(key))
        )
        with self.env.engine.connect() as db:
            found = db.execute(query).first()
            return (found.id, found.post_id) if found else None

    def case(self, number: str) -> Any:
        with self.env.engine.connect() as db:
            return db.execute(select(_cases).where(_cases.c.number == number)).one()

    def effects(self, number: str) -> list[Any]:
        with self.env.engine.connect() as db:
            of_case = _effects.c.case_id == self.case(number).id
            return list(db.execute(select(_effects).where(of_case)))

    def seen(self, number: str) -> list[str]:
        """What the outside saw of that case: the keys, a call each."""
        path, case_id = self.out / "seen", str(self.case(number).id)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line.split()[1] for line in lines if line.split()[0] == case_id]

    def run(self, number: str) -> dict[str, Any]:
        """The case's flow run at Prefect's API; {} while there is none."""
        run_id = self.case(number).run_id
        found = self.http.get(f"/flow_runs/{run_id}") if run_id else None
        return found.json() if found is not None and found.is_success else {}

    def state(self, number: str) -> tuple[str, str]:
        """(type, name) of the run's state."""
        state = self.run(number).get("state") or {}
        return state.get("type", ""), state.get("name", "")

    def open_steps(self, number: str) -> list[str]:
        """The keys of a case's open steps."""
        query = select(_steps.c.key).where(
            _steps.c.case_id == self.case(number).id, _steps.c.state == StepState.OPEN
        )
        with self.env.engine.connect() as db:
            return list(db.execute(query).scalars())

    def set_state(self, number: str, kind: str) -> None:
        """What the UI's buttons do to a run: cancel it, retry it."""
        body = {"state": {"type": kind}, "force": False}
        found = self.http.post(f"/flow_runs/{self.case(number).run_id}/set_state", json=body)
        found.raise_for_status()

    def runs_of(self, flow: str, kind: str) -> list[Any]:
        """The runs of a flow in a state."""
        body = {
            "flows": {"name": {"any_": [flow]}},
            "flow_runs": {"state": {"type": {"any_": [kind]}}},
        }
        return list(self.http.post("/flow_runs/filter", json=body).json())

    def runs(self) -> list[dict[str, Any]]:
        """Every run of a case that Prefect has."""
        body = {"flows": {"name": {"any_": [two_step.NAME, two_step.TWO_SIGNS]}}}
        found: list[dict[str, Any]] = []
        while True:
            page = {"limit": PAGE, "offset": len(found), "sort": "ID_DESC", **body}
            some = self.http.post("/flow_runs/filter", json=page).raise_for_status().json()
            found += some
            if len(some) < PAGE:
                return found

    def unreconciled(self) -> list[str]:
        """What is not as INV-21 says: one live run for each open case, and no other.

        Queued cases (rule H) and those whose run an operator stopped (rule M) have none.
        """
        live = {run["id"]: run["name"] for run in self.runs() if run["state_type"] in LIVE}
        waits = exists().where(_wakes.c.case_id == _cases.c.id)
        query = select(_cases, waits.label("waits")).where(_cases.c.state == CaseState.OPEN)
        with self.env.engine.connect() as db:
            opened = list(db.execute(query))
        exempt = [case for case in opened if _queued(case) or case.mirrored == STOPPED]
        wrong = {case.number for case in opened if case.run_id not in live}
        wrong -= {case.number for case in exempt}
        others = live.keys() - {case.run_id for case in opened}
        return sorted(wrong) + sorted(f"{live[id_]}: {id_}" for id_ in others)

    def miss(self, flow: str, count: int) -> list[str]:
        """Runs of a deployment that were due an hour ago and more, as after an outage."""
        deployment = self.http.get(f"/deployments/name/{flow}/{flow}").json()["id"]
        url, hour_ago = f"/deployments/{deployment}/create_flow_run", now() - timedelta(hours=1)
        return [
            until(partial(self._made, url, hour_ago - timedelta(minutes=number)))
            for number in range(count)
        ]

    def _made(self, url: str, due: datetime) -> str:
        """The id of a run that was made, or "" when the server was too busy (503 on SQLite)."""
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due.isoformat()}}
        answer = self.http.post(url, json={"state": state})
        return str(answer.json()["id"]) if answer.is_success else ""

    def states(self, ids: list[str]) -> Counter[str]:
        """How many of these runs are in a state of which type."""
        body = {"flow_runs": {"id": {"any_": ids}}}
        found = self.http.post("/flow_runs/filter", json=body).json()
        return Counter((run["state"] or {}).get("type", "") for run in found)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")


def _queued(case: Any) -> bool:
    return case.run_id is None and bool(case.waits)


@contextmanager
def running_house(folder: Path, template: Path, **given: Any) -> Iterator[House]:
    """A house on a copy of the migrated SQLite file, its server and its worker running."""
    shutil.copyfile(template, folder / "fourduties.db")
    made = House(folder, f"sqlite:///{folder / 'fourduties.db'}", **given)
    try:
        made.start_server()
        made.start_worker()
        yield made
    finally:
        made.stop()


def free_port() -> int:
    """A port that nobody listens on now."""
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
