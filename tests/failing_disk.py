"""Carries out commands on SQLite while its disk fails, in processes that ``strace`` can stop.

``python -m tests.failing_disk FOLDER`` reads a line for each try: ``SYSCALL N [+]``. It forks a
child over a fresh copy of ``FOLDER/before.db``, has its ``N``-th call (and with ``+`` every later
one) on that database fail with EIO, and prints what it was told and what is left, as JSON. The
child talks over a socket, which no fault is put upon.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from models.base import table
from models.casework import Decision
from policy.calendar import local_day
from services.casework import decide, drain
from services.database import open_engine
from services.errors import DutiesError
from services.invariants import violations
from services.storage import refusal
from tests.parts_case import cast, start
from tests.world import Clock, World

STEPS = (
    ("draft", "done", "clerk"),
    ("review", "agree", "discipline_secretary"),
    ("review", "agree", "inspection_head"),
    ("approve", "agree", "district_member"),
)
TRIES = 3
BEFORE, FAILING, TRACE = "before.db", "failing.db", "trace"


def tried(folder: Path, world: World, call: str, number: str, more: str) -> dict[str, Any]:
    """One child whose disk fails: what it was told, and what is left."""
    for path in folder.glob(f"{FAILING}*"):
        path.unlink()
    shutil.copyfile(folder / BEFORE, folder / FAILING)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        _work(folder, world, theirs)
        os._exit(0)
    theirs.close()
    tracer = _traced(folder, child, call, f"when={number}{more}")
    ours.sendall(b"go")
    said = b"".join(iter(lambda: ours.recv(65536), b""))
    os.waitpid(child, 0)
    tracer.wait(30)
    hit = (folder / TRACE).read_text(encoding="utf-8").count("(INJECTED)")
    return {"hit": hit, "told": [json.loads(line) for line in said.splitlines()]}


def _traced(folder: Path, child: int, call: str, when: str) -> subprocess.Popen[bytes]:
    paths = [word for end in ("", "-wal", "-shm") for word in ("-P", f"{folder / FAILING}{end}")]
    fault = ["-e", f"trace={call}", "-e", f"inject={call}:error=EIO:{when}"]
    command = ["strace", "-f", "-qq", "-o", str(folder / TRACE), *paths, *fault, "-p", str(child)]
    tracer = subprocess.Popen(command)
    while f"TracerPid:\t{tracer.pid}\n" not in Path(f"/proc/{child}/status").read_text():
        if tracer.poll() is not None:
            os.kill(child, signal.SIGKILL)
            raise RuntimeError("strace cannot attach")
    return tracer


def _work(folder: Path, world: World, to: socket.socket) -> None:
    """Every step is decided with its own key, and again after an error, as a person would."""
    to.recv(2)
    _in(folder, world)
    for place in range(len(STEPS)):
        slot_id = 0
        for _ in range(TRIES):
            try:
                slot_id = slot_id or _slot(world, place)
                told = _told(world, place, slot_id)
            except DBAPIError as error:  # the page could not be read
                told = {"ok": False, "error": getattr(refusal(error), "code", "")}
            to.sendall(json.dumps(told).encode() + b"\n")
            if told["ok"]:
                break
        else:
            return  # nothing goes on without this step
    drain(world.env)
    world.env.engine.dispose()


def _in(folder: Path, world: World) -> None:
    engine = open_engine(f"sqlite:///{folder / FAILING}")
    world.env = replace(world.env, engine=engine)


def _slot(world: World, place: int) -> int:
    key, _, post = STEPS[place]
    return next(slot for slot, step, asked in world.open_slots() if (step, asked) == (key, post))


def _told(world: World, place: int, slot_id: int) -> dict[str, Any]:
    _, answer, post = STEPS[place]
    key = f"decide-{place}"
    try:
        done = decide(world.env, world.actor(post), slot_id=slot_id, answer=answer, key=key)
    except DutiesError as error:
        return {"ok": False, "error": error.code}
    return {"ok": True, "decision": done.decision_id}


def left(folder: Path, world: World) -> dict[str, Any]:
    """What another process finds, and whether it can carry the steps that are missing out."""
    _in(folder, world)
    kept = _kept(world)
    with world.env.engine.connect() as db:
        whole = db.execute(text("PRAGMA integrity_check")).scalar_one()
    wrong = _wrong(world)
    for place in range(len(kept), len(STEPS)):
        _told(world, place, _slot(world, place))
    while drain(world.env):
        pass
    found = {"whole": whole, "kept": kept, "wrong": wrong + _wrong(world), "end": _kept(world)}
    world.env.engine.dispose()
    return found


def _kept(world: World) -> list[int]:
    with world.env.engine.connect() as db:
        return list(db.execute(select(table(Decision).c.id).order_by("id")).scalars())


def _wrong(world: World) -> list[str]:
    on = local_day(world.env.clock())
    return [found.invariant for found in violations(world.env.engine, on)]


def main(folder: Path) -> None:
    """Make the case, and fail as often as is asked."""
    engine = open_engine(f"sqlite:///{folder / BEFORE}")
    for world in cast(engine, Clock()):
        start(world)
        engine.dispose()
        for line in sys.stdin:
            call, number, *more = line.split()
            found = tried(folder, world, call, number, "".join(more))
            said = json.dumps({"line": line.strip(), **found, "left": left(folder, world)})
            sys.stdout.write(f"{said}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
