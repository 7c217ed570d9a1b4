"""Settings: what is empty is filled, and secrets are made once for their owner only."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deployments.settings import load, secret


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_any_setting_everything_lives_in_var(folder: Path) -> None:
    settings = load()
    assert settings.data == folder / "var"
    assert settings.database_url == f"sqlite:///{folder / 'var' / 'fourduties.db'}"
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.own_prefect


def test_generated_secrets_are_kept_and_readable_by_their_owner_only() -> None:
    first = load()
    assert load().prefect_auth == first.prefect_auth
    assert first.prefect_auth.startswith("fourduties:")
    kept = first.secrets / "prefect-auth"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.secrets.stat().st_mode) == 0o700
    assert stat.S_IMODE(first.data.stat().st_mode) == 0o700  # addresses, which hold secrets


def test_processes_that_start_at_once_agree_on_a_secret(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: secret(folder / "one", lambda: f"text-{n}"), range(40)))
    assert len(set(made)) == 1
    assert [path.name for path in folder.iterdir()] == ["one"]


def test_a_child_process_loads_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(port=8123, sending=False, prefect_api_url="http://127.0.0.1:4300/api")
    for name, value in settings.exported().items():
        monkeypatch.setenv(name, value)
    assert load() == settings


def test_secrets_are_not_in_the_text_of_the_settings() -> None:
    settings = load(database_url="postgresql+psycopg://u:hidden@127.0.0.1/x")
    assert settings.prefect_auth not in repr(settings)
    assert "hidden" not in repr(settings)


def test_the_environment_comes_before_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "var").mkdir()
    (folder / "var" / "fourduties.env").write_text("FOURDUTIES_PORT=8001\nFOURDUTIES_HOST=::1\n")
    monkeypatch.setenv("FOURDUTIES_PORT", "8002")
    assert (load().port, load().base_url) == (8002, "http://[::1]:8002")


def test_a_prefect_server_elsewhere_is_not_ours_to_start() -> None:
    assert not load(prefect_api_url="http://prefect.intranet:4200/api").own_prefect
