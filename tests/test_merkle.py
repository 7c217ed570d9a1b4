"""The tree of RFC 6962 against the vectors of its reference and against its text, written down."""

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policy.merkle import Grown, Range, leaf_hash
from tools.audit_verifier import climbed
from tools.audit_verifier import grown as grown_roots

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the first 0, 1, … 8 leaves (the test data of the CT reference implementation)."""
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def grown(hashes: list[bytes]) -> Range:
    tree = Range()
    for one in hashes:
        tree.append(one)
    return tree


def naive(leaves: list[bytes]) -> bytes:
    """MTH, as section 2.1 says it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive(leaves[:k]) + naive(leaves[k:])).digest()


def test_the_roots_are_those_of_certificate_transparency() -> None:
    assert tuple(grown(HASHES[:size]).root().hex() for size in range(9)) == ROOTS


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_a_root_is_what_the_text_of_the_rfc_says(leaves: list[bytes]) -> None:
    tree = grown([leaf_hash(leaf) for leaf in leaves])
    assert tree.root() == naive(leaves)
    assert tree.fits()


def naive_path(place: int, leaves: list[bytes]) -> list[bytes]:
    """PATH, as section 2.1.1 says it."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if place < k:
        return [*naive_path(place, leaves[:k]), naive(leaves[k:])]
    return [*naive_path(place - k, leaves[k:]), naive(leaves[:k])]


def naive_proof(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF, as section 2.1.2 says it."""
    if old == len(leaves):
        return [] if whole else [naive(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if old <= k:
        return [*naive_proof(old, leaves[:k], whole=whole), naive(leaves[k:])]
    return [*naive_proof(old - k, leaves[k:], whole=False), naive(leaves[:k])]


@st.composite
def grown_trees(draw: st.DrawFn) -> tuple[list[bytes], Grown]:
    """Leaves, and the tree of their hashes as it grew out of the first few of them."""
    leaves = draw(st.lists(st.binary(max_size=4), min_size=1, max_size=70))
    old = draw(st.integers(min_value=0, max_value=len(leaves)))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    return leaves, Grown(grown(hashes[:old]), hashes[old:])


def includes(size: int, root: bytes, place: int, leaf: bytes, path: list[bytes]) -> bool:
    """As the verifier asks it, who shares no line with the product."""
    return place < size and climbed("sha256", leaf, place, size, path) == root


def begins(old: int, before: bytes, size: int, root: bytes, proof: list[bytes]) -> bool:
    return grown_roots("sha256", old, size, proof, before) == (before, root)


@given(grown_trees())
def test_what_is_proved_is_what_the_text_of_the_rfc_says(
    made: tuple[list[bytes], Grown],
) -> None:
    leaves, tree = made
    old, size, root = tree.before.size, len(leaves), naive(leaves)
    assert tree.size == size
    for place in range(old, size):
        path = tree.inclusion(place)
        assert path == naive_path(place, leaves)
        assert includes(size, root, place, leaf_hash(leaves[place]), path)
    assert tree.consistency() == (naive_proof(old, leaves) if old else [])
    if old:
        assert begins(old, naive(leaves[:old]), size, root, tree.consistency())


@given(grown_trees(), st.data())
def test_no_proof_holds_for_anything_else(
    made: tuple[list[bytes], Grown], data: st.DataObject
) -> None:
    leaves, tree = made
    old, size, root = tree.before.size, len(leaves), naive(leaves)
    assume(0 < old < size)
    other = naive([*leaves[:-1], leaves[-1] + b"x"])
    before, proof, nothing = naive(leaves[:old]), tree.consistency(), b"\0" * 32
    at = data.draw(st.integers(0, len(proof) - 1))
    assert not begins(old, before, size, other, proof)
    assert not begins(old, other, size, root, proof)
    for wrong in ([*proof[:at], nothing, *proof[at + 1 :]], proof[:-1], [*proof, nothing]):
        assert not begins(old, before, size, root, wrong)
    place = data.draw(st.integers(old, size - 1))
    leaf, path = leaf_hash(leaves[place]), tree.inclusion(place)
    assert not includes(size, root, place, leaf_hash(leaves[place] + b"x"), path)
    assert not includes(size, other, place, leaf, path)
    for wrong in (path[:-1], [*path, nothing]):
        assert not includes(size, root, place, leaf, wrong)


def test_a_leaf_that_was_there_before_has_no_path() -> None:
    with pytest.raises(ValueError, match="new leaves"):
        Grown(grown(HASHES[:3]), HASHES[3:]).inclusion(2)
