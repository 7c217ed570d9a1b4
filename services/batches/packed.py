"""What is made in order, read in order, and too much to lie about: packed, a thousand at a time."""

import pickle
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
_AT_ONCE = 2_000
_QUICKLY = 1


@dataclass(slots=True)
class Packed(Generic[T]):
    """Values of plain types in the order in which they were added. A tuple of five takes some
    twenty bytes, not three hundred."""

    count: int = 0
    _blocks: list[bytes] = field(default_factory=list)
    _last: list[T] = field(default_factory=list)

    def add(self, value: T) -> None:
        """Add one at the end."""
        self._last.append(value)
        self.count += 1
        if len(self._last) == _AT_ONCE:
            self._blocks.append(zlib.compress(pickle.dumps(self._last, 5), _QUICKLY))
            self._last.clear()

    def __iter__(self) -> Iterator[T]:
        """All, as often as wanted."""
        for block in self._blocks:
            yield from pickle.loads(zlib.decompress(block))
        yield from self._last
