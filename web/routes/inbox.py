"""我的待办: what waits on the person, by date."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import groupby

from fastapi import APIRouter
from starlette.responses import Response

from services.errors import NotFound
from services.handover import not_received
from services.history import count_done, own
from services.inbox import PAGE, After, Inbox, Item, group_of
from web.access import Asked, Before, Done, signed

router = APIRouter()
_BELOW = "p"
"""Begins what :func:`mark` writes of a row that is paused."""


@router.get("/")
@signed
def inbox(
    ask: Asked, after: str = "", done: Done = 0, post: Before = None, behalf: bool = False
) -> Response:
    """A page of the inbox; ``after`` is where the last page ended, ``done`` what was just done.

    ``post``: only what waits on one of the posts that the person holds. ``behalf``: only what waits
    on others for whom they stand in.
    """
    with ask.reading() as db:
        desk = ask.desk(db)
        whole = Inbox(desk.who)
        mine = whole.of_post(post) if post else replace(whole, behalf=behalf)
        items = mine.items(db, ask.now, parse(after) if after else None)
        return ask.page(
            "inbox.html",
            desk,
            counts=mine.counts(db, ask.now),
            behalf=behalf,
            by_post=whole.by_post(db) if len(desk.who.posts) > 1 else {},
            post=post,
            groups=_grouped(items, desk.on),
            handed_over=len(not_received(db, desk.who)),
            after=mark(items[-1]) if len(items) == PAGE else "",
            later=bool(after),
            count_done=count_done(db, ask.who.person_id),
            done=own(db, ask.who.person_id, done) if done else None,
        )


def mark(item: Item) -> str:
    """Where a page ended, as it stands in an address."""
    due = item.due_at.isoformat() if item.due_at else ""
    return f"{_BELOW if item.paused else ''}{due}_{item.slot_id}"


def parse(after: str) -> After:
    """What :func:`mark` wrote; NotFound for anything else."""
    due, _, slot = after.removeprefix(_BELOW).rpartition("_")
    try:
        at = datetime.fromisoformat(due) if due else None
        if not 0 < int(slot) < 2**63 or (at is not None and at.tzinfo is None):
            raise NotFound
        at = at.astimezone(UTC) if at else None  # OverflowError at either end of time
    except (ValueError, OverflowError) as error:
        raise NotFound from error
    return After(at, int(slot), after.startswith(_BELOW))


def _grouped(items: Sequence[Item], on: date) -> list[tuple[str, list[Item]]]:
    return [(name, list(rows)) for name, rows in groupby(items, lambda item: group_of(item, on))]
