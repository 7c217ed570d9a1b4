"""A tiny mechanism for tests of the Prefect side: one asks, an effect, another asks.

What the effect did is kept in a file, as an outside that a killed worker cannot take back.
"""

import os
import time
from pathlib import Path
from typing import Any

from models.organisation import PostKind
from services.casework import Casework, EffectCall, Here, effect, mechanism
from services.posts import leading_post, post_of_kind

NAME, TWO_SIGNS = "two_step", "two_signs"
OUT = "TWO_STEP_OUT"
"""Names the environment variable with the folder of what the effect saw and is to do."""


def clerk(here: Here) -> int:
    """The clerk of the case's organisation."""
    return post_of_kind(here.db, here.organisation_id, PostKind.CLERK)


def secretary(here: Here) -> int:
    """Its secretary."""
    return leading_post(here.db, here.organisation_id)


@effect
def two_step_notice(call: EffectCall) -> Any:
    """Tell the outside, a line per call. The files ``hold``, ``fail``, ``exit`` there say how."""
    folder = Path(os.environ[OUT])
    with (folder / "seen").open("a", encoding="utf-8") as seen:
        seen.write(f"{call.case_id} {call.key}\n")
    while (folder / "hold").exists():
        time.sleep(0.05)
    if (folder / "fail").exists():
        raise ValueError("张三 on the phone")
    if (folder / "exit").exists():
        raise SystemExit
    return {"told": call.case_id}


@mechanism(NAME, edition=1, clause="", rows=(), series="测")
def two_step(case: Casework) -> None:
    """Two steps and an effect between them."""
    case.ask("draft", of=clerk, due="rectification.plan")
    case.do("notice", two_step_notice, on_return="keep")
    case.ask("sign", of=secretary, due="rectification.sign")
    case.result("notice")


@mechanism(TWO_SIGNS, edition=1, clause="", rows=())
def two_signs(case: Casework) -> None:
    """Two steps and no effect: its run is only written upon until it ends."""
    case.ask("draft", of=clerk, due="rectification.plan")
    case.ask("sign", of=secretary, due="rectification.sign")
