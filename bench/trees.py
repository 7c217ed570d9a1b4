"""Division trees with invented names, to be imported: one of the size of Shanghai's."""

from documents.tree import TreeRow

NODES = 6760
_SHAPE = (("区", 16, 1), ("街镇", 234, 16), ("居村", 6509, 234))
"""Level, how many there are, and under how many of the level above they stand."""


def whole_city() -> list[TreeRow]:
    """One city, 16 districts, 234 streets and towns, 6,509 居村: as many as the real tree has."""
    rows, above = [TreeRow(2, "9", "江海市", "市", "")], ["9"]
    for level, many, parents in _SHAPE:
        codes = [f"{above[n % parents]}-{n}" for n in range(many)]
        rows += [
            TreeRow(len(rows) + 2 + n, code, f"第{n}{level}", level, above[n % parents])
            for n, code in enumerate(codes)
        ]
        above = codes
    return rows


def district(towns: int) -> list[TreeRow]:
    """One district with so many streets and towns, beside whatever there is."""
    rows = [TreeRow(2, "8", "江海新区", "区", "")]
    return rows + [TreeRow(3 + n, f"8-{n}", f"第{n}街道", "街镇", "8") for n in range(towns)]
