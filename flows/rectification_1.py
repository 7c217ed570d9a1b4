"""四(五) 巡视巡察整改 as it was first: the edition of the cases that began with it (rule F).

Nothing here changes any more. What is new is in :mod:`flows.rectification`.
"""

from services.casework import AGREE, REVIEW, Casework, branch_script, mechanism
from services.rectification import (
    close,
    confirm,
    due_of_task,
    move_task,
    original_of_task,
    problems_of_case,
    tasks_of_problem,
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


@mechanism("rectification", edition=1, clause="四(五)", rows=("R4.5-1", "R4.5-4", "R4.5-9", "CK-3"))
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
    case.fact("figures", figures)
    case.ask("draft-report", of=inspected_clerk, due="rectification.report", form="report")
    case.ask(
        "approve-report",
        of=inspected_secretary,
        due="rectification.approve",
        answers=AGREE,
        apart_from=("draft-report",),
    )


@branch_script("rectification", edition=1, row="problem")
def close_problem(case: Casework) -> None:
    """整改不到位不销号、验收不通过不销号: tasks, application, signature, verification."""
    case.each("tasks", tasks_of_problem, do_task, on_return="keep")
    while True:
        case.ask("apply-closing", of=responsible_department, due="rectification.apply")
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
    case.record("close", close, on_return="redo")


@branch_script(
    "rectification",
    edition=1,
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
