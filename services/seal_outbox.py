"""The daily seal leaves the house: a file in a folder, from which somebody or something takes it.

It has no content of anybody: number, size, root, time, signature and keys, and the proof that it
continues the last seal that the superior signed, or else that of the file before.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from policy.calendar import local_day
from services.cosigning import newest_cosignature
from services.database import reading
from services.env import Env
from services.seal_check import newest
from services.seal_proof import OtherHash, consistency


def leaving(db: Connection, since: int = 0) -> dict[str, Any] | None:
    """The last seal with the proof that it continues seal ``since`` (0: none); None before the
    first. Errors as :func:`services.seal_proof.consistency`."""
    last = newest(db)
    if last is not None and since:
        path = list(consistency(db, since, last["number"]))
        last["consistency"] = {"since": since, "path": path}
    return last


def write_daily(env: Env) -> Path | None:
    """Write today's seal into the folder of the installation, once a day (in Shanghai); the file.

    None where nothing is to be written: no folder is set, it is written already, or nothing is
    sealed. OSError where the folder cannot be written: it is tried again at the next look.
    """
    if env.seal_outbox is None:
        return None
    file = env.seal_outbox / f"seal-{local_day(env.clock()).isoformat()}.json"
    if file.exists():
        return None
    with reading(env.engine) as db:
        signed = newest_cosignature(db)
        since = signed["number"] if signed else _before(env.seal_outbox)
        try:
            told = leaving(db, since)
        except OtherHash:  # there is no such proof: the superior begins anew
            told = leaving(db)
    if told is None:
        return None
    write_whole(file, told)
    return file


def write_whole(file: Path, told: dict[str, Any]) -> None:
    """Write a file so that nobody takes half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    draft.replace(file)


def _before(folder: Path) -> int:
    """The seal of the newest file that is still there; 0 for none."""
    for file in sorted(folder.glob("seal-*.json"), reverse=True):
        with suppress(ValueError, KeyError, TypeError):
            return int(json.loads(file.read_text(encoding="utf-8"))["number"])
    return 0
