"""What a first start makes: the demo and its log-ins, once, whatever is killed on the way."""

from pathlib import Path

import pytest

from deployments import preparing
from deployments.demo import departments, set_up
from deployments.preparing import kept_at, prepare
from deployments.root import build
from deployments.settings import Settings, load
from services.database import reading
from services.organisation import organisation_id
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


def test_a_kill_on_the_way_is_made_good_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(None, data=tmp_path)
    for place, step in ((departments, "confirm"), (set_up, "appoint_administrator")):
        with monkeypatch.context() as patched:
            patched.setattr(place, step, killed)
            with pytest.raises(KeyboardInterrupt):
                prepare(settings, print)
    assert len(prepare(settings, print)) == len(set_up.LOGINS)
    made = departments.departments(set_up.DISTRICT, set_up.NAME)
    assert known(settings, *(unit.code for unit in made.units)) == len(made.units)


def test_a_demo_of_before_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(None, data=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(set_up, "add_departments", lambda *given: None)
        before = prepare(settings, print)
    assert prepare(settings, print) == before
    assert known(settings, set_up.DISTRICT, f"{set_up.DISTRICT}-G1") == 1


def known(settings: Settings, *codes: str) -> int:
    """How many of these organisations there are."""
    env = build(settings)
    with reading(env.engine) as db:
        found = sum(organisation_id(db, code) is not None for code in codes)
    env.engine.dispose()
    return found


def killed(*given: object, **named: object) -> None:
    """The process ends here."""
    raise KeyboardInterrupt


def test_an_installation_without_demo_gets_no_log_ins(tmp_path: Path) -> None:
    assert prepare(load(None, data=tmp_path, demo=False), print) == []
