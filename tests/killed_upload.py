"""Gives one file as evidence, in a process that is killed: ``URL FILES SLOT PERSON KEY``."""

import io
import sys
from pathlib import Path

from services.command import Actor
from services.database import open_engine
from services.env import Env
from services.evidence import add_evidence
from services.evidence_intake import Upload
from services.file_store import FileStore
from tests.evidence_scene import NOTE, pdf
from tests.rectification_cast import MECHANISMS
from tests.world import Clock


def main(url: str, files: str, slot: str, person: str, key: str) -> None:
    """Say so once it is acknowledged."""
    env = Env(open_engine(url), Clock(), MECHANISMS, files=FileStore(Path(files)))
    add_evidence(
        env,
        Actor(int(person)),
        slot_id=int(slot),
        uploads=[Upload("清单.pdf", io.BytesIO(pdf()))],
        note=NOTE,
        key=key,
    )
    sys.stdout.write("acknowledged\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
