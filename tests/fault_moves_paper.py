"""代录: recording a signed paper, and reading its scan."""

import io
from typing import Any

from sqlalchemy import select

from models.base import table
from models.organisation import Appointment, PostKind
from models.signed_paper import SignedPaper
from policy.calendar import local_day
from services.acts.recording import record_paper
from services.appointing import appoint
from services.command import SYSTEM, Actor
from services.evidence_intake import Upload
from services.evidence_reading import Way
from services.posting import create_post
from services.signed_paper_reading import open_scan
from tests.evidence_scene import pdf
from tests.fault_moves_deeds import waiting
from tests.fault_scene import Act, Scene, move

_appointments, _papers = table(Appointment), table(SignedPaper)


def _clerk(scene: Scene) -> Actor:
    """Somebody new keeps the papers of the other town."""
    world = scene.case.world
    unit, today = world.organisations["other"], local_day(scene.clock())
    seat: Any = {"unit_id": unit, "kind": PostKind.CLERK, "title": "文书", "rank": 60}
    post = create_post(scene.env, SYSTEM, **seat, key=world.key())
    held = appoint(scene.env, SYSTEM, post_id=post, starts_on=today, name="文书", key=world.key())
    with scene.env.engine.connect() as db:
        of = select(_appointments.c.person_id).where(_appointments.c.id == held)
        return Actor(int(db.execute(of).scalar_one()))


@move("slot.record")
def _record(scene: Scene) -> Act:
    clerk, slot, today = _clerk(scene), waiting(scene), local_day(scene.clock())
    held = select(_appointments.c.id).where(
        _appointments.c.person_id == slot.person_id, _appointments.c.ends_on.is_(None)
    )
    with scene.env.engine.connect() as db:
        signer = db.execute(held.order_by(_appointments.c.id)).scalars().first()
    given = {"signer": str(signer), "signed_on": today.isoformat()}
    of: Any = {"slot_id": slot.id, "given": given, "answer": "done"}

    def act(key: str) -> Any:
        scan = Upload("签批件.pdf", io.BytesIO(pdf()))
        done = record_paper(scene.env, clerk, **of, scan=scan, key=key)
        scene.kept["paper"] = clerk
        return done

    return act


@move("paper.read", keyed=False)
def _read(scene: Scene) -> Act:
    scene.clock.forward(minutes=2)
    clerk = scene.kept["paper"]
    with scene.env.engine.connect() as db:
        paper = db.execute(select(_papers.c.id)).scalars().first()
    assert paper is not None
    return lambda key: open_scan(scene.env, clerk, paper, Way.SEEN)
