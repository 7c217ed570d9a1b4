"""What is kept: every table of the house, so that migrations see them all."""

from models import (
    account,
    audit,
    base,
    batch,
    calendar,
    casework,
    evidence,
    ledger,
    message,
    numbering,
    operating,
    organisation,
    planned_change,
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
    "ledger",
    "message",
    "numbering",
    "operating",
    "organisation",
    "planned_change",
    "problem",
    "substitution",
    "vacancy",
]
