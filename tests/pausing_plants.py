"""What is wrong about pauses, planted behind the services' back (``tests.test_invariants``)."""

_STEP = (
    "(SELECT min(s.step_id) FROM slot s JOIN step t ON t.id = s.step_id"
    " WHERE s.state = 'open' AND t.origin = 'script')"
)
_BRANCH = f"(SELECT branch_id FROM step WHERE id = {_STEP})"


def _pause(ended: str) -> str:
    """A pause of the branch; ``ended``: when, and by whom."""
    return (
        "INSERT INTO pause (id, case_id, branch_id, kind, reason, review_on, person_id, post_id,"
        " appointment_id, at, ended_at, ended_by, ended_as, end_reason) SELECT 9001, case_id, id,"
        f" 'appeal', '', '2026-12-01', 1, 1, 1, opened_at, {ended}, NULL, '' FROM branch"
        f" WHERE id = {_BRANCH}"
    )


STANDING = (
    (
        "INV-4",
        "已暂停的环节，升级阶梯却仍在走",
        (f"UPDATE step SET paused_at = opened_at, next_rung_at = due_at WHERE id = {_STEP}",),
    ),
    (
        "INV-4",
        "环节与其分支，一个已暂停，一个没有",
        (f"UPDATE step SET paused_at = opened_at WHERE id = {_STEP}",),
    ),
    (
        "INV-4",
        "分支已暂停，却没有正在进行的暂停",
        (f"UPDATE branch SET paused_by = 9001 WHERE id = {_BRANCH}",),
    ),
    ("INV-4", "上级分支或者本分支已暂停，分支却没有", (_pause("NULL, NULL"),)),
    ("INV-6", "恢复没有写明何人、以何职务、因何", (_pause("opened_at, 1"),)),
)
