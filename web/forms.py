"""What a person filled in, as the payload of a decision; the services check it."""

import json
from collections.abc import Callable
from typing import Any

from services.rectification_roles_form import FIELDS
from web.access import Ask


def payload(ask: Ask, answer: str) -> Any:
    """The payload of a step's form; None for a return, and for a step that asks for nothing.

    The page says which form it showed; which one is checked, the step itself knows.
    """
    if answer == "return":
        return None
    if answer == "enter":
        return {"result": _entered(ask.text("result"))}
    read = _READERS.get(ask.text("form"))
    return read(ask) if read else None


def _roles(ask: Ask) -> dict[str, dict[str, int]]:
    """Fields ``role.<problem>.<role>``; what is no number is left out, and then missed."""
    roles: dict[str, dict[str, int]] = {}
    for name, value in ask.form.items():
        head, _, rest = name.partition(".")
        problem, _, role = rest.partition(".")
        if head == "role" and role in FIELDS and str(value).isdecimal():
            roles.setdefault(problem, {})[role] = int(str(value))
    return roles


def _report(ask: Ask) -> dict[str, str]:
    return {"text": str(ask.form.get("text") or "").replace("\r\n", "\n")}


def _holder(ask: Ask) -> dict[str, int | None]:
    """``none`` leaves the post unfilled; what was not chosen is nobody of the list."""
    chosen = ask.text("person")
    if chosen == "none":
        return {"person": None}
    return {"person": int(chosen) if chosen.isdecimal() else 0}


def _entered(text: str) -> Any:
    """What an operator entered: JSON as such, anything else as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _until(ask: Ask) -> dict[str, str]:
    return {"until": ask.text("until")}


def _completion(ask: Ask) -> dict[str, str]:
    return {name: ask.text(name) for name in ("completion", "remains", "measures", "review_on")}


def _standing(ask: Ask) -> dict[str, str]:
    return {"review_on": ask.text("review_on")}


_READERS: dict[str, Callable[[Ask], Any]] = {
    "assign_roles": _roles,
    "completion": _completion,
    "extension": _until,
    "name_holder": _holder,
    "report": _report,
    "standing": _standing,
}
