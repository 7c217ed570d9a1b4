"""Which organs and posts an organisation has, by its level: the rule behind ``org import``.

A table, not a judgement: 纪委, 组织部, 宣传部, 党委办, 巡察办 and 领导小组 down to the district;
党工委, 纪工委 and offices in a street; a secretary in a 居村 (domain §4, glossary §5). Posts have a
short ASCII name, from which log-ins are made; portfolios (分管) name the post, the organ and,
where it is split, the area. 梧桐路街道 has the posts that the feedback of the demo names.
"""

from dataclasses import dataclass, replace

from models.organisation import Level, OrganisationKind, PostKind, RelationKind

LEVELS = {
    "中央": Level.CENTRAL,
    "省": Level.CITY,
    "市": Level.CITY,
    "区": Level.DISTRICT,
    "县": Level.DISTRICT,
    "街镇": Level.TOWN,
    "居村": Level.VILLAGE,
    "企事业": Level.UNIT,
}
_LAST = 90


@dataclass(frozen=True, slots=True)
class PostPlan:
    """A post to be made; ``slug`` is its name in log-ins, ``rank`` 0 leads."""

    slug: str
    kind: PostKind
    title: str
    rank: int


@dataclass(frozen=True, slots=True)
class OrganPlan:
    """An organ of a committee; ``relation`` is what it is to it, None for a plain department."""

    slug: str
    name: str
    short_name: str
    kind: OrganisationKind
    relation: RelationKind | None
    posts: tuple[PostPlan, ...]


@dataclass(frozen=True, slots=True)
class Charge:
    """``holder`` (a post of the committee, or ``organ/post``) has an organ or an area or both."""

    holder: str
    organ: str | None
    area: int | None = None


@dataclass(frozen=True, slots=True)
class Establishment:
    """Everything that belongs to one row of the tree."""

    level: Level
    kind: OrganisationKind
    name: str
    short_name: str
    posts: tuple[PostPlan, ...]
    organs: tuple[OrganPlan, ...] = ()
    charges: tuple[Charge, ...] = ()


IN_CHARGE_BELOW = {
    Level.CENTRAL: "副书记",
    Level.CITY: "副书记",
    Level.DISTRICT: "副书记",
    Level.TOWN: "组织委员",
}
"""The title of the post that has (分管) the committees one level down."""


def establishment(name: str, level: str, *, is_root: bool, bare: bool = False) -> Establishment:
    """What a row of the tree becomes. ``level`` is a key of :data:`LEVELS`.

    A root gets the 系统运维员 of everything below it. ``bare``: a city or district is called
    without its own name, as people do where there is but one (区委巡察办).
    """
    made = _BY_LEVEL[LEVELS[level]](name)
    if is_root and _OPERATOR not in made.posts:
        made = replace(made, posts=(*made.posts, _OPERATOR))
    return _bare(name, made) if bare and made.level in (Level.CITY, Level.DISTRICT) else made


def territory(committee: str) -> str:
    """The name of the place in a committee's name: 梧桐路街道 of 梧桐路街道党工委."""
    for suffix in ("党工委", "党委", "区委", "委"):
        if committee.endswith(suffix):
            stem = committee.removesuffix(suffix)
            return f"{stem}区" if suffix == "区委" and not stem.endswith("区") else stem
    return committee


def _bare(name: str, made: Establishment) -> Establishment:
    word = "自治区" if name.endswith("自治区") else name[-1]

    def short(text: str) -> str:
        return text.replace(f"{name}区", word, 1).replace(name, word, 1)

    organs = tuple(replace(organ, short_name=short(organ.name)) for organ in made.organs)
    return replace(made, short_name=short(made.name), organs=organs)


def _secretary() -> PostPlan:
    return PostPlan("secretary", PostKind.SECRETARY, "书记", 0)


def _clerk() -> PostPlan:
    return PostPlan("clerk", PostKind.CLERK, "联络员", 80)


_OPERATOR = PostPlan("operator", PostKind.OPERATOR, "系统运维员", _LAST)
_DEPUTY = PostPlan("deputy", PostKind.MEMBER, "副书记", 1)
_DISCIPLINE_POSTS = (
    PostPlan("head", PostKind.HEAD, "书记", 0),
    PostPlan("deputy", PostKind.HEAD, "副书记", 1),
    _clerk(),
)
_OF_DISCIPLINE = OrganisationKind.DISCIPLINE, RelationKind.DISCIPLINE
_GROUP_POSTS = (
    PostPlan("head", PostKind.HEAD, "组长", 0),
    PostPlan("deputy", PostKind.HEAD, "副组长", 1),
)
_UPPER_CHARGES = (
    Charge("deputy", "organisation"),
    Charge("deputy", "publicity"),
    Charge("deputy", "office"),
    Charge("group/head", "inspection"),
)


def _department(title: str = "主任") -> tuple[PostPlan, ...]:
    return PostPlan("head", PostKind.HEAD, title, 0), _clerk()


def _organ(
    slug: str,
    name: str,
    kind: OrganisationKind,
    relation: RelationKind | None,
    posts: tuple[PostPlan, ...],
) -> OrganPlan:
    return OrganPlan(slug, name, name, kind, relation, posts)


def _upper(
    level: Level, committee: str, discipline: str, office: str, inspection: str, prefix: str
) -> Establishment:
    kinds, relations = OrganisationKind, RelationKind
    of_organisation = kinds.ORGANISATION_DEPT, relations.ORGANISATION_DEPT
    of_publicity = kinds.PUBLICITY_DEPT, relations.PUBLICITY_DEPT
    of_party = kinds.PARTY_OFFICE, relations.PARTY_OFFICE
    of_inspection = kinds.INSPECTION_OFFICE, relations.INSPECTION_OFFICE
    of_group = kinds.LEADING_GROUP, relations.LEADING_GROUP
    group = f"{prefix}{inspection}工作领导小组"
    organs = (
        _organ("discipline", discipline, *_OF_DISCIPLINE, _DISCIPLINE_POSTS),
        _organ("organisation", f"{prefix}组织部", *of_organisation, _department("部长")),
        _organ("publicity", f"{prefix}宣传部", *of_publicity, _department("部长")),
        _organ("office", f"{prefix}{office}", *of_party, _department()),
        _organ("inspection", f"{prefix}{inspection}办", *of_inspection, _department()),
        _organ("group", group, *of_group, _GROUP_POSTS),
    )
    posts = (_secretary(), _DEPUTY, _OPERATOR)
    return Establishment(
        level, kinds.COMMITTEE, committee, committee, posts, organs, _UPPER_CHARGES
    )


def _central(name: str) -> Establishment:
    return _upper(Level.CENTRAL, name, f"{name}纪委", "办公厅", "巡视", name)


def _city(name: str) -> Establishment:
    committee = f"{name}党委" if name.endswith("自治区") else f"{name}委"
    return _upper(Level.CITY, committee, f"{name}纪委", "办公厅", "巡视", committee)


def _district(name: str) -> Establishment:
    committee = f"{name}区委" if name.endswith("新区") else f"{name}委"
    return _upper(Level.DISTRICT, committee, f"{name}纪委", "办", "巡察", committee)


_TOWN_OFFICES = (
    ("party-building", "党建办", "主任"),
    ("office", "党政办", "主任"),
    ("publicity", "宣传办", "主任"),
    ("services", "服务办", "主任"),
    ("city", "城市管理办", "主任"),
    ("construction", "城市建设中心", "主任"),
    ("government", "政务服务中心", "主任"),
    ("grid", "网格中心", "主任"),
    ("finance", "财务所", "所长"),
    ("safety", "平安办", "主任"),
)
_TOWN_CHARGES = (
    Charge("deputy", "party-building"),
    Charge("organisation", "party-building", 3),
    Charge("organisation", "party-building", 4),
    Charge("organisation", "party-building", 6),
    Charge("office", "office"),
    Charge("deputy", "office", 3),
    Charge("publicity", "publicity"),
    Charge("livelihood", "services"),
    Charge("livelihood", "grid"),
    Charge("city", "city"),
    Charge("construction", "construction"),
    Charge("director", "government"),
    Charge("office", "finance"),
    Charge("safety", "safety"),
    Charge("publicity", None, 1),
    Charge("deputy", None, 2),
    Charge("deputy", None, 3),
    Charge("organisation", None, 4),
    Charge("deputy", None, 5),
    Charge("organisation", None, 6),
    Charge("deputy", None, 7),
)


def _town(name: str) -> Establishment:
    works = "" if name.endswith(("镇", "乡")) else "工"
    committee = f"{name}党{works}委"
    return Establishment(
        Level.TOWN,
        OrganisationKind.COMMITTEE,
        committee,
        committee,
        _town_posts(name),
        (
            _organ("discipline", f"{name}纪{works}委", *_OF_DISCIPLINE, _DISCIPLINE_POSTS),
            *(_town_office(name, *office) for office in _TOWN_OFFICES),
        ),
        _TOWN_CHARGES,
    )


def _town_office(name: str, slug: str, office: str, title: str) -> OrganPlan:
    if slug == "party-building":
        of = OrganisationKind.PARTY_OFFICE, RelationKind.PARTY_OFFICE
        return _organ(slug, f"{name}{office}", *of, _department(title))
    return _organ(slug, f"{name}{office}", OrganisationKind.WORKING_ORGAN, None, _department(title))


def _town_posts(name: str) -> tuple[PostPlan, ...]:
    head, deputy = _government(name)
    members = (
        ("director", head),
        ("publicity", "宣传委员"),
        ("organisation", "组织委员"),
        ("livelihood", f"分管民生{deputy}"),
        ("city", f"分管城管{deputy}"),
        ("construction", f"分管城建{deputy}"),
        ("safety", f"分管平安{deputy}"),
        ("office", "办公室主任"),
    )
    plans = (PostPlan(s, PostKind.MEMBER, t, n) for n, (s, t) in enumerate(members, start=2))
    return (_secretary(), _DEPUTY, *plans, _clerk())


def _government(name: str) -> tuple[str, str]:
    if name.endswith(("镇", "乡")):
        return f"{name[-1]}长", f"副{name[-1]}长"
    return ("办事处主任" if name.endswith("街道") else "管委会主任"), "副主任"


def _village(name: str) -> Establishment:
    if name.endswith("居委会"):
        committee = f"{name.removesuffix('居委会')}居民区党总支"
    elif name.endswith("村委会"):
        committee = f"{name.removesuffix('村委会').removesuffix('村')}村党总支"
    else:
        committee = f"{name}党支部"
    kind = OrganisationKind.COMMITTEE
    return Establishment(Level.VILLAGE, kind, committee, committee, (_secretary(),))


def _unit(name: str) -> Establishment:
    named = name.endswith(("党委", "党组", "党总支", "党支部"))
    committee = name if named else f"{name}党委"
    kind = OrganisationKind.ENTERPRISE
    return Establishment(Level.UNIT, kind, committee, committee, (_secretary(), _clerk()))


_BY_LEVEL = {
    Level.CENTRAL: _central,
    Level.CITY: _city,
    Level.DISTRICT: _district,
    Level.TOWN: _town,
    Level.VILLAGE: _village,
    Level.UNIT: _unit,
}
