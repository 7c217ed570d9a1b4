"""The four subjects (四责主体) of a Party organisation, by what it is (R3.1-1 to R3.1-4, R6-2).

各党组参照本意见执行: a 党组 has the same four subjects under names of its own, and its discipline
organ is the one stationed with it (派驻机构), never the commission of the committee above.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Subject(StrEnum):
    """Who answers: exactly four."""

    COMMITTEE = "committee"
    DISCIPLINE = "discipline"
    SECRETARY = "secretary"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Subjects:
    """The four of one kind of organisation.

    ``names`` are the words of papers. ``discipline`` are the kinds of organ that can be its
    discipline commission; ``own``: only one of its own counts, none of an organisation above.
    """

    names: Mapping[Subject, str]
    discipline: tuple[str, ...]
    own: bool = False


SUBJECTS: Mapping[str, Subjects] = {
    "党委": Subjects(
        {
            Subject.COMMITTEE: "党委",
            Subject.DISCIPLINE: "纪委",
            Subject.SECRETARY: "党委书记",
            Subject.MEMBER: "党委班子成员",
        },
        ("纪委",),
    ),
    "党组": Subjects(
        {
            Subject.COMMITTEE: "党组",
            Subject.DISCIPLINE: "派驻机构",
            Subject.SECRETARY: "党组书记",
            Subject.MEMBER: "党组成员",
        },
        ("派驻机构",),
        own=True,
    ),
    "企事业党组织": Subjects(
        {
            Subject.COMMITTEE: "党组织",
            Subject.DISCIPLINE: "纪检机构",
            Subject.SECRETARY: "党组织书记",
            Subject.MEMBER: "党组织班子成员",
        },
        ("纪委", "派驻机构"),
    ),
}
"""By the kind of the organisation (``OrganisationKind``); other kinds have no subjects."""


def serving(
    kinds: Sequence[str],
    organs: Sequence[tuple[int, str] | None],
    *,
    discipline: bool,
    name: str,
) -> int | str:
    """The organ that serves the first organisation of a line upwards, or what there is not.

    ``kinds``: what each of the line is; ``organs``: the id and kind of what serves each itself;
    ``name``: what such an organ is called. The ``discipline`` organ is that of the nearest
    committee: of a 党组 its own 派驻机构 and none above (R6-2). The words of a gap are Chinese and
    follow the organisation's name.
    """
    place = next((n for n, kind in enumerate(kinds) if kind in SUBJECTS), len(kinds))
    own = SUBJECTS[kinds[place]] if discipline and place < len(kinds) else None
    alone = own is not None and own.own
    for organ in organs[: place + 1] if alone else organs:
        if organ is not None and (own is None or organ[1] in own.discipline):
            return organ[0]
    return f"没有{own.names[Subject.DISCIPLINE]}" if own and alone else f"及其上级没有{name}"
