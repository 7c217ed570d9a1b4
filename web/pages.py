"""The templates, and what every page of the house is rendered with."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.catalogue import answer_name
from web.words import FILTERS, area, duration, known_or, say

HERE = Path(__file__).parent
STATIC = HERE / "static"
TEMPLATES = HERE / "templates"


class Pages:
    """Renders templates; nothing a template lacks is passed over in silence."""

    def __init__(self, *, demo: bool = False) -> None:
        self._jinja = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        self._jinja.filters.update(FILTERS)
        self._jinja.globals.update(
            _=say,
            known_or=known_or,
            answer=answer_name,
            area=area,
            demo=demo,
            duration=duration,
            static=_versions().get,
        )

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """The HTML of a page."""
        return self._jinja.get_template(template).render(context)


def _versions() -> dict[str, str]:
    """Each static file's address, which changes with its content, so that it may be kept long."""
    files = (file for file in STATIC.rglob("*") if file.is_file())
    return {
        name: f"/static/{name}?v={sha256(file.read_bytes()).hexdigest()[:12]}"
        for file in files
        for name in (file.relative_to(STATIC).as_posix(),)
    }
