"""A process that starts while its database is away."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from deployments import starting
from deployments.preparing import upgrade
from deployments.root import WrongSchema, build, database
from deployments.settings import Settings, load
from deployments.starting import built


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = load(None, data=tmp_path)
    engine = database(found)
    upgrade(engine)
    engine.dispose()
    return found


def away(times: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A database that cannot be reached so many times."""
    asked: list[int] = []

    def sometimes(settings: Settings) -> Any:
        asked.append(1)
        if len(asked) <= times:
            raise OperationalError("connect", {}, Exception("connection refused"))
        return build(settings)

    monkeypatch.setattr(starting, "build", sometimes)
    return asked


def test_it_waits_for_a_database_that_is_just_coming(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = away(3, monkeypatch)
    env = built(settings)
    assert len(asked) == 4
    env.engine.dispose()


def test_it_does_not_wait_for_ever(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    away(10_000, monkeypatch)
    with pytest.raises(OperationalError):
        built(settings, seconds=0.2)


def test_what_no_waiting_mends_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(WrongSchema):
        built(load(None, data=tmp_path))
