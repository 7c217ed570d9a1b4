"""What is shown of restricted mechanisms outside our own pages (design §9)."""

RESTRICTED = frozenset(
    {
        "first_form",
        "opinion_reply",
        "integrity_archive",
        "clarification",
        "accountability",
        "appeal",
    }
)
"""Mechanisms of which Prefect gets the number only."""
