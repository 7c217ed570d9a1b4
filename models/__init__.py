"""What is kept: every table of the house, so that migrations see them all."""

from models import (
    account,
    audit,
    base,
    batch,
    calendar,
    casework,
    evidence,
    message,
    numbering,
    operating,
    organisation,
    problem,
    substitution,
    vacancy,
)

__all__ = [
    "account",
    "audit",
    "base",
    "batch",
    "calendar",
    "casework",
    "evidence",
    "message",
    "numbering",
    "operating",
    "organisation",
    "problem",
    "substitution",
    "vacancy",
]
