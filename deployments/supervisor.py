"""Runs processes: starts them, starts again what dies, and ends everything it started.

Each program is the head of a process group of its own, so a Ctrl-C reaches the supervisor only and
its children's children end with them. Children are noted in a file: what a killed supervisor
leaves behind is ended by the next one, and by the kernel before that (``deployments.tether``).
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from deployments import tether
from deployments.clock import now, ticks
from deployments.logs import raw_line

BACK_OFF = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before a program is started again that died that many times in a row."""
STEADY = 300.0
"""Seconds a program has to stay healthy for its death to be an accident: then it is started again
at once, and what was before is forgotten."""
HEAD_START = 20.0
"""Seconds a program waits, at the very start, for the one it comes after to be healthy."""
PATIENCE = 10.0
"""Seconds a program has to end by itself when it is asked to."""
CHANCES = 2
"""Deaths in a row that are put down to chance when the program had been healthy each time."""
TOLD = 5
"""So many deaths in a row are told to the operator (``services.alarms``)."""
A_MOMENT = 1.0
"""Seconds after a start in which no spare is started."""
SPARE_AGAIN = 30.0
"""Seconds until there is another spare of a program after one that died by itself."""
_DYING = "dying.json"
_LOG_BYTES = 10_000_000
_LOOK_EVERY = 0.05
_ASK_EVERY = 0.5

Say = Callable[[str], None]


class AlreadyRunning(Exception):
    """Another supervisor holds this folder."""


def _at_once(pid: int) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Program:
    """A process to keep alive; ``ready`` (of its number) is asked until True after each start.

    ``after`` names a program that is given a head start. Later the two know nothing of each other.
    ``spare``: the program waits for a line on its standard input before it begins
    (``deployments.spare``); once it is healthy a second one is started, which takes its place.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[int], bool] = _at_once
    after: str = ""
    spare: bool = False


class Child:
    """A program with the process that runs it now, if any."""

    def __init__(self, program: Program, log: Path, say: Say, steady: float = STEADY) -> None:
        self.program = program
        self.deaths = 0
        """How often it died since it was steady last."""
        self.process: subprocess.Popen[str] | None = None
        self.healthy = False
        self.started = False
        self._log = log
        self._say = say
        self._steady = steady
        self._well_since = 0.0
        self._copiers: list[threading.Thread] = []
        self._asking: threading.Thread | None = None
        self._spare: subprocess.Popen[str] | None = None
        self._spare_next = 0.0
        self._proven = False
        self._since = 0.0
        self._next = 0.0
        self._ask_next = 0.0

    @property
    def processes(self) -> "list[subprocess.Popen[str]]":
        """What runs the program, and what would take its place."""
        return [found for found in (self.process, self._spare) if found is not None]

    def look(self, now: float) -> bool:
        """Start, notice a death, or ask for health; True when a process was started."""
        if self.process is None:
            return now >= self._next and self._start(now)
        if self.process.poll() is not None:
            _signal_group(self.process.pid, signal.SIGKILL)  # its own children, if it left any
            self._died(self.process.returncode, now)
            return now >= self._next and self._start(now)
        if not self.healthy and now >= self._ask_next:
            self._ask(self.process, now)
        if self._is_steady(now):
            self.deaths = 0
        return self._keep_spare(now)

    def _is_steady(self, now: float) -> bool:
        return self.healthy and now - self._well_since >= self._steady

    def _keep_spare(self, now: float) -> bool:
        """Have one at hand, once the program was healthy; not at once again when it died by itself.

        What has just taken over gets a moment for itself before the next one is started.
        """
        if not (self.program.spare and self._proven) or now - self._since < A_MOMENT:
            return False
        if self._spare is not None and self._spare.poll() is not None:
            self._take_spare()
            self._spare_next = now + SPARE_AGAIN
        if self._spare is not None or now < self._spare_next:
            return False
        self._spare = self._opened()
        return True

    def _take_spare(self) -> "subprocess.Popen[str] | None":
        """The spare, if there is one that lives; it is kept no longer."""
        spare, self._spare = self._spare, None
        if spare is None or spare.poll() is None:
            return spare
        _close(spare)
        return None

    def _ask(self, process: "subprocess.Popen[str]", now: float) -> None:
        """In a thread: a server that is just starting may take seconds to say so, and meanwhile
        the deaths of the others are to be noticed."""

        def ask() -> None:
            healthy = self.program.ready(process.pid)
            if self.process is process:
                self._well_since, self.healthy = now, healthy
                self._proven = self._proven or healthy

        if self._asking is None or not self._asking.is_alive():
            self._ask_next = now + _ASK_EVERY
            self._asking = threading.Thread(target=ask, daemon=True)
            self._asking.start()

    def _start(self, now: float) -> bool:
        self.process = self._take_spare() or self._opened()
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.write("begin\n")
        _close(self.process)
        self._since, self.started = now, True
        return True

    def _opened(self) -> "subprocess.Popen[str]":
        env = {**os.environ, **self.program.env, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, str(tether.__file__), str(os.getpid()), *self.program.command]
        process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.PIPE if self.program.spare else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        copied = (process.stdout, self._log, self.program.name, process.pid)
        self._copiers = [copier for copier in self._copiers if copier.is_alive()]
        self._copiers.append(threading.Thread(target=_copy, args=copied, daemon=True))
        self._copiers[-1].start()
        return process

    def end(self) -> None:
        """Kill what is left of the processes and finish their log."""
        for process in self.processes:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
            _close(process)
        for copier in self._copiers:
            copier.join(timeout=1)

    def _died(self, code: int, now: float) -> None:
        accident, was_healthy = self._is_steady(now), self.healthy
        self.process, self.healthy = None, False
        self.deaths = 0 if accident else self.deaths + 1
        counted = self.deaths - (CHANCES if was_healthy else 0)
        pause = BACK_OFF[min(counted, len(BACK_OFF)) - 1] if counted > 0 else 0.0
        self._next = now + pause
        how = f"signal {-code}" if code < 0 else f"code {code}"
        soon, at_once = (f"{pause:.0f} 秒后", f"in {pause:.0f} s") if pause else ("立即", "at once")
        self._say(
            f"{self.program.name} 已退出（{how}），{soon}重新启动；日志 {self._log}"
            f" | {self.program.name} ended ({how}), starts again {at_once}"
        )
        if self.deaths == TOLD:
            self._say(
                f"{self.program.name} 反复退出，已连续 {TOLD} 次；请查看日志 {self._log}"
                f" | {self.program.name} keeps ending: see its log"
            )


class Supervisor:
    """Keeps programs alive until it is told to stop."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        run: Path,
        logs: Path,
        say: Say,
        steady: float = STEADY,
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.children = [Child(p, logs / f"{p.name}.log", say, steady) for p in programs]
        self._notes, self._run = run / "children.json", run
        self._dying: list[str] = []
        self._unnoted = False
        self._say = say
        self._stop = threading.Event()
        self._hurry = False

    def stop(self) -> None:
        """End everything; called a second time it does not wait for anybody."""
        self._hurry = self._stop.is_set()
        self._stop.set()

    def run(self, when_ready: Callable[[], None], *, slow: float = 90.0) -> None:
        """Run until :meth:`stop`; ``when_ready`` is called once, when all are healthy.

        To be called by the main thread: the kernel ends the children when the thread that started
        them ends. After ``slow`` seconds it says once what it still waits for.
        """
        begun, waiting, warned = ticks(), True, False
        try:
            while not self._stop.is_set():
                self._look(begun)
                if waiting and all(child.healthy for child in self.children):
                    waiting = False
                    when_ready()
                elif waiting and not warned and ticks() - begun > slow:
                    warned = True
                    self._say_slow()
                self._stop.wait(_LOOK_EVERY)
        finally:
            self._end_all()

    def _look(self, begun: float) -> None:
        healthy = {child.program.name for child in self.children if child.healthy}
        if ticks() - begun > HEAD_START:
            healthy |= {child.program.name for child in self.children}
        ready = [c for c in self.children if c.started or c.program.after in {"", *healthy}]
        started = [child.look(ticks()) for child in ready]
        self._unnoted = any(started) or self._unnoted
        with suppress(OSError):  # a full disk: written at the next look, and nobody ends for it
            self._note()

    def _note(self) -> None:
        if self._unnoted:
            note(self._notes, [p.pid for c in self.children for p in c.processes])
            self._unnoted = False
        found = [child.program.name for child in self.children if child.deaths >= TOLD]
        if found != self._dying:
            (self._run / _DYING).write_text(json.dumps(found), encoding="utf-8")
            self._dying = found

    def _say_slow(self) -> None:
        late = ", ".join(c.program.name for c in self.children if not c.healthy)
        logs = self._notes.parent.parent / "logs"
        self._say(f"仍在等待 {late}；日志在 {logs} | still waiting for {late}")

    def _end_all(self) -> None:
        alive = [process for child in self.children for process in child.processes]
        for process in alive:
            _signal_group(process.pid, signal.SIGTERM)
        until = ticks() + PATIENCE
        while not self._hurry and ticks() < until:
            left = [process for process in alive if process.poll() is None]
            if not left:
                break
            with suppress(subprocess.TimeoutExpired):
                left[0].wait(0.1)
        for child in self.children:
            child.end()
        self._notes.unlink(missing_ok=True)
        (self._run / _DYING).unlink(missing_ok=True)


@contextmanager
def only_one(run: Path) -> Iterator[None]:
    """Hold the folder ``run`` as the one supervisor of it; :class:`AlreadyRunning` otherwise.

    Children that a killed supervisor left are ended first.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(str(run)) from error
        end_left_over(run / "children.json")
        (run / _DYING).unlink(missing_ok=True)
        yield


def dying(run: Path) -> list[str]:
    """The programs that keep dying, as the supervisor of this folder noted them."""
    try:
        return [str(name) for name in json.loads((run / _DYING).read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        return []


def note(path: Path, pids: Sequence[int]) -> None:
    """Remember processes by number and start, so that a number used again is not mistaken."""
    kept = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            kept.append({"pid": pid, "born": psutil.Process(pid).create_time()})
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(kept), encoding="utf-8")
    draft.replace(path)


def end_left_over(path: Path) -> int:
    """End the noted processes that still live, with their groups; how many there were."""
    if not path.exists():
        return 0
    left = [
        found for kept in json.loads(path.read_text(encoding="utf-8")) if (found := _same(kept))
    ]
    for process in left:
        _signal_group(process.pid, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(left, timeout=PATIENCE)
    for process in stubborn:
        _signal_group(process.pid, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=PATIENCE)
    path.unlink()
    return len(left)


def _same(kept: Mapping[str, float]) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(kept["pid"]))
        if abs(process.create_time() - kept["born"]) < 1:
            return process
    return None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _close(process: "subprocess.Popen[str]") -> None:
    """Nothing more will be said to it."""
    with suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.close()


def _copy(lines: IO[str], log: Path, process: str, pid: int) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with lines, log.open("a", encoding="utf-8") as out:
        for line in filter(str.strip, lines):
            said = raw_line(line.rstrip("\n"), at=now(), process=process, pid=pid)
            out.write(f"{said}\n")
            out.flush()
