"""Who takes runs up, as what tends them sees it: our worker, or nobody in this process."""

from typing import Protocol

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun


class Taker(Protocol):
    """What executes runs. ``name``: the worker a new run is for, '' while nobody knows."""

    name: str

    @property
    def client(self) -> PrefectClient: ...
    @property
    def executing(self) -> frozenset[str]: ...
    async def take_up(self, flow_run: FlowRun) -> bool: ...
    def poll_soon(self) -> None: ...
    def heard_of(self, run_id: str) -> None: ...


class Bystander:
    """Takes nothing up: Prefect's own worker polls for what is scheduled."""

    name = ""
    executing: frozenset[str] = frozenset()

    def __init__(self, client: PrefectClient) -> None:
        self.client = client

    async def take_up(self, flow_run: FlowRun) -> bool:
        """It has to be scheduled."""
        return False

    def poll_soon(self) -> None:
        """The worker looks by itself."""

    def heard_of(self, run_id: str) -> None:
        """The worker looks by itself."""
