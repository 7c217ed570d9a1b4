"""Division trees to be imported: the whole city on the generator's divisions, and one district."""

from deployments.generating.formula import STRESS, divisions
from documents.tree import TreeRow

NODES = 6760


def whole_city() -> list[TreeRow]:
    """One city, 16 districts, 234 streets and towns, 6,509 居村: the divisions of the generator."""
    return [TreeRow(line, *row) for line, row in enumerate(divisions(STRESS), start=2)]


def district(towns: int) -> list[TreeRow]:
    """One district with so many streets and towns, beside whatever there is; its names are made."""
    rows = [TreeRow(2, "8", "江海新区", "区", "")]
    return rows + [TreeRow(3 + n, f"8-{n}", f"第{n}街道", "街镇", "8") for n in range(towns)]
