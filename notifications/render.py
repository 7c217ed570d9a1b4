"""Texts of messages: pure, from a template and its facts (design §7).

A message stores ids and dates; whoever shows or sends it looks up the facts (case number, unit,
posts) and passes them here. Every fact may be missing: a text then says less, it never fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template

_FOLDER = Path(__file__).parent / "templates"
_ENVELOPES = frozenset({"_about", "behalf", "code", "digest", "outside", "single"})
TEMPLATES = frozenset(path.stem for path in _FOLDER.glob("*.j2")) - _ENVELOPES
"""The names a message may be stored under, one file each."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text for people: plain, not HTML. ``title`` is one line."""

    title: str
    body: str


def render(template: str, facts: Mapping[str, Any]) -> Rendered:
    """The full text, for our own pages and for channels declared as inside.

    ``KeyError`` for a template this code does not know.
    """
    if template not in TEMPLATES:
        raise KeyError(template)
    return _filled(_jinja.get_template(f"{template}.j2"), facts)


def on_behalf(line: Rendered, post: str) -> Rendered:
    """The same for who stands in for the holder of a post (离岗委托): it says for whom."""
    return _filled(_jinja.get_template("behalf.j2"), {"line": line, "post": post})


def single(line: Rendered, *, url: str) -> Rendered:
    """One message as a text of its own, with where to log in."""
    return _filled(_jinja.get_template("single.j2"), {"line": line, "url": url})


def digest(lines: Sequence[Rendered], *, more: int, url: str) -> Rendered:
    """Several messages of one person as one text; ``more`` are only counted (另有 n 项)."""
    facts = {"lines": lines, "more": more, "count": len(lines) + more, "url": url}
    return _filled(_jinja.get_template("digest.j2"), facts)


def outside(ids: Sequence[int]) -> Rendered:
    """The opaque text for channels that leave the trusted network: a count and message ids.

    Message ids, because a case number may name its mechanism or unit. No title: mail programs
    and locked screens show it.
    """
    return _filled(_jinja.get_template("outside.j2"), {"ids": ids})


def code(code: str, minutes: int) -> Rendered:
    """The one-time code that shows that an address is the person's own; as opaque as outside."""
    return _filled(_jinja.get_template("code.j2"), {"code": code, "minutes": minutes})


def _filled(template: Template, facts: Mapping[str, Any]) -> Rendered:
    made: Any = template.make_module(dict(facts))
    return Rendered(" ".join(str(made.title).split()), str(made.body).strip())


def _day(value: date | str) -> str:
    """``2026年3月5日``, from a date or the ISO text that JSON makes of it."""
    day = date.fromisoformat(value[:10]) if isinstance(value, str) else value
    return f"{day.year}年{day.month}月{day.day}日"


def _environment() -> Environment:
    # Plain text: whoever puts it into a page escapes it there.
    made = Environment(loader=FileSystemLoader(_FOLDER), trim_blocks=True, lstrip_blocks=True)
    made.filters["day"] = _day
    return made


_jinja = _environment()
