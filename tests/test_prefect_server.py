"""Prefect's server collects its garbage where nobody waits for it."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from deployments import prefect_server
from deployments.prefect_server import collect_beside


class Circle:
    """Garbage that only the collector frees; says by which thread it was freed."""

    freed_by: list[str]

    def __init__(self, freed_by: list[str]) -> None:
        self.freed_by, self.me = freed_by, self

    def __del__(self) -> None:
        self.freed_by.append(threading.current_thread().name)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(prefect_server, "EVERY_SECONDS", 0.01)
    stop = threading.Event()
    thread = collect_beside(stop)
    yield
    stop.set()
    thread.join()
    gc.unfreeze()
    gc.enable()


def test_garbage_is_collected_by_a_thread_of_its_own_and_by_no_other(beside: None) -> None:
    freed_by: list[str] = []
    seen = weakref.ref(Circle(freed_by))
    kept = [[] for _ in range(100_000)]  # type: ignore[var-annotated]
    never = threading.Event()
    assert any(freed_by or never.wait(0.01) for _ in range(1000))
    assert seen() is None
    assert freed_by == ["garbage"]
    assert len(kept) == 100_000
