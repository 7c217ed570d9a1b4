"""Terms, trees and the life of an import: pure rules against the plainest way to say them."""

from datetime import date, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from policy.batch import ALLOWED, BatchState, may_become
from policy.terms import Term, clashes
from policy.tree import looped

FIRST = date(2026, 1, 1)


@st.composite
def terms(draw: st.DrawFn) -> list[Term]:
    made = []
    for _ in range(draw(st.integers(0, 8))):
        starts = FIRST + timedelta(days=draw(st.integers(0, 20)))
        length = draw(st.none() | st.integers(-2, 9))
        made.append(Term(starts, None if length is None else starts + timedelta(days=length)))
    return made


def days(term: Term) -> set[date]:
    every = (FIRST + timedelta(days=n) for n in range(60))
    return {day for day in every if term.starts_on <= day and term.ends_after(day)}


@given(terms())
def test_terms_clash_when_they_share_a_day(given_terms: list[Term]) -> None:
    found = list(clashes(given_terms))
    shared = [
        (one, other)
        for one, other in combinations(range(len(given_terms)), 2)
        if days(given_terms[one]) & days(given_terms[other])
    ]
    assert bool(found) == bool(shared)
    for earlier, later in found:
        assert tuple(sorted((earlier, later))) in shared
        assert given_terms[earlier].starts_on <= given_terms[later].starts_on
    assert len({later for _, later in found}) == len(found)
    later_ones = {max(pair, key=lambda n: (given_terms[n].starts_on, n)) for pair in shared}
    assert {later for _, later in found} == later_ones


def test_a_term_ends_the_day_before() -> None:
    one, next_one = Term(FIRST, date(2026, 2, 1)), Term(date(2026, 2, 1))
    assert list(clashes([next_one, one])) == []
    assert list(clashes([next_one, Term(FIRST, date(2026, 2, 2))])) == [(1, 0)]
    assert Term(FIRST, FIRST).reversed
    assert not Term(FIRST, FIRST + timedelta(days=1)).reversed


@given(st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from("abcdefgxy")))
def test_what_comes_back_to_itself_is_found(parents: dict[str, str]) -> None:
    def returns(node: str) -> bool:
        at = parents.get(node, "")
        for _ in range(len(parents)):
            if at == node:
                return True
            at = parents.get(at, "")
        return False

    assert looped(parents) == {node for node in parents if returns(node)}


def test_every_state_of_an_import_is_reached_and_ends_are_final() -> None:
    reached, grown = {BatchState.STAGED}, True
    while grown:
        more = {after for state in reached for after in ALLOWED[state]} - reached
        reached |= more
        grown = bool(more)
    assert reached == set(BatchState) == set(ALLOWED)
    assert not any(may_become(BatchState.UNDONE, after) for after in BatchState)
    assert not any(may_become(BatchState.DROPPED, after) for after in BatchState)
    assert may_become(BatchState.STAGED, BatchState.APPLIED)
    assert not may_become(BatchState.APPLIED, BatchState.DROPPED)
