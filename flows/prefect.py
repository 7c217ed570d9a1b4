"""Turns each mechanism into a Prefect flow, a line each; nothing else here knows Prefect.

A case's run does its ready effects, then completes when the case has ended, or else suspends and
leaves its process. What is to be done is decided in ``services``: a run may be started, resumed or
repeated at any time and does no harm. Nothing that could name a person or a problem reaches
Prefect: errors are passed on by the name of their class only (design §9).
"""

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Never
from uuid import uuid4

from prefect import Flow, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, Pause
from prefect.states import Completed, Paused
from structlog.contextvars import bound_contextvars

from flows import rectification as rectification_script
from flows import vacancy as vacancy_script
from services.casework import Casework, claim_effect, fail_effect, finish_effect, ready_effects
from services.database import reading
from services.env import Env, installed
from services.metrics import DONE, EFFECTS
from services.mirror import Mirror, mirror, wrote
from services.runs import carried_on_here, case_of
from services.watch import look

RETRY_AFTER: list[float] = [1, 3, 10]
"""Seconds before an effect that failed is tried again; after the last one the operator is asked."""
_log = logging.getLogger(__name__)


class Withheld(Exception):
    """What went wrong, as Prefect may show it: the class of the error and nothing of its text."""

    def __init__(self, kind: str, attempt: int | None = None) -> None:
        super().__init__(kind)
        self.attempt = attempt


def case_flow(script: Callable[[Casework], None]) -> Flow[[str], State[Any]]:
    """The flow of a mechanism's cases, named and described as its script is."""

    def run(number: str) -> State[Any]:
        with bound_contextvars(case=number), discreet():
            return carry_on(installed(), number)

    made = flow(name=script.__name__, description=inspect.getdoc(script), persist_result=False)
    return made(run)


def carry_on(env: Env, number: str) -> State[Any]:
    """Do what can be done for a case now; the state to end with, if it does not suspend.

    The run of a case that a newer version opened suspends again: a worker of that version wakes it.
    """
    case_id = case_of(env, number)
    if not carried_on_here(env, case_id):
        suspend(env, case_id, mirror(env, case_id))
    while do_effects(env, case_id):
        pass
    shown = mirror(env, case_id)
    if not shown.ended:
        suspend(env, case_id, shown)
    return Completed(name=shown.name, message=shown.message)


def do_effects(env: Env, case_id: int) -> int:
    """Run the effects of a case that are ready, in their order; how many there were."""
    with reading(env.engine) as db:
        ready = ready_effects(db, case_id)
    for effect in ready:
        state = run_effect(effect.id, effect.name, return_state=True)
        if not state.is_completed():
            error = state.result(raise_on_failure=False)
            attempt = error.attempt if isinstance(error, Withheld) else None
            kind = str(error if isinstance(error, Withheld) else state.type)
            fail_effect(env, effect.id, kind, attempt)
            EFFECTS.labels(effect.name, "failed").inc()
    return len(ready)


@task(
    name="effect",
    task_run_name="{name} {effect_id}",
    retries=len(RETRY_AFTER),
    retry_delay_seconds=RETRY_AFTER,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def run_effect(effect_id: int, name: str) -> None:
    """Claim an effect, run it outside any lock, record what it came to (rule I)."""
    env = installed()
    call = claim_effect(env, effect_id)
    if call is not None:
        with discreet(call.attempt):
            finish_effect(env, effect_id, call.run())
        EFFECTS.labels(name, DONE).inc()


def suspend(env: Env, case_id: int, shown: Mirror) -> Never:
    """Leave the process until there is something to do, showing what the case waits for.

    Under a fresh key each time: a key that was used once refuses every later resume. Aborts when
    the server says no, because the run was cancelled meanwhile.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("only a flow run can suspend")
    if not isinstance(context.client, SyncPrefectClient):
        raise RuntimeError("a case's flow is a synchronous one")
    waiting: State[Any] = Paused(
        name=shown.name, message=shown.message, reschedule=True, pause_key=str(uuid4())
    )
    answer = context.client.set_flow_run_state(context.flow_run.id, waiting)
    if answer.status is not SetStateStatus.ACCEPT:
        raise Abort(f"not suspended: {answer.status.value}")
    wrote(env, case_id, shown.text)
    raise Pause(state=answer.state)


@contextmanager
def discreet(attempt: int | None = None) -> Iterator[None]:
    """Log where an error was raised, pass on its class only; ``attempt`` is that of an effect."""
    try:
        yield
    except Withheld:
        raise
    except Exception as error:
        _log.exception("a flow failed")
        raise Withheld(type(error).__name__, attempt) from None


rectification = case_flow(rectification_script.rectification)
vacancy = case_flow(vacancy_script.vacancy)


@flow(name="watch", persist_result=False)
def watch() -> None:
    """Raises what is overdue and sends what is to be told; every minute, missed ones caught up."""
    with discreet():
        look(installed())
