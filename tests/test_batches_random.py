"""Whatever lists of terms come in, in whatever order: one holder at a time, and all goes back."""

from contextlib import suppress
from datetime import date, timedelta
from functools import cache
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import Engine, select

from documents.organisation_file import TERMS
from models.base import metadata, table
from models.organisation import Appointment, Person, Post
from policy.terms import Term, clashes
from services.batches.staging import confirm, stage
from services.batches.undoing import Depended, undo
from services.command import SYSTEM
from services.database import open_engine
from services.env import Env
from services.faulty import Faulty
from tests.organisation_books import (
    BUREAU,
    book,
    bring_in,
    contents,
    fingerprint_of,
    key,
    only,
    small_tree,
)
from tests.world import Clock, lay_out

FIRST = date(2026, 3, 1)
POSTS = ("书记", "副书记")
_held, _people, _posts = table(Appointment), table(Person), table(Post)
TERMS_THERE = (
    select(_posts.c.title, _people.c.name, _people.c.code, _held.c.starts_on)
    .join(_posts, _posts.c.id == _held.c.post_id)
    .join(_people, _people.c.id == _held.c.person_id)
    .where(_held.c.starts_on >= FIRST, _held.c.starts_on < FIRST + timedelta(days=9))
    .order_by(_held.c.id)
)
rows = st.lists(
    st.tuples(
        st.sampled_from(POSTS),
        st.sampled_from((("甲", ""), ("乙", "N-1"), ("丙", "N-2"))),
        st.integers(0, 8),
        st.integers(1, 3) | st.none() | st.just(-1),
    ),
    min_size=1,
    max_size=2,
)


@cache
def prepared() -> dict[str, list[Any]]:
    """The rows of a database with the tree and a bureau without holders, to begin from."""
    engine = open_engine("sqlite://")
    lay_out(engine)
    env = Env(engine, Clock())
    small_tree(env)
    bring_in(env, book({name: sheet for name, sheet in BUREAU.items() if name != TERMS}))
    with engine.connect() as db:
        return {
            of.name: [dict(row._mapping) for row in db.execute(select(of))]
            for of in metadata.sorted_tables
        }


class Imports(RuleBasedStateMachine):
    """Lists of terms of two posts are staged, confirmed at once or later, and taken back."""

    engine: Engine

    @initialize()
    def begin(self) -> None:
        self.engine = open_engine("sqlite://")
        lay_out(self.engine)
        with self.engine.begin() as db:
            for of in metadata.sorted_tables:
                if prepared()[of.name] and of.name != "installation":
                    db.execute(of.insert(), prepared()[of.name])
        self.env = Env(self.engine, Clock())
        self.applied: list[tuple[int, dict[str, list[tuple[Any, ...]]]]] = []
        self.staged: tuple[int, str] | None = None

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()

    @rule(terms=rows, at_once=st.booleans())
    def send(
        self, terms: list[tuple[str, tuple[str, str], int, int | None]], at_once: bool
    ) -> None:
        """A list arrives: refused, or staged, and perhaps confirmed."""
        cells = []
        for post, (person, number), start, length in terms:
            begins = FIRST + timedelta(days=start)
            ends: Any = "" if length is None else begins + timedelta(days=length)
            cells.append(["B1", post, person, number, begins, ends])
        self.arrive(cells)
        if at_once:
            self.settle_staged()

    @precondition(lambda self: self.applied)
    @rule(which=st.integers(0, 50), length=st.none() | st.integers(1, 6))
    def amend(self, which: int, length: int | None) -> None:
        """A term that is there gets another end."""
        with self.engine.connect() as db:
            there = db.execute(TERMS_THERE).all()
        if there:
            title, name, code, begins = there[which % len(there)]
            ends: Any = "" if length is None else begins + timedelta(days=length)
            self.arrive([["B1", title, name, code or "", begins, ends]])
            self.settle_staged()

    def arrive(self, cells: list[list[Any]]) -> None:
        before = contents(self.engine)
        with suppress(Faulty):
            given: Any = {"data": only(TERMS, *cells), "filename": "任职.xlsx", "key": key()}
            batch = stage(self.env, SYSTEM, **given)
            self.staged = batch, fingerprint_of(self.engine, batch)
        assert contents(self.engine) == before

    @precondition(lambda self: self.staged is not None)
    @rule()
    def settle(self) -> None:
        """What was seen is written, whole."""
        self.settle_staged()

    def settle_staged(self) -> None:
        if self.staged is None:
            return
        batch, seen = self.staged
        self.staged = None
        before = contents(self.engine)
        confirm(self.env, SYSTEM, batch_id=batch, fingerprint=seen, key=key())
        self.applied.append((batch, before))

    @precondition(lambda self: self.applied)
    @rule()
    def take_back_last(self) -> None:
        """The last one can always be undone, and everything is as it was before it."""
        self.staged = None  # it was compared with what is gone now
        batch, before = self.applied.pop()
        undo(self.env, SYSTEM, batch_id=batch, key=key())
        assert contents(self.engine) == before

    @precondition(lambda self: len(self.applied) > 1)
    @rule()
    def take_back_first(self) -> None:
        """An earlier one is undone if nothing came upon it; otherwise nothing happens."""
        self.staged = None
        batch, _ = self.applied[0]
        before = contents(self.engine)
        try:
            undo(self.env, SYSTEM, batch_id=batch, key=key())
        except Depended:
            assert contents(self.engine) == before
            return
        self.applied.clear()  # what the later ones saw before them is another state now

    @invariant()
    def one_holder_at_a_time(self) -> None:
        if not hasattr(self, "engine"):
            return
        with self.engine.connect() as db:
            held = db.execute(select(_held.c.post_id, _held.c.starts_on, _held.c.ends_on)).all()
        by_post: dict[int, list[Term]] = {}
        for post_id, starts_on, ends_on in held:
            by_post.setdefault(post_id, []).append(Term(starts_on, ends_on))
        for terms in by_post.values():
            assert not any(term.reversed for term in terms)
            assert list(clashes(terms)) == []


TestImports = Imports.TestCase
TestImports.settings = settings(max_examples=12, stateful_step_count=10)
