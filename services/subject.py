"""What a slot or a decision is about, joined once for the inbox, a step and the history."""

from typing import Any

from sqlalchemy import FromClause, Select, and_, func

from models.base import table
from models.casework import Branch, Case, Step
from models.organisation import Organisation, Post
from models.problem import Problem, Task

_branches = table(Branch)
_cases = table(Case)
_organisations = table(Organisation)
_post_units = _organisations.alias("post_unit")
_posts = table(Post)
_problems = table(Problem)
_steps = table(Step)
_tasks = table(Task)


def with_subject(query: Select[Any], rows: FromClause) -> Select[Any]:
    """The query with step, branch and case joined to ``rows`` (slots or decisions).

    Adds number, mechanism, unit (of the case), post_title, post_unit, and subject: the measure of
    the task or the text of the problem, '' where it is about the whole case.
    """
    of_problem = and_(_branches.c.row_kind == "problem", _problems.c.id == _branches.c.row_id)
    of_task = and_(_branches.c.row_kind == "task", _tasks.c.id == _branches.c.row_id)
    return (
        query.add_columns(
            _cases.c.number,
            _cases.c.mechanism,
            _organisations.c.short_name.label("unit"),
            _posts.c.title.label("post_title"),
            _post_units.c.short_name.label("post_unit"),
            func.coalesce(_tasks.c.measure, _problems.c.text, "").label("subject"),
        )
        .join(_steps, _steps.c.id == rows.c.step_id)
        .join(_branches, _branches.c.id == rows.c.branch_id)
        .join(_cases, _cases.c.id == _steps.c.case_id)
        .join(_organisations, _organisations.c.id == _cases.c.organisation_id)
        .join(_posts, _posts.c.id == rows.c.post_id)
        .join(_post_units, _post_units.c.id == _posts.c.organisation_id)
        .outerjoin(_problems, of_problem)
        .outerjoin(_tasks, of_task)
    )
