"""Code that nobody calls: vulture over the product, with names that only templates use as used."""

import re

import pytest
from vulture import Vulture

from tests.house import PACKAGES, ROOT

CALLED_BY_DECORATOR = (
    "@compiles",
    "@mechanism",
    "@branch_script",
    "@effect",
    "@undo",
    "@form",
    "@event.listens_for",
    "@*.get",
    "@*.post",
    "@*.delete",
    "@*.put",
    "@*.exception_handler",
    "@*.middleware",
    "@*.command",
    "@*.callback",
    "@*validator",
    "@app.*",
    "@pass_context",
)
REVIEWED = {
    # named by SQLAlchemy, SQLModel, alembic
    "naming_convention": "SQLAlchemy names constraints by it",
    "background": "Starlette runs it once the answer is sent",
    "impl": "SQLAlchemy's TypeDecorator reads it",
    "cache_ok": "SQLAlchemy's TypeDecorator reads it",
    "process_bind_param": "SQLAlchemy's TypeDecorator calls it",
    "process_result_value": "SQLAlchemy's TypeDecorator calls it",
    "isolation_level": "sqlite3 reads it",
    "is_disconnect": "SQLAlchemy reads it",
    "down_revision": "alembic reads it",
    # columns that are kept for whoever looks into the database
    "begun_at": "since when somebody is an administrator: for the record",
    "published_at": "when a calendar was published: for the record",
    "on_day": "from which day an import counted its difference: for the record",
    "queued_at": "when an effect was queued: for the record and the bench",
    "refused": "how many texts a delivery pass saw refused: for tests and the log",
    # named by pydantic, Prefect, urllib, expat, logging, apprise
    "model_config": "pydantic reads it",
    "job_configuration": "Prefect's worker reads it",
    "job_configuration_variables": "Prefect's worker reads it",
    "configuration": "an argument of Prefect's worker",
    "redirect_request": "urllib calls it",
    "fp": "an argument urllib gives",
    "msg": "an argument urllib gives",
    "newurl": "an argument urllib gives",
    "req": "an argument urllib gives",
    "do_GET": "http.server calls it",
    "log_message": "http.server calls it",
    "handle_error": "http.server calls it",
    "client_address": "an argument http.server gives",
    "describe": "prometheus_client calls it",
    "StartDoctypeDeclHandler": "expat calls it",
    "EntityDeclHandler": "expat calls it",
    "StartElementHandler": "expat calls it",
    "EndElementHandler": "expat calls it",
    "CharacterDataHandler": "expat calls it",
    "buffer_text": "expat reads it",
    "logger": "read by Apprise's plugin",
    "redirects": "read by Apprise's plugin",
    "retry": "read by Apprise's plugin",
    "inherit_cache": "SQLAlchemy reads it",
    # read by tests that hold a rule over the whole product
    "access": "who may call a route: no route may go without it",
    "PROBLEM_COLUMNS": "tests and benches write a feedback by it",
    "TASK_COLUMNS": "tests and benches write a feedback by it",
    "NO_TEXT": "tests hold that each input of a command is a text of the table or one of these",
    "text_class": "docs/reference.md tells who reads a text; papers will go by it",
    # members of which people choose one on a form
    "APPEAL": "a reason of a pause",
    "REORGANISATION": "a reason of a pause",
    # twins for tests, shipped beside the real thing
    "RecordingChannels": "what a test or a simulation sends by",
}
"""Names vulture cannot see used, each with who uses it."""


def unused() -> dict[str, str]:
    """Names nothing in the product or its templates mentions, with where they are."""
    finder = Vulture(ignore_decorators=list(CALLED_BY_DECORATOR))
    finder.scavenge([str(ROOT / package) for package in PACKAGES])
    found = {item.name: item for item in finder.get_unused_code(min_confidence=60)}
    mentioned = in_templates()
    return {
        name: f"{item.filename.relative_to(ROOT)}:{item.first_lineno} unused {item.typ} {name}"
        for name, item in found.items()
        if name not in mentioned
    }


def in_templates() -> set[str]:
    """Every word in a template's ``{{ … }}`` and ``{% … %}``."""
    files = [
        path
        for package in PACKAGES
        for ending in ("*.html", "*.j2", "*.txt")
        for path in (ROOT / package).rglob(ending)
    ]
    inside = [part for file in files for part in re.findall(r"\{[{%](.*?)[}%]\}", file.read_text())]
    return {word for part in inside for word in re.findall(r"\w+", part)}


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return unused()


def test_all_code_is_used(found: dict[str, str]) -> None:
    assert [where for name, where in sorted(found.items()) if name not in REVIEWED] == []


def test_every_exception_is_still_one(found: dict[str, str]) -> None:
    assert sorted(set(REVIEWED) - set(found)) == []
