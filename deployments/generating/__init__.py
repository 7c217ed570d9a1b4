"""Organisations of a given size on a real tree of divisions, made by a formula, without a database.

The divisions are real, everything on them is made: no organ, post or person is anybody's.
"""

from deployments.generating.formula import CITY, DEMO, STRESS, TIERS, Tier, Unit, units
from deployments.generating.organisation import (
    SEED,
    SINCE,
    Generated,
    Place,
    generate,
    generate_beside,
)
from deployments.generating.workbook import workbook

__all__ = [
    "CITY",
    "DEMO",
    "SEED",
    "SINCE",
    "STRESS",
    "TIERS",
    "Generated",
    "Place",
    "Tier",
    "Unit",
    "generate",
    "generate_beside",
    "units",
    "workbook",
]
