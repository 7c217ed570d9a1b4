"""The Merkle tree of RFC 6962 (section 2.1), as it grows: what a seal binds.

``digest`` is the hash function, SHA-256 unless an installation seals otherwise. Nothing here holds
a tree: a :class:`Range` is the few roots from which the next one follows.
"""

import hashlib
from collections.abc import Callable
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
