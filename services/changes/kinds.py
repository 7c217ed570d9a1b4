"""Every kind of change by the word in its address."""

from services.changes.of_posts import KINDS as OF_POSTS
from services.changes.of_units import KINDS as OF_UNITS
from services.changes.parts import Kind

KINDS: dict[str, Kind] = {**OF_POSTS, **OF_UNITS}
