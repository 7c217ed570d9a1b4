"""Which organisations there are: the formula of the scale target, on the real divisions.

City tier: 1 city + 16 districts x (1 + 70) + 234 streets, towns, zones and farms + 79 of the city
= 1,450. The target's own addends, 1 + 16 x 71 + 216 + about 100 = about 1,450, count 18 places
less: what the list of divisions has more is taken from the 100, so that the sum stays. Stress
tier: those + 6,509 居村 + 41 企事业 of streets and towns = 8,000. Zones and farms are 企事业 of the
street level.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DIVISIONS = Path(__file__).with_name("divisions.csv")
ORGANS: Mapping[str, str] = {
    "纪委": "纪委",
    "组织部": "组织部",
    "宣传部": "宣传部",
    "巡察办": "巡察办",
    "党委办": "党委办",
    "领导小组": "巡察工作领导小组",
}
"""The organs of a city or district committee, kind and name: one each."""
_LEADERS = ("市", "区")
_TOWN_NAMES = ("街道", "镇", "乡")


@dataclass(frozen=True, slots=True)
class Body:
    """Beside its organs: 党组 (each with its 派驻机构), 工作机关, 企事业 of a city or district."""

    groups: int
    offices: int
    enterprises: int

    @property
    def size(self) -> int:
        """How many organisations, organs included, the committee not."""
        return len(ORGANS) + 2 * self.groups + self.offices + self.enterprises


@dataclass(frozen=True, slots=True)
class Tier:
    """How much: of the city, of each of the first ``districts``, and below the streets."""

    city: Body
    district: Body
    districts: int
    villages: bool = False
    street_enterprises: int = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisation; ``parent``: a code, ``""`` for the city; ``of``: whom a 派驻机构 serves."""

    code: str
    name: str
    level: str
    kind: str
    parent: str
    of: str = ""


_CITY, _DISTRICT = Body(25, 12, 11), Body(22, 12, 8)
DEMO = Tier(Body(2, 1, 1), Body(2, 1, 1), districts=1)
CITY = Tier(_CITY, _DISTRICT, districts=16)
STRESS = Tier(_CITY, _DISTRICT, districts=16, villages=True, street_enterprises=41)
TIERS: Mapping[str, Tier] = {"demo": DEMO, "city": CITY, "stress": STRESS}


def divisions(tier: Tier) -> list[tuple[str, str, str, str]]:
    """Code, name, level and the code above of the tier's divisions, parents first."""
    with DIVISIONS.open(encoding="utf-8", newline="") as file:
        rows = [(r["code"], r["name"], r["level"], r["parent_code"]) for r in csv.DictReader(file)]
    districts = {code for code, _, level, _ in rows if level == "区"}
    kept = set(sorted(districts)[: tier.districts])
    found = []
    for code, name, level, above in rows:
        if level == "区" and code not in kept:
            continue
        if level == "街镇" and above not in kept:
            continue
        if level == "居村" and not (tier.villages and above[:6] in kept):
            continue
        found.append((code, name, level, above))
    return found


def units(tier: Tier) -> list[Unit]:
    """Every organisation of a tier, each after its parent."""
    found, towns = [], []
    names: dict[str, str] = {}
    for code, name, level, above in divisions(tier):
        names[code] = name
        if level in _LEADERS:
            found.append(Unit(code, f"{name}委", level, "党委", above))
            found += _body(code, name, level, tier.city if level == "市" else tier.district)
        elif level == "街镇":
            town = name.endswith(_TOWN_NAMES)
            said = "党工委" if name.endswith("街道") else "党委"
            found.append(
                Unit(code, f"{name}{said}", level, "党委" if town else "企事业党组织", above)
            )
            towns += [code] if town else []
        else:
            found.append(Unit(code, f"{names[above]}{name}党组织", level, "党委", above))
    for code in towns[: tier.street_enterprises]:
        name = f"{names[code]}下属企业党组织"
        found.append(Unit(f"{code}-E1", name, "企事业", "企事业党组织", code))
    return found


def _body(code: str, name: str, level: str, body: Body) -> Iterator[Unit]:
    for n, (kind, said) in enumerate(ORGANS.items(), start=1):
        yield Unit(f"{code}-O{n}", f"{name}{said}", level, kind, code)
    yield from beside_organs(code, name, level, body)


def beside_organs(code: str, name: str, level: str, body: Body) -> Iterator[Unit]:
    """What a city or district has beside its organs; ``code`` and ``name`` are of the place."""
    for n in range(1, body.groups + 1):
        group = f"{code}-G{n}"
        yield Unit(group, f"{name}第{n}局党组", level, "党组", code)
        stationed = f"{name}驻第{n}局纪检监察组"
        yield Unit(f"{group}-D", stationed, level, "派驻机构", group, of=group)
    for n in range(1, body.offices + 1):
        yield Unit(f"{code}-W{n}", f"{name}第{n}办公室", level, "工作机关", code)
    for n in range(1, body.enterprises + 1):
        said = "企业" if n % 2 else "事业单位"
        yield Unit(f"{code}-E{n}", f"{name}第{n}{said}党组织", "企事业", "企事业党组织", code)
