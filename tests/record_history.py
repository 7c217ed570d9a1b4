"""``python -m tests.record_history``: record the newest edition of the rectification going every
way back.

For a new edition only: a recorded history is never recorded again to please a changed script.
"""

import json

from services.database import open_engine
from tests import world
from tests.history import export
from tests.rectification_cast import begin
from tests.test_histories import FOLDER, every_way_back
from tests.world import lay_out


def record() -> None:
    """Write the history of each edition's case, an entry a line; refuse to overwrite one."""
    engine = open_engine("sqlite://")
    lay_out(engine)
    case = begin(engine, world.Clock())
    every_way_back(case)
    with engine.connect() as db:
        history = export(db, case.case_id)
    path = FOLDER / f"history_{history['mechanism']}_{history['edition']}.json"
    FOLDER.mkdir(exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(_as_lines(history))


def _as_lines(history: dict[str, object]) -> str:
    """JSON with an entry of a log on each line, so that a difference can be read."""
    text = json.dumps(history, ensure_ascii=False, indent=1)
    lines: list[str] = []
    depth = 0
    for line in text.splitlines():
        inner = depth > 4
        depth += line.count("[") + line.count("{") - line.count("]") - line.count("}")
        if inner:
            lines[-1] += line.strip()
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    record()
