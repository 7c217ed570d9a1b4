"""The stages of a rectification as its case page strips them, each with its keys of the script."""

FIRST: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("assign", ("assign-roles", "save-roles")),
    ("plan", ("draft-plan",)),
    ("review", ("review-plan", "revise-plan")),
    ("approve", ("approve-plan", "publish", "tell-task-list")),
    ("rectify", ("problems",)),
    ("report", ("figures", "draft-report", "approve-report")),
)
"""Name (``stage.rectification.<name>`` in the catalogue) and the keys of the root's script, of the
first edition."""
STAGES = (
    *FIRST[:-1],
    ("sample", ("verified-here", "draw-sample", "sample")),
    FIRST[-1],
    ("keep", ("long-term",)),
)
"""Those of the newest edition."""
