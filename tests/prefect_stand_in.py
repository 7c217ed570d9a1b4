"""A stand-in for Prefect's API client and server, as far as mirrors and events need them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
from prefect.client.schemas.objects import ArtifactCollection, FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Paused

from services.mirror import WAITING


class Server:
    """What of Prefect's API is used, in memory; ``away`` and ``refuses`` are its bad days.

    A run in ``missing`` is deleted while its state is set.
    """

    def __init__(self) -> None:
        self.runs: dict[UUID, State[Any]] = {}
        self.states: list[tuple[UUID, str]] = []
        self.artifacts: dict[str, ArtifactCollection] = {}
        self.versions = 0
        self.sent: list[str] = []
        self.events: dict[str, dict[str, Any]] = {}
        self.requests = 0
        self.away = False
        self.keeps = True
        self.missing: set[UUID] = set()
        self.refuses: Callable[[Any], int] = lambda body: 0

    def make(self, state: State[Any] | None = None) -> str:
        run_id = uuid4()
        self.runs[run_id] = state or Paused(name=WAITING)
        return str(run_id)

    async def read_flow_runs(self, flow_run_filter: Any, **_: Any) -> list[FlowRun]:
        self._ask()
        wanted = [id for id in flow_run_filter.id.any_ if id in self.runs]
        flow = uuid4()
        return [FlowRun(id=id, flow_id=flow, state=self.runs[id], name="") for id in wanted]

    async def set_flow_run_state(self, run_id: UUID, state: State[Any], force: bool) -> None:
        self._ask(state)
        if run_id in self.missing:
            raise ObjectNotFound(Exception("gone"))
        self.runs[run_id] = state
        self.states.append((run_id, f"{state.name}\n{state.message}"))

    async def read_latest_artifacts(self, artifact_filter: Any, **_: Any) -> Any:
        self._ask()
        return [self.artifacts[key] for key in artifact_filter.key.any_ if key in self.artifacts]

    async def request(self, method: str, path: str, json: Any, path_params: Any = None) -> None:
        self._ask(json)
        if path == "/events":
            self.sent += [one["id"] for one in json]
            self.events |= {one["id"]: one for one in json if self.keeps}
        elif method == "POST":
            self.versions += 1
            made = ArtifactCollection(latest_id=uuid4(), **json)
            self.artifacts[json["key"]] = made
        else:
            (one,) = [a for a in self.artifacts.values() if a.latest_id == path_params["id"]]
            self.artifacts[one.key] = one.model_copy(update=json)

    async def read_events(self, filter: Any, limit: int) -> Any:
        self._ask()
        found = [id for id in filter.id.id if str(id) in self.events]

        class Page:
            events = [type("Event", (), {"id": id}) for id in found]

        return Page

    def _ask(self, body: Any = None) -> None:
        self.requests += 1
        if self.away:
            raise httpx.ConnectError("away")
        if status := self.refuses(body):
            request = httpx.Request("POST", "http://prefect")
            raise httpx.HTTPStatusError(
                "no", request=request, response=httpx.Response(status, request=request)
            )
