"""The Merkle tree of RFC 6962 (section 2.1), as it grows: what a seal binds.

``digest`` is the hash function, SHA-256 unless an installation seals otherwise. Nothing here holds
a tree: a :class:`Range` is the few roots from which the next one follows, and what a :class:`Grown`
tree proves needs no leaf before them.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Digest = Callable[[bytes], bytes]


def sha256(data: bytes) -> bytes:
    """The hash function of RFC 6962."""
    return hashlib.sha256(data).digest()


def leaf_hash(data: bytes, digest: Digest = sha256) -> bytes:
    """The hash of a leaf: never that of a node, whatever it holds."""
    return digest(b"\0" + data)


def node_hash(left: bytes, right: bytes, digest: Digest = sha256) -> bytes:
    """The hash of two subtrees."""
    return digest(b"\1" + left + right)


@dataclass(slots=True)
class Range:
    """A tree that only grows: the roots of its perfect subtrees, the largest first."""

    digest: Digest = sha256
    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Take one more leaf hash."""
        self.peaks.append(leaf)
        self.size += 1
        full = self.size
        while not full & 1:
            right, left = self.peaks.pop(), self.peaks.pop()
            self.peaks.append(node_hash(left, right, self.digest))
            full >>= 1

    def root(self) -> bytes:
        """The root of what was taken so far; that of no leaves is the hash of nothing."""
        if not self.peaks:
            return self.digest(b"")
        root = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            root = node_hash(left, root, self.digest)
        return root

    def fits(self) -> bool:
        """Whether there are as many peaks as a tree of this size has."""
        return len(self.peaks) == self.size.bit_count()


@dataclass(frozen=True, slots=True)
class Grown:
    """A tree as ``leaves`` (leaf hashes) made it grow out of ``before``: what can be proved of it.

    Of what is in ``before`` only the peaks are known, which is enough.
    """

    before: Range
    leaves: Sequence[bytes]

    @property
    def size(self) -> int:
        """How many leaves the whole tree has."""
        return self.before.size + len(self.leaves)

    def inclusion(self, place: int) -> list[bytes]:
        """The path of the leaf at ``place`` (PATH, 2.1.1); ValueError for one before ``leaves``."""
        if not self.before.size <= place < self.size:
            raise ValueError("not one of the new leaves")
        path: list[bytes] = []
        low, high = 0, self.size
        while high - low > 1:
            middle = low + _split(high - low)
            if place < middle:
                path.append(self._root(middle, high))
                high = middle
            else:
                path.append(self._root(low, middle))
                low = middle
        return path[::-1]

    def consistency(self) -> list[bytes]:
        """The proof that the tree begins with ``before`` (PROOF, 2.1.2); none for an empty one."""
        old = self.before.size
        if not old:
            return []
        proof: list[bytes] = []
        low, high = 0, self.size
        while high != old:
            middle = low + _split(high - low)
            if old <= middle:
                proof.append(self._root(middle, high))
                high = middle
            else:
                proof.append(self._root(low, middle))
                low = middle
        if low:
            proof.append(self._root(low, high))
        return proof[::-1]

    def _root(self, low: int, high: int) -> bytes:
        """The root of a part that begins where a subtree does."""
        old = self.before.size
        part = Range(self.before.digest)
        if low < old:
            kept, at = [], old
            for peak in reversed(self.before.peaks):  # the last one is as large as the lowest bit
                if at <= low:
                    break
                kept.append(peak)
                at &= at - 1
            part.size, part.peaks = old - low, kept[::-1]
            if high < old:  # within what was there, a part that is asked for is one peak
                part.size, part.peaks = high - low, part.peaks[:1]
        for leaf in self.leaves[max(low - old, 0) : max(high - old, 0)]:
            part.append(leaf)
        return part.root()


@dataclass(frozen=True, slots=True)
class Head:
    """A tree as it is told to others: how large it is, and its root."""

    size: int
    root: bytes
    digest: Digest = sha256

    def begins(self, later: "Head", proof: Sequence[bytes]) -> bool:
        """Whether ``proof`` shows that ``later`` begins with this tree (RFC 9162, 2.1.4.2)."""
        if self.size == later.size or not self.size:
            return not proof and (self.root == later.root or not self.size)
        if self.size > later.size or not proof:
            return False
        whole = not self.size & (self.size - 1)
        first, *rest = [self.root, *proof] if whole else proof
        at, last = self.size - 1, later.size - 1
        while at & 1:
            at, last = at >> 1, last >> 1
        mine = theirs = first
        for other in rest:
            if not last:
                return False
            if at & 1 or at == last:
                mine = node_hash(other, mine, self.digest)
                theirs = node_hash(other, theirs, self.digest)
                while not at & 1 and at:
                    at, last = at >> 1, last >> 1
            else:
                theirs = node_hash(theirs, other, self.digest)
            at, last = at >> 1, last >> 1
        return not last and (mine, theirs) == (self.root, later.root)


def _split(count: int) -> int:
    """The largest power of two below ``count``: where a tree of that many leaves parts."""
    return 1 << ((count - 1).bit_length() - 1)
