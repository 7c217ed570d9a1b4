"""The Chinese of the product: gettext catalogues, read from their text when the process starts.

Names that data carry (step and answer keys) have their message under ``step.<mechanism>.<key>``,
``answer.<value>`` and so on; the pages' own sentences are looked up by their English. Each part
of the house has a file of its own in one folder; they are read as one catalogue.
"""

from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

_FOLDER = Path(__file__).parent / "locale" / "zh_CN" / "LC_MESSAGES"


def translated(message: str, **values: object) -> str:
    """The Chinese of a message, ``%(name)s`` filled in; itself where the catalogue has none."""
    text = messages().get(message, message)
    return text % values if values else text


def known(message: str) -> bool:
    """Whether the catalogue has this message."""
    return message in messages()


def step_title(mechanism: str, key: str) -> str:
    """What a step is called."""
    return translated(f"step.{_named(mechanism, key)}")


def step_reason(mechanism: str, key: str) -> str:
    """Why such a step has to be decided before the work goes on."""
    return translated(f"why.{_named(mechanism, key)}")


def answer_name(answer: str) -> str:
    """What an answer is called on a button or in a history."""
    return translated(f"answer.{answer}")


def _named(mechanism: str, key: str) -> str:
    """Keys that casework made carry ids: ``rung:<kind>:<post>:<day>``, ``operator:<effect>``."""
    kind, *rest = key.split(":")
    if not rest:
        return f"{mechanism}.{key}"
    return f"rung.{rest[0]}" if kind == "rung" else kind


@cache
def messages() -> dict[str, str]:
    """Every translated message by its id. ValueError when two files translate the same one."""
    found: dict[str, str] = {}
    for path in sorted(_FOLDER.glob("*.po")):
        for message, text in _read(path).items():
            if found.setdefault(message, text) != text:
                raise ValueError(f"{path.name} translates {message!r} anew")
    return found


def _read(path: Path) -> dict[str, str]:
    with path.open("rb") as text:
        catalogue = read_po(text, locale="zh_CN")
    return {str(m.id): str(m.string) for m in catalogue if m.id and m.string}
