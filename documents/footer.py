"""What stands below a table and is none of its rows: notes, and who filled it in."""

import re
from collections.abc import Sequence

from documents.cells import is_blank, written
from documents.merged import Spread

_FOOTER = re.compile(
    r"(备?注|说明|填[表报]|制表|审核|复核|主要负责|单位负责|负责人|经办|联系|签[字章名]|盖章)"
    r"[^：:]{0,12}[：:]"
)


def without_footers(
    rows: Sequence[Spread], places: Sequence[int]
) -> tuple[list[Spread], list[tuple[int, str]]]:
    """The rows without those at the end that are a note, and these with their texts.

    A note begins like one (注：、填表人：) and leaves most of the asked columns empty.
    """
    kept = list(rows)
    notes: list[tuple[int, str]] = []
    while kept:
        line = kept[-1]
        own = [line.own(n) for n in range(1, len(line.row.cells) + 1)]
        texts = [written(cell).strip() for cell in own if not is_blank(cell)]
        if texts:
            asked = sum(not is_blank(line.own(place)) for place in places)
            if not _FOOTER.match(texts[0]) or 2 * asked > max(len(places), 2):
                break
            notes.append((line.row.number, texts[0]))
        kept.pop()
    return kept, notes[::-1]
