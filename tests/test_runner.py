"""The process runner: what dies comes back, what was started ends, what is taken is named."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import psutil
import pytest

from deployments import supervisor
from deployments.demo import DemoLogin
from deployments.runner import PortTaken, programs, require_ports, welcome
from deployments.settings import load
from deployments.supervisor import AlreadyRunning, Child, Program, Supervisor, only_one
from deployments.supervisor import dying as dying_in

SLEEPER = (sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('awake', flush=True); time.sleep(600)",
)
PARENT = (
    sys.executable,
    "-c",
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', "
    "'import time; time.sleep(600)']); print('awake', flush=True); import time; time.sleep(600)",
)


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for another process, without a fixed pause."""
    ticker, rounds = threading.Event(), int(seconds / 0.02)
    if not any(true() or ticker.wait(0.02) for _ in range(rounds)):
        raise AssertionError(f"not within {seconds} s")


class Running:
    """A supervisor run by a thread of the test, with what it said."""

    def __init__(self, folder: Path, *programs: Program) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.ready = threading.Event()
        (folder / "run").mkdir(exist_ok=True)
        self.supervisor = Supervisor(
            programs, run=folder / "run", logs=folder / "logs", say=self.said.append
        )
        self.thread = threading.Thread(target=self.supervisor.run, args=(self.ready.set,))

    def child(self, name: str) -> Child:
        return next(c for c in self.supervisor.children if c.program.name == name)

    def pid(self, name: str) -> int:
        process = self.child(name).process
        return process.pid if process else 0

    def awake(self, name: str) -> bool:
        return self.heard(name, self.pid(name), "awake")

    def heard(self, name: str, pid: int, word: str) -> bool:
        log = self.folder / "logs" / f"{name}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        wanted = {"message": word, "process": name, "pid": pid}
        return any(wanted.items() <= json.loads(line).items() for line in lines)


@contextmanager
def running(folder: Path, *programs: Program) -> Iterator[Running]:
    run = Running(folder, *programs)
    run.thread.start()
    try:
        yield run
    finally:
        run.supervisor.stop()
        run.thread.join(timeout=30)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "BACK_OFF", (0.05, 0.1))
    monkeypatch.setattr(supervisor, "PATIENCE", 1.0)
    monkeypatch.setattr(supervisor, "A_MOMENT", 0.1)


def test_a_killed_child_is_started_again_and_its_death_is_said(tmp_path: Path) -> None:
    with running(tmp_path, Program("one", SLEEPER), Program("two", SLEEPER)) as run:
        until(lambda: run.awake("one") and run.awake("two"))
        first, other = run.pid("one"), run.pid("two")
        os.kill(first, signal.SIGKILL)
        until(lambda: run.pid("one") not in (0, first) and run.awake("one"))
        assert run.pid("two") == other
        assert "one 已退出（signal 9）" in run.said[0]


def test_it_says_ready_once_when_every_program_is_healthy(tmp_path: Path) -> None:
    healthy = threading.Event()
    late = Program("late", SLEEPER, ready=lambda pid: healthy.is_set())
    with running(tmp_path, Program("quick", SLEEPER), late) as run:
        until(lambda: run.child("quick").healthy)
        assert not run.ready.is_set()
        healthy.set()
        until(run.ready.is_set)


def test_what_comes_after_another_starts_once_that_one_is_healthy(tmp_path: Path) -> None:
    healthy = threading.Event()
    first = Program("first", SLEEPER, ready=lambda pid: healthy.is_set())
    with running(tmp_path, Program("second", SLEEPER, after="first"), first) as run:
        until(lambda: run.awake("first"))
        assert not run.child("second").started
        healthy.set()
        until(lambda: run.awake("second"))


def test_what_comes_after_another_does_not_wait_for_it_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HEAD_START", 0.1)
    never = Program("never", SLEEPER, ready=lambda pid: False)
    with running(tmp_path, Program("second", SLEEPER, after="never"), never) as run:
        until(lambda: run.awake("second"))


@dataclass
class Dying:
    """A program that dies on command, on a clock that is moved by hand."""

    child: Child
    said: list[str]
    now: float = 0.0
    healthy: bool = False

    def start(self) -> None:
        while not self.child.look(self.now):
            self.now += 0.25

    def live(self, seconds: float) -> None:
        """For so long it is healthy, if it is healthy at all."""
        if self.healthy:
            self.now += 1.0
            self.child.look(self.now)
            until(lambda: self.child.healthy)
        self.now += seconds
        self.child.look(self.now)

    def die(self) -> bool:
        """Whether it was started again at once."""
        assert self.child.process is not None
        self.child.process.kill()
        self.child.process.wait()
        return self.child.look(self.now)

    @property
    def pauses(self) -> list[str]:
        return [line.rpartition("starts again ")[2] for line in self.said if "starts again" in line]


@pytest.fixture
def dying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dying]:
    monkeypatch.setattr(supervisor, "BACK_OFF", (1.0, 2.0, 4.0))
    said: list[str] = []
    found: list[Dying] = []
    program = Program("dies", SLEEPER, ready=lambda pid: found[0].healthy)
    found.append(Dying(Child(program, tmp_path / "dies.log", said.append), said))
    yield found[0]
    found[0].child.end()


def test_what_is_healthy_for_some_seconds_and_keeps_dying_is_put_off_longer_each_time(
    dying: Dying,
) -> None:
    dying.healthy = True
    dying.start()
    for _ in range(7):
        dying.live(30.0)
        if not dying.die():
            dying.start()
    assert dying.pauses == ["at once", "at once", "in 1 s", "in 2 s", "in 4 s", "in 4 s", "in 4 s"]
    assert [line for line in dying.said if "反复退出" in line]
    dying.live(supervisor.STEADY)
    assert dying.child.deaths == 0


def test_what_keeps_dying_is_noted_for_those_who_tell_the_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "TOLD", 2)
    ends, notes = Program("ends", (sys.executable, "-c", "")), tmp_path / "run" / "dying.json"
    notes.mkdir(parents=True)  # what cannot be written, as on a full disk
    with running(tmp_path, ends, Program("one", SLEEPER)) as run:
        until(lambda: run.child("ends").deaths > 2)
        notes.rmdir()
        until(lambda: dying_in(tmp_path / "run") == ["ends"])
    assert dying_in(tmp_path / "run") == []


def test_what_was_healthy_for_a_while_is_started_again_at_once_however_often(
    dying: Dying,
) -> None:
    dying.healthy = True
    dying.start()
    for _ in range(4):
        dying.live(supervisor.STEADY)
        assert dying.die()
    assert dying.pauses == ["at once"] * 4
    assert "dies 已退出（signal 9），立即重新启动" in dying.said[0]


def test_what_dies_before_it_is_healthy_is_put_off_longer_each_time(dying: Dying) -> None:
    for _ in range(5):
        dying.start()
        dying.live(100)
        assert not dying.die()
    assert dying.pauses == ["in 1 s", "in 2 s", "in 4 s", "in 4 s", "in 4 s"]


def test_what_dies_again_and_again_soon_after_it_was_healthy_is_put_off(dying: Dying) -> None:
    dying.healthy = True
    dying.start()
    for _ in range(supervisor.CHANCES):
        dying.live(supervisor.STEADY / 2)
        assert dying.die()
    for _ in range(3):
        dying.live(supervisor.STEADY / 2)
        assert not dying.die()
        dying.start()
    dying.live(supervisor.STEADY)
    assert dying.die()
    dying.live(supervisor.STEADY / 2)
    assert dying.die()
    assert dying.pauses == ["at once"] * 2 + ["in 1 s", "in 2 s", "in 4 s"] + ["at once"] * 2


WAITER = (
    sys.executable,
    "-c",
    "import sys, time; print('here', flush=True); word = sys.stdin.readline(); "
    "word and (print('awake', flush=True), time.sleep(600))",
)


def test_a_spare_takes_the_place_of_what_was_killed_and_another_is_kept(tmp_path: Path) -> None:
    with running(tmp_path, Program("one", WAITER, spare=True)) as run:
        until(lambda: run.awake("one") and len(run.child("one").processes) == 2)
        first, spare = (process.pid for process in run.child("one").processes)
        until(lambda: run.heard("one", spare, "here"))
        assert not run.heard("one", spare, "awake")
        os.kill(first, signal.SIGKILL)
        until(lambda: run.heard("one", spare, "awake") and len(run.child("one").processes) == 2)
        assert run.pid("one") == spare
        family = [psutil.Process(process.pid) for process in run.child("one").processes]
    assert not [process for process in family if alive(process)]


def test_a_spare_that_died_is_missed_by_nobody(tmp_path: Path) -> None:
    with running(tmp_path, Program("one", WAITER, spare=True)) as run:
        until(lambda: run.awake("one") and len(run.child("one").processes) == 2)
        first, spare = (process.pid for process in run.child("one").processes)
        os.kill(spare, signal.SIGKILL)
        os.kill(first, signal.SIGKILL)
        until(lambda: run.pid("one") not in (0, first, spare) and run.awake("one"))


def test_a_spare_ends_when_the_word_never_comes() -> None:
    command = (sys.executable, "-m", "deployments.spare", "deployments.serving")
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_a_program_that_is_slow_to_say_it_is_healthy_keeps_no_other_waiting(
    tmp_path: Path,
) -> None:
    answers = threading.Event()
    slow = Program("slow", SLEEPER, ready=lambda pid: answers.wait(60))
    with running(tmp_path, slow, Program("one", SLEEPER)) as run:
        until(lambda: run.awake("one"))
        first = run.pid("one")
        os.kill(first, signal.SIGKILL)
        until(lambda: run.pid("one") not in (0, first) and run.awake("one"))
        assert not run.child("slow").healthy
        answers.set()
        until(lambda: run.child("slow").healthy)


def test_stopping_ends_everything_also_what_does_not_listen_and_grandchildren(
    tmp_path: Path,
) -> None:
    programs = (Program("deaf", STUBBORN), Program("parent", PARENT))
    with running(tmp_path, *programs) as run:
        until(lambda: run.awake("deaf") and run.awake("parent"))
        family = [psutil.Process(run.pid("deaf")), psutil.Process(run.pid("parent"))]
        family += family[1].children()
        assert len(family) == 3
    assert not [process for process in family if alive(process)]
    assert not (tmp_path / "run" / "children.json").exists()


def test_what_a_killed_supervisor_left_is_ended_by_the_next(tmp_path: Path) -> None:
    left = subprocess.Popen(STUBBORN, start_new_session=True, stdout=subprocess.PIPE)
    assert left.stdout is not None
    left.stdout.readline()
    with only_one(tmp_path):
        supervisor.note(tmp_path / "children.json", [left.pid])
    with only_one(tmp_path):
        assert not (tmp_path / "children.json").exists()
        assert not psutil.pid_exists(left.pid)
    left.wait()
    left.stdout.close()


def test_a_number_used_again_by_another_process_is_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "children.json"
    notes.write_text(f'[{{"pid": {os.getpid()}, "born": 1.0}}]')
    assert supervisor.end_left_over(notes) == 0


def test_a_second_supervisor_of_the_same_folder_is_refused(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(AlreadyRunning), only_one(tmp_path):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from deployments.supervisor import Program, Supervisor\n"
        "run = Path(sys.argv[1])\n"
        "s = Supervisor([Program('one', sys.argv[2:])], run=run, logs=run, say=print)\n"
        "s.run(lambda: print(s.children[0].process.pid, flush=True))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), *SLEEPER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        until(lambda: "awake" in (tmp_path / "one.log").read_text())
        parent.kill()
    until(lambda: not alive(child))


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def free_port() -> int:
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_taken_port_is_named_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    with closing(socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        settings = load(None, data=tmp_path, port=port)
        with pytest.raises(PortTaken) as refused:
            require_ports(settings)
    assert f"端口 {port}" in refused.value.message
    assert "FOURDUTIES_PORT" in refused.value.message


def test_prefects_port_is_not_needed_when_its_server_is_elsewhere(tmp_path: Path) -> None:
    settings = load(
        None, data=tmp_path, port=free_port(), prefect_api_url="http://prefect.test:4200/api"
    )
    require_ports(settings)
    assert [program.name for program in programs(settings)] == ["web", "worker"]


def test_the_welcome_tells_addresses_log_ins_and_what_to_do_first(tmp_path: Path) -> None:
    settings = load(None, data=tmp_path)
    login = DemoLogin("319900009.secretary", "梧桐路街道党工委书记", "abcd-efgh")
    said = welcome(settings, [login])
    assert settings.base_url in said
    assert settings.prefect_ui_url in said
    assert "319900009.secretary  abcd-efgh  梧桐路街道党工委书记" in said
    assert "先做什么" in said


def test_prefects_own_worker_runs_beside_ours_where_the_setting_says_so(tmp_path: Path) -> None:
    plain = programs(load(None, data=tmp_path))
    assert [program.name for program in plain] == ["prefect", "web", "worker"]
    stock = programs(load(None, data=tmp_path, worker="process"))[-1]
    assert (stock.name, stock.after) == ("stock-worker", "worker")
    assert stock.command[-1] == "deployments.stock_worker"
    assert stock.env["FOURDUTIES_WORKER"] == "process"
