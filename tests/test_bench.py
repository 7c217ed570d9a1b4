"""The bench measures what it says: steps that wait all the time, and a floor that writes."""

from datetime import date
from pathlib import Path

from sqlalchemy import text

from bench.feedback import feedback_of
from bench.human_step import figures
from bench.installation import SQLITE, installations
from bench.launch import opened
from bench.mechanism import TWO_STEP
from bench.org_import import databases, measured
from documents.feedback import read_feedback
from services.database import reading

FIELDS = {
    "n",
    "clients",
    "next_step_p50_ms",
    "next_step_p95_ms",
    "form_p50_ms",
    "floor_p50_ms",
    "cpu_ms_per_step",
    "floor_cpu_ms",
    "decisions_per_s",
    "peak_rss_mb",
}


def test_the_large_file_is_right_and_has_as_many_problems_as_was_asked() -> None:
    feedback = read_feedback(feedback_of(160, date(2026, 11, 30)))
    assert feedback.faults == ()
    assert {row.number for row in feedback.problems} == set(range(1, 161))
    assert len(feedback.tasks) == 160


def test_decisions_are_measured_while_the_same_number_of_steps_waits(tmp_path: Path) -> None:
    with installations(SQLITE, tmp_path) as made, made.fresh() as at:
        at.house.open(TWO_STEP, 13)
        found = [figures(at, 13, clients, 20) for clients in (1, 2)]
        assert len(at.house.waiting()) == 13
        with reading(at.house.env.engine) as db:
            decisions = db.execute(text("SELECT count(*) FROM decision")).scalar_one()
            floors = db.execute(text("SELECT count(*) FROM bench_entry")).scalar_one()
    assert decisions >= 80
    assert floors == decisions  # two rows each, and two kinds of decisions for each kind of floor
    for one in found:
        assert one.keys() == FIELDS
        assert all(value > 0 for name, value in one.items() if "cpu" not in name)
    assert not any(process.is_running() for process in at.processes)
    assert (tmp_path / "1" / "web.log").read_text(encoding="utf-8") == ""


def test_an_import_of_a_city_is_measured_beside_a_floor_of_as_many_rows() -> None:
    with databases(SQLITE) as fresh:
        line = measured(SQLITE, fresh, 2)
    assert (line["bench"], line["db"], line["nodes"], line["n"]) == ("org_import", SQLITE, 6760, 2)
    assert line["p95_s"] >= line["p50_s"] > line["floor_p50_s"] > 0


def test_the_cases_of_a_launch_are_all_open_when_its_time_is_taken(tmp_path: Path) -> None:
    with installations(SQLITE, tmp_path) as made, made.fresh() as at:
        found = opened(at, 12)
        waiting = at.house.waiting()
    assert len(waiting) == 12
    assert found["open_s"] * 1000 > found["case_p95_ms"] >= found["case_p50_ms"] > 0
    assert found["cpu_ms_per_case"] > 0
