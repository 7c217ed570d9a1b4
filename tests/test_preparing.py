"""What a first start makes: the demo and its log-ins, once, whatever is killed on the way."""

from pathlib import Path

import pytest

from deployments import preparing
from deployments.preparing import kept_at, prepare
from deployments.root import build
from deployments.settings import load
from services.session import sign_in


def test_the_first_start_makes_the_demo_and_the_second_finds_it(tmp_path: Path) -> None:
    settings, said = load(None, data=tmp_path), list[str]()
    first = prepare(settings, said.append)
    again = prepare(settings, said.append)
    assert first == again
    assert len(said) == 1
    kept = kept_at(settings)
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_kill_before_the_passwords_are_given_loses_no_log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(None, data=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(preparing, "give", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(settings, print)
    promised = kept_at(settings).read_text(encoding="utf-8")
    login = prepare(settings, print)[0]
    assert login.password in promised
    env = build(settings)
    where = {"address": "127.0.0.1", "login": login.login, "password": login.password}
    assert sign_in(env, **where)
    env.engine.dispose()


def killed(*given: object) -> None:
    """The process ends here."""
    raise KeyboardInterrupt


def test_an_installation_without_demo_gets_no_log_ins(tmp_path: Path) -> None:
    assert prepare(load(None, data=tmp_path, demo=False), print) == []
