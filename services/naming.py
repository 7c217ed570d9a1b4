"""Names as they are said inside one unit: without the place everybody there knows."""

from services.establishment import territory
from services.scope import post_name


def unit_within(committee: str, unit: str) -> str:
    """``党建办`` for 梧桐路街道党建办 in lists of 梧桐路街道党工委; other units stay whole."""
    return unit.removeprefix(territory(committee)) or unit


def post_within(committee: str, unit: str, title: str) -> str:
    """``副书记`` for a post of the committee itself, ``党建办主任`` for one of its departments."""
    return title if unit == committee else unit_within(committee, post_name(unit, title))
