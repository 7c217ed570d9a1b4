"""The bench of imports measures a whole import: staged, confirmed, asked about, taken back."""

from pathlib import Path

from bench.organisation_import import measured, one_run, write_workbook
from bench.trees import whole_city
from documents.organisation_file import read_organisation_file
from services.database import open_engine
from tests.founded import counts

FIELDS = {
    "base_rss_mb",
    "stage_s",
    "confirm_s",
    "who_ms",
    "leader_ms",
    "who_10k_s",
    "leader_10k_s",
    "again_s",
    "undo_s",
    "stage_held_s",
    "confirm_held_s",
    "again_held_s",
    "undo_held_s",
    "peak_rss_mb",
}


def test_an_import_is_measured_from_its_file_to_its_undoing(
    tmp_path: Path, sqlite_url: str
) -> None:
    file = tmp_path / "organisation.xlsx"
    write_workbook(file, whole_city()[:40], 100)
    read = read_organisation_file(file.read_bytes(), file.name)
    assert read.faults == ()
    assert (len(read.units), len(read.posts), len(read.terms)) == (40, 100, 100)
    found = one_run(sqlite_url, file)
    assert found.keys() == FIELDS
    assert all(value > 0 for value in found.values())
    engine = open_engine(sqlite_url)
    rows = counts(engine)
    engine.dispose()
    assert (rows["organisation"], rows["appointment"], rows["batch"]) == (0, 0, 2)


def test_each_run_is_a_process_with_a_database_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "organisation.xlsx"
    write_workbook(file, whole_city()[:20], 40)
    line = measured("sqlite", file, 2)
    assert (line["bench"], line["db"], line["n"]) == ("import", "sqlite", 2)
    assert line.keys() >= FIELDS
