"""Papers that somebody signed, as tests have people of the cast record them (代录)."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select

from models.base import table
from models.casework import Slot
from services.acts.recording import record_paper
from services.casework import Decided
from services.casework.branch import lock_branch
from services.casework.rerouting import reroute
from services.command import Work
from services.evidence_intake import Upload
from services.file_store import FileStore
from services.invariants import violations
from tests.evidence_scene import pdf
from tests.vacancy_scene import holding, today
from tests.world import World

PAPER = pdf(b"BT (signed) Tj ET")
_slots = table(Slot)


def keep_files(world: World, folder: Path) -> FileStore:
    """From now on the scene keeps files there."""
    store = FileStore(folder, 1 << 20)
    world.env = replace(world.env, files=store)
    return store


def record(
    world: World,
    by: str,
    slot: int,
    signer: str | int,
    on: date | str | None = None,
    *,
    answer: str = "done",
    scan: tuple[str, bytes] | None = ("签批件.pdf", PAPER),
    key: str = "",
    **more: Any,
) -> Decided:
    """The holder of ``by`` records what the holder of ``signer``, or of an appointment, signed."""
    appointment = signer if isinstance(signer, int) else holding(world, signer)
    told = {"signer": str(appointment), "signed_on": str(on or today(world))}
    upload = Upload(scan[0], io.BytesIO(scan[1])) if scan else None
    of: Any = {"slot_id": slot, "given": told, "answer": answer, "scan": upload, **more}
    return record_paper(world.env, world.actor(by), **of, key=key or world.key())


def sound(world: World) -> bool:
    """Every invariant, that of the files included."""
    return not list(violations(world.env.engine, today(world), world.env.files))


def empty(store: FileStore) -> bool:
    """Nothing was kept, and nothing lies about."""
    drafts = list(store.incoming.iterdir()) if store.incoming.exists() else []
    return not list(store.names()) and not drafts


def give_to(world: World, slot: int, post: str) -> None:
    """From now on another post is asked."""

    def act(work: Work) -> dict[str, Any]:
        of_slot = select(_slots.c.branch_id).where(_slots.c.id == slot)
        branch = lock_branch(work, work.db.execute(of_slot).scalar_one())
        reroute(branch, slot, world.posts[post])
        branch.save()
        return {}

    world.do(act)
