"""The tree of RFC 6962 against the vectors of its reference and against its text, written down."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from policy.merkle import Range, leaf_hash

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
