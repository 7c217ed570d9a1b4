"""The mechanisms that are measured: one whose steps go round and round, and one with an effect."""

from typing import Any

from models.organisation import PostKind
from services.casework import REVIEW, Casework, EffectCall, Here, effect, mechanism
from services.posts import leading_post, post_of_kind

TWO_STEP = "bench_two_step"
EFFECT = "bench_effect"


def clerk(here: Here) -> int:
    """The clerk (联络员) of the case's organisation."""
    return post_of_kind(here.db, here.organisation_id, PostKind.CLERK)


def secretary(here: Here) -> int:
    """Its secretary."""
    return leading_post(here.db, here.organisation_id)


@mechanism(TWO_STEP, edition=1, clause="", rows=())
def bench_two_step(case: Casework) -> None:
    """One proposes, another judges it; each return opens the first step again."""
    while True:
        case.ask("propose", of=clerk, due="rectification.apply")
        judged = case.ask(
            "judge",
            of=secretary,
            due="rectification.confirm",
            answers=REVIEW,
            apart_from=("propose",),
        )
        if not judged.returned:
            break


@effect
def bench_notice(call: EffectCall) -> Any:
    """Does nothing outside: what is measured is the way there and back."""
    return {"case": call.case_id}


@mechanism(EFFECT, edition=1, clause="", rows=(), series="测")
def bench_effect(case: Casework) -> None:
    """Two steps and an effect between them."""
    case.ask("propose", of=clerk, due="rectification.apply")
    case.do("notice", bench_notice, on_return="keep")
    case.ask("judge", of=secretary, due="rectification.confirm")
    case.result("notice")
