"""A mechanism that uses everything the replay has, for tests of the heart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from services.casework import (
    AGREE,
    REVIEW,
    Casework,
    EffectCall,
    Here,
    branch_script,
    effect,
    mechanism,
    mechanisms,
    undo,
)

NAME = "test_parts"


@dataclass
class Outside:
    """What the outside saw, by the key of the effect; and who is to fail."""

    seen: dict[str, list[str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    posts: dict[str, int] = field(default_factory=dict)

    def see(self, call: EffectCall) -> dict[str, Any]:
        """Take an effect as an idempotent outside would."""
        keys = self.seen.setdefault(call.name, [])
        if call.key not in keys:
            keys.append(call.key)
        return {"key": call.key}


OUTSIDE = Outside()


def asks(name: str) -> Any:
    """The participants function of one post, which fails while it is told to."""

    def of(here: Here) -> int:
        if name in OUTSIDE.failing:
            raise ValueError("a script that fails")
        return OUTSIDE.posts[name]

    return of


def _reviewers(here: Here) -> Sequence[int]:
    return [OUTSIDE.posts[name] for name in ("discipline_secretary", "inspection_head")]


def _publish(here: Here) -> dict[str, int]:
    here.db.execute(text("INSERT INTO published (branch_id) VALUES (:b)"), {"b": here.branch_id})
    return {"branch": here.branch_id}


@undo
def parts_unpublish(here: Here, value: Any) -> None:
    """Take a publication back."""
    found = {"b": value["branch"]}
    here.db.execute(text("DELETE FROM published WHERE branch_id = :b"), found)


@effect
def parts_notice(call: EffectCall) -> Any:
    """Tell the outside."""
    return OUTSIDE.see(call)


@effect
def parts_recall(call: EffectCall) -> Any:
    """Take a notice back."""
    return OUTSIDE.see(call)


@effect
def parts_report(call: EffectCall) -> Any:
    """Hand something in."""
    return OUTSIDE.see(call)


@effect
def parts_archive(call: EffectCall) -> Any:
    """Put a part away."""
    return OUTSIDE.see(call)


@branch_script(NAME, edition=1, row="part")
def part(case: Casework) -> None:
    """A part is done by one and confirmed by another."""
    while True:
        case.ask("do", of=asks("deputy"), due="rectification.revise")
        confirmed = case.ask(
            "confirm",
            of=asks("secretary"),
            due="rectification.sign",
            answers=REVIEW,
            apart_from=("do",),
        )
        if not confirmed.returned:
            break
    case.do("archive", parts_archive, on_return="redo")


def _parts(here: Here) -> list[int]:
    return [1, 2, 3]


@mechanism(NAME, edition=1, clause="", rows=())
def parts(case: Casework) -> None:
    """Draft, review, approve, publish, do, sign, report, close."""
    case.ask("draft", of=asks("clerk"), due="rectification.plan", ladder="five_letters")
    while case.ask_all(
        "review", of=_reviewers, due="rectification.review", answers=REVIEW
    ).returned:
        case.ask("revise", of=asks("clerk"), due="rectification.revise")
    case.ask("approve", of=asks("district_member"), due="rectification.approve", answers=AGREE)
    case.fact("size", lambda here: 3)
    case.record("publish", _publish, on_return=parts_unpublish)
    case.do("notice", parts_notice, on_return=parts_recall)
    case.each("parts", _parts, part, on_return="redo")
    case.ask("sign", of=asks("secretary"), due="rectification.sign", answers=AGREE)
    case.do("report", parts_report, on_return="redo")
    case.result("report")
    case.ask("close", of=asks("inspection_head"), due="rectification.verify", answers=AGREE)


EDITION = {key: made for key, made in mechanisms().items() if key[0] == NAME}
