"""Mutants of our code: faults of the kind that kills bring to light, which the checker must name.

A mutant is an exact replacement of texts in a copy of the tree. It fails loudly when a text is not
there exactly once any more: whoever changes the code moves the mutant along.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPIED = (
    "policy",
    "models",
    "notifications",
    "documents",
    "services",
    "flows",
    "web",
    "deployments",
    "bench",
    "chaos",
)


class Stale(Exception):
    """The code has moved on and left the mutant behind."""


@dataclass(frozen=True, slots=True)
class Change:
    """``old`` is in the file exactly once, and becomes ``new``."""

    path: str
    old: str
    new: str

    def apply(self, tree: Path) -> None:
        """Write it into a tree; :class:`Stale` where it does not fit."""
        file = tree / self.path
        text = file.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise Stale(f"{self.path}: {text.count(self.old)} times: {self.old}")
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault by its name, the history it must show in (``chaos.drivers``), and what is to be said.

    ``named``: one of the six of the fault matrix, which the short form plants too.
    """

    name: str
    driver: str
    says: str
    changes: tuple[Change, ...]
    named: bool = False


def copy_of_tree(folder: Path) -> Path:
    """The packages as they are now, in a new folder."""
    ignored = shutil.ignore_patterns("__pycache__")
    for package in COPIED:
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return folder


_UNIQUE_RUNG = (
    "    CONSTRAINT uq_rung_slot_id_number_deadline_version"
    " UNIQUE (slot_id, number, deadline_version),\n"
)
_LATE_COMMIT = """\
@contextmanager
def _answering(engine: Any, name: str) -> Any:
    db = engine.connect()
    opened = db.begin()
    try:
        yield db
    except BaseException:
        opened.rollback()
        db.close()
        raise
    ends = threading.Timer(1, lambda: (opened.commit(), db.close()))
    ends.start() if name == "step.decide" else ends.function()


def _claim_key(
"""
_LATE_MESSAGE = """\
def _told_later(work: Any, **given: Any) -> Any:
    def act() -> None:
        with work.env.engine.begin() as db:
            tell_many(db, **given)

    work.after_commit(act)
    return frozenset(given["posts"])


def _tell_opened(
"""

MUTANTS = (
    Mutant(
        "answer before commit",
        "told",
        "an acknowledged decision is not stored",
        (
            Change(
                "services/command.py",
                "        with env.engine.begin() as db:\n            now = env.clock()\n",
                "        with _answering(env.engine, name) as db:\n            now = env.clock()\n",
            ),
            Change("services/command.py", "def _claim_key(\n", _LATE_COMMIT),
            Change(
                "services/command.py",
                "import hashlib\n",
                "import hashlib\nimport threading\nfrom contextlib import contextmanager\n",
            ),
        ),
        named=True,
    ),
    Mutant(
        "no compare-and-set",
        "late",
        "a slot was answered after its step had ended",
        (
            Change(
                "services/casework/deciding.py",
                "        _slots.c.state == SlotState.OPEN,\n"
                "    )\n    .values(state=SlotState.ANSWERED)",
                "    )\n    .values(state=SlotState.ANSWERED)",
            ),
        ),
        named=True,
    ),
    Mutant(
        "outbox outside the transaction",
        "committed",
        "who is asked was not told",
        (
            Change(
                "services/casework/steps.py",
                '    return tell_many(\n        work.db,\n        key=f"opened:{step_id}",',
                '    return _told_later(\n        work,\n        key=f"opened:{step_id}",',
            ),
            Change("services/casework/steps.py", "def _tell_opened(\n", _LATE_MESSAGE),
        ),
        named=True,
    ),
    Mutant(
        "rung without its unique key",
        "watched",
        "a rung is there more than once",
        (
            Change("models/migrations/ddl/0001.sqlite.up.sql", _UNIQUE_RUNG, ""),
            Change("models/migrations/ddl/0001.postgresql.up.sql", _UNIQUE_RUNG, ""),
            Change(
                "services/watch.py",
                "        self._set(step.id, rungs_fired=climbed.acting.number,"
                " next_rung_at=climbed.next_at)\n        return 1\n",
                "        return 1\n",
            ),
        ),
        named=True,
    ),
    Mutant(
        "effect recorded before it ran",
        "effect",
        "an effect is recorded as done and was not",
        (
            Change(
                "flows/prefect.py",
                "            finish_effect(env, effect_id, call.run())\n",
                "            finish_effect(env, effect_id, {})\n            call.run()\n",
            ),
        ),
        named=True,
    ),
    Mutant(
        "hash left out",
        "walk",
        "an entry is not as it was hashed",
        (Change("services/audit.py", r"\0{n}\0{prev}\0{len(data)}\0", r"\0{n}\0{len(data)}\0"),),
        named=True,
    ),
    Mutant(
        "wake of the parent left out",
        "walk",
        "the end of an each is not told to its branch",
        (
            Change(
                "services/casework/branch.py",
                "            wake(self.work, self.parent_id)\n",
                "            pass\n",
            ),
        ),
    ),
    Mutant(
        "idempotency key not kept",
        "again",
        "one key was acknowledged and refused",
        (
            Change(
                "services/command.py",
                '        "key": key,\n        "name": name,\n',
                '        "key": f"{key}:{now}",\n        "name": name,\n',
            ),
        ),
    ),
    Mutant(
        "undo left out",
        "walk",
        "an effect was returned and nothing undoes it",
        (
            Change(
                "services/casework/returning.py",
                "        queue_effect(branch, undo_key, entry.round, entry.on_return,"
                " undoes=entry.key)\n",
                "        del undo_key\n",
            ),
        ),
    ),
    Mutant(
        "too much withdrawn",
        "walk",
        "a message was withdrawn before its step had ended",
        (
            Change(
                "services/telling.py",
                '_messages.c.step_id == bindparam("p_step"), _messages.c.withdrawn_at.is_(None)',
                '_messages.c.step_id >= bindparam("p_step"), _messages.c.withdrawn_at.is_(None)',
            ),
        ),
    ),
    Mutant(
        "wake gone before the replay",
        "drain",
        "a branch is stuck: nothing would ever wake it",
        (
            Change(
                "services/casework/draining.py",
                "    subjects = _subjects(due)\n",
                '    work.db.exec_driver_sql("COMMIT")\n'
                '    work.db.exec_driver_sql("BEGIN")\n'
                "    subjects = _subjects(due)\n",
            ),
        ),
    ),
    Mutant(
        "a second result counted",
        "zombie",
        "an effect was recorded as done more than once",
        (
            Change(
                "services/casework/effects.py",
                "_effects.c.id == effect_id, _effects.c.state == EffectState.CLAIMED, condition)",
                "_effects.c.id == effect_id, condition)",
            ),
        ),
    ),
)
