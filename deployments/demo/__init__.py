"""The demonstration: the invented district 滨河区, its log-ins, and a feedback to put right."""

from deployments.demo.set_up import (
    DISTRICT,
    TOWN,
    DemoLogin,
    DemoReport,
    demo_logins,
    feedback,
    found_tree,
    give,
    set_up_demo,
)

__all__ = [
    "DISTRICT",
    "TOWN",
    "DemoLogin",
    "DemoReport",
    "demo_logins",
    "feedback",
    "found_tree",
    "give",
    "set_up_demo",
]
