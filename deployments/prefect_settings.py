"""The environment of Prefect processes: what the server and its clients are started with.

Prefect reads its settings from the environment when it is imported, so these are handed to child
processes rather than set at run time. The figures behind them are in
``docs/decisions/prefect-settings.md``.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

POOL = "fourduties"
"""The one work pool; its type is that of the worker that the installation uses."""
WORKER_TYPE = "fourduties"
"""The type of the in-process worker, by which Prefect finds it (``prefect.collections``)."""

RUNS_KEPT = timedelta(days=30)
"""How long Prefect shows a run that has ended; the case itself is kept by us, for good."""
EVENTS_KEPT = timedelta(days=7)
"""How long Prefect keeps its events, which are a dozen for each run of the watch."""
LOGGING = Path(__file__).with_name("prefect_logging.yml")
"""How Prefect's processes log: lines of JSON, like ours (``deployments.logs``)."""


PROCESS_TYPE = "process"
"""The type of Prefect's own process worker."""


def worker_type(worker: str) -> str:
    """The type of the work pool by the setting ``worker``."""
    return PROCESS_TYPE if worker == "process" else WORKER_TYPE


class PrefectSettings(Protocol):
    """What Prefect processes need to know of ``deployments.settings.Settings``."""

    @property
    def data(self) -> Path: ...
    @property
    def worker(self) -> str: ...
    @property
    def prefect_api_url(self) -> str: ...
    @property
    def prefect_auth(self) -> str: ...
    @property
    def prefect_database_url(self) -> str: ...


def client_env(settings: PrefectSettings) -> dict[str, str]:
    """For whatever talks to the server. No server of its own is ever started in its place."""
    shared = {
        "PREFECT_HOME": str(settings.data / "prefect"),
        "PREFECT_API_URL": settings.prefect_api_url,
        "PREFECT_API_AUTH_STRING": settings.prefect_auth,
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_CLIENT_MAX_RETRIES": "3",
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_CONFIG_PATH": str(LOGGING),
        "DO_NOT_TRACK": "1",
    }
    return _filled(shared)


def server_env(settings: PrefectSettings) -> dict[str, str]:
    """For the server: behind a password, on the loopback, with the idle loops slowed down.

    Suspended runs never expire here (deadlines are rows of ours), so looking for expired ones every
    five seconds would only cost: at 10,000 waiting runs two thirds of a core.
    """
    url = urlsplit(settings.prefect_api_url)
    own = {
        "PREFECT_SERVER_API_HOST": url.hostname or "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(url.port or 4200),
        "PREFECT_SERVER_API_AUTH_STRING": settings.prefect_auth,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": settings.prefect_database_url,
        "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
        "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "600",
        "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "600",
        "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "60",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "60",
        "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "60",
        "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT30S",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(int(RUNS_KEPT.total_seconds())),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{EVENTS_KEPT.days}D",
    }
    return client_env(settings) | _filled(own)


def _filled(values: Mapping[str, str]) -> dict[str, str]:
    """An empty password means none is set: Prefect would take "" for one."""
    return {name: value for name, value in values.items() if value}
