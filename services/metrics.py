"""What a process counts of itself, for Prometheus (``docs/operations.md``).

Labels are names of our code and outcomes: never a person, a unit or a case. What the database
knows is asked when somebody looks (``services.gauges``).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.process_collector import ProcessCollector
from structlog.contextvars import bound_contextvars

from services.errors import DutiesError

REGISTRY = CollectorRegistry()
"""Ours: Prefect has counters of its own in the library's."""
disable_created_metrics()  # a second series for each, which says when it began
ProcessCollector(registry=REGISTRY)

REQUESTS = Histogram(
    "fourduties_request_seconds",
    "Requests by route template, method and status, and how long their answer took.",
    ("route", "method", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
COMMANDS = Counter(
    "fourduties_commands",
    "Commands by name and outcome: done, the code of a refusal, or error.",
    ("name", "outcome"),
    registry=REGISTRY,
)
WAKES = Counter("fourduties_wakes_handled", "Wakes the drain has settled.", registry=REGISTRY)
EFFECTS = Counter(
    "fourduties_effects",
    "Effects by name and outcome: done, or failed for good.",
    ("name", "outcome"),
    registry=REGISTRY,
)
MIRRORS = Counter(
    "fourduties_mirrors",
    "Turns of the mirror shed because wakes were due, and mirrors written.",
    ("outcome",),
    registry=REGISTRY,
)
TURNS = Counter(
    "fourduties_loop_turns",
    "Turns of a loop of this process by outcome: done, or error.",
    ("loop", "outcome"),
    registry=REGISTRY,
)
TURNED = Gauge(
    "fourduties_loop_turned_timestamp_seconds",
    "When a loop of this process last had a good turn.",
    ("loop",),
    registry=REGISTRY,
)
DONE, ERROR = "done", "error"
_LATER = {"command_id": None, "case_id": None, "branch": None}
"""What is known of a command only once it runs, and forgotten after it."""


def turned(loop: str) -> None:
    """A loop of this process had a good turn."""
    TURNS.labels(loop, DONE).inc()
    TURNED.labels(loop).set_to_current_time()


def turned_at(loop: str) -> float | None:
    """When that was last, in seconds of the epoch; None: not yet."""
    return REGISTRY.get_sample_value("fourduties_loop_turned_timestamp_seconds", {"loop": loop})


@contextmanager
def noted(name: str, actor: int | None) -> Iterator[None]:
    """Count a command by its outcome, and have what is logged in it say which it is and whose."""
    outcome = ERROR
    try:
        with bound_contextvars(command=name, actor=actor, **_LATER):
            yield
        outcome = DONE
    except DutiesError as error:
        outcome = error.code
        raise
    finally:
        COMMANDS.labels(name, outcome).inc()
