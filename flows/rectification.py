"""四(五) 巡视巡察整改: an inspection's feedback is put right, problem by problem, and reported.

主要领导点题、分管领导领题、责任部门落实整改、纪委监督推动整改 (R4.5-1). The leader in charge
signs what his departments close (R4.5-4); discipline commission, organisation department and
inspection office look at the plan together (R4.5-9); who verifies is never one of the owners.
A sample of what is closed is verified once more by another body, before the report (CK-18).
What is 基本完成 or 长期坚持 is looked at again after the report, until it is closed.
"""

from services.casework import AGREE, REVIEW, Casework, branch_script, mechanism
from services.rectification import (
    confirm,
    due_of_task,
    move_task,
    original_of_task,
    problems_of_case,
    tasks_of_problem,
)
from services.rectification_completion import (
    close_as_claimed,
    close_kept,
    keep_up,
    kept_problems,
    review_date,
)
from services.rectification_plan import (
    publish_tasks,
    recall_task_list,
    tell_task_list,
    withdraw_tasks,
)
from services.rectification_report import figures
from services.rectification_roles import (
    inspected_clerk,
    inspected_secretary,
    leader_in_charge_of_unit,
    responsible_department,
    reviewers,
    supervisor,
    task_confirmer,
    task_doer,
    topic_taker,
)
from services.rectification_roles_form import save_roles
from services.rectification_sampling import (
    leave_closed,
    reopen,
    sampled_problems,
    sampler,
    second_body,
    settle_sample,
    verified_here,
)

STANDING = ("ongoing", "closing")
"""On a review date: it is kept up (长期坚持), or its closing is applied for."""


@mechanism(
    "rectification",
    edition=2,
    clause="四(五)",
    rows=("R4.5-1", "R4.5-4", "R4.5-9", "R4.5-10", "CK-3", "CK-18"),
)
def rectification(case: Casework) -> None:
    """Roles, plan, joint review, approval, publication; every problem to its end; the report."""
    case.ask(
        "assign-roles", of=inspected_secretary, due="rectification.assign", form="assign_roles"
    )
    case.record("save-roles", save_roles, on_return="redo")
    case.ask(
        "draft-plan",
        of=inspected_clerk,
        due="rectification.plan",
        ladder="five_letters",
        form="task_list",
    )
    while case.ask_all(
        "review-plan",
        of=reviewers,
        due="rectification.review",
        answers=REVIEW,
        apart_from=("draft-plan", "revise-plan"),
    ).returned:
        case.ask("revise-plan", of=inspected_clerk, due="rectification.revise", form="task_list")
    case.ask(
        "approve-plan",
        of=leader_in_charge_of_unit,
        due="rectification.approve",
        answers=AGREE,
        apart_from=("draft-plan", "revise-plan", "review-plan"),
    )
    case.record("publish", publish_tasks, on_return=withdraw_tasks)
    case.do("tell-task-list", tell_task_list, on_return=recall_task_list)
    case.each("problems", problems_of_case, close_problem, on_return="keep")
    if case.fact("verified-here", verified_here):
        case.ask("draw-sample", of=sampler, due="rectification.draw", form="draw_sample")
        case.each("sample", sampled_problems, check_again, on_return="redo")
    case.fact("figures", figures)
    case.ask("draft-report", of=inspected_clerk, due="rectification.report", form="report")
    case.ask(
        "approve-report",
        of=inspected_secretary,
        due="rectification.approve",
        answers=AGREE,
        apart_from=("draft-report",),
    )
    case.each("long-term", kept_problems, keep_at_it, on_return="keep")


@branch_script("rectification", edition=2, row="problem")
def close_problem(case: Casework) -> None:
    """整改不到位不销号、验收不通过不销号: tasks, application, signature, verification.

    The application says how far it is: 已完成, 基本完成 or 长期坚持; that is what is verified.
    """
    case.each("tasks", tasks_of_problem, do_task, on_return="keep")
    while True:
        case.ask(
            "apply-closing",
            of=responsible_department,
            due="rectification.apply",
            form="completion",
        )
        case.ask(
            "sign",
            of=topic_taker,
            due="rectification.sign",
            answers=AGREE,
            apart_from=("apply-closing",),
        )
        verified = case.ask(
            "verify",
            of=supervisor,
            due="rectification.verify",
            answers=REVIEW,
            form="verify",
            apart_from=("do-task", "confirm-task", "apply-closing", "sign"),
        )
        if not verified.returned:
            break
    case.record("close", close_as_claimed, on_return="redo")


@branch_script("rectification", edition=2, row="problem")
def check_again(case: Casework) -> None:
    """抽查复核: another body verifies; what is not upheld is open again until it is put right."""
    while case.ask(
        "recheck",
        of=second_body,
        due="rectification.verify",
        answers=REVIEW,
        form="recheck",
        apart_from=("apply-again", "sign-again"),
    ).returned:
        case.record("reopen", reopen, on_return=leave_closed)
        case.ask(
            "apply-again", of=responsible_department, due="rectification.apply", form="completion"
        )
        case.ask(
            "sign-again",
            of=topic_taker,
            due="rectification.sign",
            answers=AGREE,
            apart_from=("apply-again",),
        )
    case.record("settle-sample", settle_sample, on_return="redo")


@branch_script("rectification", edition=2, row="problem")
def keep_at_it(case: Casework) -> None:
    """长期坚持: on each review date the department says how it stands, until it is closed."""
    while True:
        case.wait("review-date", until=review_date)
        stands = case.ask(
            "say-standing",
            of=responsible_department,
            due="rectification.standing",
            answers=STANDING,
            form="standing",
        )
        if stands.is_("ongoing"):
            case.record("keep-up", keep_up, on_return="redo")
            continue
        case.ask(
            "sign-closing",
            of=topic_taker,
            due="rectification.sign",
            answers=AGREE,
            apart_from=("say-standing",),
        )
        verified = case.ask(
            "verify-closing",
            of=supervisor,
            due="rectification.verify",
            answers=REVIEW,
            form="verify",
            apart_from=("say-standing", "sign-closing"),
        )
        if not verified.returned:
            break
    case.record("close-kept", close_kept, on_return="redo")


@branch_script(
    "rectification",
    edition=2,
    row="task",
    row_date=due_of_task,
    row_original=original_of_task,
    move_row=move_task,
)
def do_task(case: Casework) -> None:
    """The lead unit does what the plan says by its date; the responsible department confirms."""
    while True:
        case.ask("do-task", of=task_doer, due="row")
        confirmed = case.ask(
            "confirm-task",
            of=task_confirmer,
            due="rectification.confirm",
            answers=REVIEW,
            apart_from=("do-task",),
        )
        if not confirmed.returned:
            break
    case.record("confirm", confirm, on_return="redo")
