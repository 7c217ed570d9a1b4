"""组织变动 as pages need it: what is asked for, what would move, and the command that does it."""

from services.changes.kinds import KINDS
from services.changes.parts import Form, Kind, form_of
from services.changes.planned import submit

__all__ = ["KINDS", "Form", "Kind", "form_of", "submit"]
