"""Whatever leaves the house passes the gate at its edge; every edge is known by name."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, literal, select, update

from bench.sanitise import sentences, written
from models.base import table
from models.evidence import EvidenceVersion
from models.organisation import Organisation
from policy.sanitise import BLACK, Level, blackened, findings
from services.env import Env
from tests.evidence_scene import keeping
from tests.house import ROOT, calls, dotted, found_in, keyword, sources
from tests.rectification_cast import begin
from tests.telling import Desk, desk
from tests.test_web_evidence import REPORT, newest, upload
from tests.web_house import House, open_house
from tests.world import Clock

EDGES = {
    "documents/template.py": "an empty workbook: column names and what belongs there, all ours",
    "deployments/generating/workbook.py": "a generated organisation, for loads and tests",
    "services/delivery.py": "messages: blackened; outside the trusted network without any text",
    "services/channel.py": "a code to confirm an address",
    "documents/package.py": "reads what was sent",
    "web/routes/evidence.py": "a file as it was given; its name is blackened by services",
    "web/routes/receipts.py": "a receipt: what the person wrote themselves, through the gate",
    "web/routes/imports.py": "an empty workbook",
    "web/routes/ledgers.py": "an empty workbook",
    "web/routes/batches.py": "an empty workbook",
}
"""Where files and messages leave, and what keeps them clean."""
WRITERS = ("Workbook", "FileResponse", "StreamingResponse", "ZipFile", "writer", "Document")
SENDERS = ("send", "send_own")
"""Of a text with a title, over a channel."""


def leaves(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Where a module writes a file for people, hands one out, or sends a text."""
    for call in calls(tree):
        last = dotted(call.func).rpartition(".")[2]
        if isinstance(call.func, ast.Attribute):
            last = call.func.attr
        if last in WRITERS or (last in SENDERS and keyword(call, "title")):
            yield call.lineno, last
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value == "Content-Disposition":
            yield node.lineno, "Content-Disposition"


def test_every_edge_where_something_leaves_is_known() -> None:
    paths = sources("web", "services", "documents", "notifications", "deployments")
    found = {
        str(path.relative_to(ROOT)) for path in paths if list(leaves(ast.parse(path.read_text())))
    }
    assert found == EDGES.keys()


def test_a_new_export_is_found() -> None:
    code = "def paper(rows):\n    return xlsxwriter.Workbook(out)\n"
    assert found_in(leaves, code) == ["Workbook"]
    assert found_in(leaves, "h = {'Content-Disposition': named}") == ["Content-Disposition"]
    assert found_in(leaves, "self.channels.send(url, title=t, body=b)") == ["send"]


@pytest.mark.parametrize("part", ["tuned"])
def test_what_leaves_holds_nothing_that_is_beyond_doubt(part: str) -> None:
    for one in sentences(part):
        out = blackened(one.text)
        sure = [found for found in findings(one.text) if found.level is Level.BLOCK]
        assert len(out) == len(one.text)
        assert (BLACK in out) is bool(sure)
        for found in sure:
            assert set(out[found.start : found.end]) == {BLACK}


def test_what_somebody_confirmed_leaves_as_it_is() -> None:
    text = written("公开的服务电话{landline}无人接听")
    assert blackened(text) == text


@pytest.fixture
def at(env: Env) -> Desk:
    """Somebody with a channel, and a twin that keeps what is sent."""
    return desk(env)


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    """The tasks of the plan are being done."""
    case = begin(engine, Clock())
    keeping(case, tmp_path / "files")
    case.plan()
    return open_house(case)


def older(house: House, version: int) -> None:
    """The next version of it, with a name that today's gate refuses."""
    versions = table(EvidenceVersion)
    kept = {"name": literal(written("{mobile}.pdf")), "number": versions.c.number + 1}
    columns = [column for column in versions.c if column.name != "id"]
    row = select(*(kept.get(column.name, column) for column in columns))
    names = [column.name for column in columns]
    with house.case.env.engine.begin() as db:
        db.execute(insert(versions).from_select(names, row.where(versions.c.id == version)))


def test_a_name_that_an_older_version_kept_leaves_blackened(house: House) -> None:
    clerk, slot = house.sign_in("office_clerk"), house.slot("do-task", "office_clerk")
    upload(clerk, slot, {"清单.pdf": REPORT})
    version, _ = newest(house)
    older(house, version)
    newer, _ = newest(house)
    assert newer != version
    answer = clerk.get(f"/evidence/versions/{newer}/downloaded")
    assert written("{mobile}") not in answer.headers["Content-Disposition"]
    assert answer.content == REPORT


def test_what_is_sent_is_blackened_on_its_way(at: Desk) -> None:
    at.channel("clerk", inside=True)
    at.tell("clerk", "handover", post_id=at.world.posts["clerk"], count=2)
    units = table(Organisation)
    with at.env.engine.begin() as db:
        db.execute(update(units).values(short_name=written("{mobile}街道"), name="街道"))
    assert at.deliver().sent == 1
    (posted,) = at.twin.posted
    said = f"{posted.title} {posted.body}"
    assert BLACK * 11 in said
    assert written("{mobile}") not in said
    assert "有 2 项未办结事项" in said
