"""A file that is refused as a whole, with everything that is wrong in it."""

from collections.abc import Iterable
from itertools import chain

from documents.fault import Fault
from services.errors import Invalid


class Faulty(Invalid):
    """文件有误，没有保存任何内容。"""

    code = "faulty_file"
    asks = False
    """Whether nothing is wrong, and somebody is only to confirm what was noticed."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        shown = "；".join(str(fault) for fault in self.faults[:3])
        more = f"；等共 {len(self.faults)} 处" if len(self.faults) > 3 else ""
        super().__init__(
            f"文件有误，没有保存任何内容。{shown}{more}。",
            faults=[str(fault) for fault in self.faults],
        )


def refuse(*faults: Iterable[Fault]) -> None:
    """Raise :class:`Faulty` if there is any fault; each is told once, in the order of the file."""
    found = sorted(set(chain(*faults)))
    if found:
        raise Faulty(found)
