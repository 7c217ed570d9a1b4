"""What Prefect's processes are started with is what Prefect understands by it."""

from datetime import timedelta
from pathlib import Path

import pytest
from prefect.settings import Settings

from deployments.prefect_settings import EVENTS_KEPT, RUNS_KEPT, server_env
from deployments.settings import load


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as a server reads them."""
    ours = load(
        env_file=None,
        data=tmp_path,
        prefect_api_url="http://127.0.0.1:4321/api",
        prefect_database_url="postgresql+asyncpg://prefect@127.0.0.1/prefect",
        prefect_auth="fourduties:secret",
    )
    for name, value in server_env(ours).items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_every_name_is_one_that_prefect_knows(server: Settings, tmp_path: Path) -> None:
    """A misspelt name would be ignored in silence: each is found again in what was read."""
    known = server.to_environment_variables(exclude_unset=True)
    given = server_env(load(env_file=None, data=tmp_path, prefect_auth="fourduties:secret"))
    unknown = set(given) - set(known) - {"DO_NOT_TRACK"}
    assert unknown == set()


def test_the_server_listens_where_it_is_told_and_asks_for_the_password(server: Settings) -> None:
    assert (server.server.api.host, server.server.api.port) == ("127.0.0.1", 4321)
    secret = server.server.api.auth_string
    assert secret is not None
    assert secret.get_secret_value() == "fourduties:secret"
    assert not server.server.analytics_enabled
    assert not server.server.ephemeral.enabled


def test_idle_loops_are_slow_and_what_is_old_is_deleted(server: Settings) -> None:
    services = server.server.services
    assert services.pause_expirations.loop_seconds == 600
    assert services.cancellation_cleanup.loop_seconds == 600
    assert services.db_vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert services.db_vacuum.retention_period == RUNS_KEPT
    assert server.server.events.retention_period == EVENTS_KEPT
    assert timedelta(days=1) < EVENTS_KEPT <= RUNS_KEPT


def test_a_busy_sqlite_is_waited_for(server: Settings) -> None:
    assert server.server.database.timeout == 60
    assert server.server.database.connection_timeout == 60
    assert server.client.max_retries == 3
