"""Giving and reading evidence: by whom, in versions; and that rows and files agree (INV-20)."""

import hashlib
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, update
from sqlalchemy.exc import OperationalError

from models.audit import Audit
from models.base import table
from models.evidence import Evidence, EvidenceFile, EvidenceVersion
from models.operating import Installation
from policy.calendar import local_day
from services.command import Actor
from services.errors import Busy, Invalid, KeyReused, NoRoom, NotAuthorised, NotFound
from services.evidence import Added, NotTaken, add_evidence
from services.evidence_check import Reaping
from services.evidence_intake import NoFiles, Upload
from services.evidence_page import Piece, of_problem, of_task, piece
from services.evidence_reading import FileLost, Way, open_version, reads_of
from services.faulty import Faulty
from services.file_store import FileStore
from services.invariants import violations
from services.scope import standing
from services.storage import refusal
from tests.arranging import arrange
from tests.evidence_scene import NOTE, docx, give, keeping, pdf, png, slot
from tests.rectification_cast import Rectification, begin
from tests.storage_faults import small_disk
from tests.world import Clock

REPORT, PHOTO = pdf(b"BT (done) Tj ET"), png()
_files, _versions = table(EvidenceFile), table(EvidenceVersion)


@pytest.fixture
def case(engine: Engine, tmp_path: Path) -> Rectification:
    """The tasks of the plan are being done, by the office's clerk and the city's head."""
    begun = begin(engine, Clock())
    keeping(begun, tmp_path / "files")
    begun.plan()
    return begun


def store_of(case: Rectification) -> FileStore:
    assert case.env.files is not None
    return case.env.files


def doing(case: Rectification) -> int:
    """The office's clerk is asked to do a task."""
    return slot(case, "do-task", "office_clerk")


def newest(case: Rectification) -> int:
    """The task the office's clerk was asked for last: of another problem, or once more."""
    asked = ("do-task", "office_clerk")
    return max(one for one, *which in case.world.open_slots() if tuple(which) == asked)


def seen_by(case: Rectification, post: str, problem: int = 1) -> tuple[Piece, ...]:
    with case.env.engine.connect() as db:
        return of_problem(db, who(case, post), case.problems[problem])


def who(case: Rectification, post: str) -> Any:
    with case.env.engine.connect() as db:
        return standing(db, case.world.people[post], local_day(case.env.clock()))


def nothing_is_kept(case: Rectification) -> bool:
    rows = case.rows(EvidenceFile, "id") + case.rows(Evidence, "id")
    store = store_of(case)
    drafts = list(store.incoming.iterdir()) if store.incoming.exists() else []
    return rows == [] and list(store.names()) == [] and drafts == []


def faults(case: Rectification) -> list[str]:
    on = local_day(case.env.clock())
    return [str(one) for one in violations(case.env.engine, on, case.env.files)]


def test_who_does_a_task_gives_files_with_one_sentence(case: Rectification) -> None:
    added = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT, "现场.png": PHOTO})
    assert len(added.evidence) == len(added.versions) == 2
    found = seen_by(case, "office_clerk")
    newest = [one.versions[0] for one in found]
    assert [(one.name, one.kind, one.note, one.number) for one in newest] == [
        ("清单.pdf", "pdf", NOTE, 1),
        ("现场.png", "png", NOTE, 1),
    ]
    assert newest[0].post == "党建办联络员"
    assert found[0].task == "1-1"
    assert store_of(case).path(sha(case, 0)).read_bytes() == REPORT
    assert faults(case) == []


def sha(case: Rectification, place: int) -> str:
    return str(case.rows(EvidenceFile, "sha256")[place][0])


def test_a_next_version_stands_beside_the_first_and_is_seen_by_who_confirms(
    case: Rectification,
) -> None:
    first = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    case.answer("do-task", post="office_clerk")
    case.answer("confirm-task", "return", reason="请补充印发范围")
    later = pdf(b"BT (more) Tj ET")
    give(
        case, newest(case), "office_clerk", {"清单 修订.pdf": later}, evidence_id=first.evidence[0]
    )
    (shown,) = seen_by(case, "office_head")
    assert [(one.number, one.name) for one in shown.versions] == [
        (2, "清单 修订.pdf"),
        (1, "清单.pdf"),
    ]
    assert faults(case) == []


def test_a_problem_has_the_evidence_of_its_tasks_and_of_its_application(
    case: Rectification,
) -> None:
    give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    case.do_tasks()
    applying = slot(case, "apply-closing")
    post = next(asked for found, _, asked in case.world.open_slots() if found == applying)
    give(case, applying, post, {"照片.png": PHOTO})
    assert [bool(one.task) for one in seen_by(case, "discipline_secretary")] == [True, False]


def test_whoever_is_not_asked_gives_nothing_and_a_stranger_learns_nothing(
    case: Rectification,
) -> None:
    with pytest.raises(NotAuthorised):
        give(case, doing(case), "clerk", {"清单.pdf": REPORT})
    with pytest.raises(NotFound):
        give(case, doing(case), "outsider", {"清单.pdf": REPORT})
    with pytest.raises(NotFound):
        give(case, 987_654, "office_clerk", {"清单.pdf": REPORT})
    assert nothing_is_kept(case)


def test_a_settled_step_takes_nothing_more(case: Rectification) -> None:
    asked = doing(case)
    case.answer("do-task", post="office_clerk")
    with pytest.raises(NotTaken):
        give(case, asked, "office_clerk", {"清单.pdf": REPORT})
    with pytest.raises(NotTaken):
        give(case, slot(case, "confirm-task"), "office_head", {"清单.pdf": REPORT})
    assert case.rows(Evidence, "id") == []


def test_another_pieces_version_is_not_there(case: Rectification) -> None:
    mine = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    theirs = slot(case, "do-task", "city_head")
    with pytest.raises(NotFound):
        give(case, theirs, "city_head", {"图.png": PHOTO}, evidence_id=mine.evidence[0])


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"清单.pdf": REPORT, "图.pdf": PHOTO}, "“图.pdf”：文件名与内容不符"),
        ({"清单.pdf": REPORT, "秘密★.pdf": REPORT}, "密级"),
        ({"清单.pdf": REPORT, "稿.docx": docx("机密★1年")}, "密级标志"),
        ({"清单.pdf": REPORT, "大.png": PHOTO + b"\0" * (1 << 20)}, "超过 1 MB"),
        ({"清单.pdf": REPORT, "同一份.pdf": REPORT}, "另一个文件内容相同"),
    ],
)
def test_one_file_that_is_refused_refuses_all_and_is_named(
    case: Rectification, files: dict[str, bytes], said: str
) -> None:
    with pytest.raises(Faulty, match=said):
        give(case, doing(case), "office_clerk", files)
    assert nothing_is_kept(case)


def test_what_is_given_must_be_said_and_be_something(case: Rectification) -> None:
    for files, note in (
        ({}, NOTE),
        ({"清单.pdf": REPORT}, " "),
        ({"清单.pdf": REPORT}, "字" * 201),
    ):
        with pytest.raises(Invalid):
            give(case, doing(case), "office_clerk", files, note=note)
    many = {f"{n}.png": png(shade=n) for n in range(11)}
    with pytest.raises(Invalid, match="最多"):
        give(case, doing(case), "office_clerk", many)
    assert nothing_is_kept(case)


def test_the_same_content_again_shows_nothing_more(case: Rectification) -> None:
    give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    with pytest.raises(Faulty, match="已有内容相同"):
        give(case, doing(case), "office_clerk", {"又一份.pdf": REPORT})


def test_the_same_request_twice_is_one_and_another_body_is_refused(case: Rectification) -> None:
    asked = doing(case)
    first = give(case, asked, "office_clerk", {"清单.pdf": REPORT}, key="the-same")
    assert give(case, asked, "office_clerk", {"清单.pdf": REPORT}, key="the-same") == first
    with pytest.raises(KeyReused):
        give(case, asked, "office_clerk", {"图.png": PHOTO}, key="the-same")
    assert len(case.rows(EvidenceVersion, "id")) == 1


def test_the_same_file_elsewhere_is_hinted_at_as_far_as_one_may_see(case: Rectification) -> None:
    give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    give(case, newest(case), "office_clerk", {"清单.pdf": REPORT})
    (shown,) = seen_by(case, "office_head")
    (hint,) = shown.versions[0].also_for
    assert (hint.problem_id, hint.number) == (case.problems[2], 2)
    stranger = who(case, "outsider")
    with case.env.engine.connect() as db:
        tasks = [row.task_id for row in db.execute(select(table(Evidence).c.task_id))]
        assert of_task(db, stranger, tasks[0])[0].versions[0].also_for == ()
    assert len(case.rows(EvidenceFile, "id")) == 1


def test_every_look_is_recorded_before_a_file_is_handed_out(case: Rectification) -> None:
    added = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT, "稿.docx": docx("稿")})
    reader = case.world.actor("discipline_secretary")
    opened = open_version(case.env, reader, added.versions[0], Way.SEEN)
    assert opened.path.read_bytes() == REPORT
    assert opened.way is Way.SEEN
    assert open_version(case.env, reader, added.versions[1], Way.SEEN).way is Way.DOWNLOADED
    open_version(case.env, reader, added.versions[0], Way.SEEN)
    clock: Any = case.env.clock
    clock.forward(minutes=1)
    open_version(case.env, reader, added.versions[0], Way.DOWNLOADED)
    with case.env.engine.connect() as db:
        reads = reads_of(db, added.evidence[0])
    assert [(read.post, read.way) for read in reads] == [
        ("滨河区纪委书记", Way.DOWNLOADED),
        ("滨河区纪委书记", Way.SEEN),
    ]
    assert faults(case) == []


def test_nobody_outside_reads_and_nothing_is_recorded_of_it(case: Rectification) -> None:
    added = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    before = len(case.rows(Audit, "id"))
    for version in (added.versions[0], 987_654):
        with pytest.raises(NotFound):
            open_version(case.env, case.world.actor("outsider"), version, Way.SEEN)
    stranger = who(case, "outsider")
    with case.env.engine.connect() as db:
        for one in (added.evidence[0], 987_654):
            with pytest.raises(NotFound):
                piece(db, stranger, one)
    assert len(case.rows(Audit, "id")) == before


def test_where_the_read_cannot_be_recorded_nothing_is_handed_out(case: Rectification) -> None:
    added = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})

    def fail(cursor: Any, statement: str, parameters: Any, context: Any) -> None:
        if statement.startswith("INSERT INTO audit"):
            raise case.env.engine.dialect.loaded_dbapi.OperationalError("broken")

    event.listen(case.env.engine, "do_execute", fail)
    with pytest.raises((Busy, OperationalError)):
        open_version(case.env, case.world.actor("office_head"), added.versions[0], Way.SEEN)
    event.remove(case.env.engine, "do_execute", fail)


def test_a_process_without_a_place_for_files_says_so(case: Rectification) -> None:
    case.world.env = replace(case.env, files=None)
    with pytest.raises(NoFiles):
        give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})


def test_an_upload_that_fails_at_any_statement_leaves_no_row_and_no_row_without_a_file(
    case: Rectification,
) -> None:
    """What a kill leaves after the rename: a file of no row, which the reaper takes."""
    asked, store = doing(case), store_of(case)
    for statement in ("INSERT INTO evidence ", "INSERT INTO evidence_version", "UPDATE branch"):

        def fail(
            cursor: Any, said: str, parameters: Any, context: Any, of: str = statement
        ) -> None:
            if said.startswith(of):
                raise RuntimeError("killed")

        event.listen(case.env.engine, "do_execute", fail)
        with pytest.raises(RuntimeError, match="killed"):
            give(case, asked, "office_clerk", {"清单.pdf": REPORT}, key="again")
        event.remove(case.env.engine, "do_execute", fail)
        assert case.rows(EvidenceVersion, "id") == []
        assert len(list(store.names())) == 1
    reaping = Reaping(case.env, store)
    assert (reaping.once(), reaping.once()) == (0, 1)
    give(case, asked, "office_clerk", {"清单.pdf": REPORT}, key="again")
    assert (reaping.once(), reaping.once()) == (0, 0)
    assert faults(case) == []


def test_after_a_restore_no_file_is_taken_before_the_operator_has_looked(
    case: Rectification,
) -> None:
    store, installation = store_of(case), table(Installation)
    store.keep(store.receive(io.BytesIO(REPORT)))
    with case.env.engine.begin() as db:
        db.execute(update(installation).values(holding=True))
    reaping = Reaping(case.env, store)
    assert [reaping.once() for _ in range(3)] == [0, 0, 0]
    with case.env.engine.begin() as db:
        db.execute(update(installation).values(holding=False))
    assert (reaping.once(), reaping.once()) == (0, 1)


def test_a_full_disk_keeps_neither_row_nor_file(engine: Engine) -> None:
    with small_disk(4) as disk:
        if disk is None:
            pytest.skip("this machine mounts nothing")
        full = begin(engine, Clock())
        keeping(full, disk.folder / "files")
        full.plan()
        disk.fill()
        with pytest.raises(OSError, match="No space") as error:
            give(full, doing(full), "office_clerk", {"清单.pdf": REPORT})
        assert isinstance(refusal(error.value), NoRoom)
        assert nothing_is_kept(full)
        disk.free()
        give(full, doing(full), "office_clerk", {"清单.pdf": REPORT})
        assert faults(full) == []


def test_a_file_that_is_lost_changed_or_of_no_row_is_found(case: Rectification) -> None:
    added = give(case, doing(case), "office_clerk", {"清单.pdf": REPORT})
    store = store_of(case)
    path = store.path(sha(case, 0))
    path.write_bytes(REPORT + b" ")
    (fault,) = faults(case)
    assert fault.startswith("INV-20 佐证的文件与其记录不符")
    kept, found = (hashlib.sha256(data).hexdigest()[:12] for data in (REPORT, REPORT + b" "))
    assert f"sha256={kept}, size={len(REPORT)}" in fault
    assert f"found_sha256={found}, found_size={len(REPORT) + 1}" in fault
    path.unlink()
    assert [one.partition("（")[0] for one in faults(case)] == ["INV-20 佐证的文件不在存储中"]
    with pytest.raises(FileLost):
        open_version(case.env, case.world.actor("office_head"), added.versions[0], Way.SEEN)
    store.keep(store.receive(io.BytesIO(REPORT)))
    store.keep(store.receive(io.BytesIO(PHOTO)))
    assert faults(case) == []  # its upload may be under way
    clock: Any = case.env.clock
    clock.now += timedelta(days=3650)
    assert "INV-20 存储中的文件没有记录" in {one.partition("（")[0] for one in faults(case)}


def test_the_system_gives_no_evidence_for_anybody(case: Rectification) -> None:
    with pytest.raises(NotAuthorised):
        add_evidence(
            case.env,
            Actor(None, "system"),
            slot_id=doing(case),
            uploads=[Upload("清单.pdf", io.BytesIO(REPORT))],
            note=NOTE,
            key="system",
        )
    assert isinstance(Added(1, [], []), Added)


def test_who_stands_in_gives_it_in_the_place_of_the_holder(case: Rectification) -> None:
    arrange(case.world, "office_clerk", "clerk")
    give(case, doing(case), "clerk", {"清单.pdf": REPORT})
    (shown,) = seen_by(case, "office_head")
    assert shown.versions[0].post == "梧桐路街道党工委联络员代党建办联络员"
    assert faults(case) == []
