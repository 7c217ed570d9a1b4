"""The seven areas (重点协同抓好 7 个方面, R4.0-2), numbered as the clauses 四(一) to 四(七)."""

AREAS = (
    "思想政治教育",
    "整治“四风”",
    "政治生态",
    "干部管理监督",
    "巡视巡察整改",
    "“四种形态”",
    "一体推进三不腐",
)
_QUOTES = str.maketrans("", "", "“”\"'「」『』＂")


def area_number(name: str) -> int | None:
    """1–7 for the name of an area, whatever its quotation marks; None for any other text."""
    return _NUMBERS.get(name.translate(_QUOTES).strip())


_NUMBERS = {name.translate(_QUOTES): number for number, name in enumerate(AREAS, start=1)}
