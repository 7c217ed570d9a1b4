"""What stands below a table and is none of its rows: notes, and who filled it in."""

import re
from collections.abc import Iterable, Iterator, Sequence

from documents.cells import is_blank, written
from documents.merged import Spread

_FOOTER = re.compile(
    r"(备?注|说明|填[表报]|制表|审核|复核|主要负责|单位负责|负责人|经办|联系|签[字章名]|盖章)"
    r"[^：:]{0,12}[：:]"
)


def without_footers(
    rows: Iterable[Spread], places: Sequence[int], notes: list[tuple[int, str]]
) -> Iterator[Spread]:
    """The rows without those at the end that are a note; these are put, with their texts, into
    ``notes`` when all rows were taken.

    A note begins like one (注：、填表人：) and leaves most of the asked columns empty.
    """
    doubtful: list[Spread] = []
    for line in rows:
        doubtful.append(line)
        if not _may_end(line, places):
            yield from doubtful
            doubtful.clear()
    notes += [(line.row.number, text) for line in doubtful if (text := _text(line))]


def _may_end(line: Spread, places: Sequence[int]) -> bool:
    """Whether nothing speaks against a row standing below the table: it is empty, or a note."""
    text = _text(line)
    asked = sum(not is_blank(line.own(place)) for place in places)
    return not text or bool(_FOOTER.match(text)) and 2 * asked <= max(len(places), 2)


def _text(line: Spread) -> str:
    """The first text of a row itself."""
    own = (line.own(n) for n in range(1, len(line.row.cells) + 1))
    return next((written(cell).strip() for cell in own if not is_blank(cell)), "")
