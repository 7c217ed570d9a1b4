"""The pages of accounts: what is open to whom, what comes first, and what is shown once."""

import re
from html import unescape
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Engine, select, update

from models.account import Account
from models.base import metadata, table
from policy.administration import AdministratorRole
from services.factor import begin_factor
from tests.account_scene import (
    account_id,
    administrator,
    bare,
    code_of,
    enter,
    hold,
    house,
    leave,
    with_rules,
)
from tests.web_house import HERE, PASSWORD, Browser, House, failing_commits
from web.access import SAFE
from web.app import ROUTERS
from web.words import scannable

_accounts = table(Account)
NEW = "seven quiet rivers"
ACCOUNTS = {"/accounts/{account_id}/" + act for act in ("close", "reopen")}
CARE = {"/accounts/{account_id}/" + act for act in ("reset", "recover", "end")}
THEIRS: dict[str, set[str]] = {
    "system": {"/accounts", "/accounts/make", *ACCOUNTS},
    "security": {"/accounts", *CARE},
    "audit": {"/record"},
    "secretary": set(),
    "operator": set(),
}
"""The routes of administration that are there for whom."""
KEPT = {"account", "session", "second_factor", "account_event", "administrator", "login_failure"}
"""What administrators may write; and beside it only that a command was carried out."""


@pytest.fixture
def at(engine: Engine) -> House:
    return house(engine)


def routes() -> list[tuple[str, APIRoute]]:
    """Every method and route of the application."""
    found = [r for part in ROUTERS for r in part.router.routes if isinstance(r, APIRoute)]
    return [(method, route) for route in found for method in route.methods or ()]


def administrative() -> list[tuple[str, APIRoute]]:
    """The routes of administration, by their address."""
    return [(m, r) for m, r in routes() if r.path.startswith(("/accounts", "/record"))]


def call(browser: Browser, method: str, path: str, **form: str) -> Any:
    """A request as a form of ours would make it."""
    if method in SAFE:
        return browser.get(path)
    return browser.post(path, {"key": "k" * 9 + path.replace("/", "-"), **form})


def business(at: House) -> dict[str, list[Any]]:
    """Every row that is not about accounts."""
    with at.world.env.engine.connect() as db:
        return {
            t.name: list(db.execute(select(t)))
            for t in metadata.sorted_tables
            if t.name not in KEPT | {"command", "audit", "audit_head"}
        }


def test_every_route_of_administration_is_somebodys_and_nobodys_twice_but_the_list() -> None:
    there = {route.path for _, route in administrative()}
    assert there == set.union(*THEIRS.values())
    shared = {p for p in there if sum(p in theirs for theirs in THEIRS.values()) > 1}
    assert shared == {"/accounts"}


@pytest.mark.parametrize("login", THEIRS)
def test_each_is_let_in_where_it_is_theirs_and_nowhere_else(at: House, login: str) -> None:
    browser, clerk = at.sign_in(login), account_id(at.world.env, "clerk")
    for method, route in administrative():
        path = route.path.replace("{account_id}", str(clerk))
        answer = call(browser, method, path, unit=str(at.world.organisations["town"]))
        assert (answer.status_code != 404) == (route.path in THEIRS[login]), route.path


@pytest.mark.parametrize("role", AdministratorRole)
def test_no_administrator_changes_any_business_by_any_route(
    at: House, role: AdministratorRole
) -> None:
    browser, before = at.sign_in(role.value), business(at)
    ids = {"slot_id": at.slot("assign-roles"), "step_id": 1, "case_id": at.case.case_id}
    ids |= {"problem_id": at.case.problems[1], "account_id": 1}
    words = {"act": "transfer"} | {name: str(id) for name, id in ids.items()}
    for method, route in routes():
        if method in SAFE or route.path in ("/login", "/logout"):
            continue
        path = re.sub(r"{(\w+)}", lambda found: words.get(found[1], "1"), route.path)
        form = {"answer": "done", "reason": "x", "unit": "1", "id": "1"}
        if path.startswith("/api/"):
            browser.api(path, {"answer": "done", "reason": "x"})
        else:
            call(browser, method, path, **form)
    assert business(at) == before


def test_a_first_password_opens_nothing_but_its_change(at: House) -> None:
    slips = make(at, "town")
    login, first = slips[0]
    browser = at.stranger()
    browser.post("/login", {"login": login, "password": first})
    page = browser.get("/account/password")
    browser.csrf = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
    ids = {"slot_id": at.slot("assign-roles"), "step_id": 1, "case_id": at.case.case_id}
    ids |= {"problem_id": at.case.problems[1], "account_id": 1}
    words = {"act": "transfer"} | {name: str(id) for name, id in ids.items()}
    open_to_it = {"/account/password", "/logout"}
    for method, route in routes():
        if getattr(route.endpoint, "access", "") != "signed" or route.path in open_to_it:
            continue
        path = re.sub(r"{(\w+)}", lambda found: words.get(found[1], "1"), route.path)
        answer = browser.get(path) if method in SAFE else browser.post(path, {"key": "k" * 9})
        if path.startswith("/api/"):
            assert answer.status_code == 403, path
            assert answer.json()["error"] == "password_change_needed"
        elif method in SAFE:
            assert answer.headers.get("Location") == "/account/password", path
        else:
            assert answer.status_code == 403, path
    given = {"old": first, "password": NEW, "again": NEW}
    assert browser.post("/account/password", given).headers["Location"] == "/account"
    assert browser.get("/account").status_code == 200
    assert browser.get("/").status_code == 200


def make(at: House, unit: str) -> list[tuple[str, str]]:
    """A new person of a unit, and the slips that the system administrator is shown."""
    bare(at.world, "宣传委员", unit)
    system = at.sign_in("system")
    page = system.post(
        "/accounts/make", {"key": "make it", "unit": str(at.world.organisations[unit])}
    )
    assert page.status_code == 200, page.text
    return re.findall(r"<dd>([^<]+)</dd><dt>[^<]+</dt><dd>([^<]+)</dd>", page.text)


def test_slips_are_shown_once_and_a_reload_says_so(at: House) -> None:
    assert len(make(at, "town")) == 1
    again = at.sign_in("system")
    form = {"key": "make it", "unit": str(at.world.organisations["town"])}
    answer = again.post("/accounts/make", form)
    assert answer.status_code == 409
    assert "密码只显示一次" in answer.text


def test_the_pages_of_ones_own_account_are_there_for_everybody(at: House) -> None:
    for login in ("clerk", "system", "audit"):
        browser = at.sign_in(login)
        for path in ("/account", "/account/password", "/account/codes"):
            assert browser.get(path).status_code == 200, path
        assert f"用户名 {login}" in browser.get("/account").text


def test_what_is_wrong_with_a_new_password_is_said_and_nothing_typed_comes_back(at: House) -> None:
    clerk = at.sign_in("clerk")
    tried = [
        ("wrong", NEW, NEW, "原密码不对"),
        (PASSWORD, NEW, "something else", "两次输入的新密码不一样"),
        (PASSWORD, "short", "short", "密码至少 12 个字符"),
        (PASSWORD, "Password2026!", "Password2026!", "密码太容易猜到"),
        (PASSWORD, PASSWORD, PASSWORD, "新密码不能与原密码相同"),
    ]
    for old, new, again, said in tried:
        form = {"old": old, "password": new, "again": again}
        answer = clerk.post("/account/password", form)
        assert answer.status_code == 422
        assert said in answer.text
        assert not any(f'value="{typed}"' in answer.text for typed in (old, new, again))


def test_codes_are_taken_up_and_asked_for_at_the_door(at: House) -> None:
    clerk = at.sign_in("clerk")
    assert clerk.post("/account/codes", {"key": "k" * 9}).status_code == 303
    who = enter(at.world.env, "clerk")
    page = clerk.get("/account/codes").text
    assert re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", page)
    (address,) = re.findall(r'href="(otpauth:[^"]+)"', page)
    assert scannable(unescape(address)) in page
    wrong = clerk.post("/account/codes/confirm", {"key": "w" * 9, "code": "000000"})
    assert wrong.status_code == 422
    form = {"key": "c" * 9, "code": code_of(at.world.env, who)}
    assert clerk.post("/account/codes/confirm", form).status_code == 303
    assert "otpauth" not in clerk.get("/account/codes").text
    clock: Any = at.world.env.clock
    clock.forward(seconds=30)
    door = at.stranger()
    given = {"login": "clerk", "password": PASSWORD}
    without = door.post("/login", given)
    assert without.status_code == 401
    assert door.post("/login", given | {"code": code_of(at.world.env, who)}).status_code == 303


def test_one_log_in_for_several_posts_says_as_which_one_acts(at: House) -> None:
    hold(at.world, "deputy", "secretary")
    secretary = at.sign_in("secretary")
    page = secretary.get("/").text
    assert "以 梧桐路街道党工委书记 身份" in page
    assert f'/?post={at.world.posts["deputy"]}"' in page
    form = {"post": str(at.world.posts["deputy"]), "next": "/cases"}
    assert secretary.post("/account/post", form).headers["Location"] == "/cases"
    assert "以 梧桐路街道党工委副书记 身份" in secretary.get("/cases").text
    whole, own = secretary.get("/").text, secretary.get(f"/?post={at.world.posts['deputy']}").text
    slot = at.slot("assign-roles")
    assert f'href="/steps/{slot}"' in whole, "everything stays in one list"
    assert f'href="/steps/{slot}"' not in own
    asked = secretary.get(f"/steps/{slot}").text
    assert "这一项问的是 梧桐路街道党工委书记" in asked
    foreign = {"post": str(at.world.posts["outsider"])}
    assert secretary.post("/account/post", foreign).status_code == 404
    assert secretary.get(f"/?post={at.world.posts['outsider']}").status_code == 404
    leave(at.world, "deputy")
    assert "以 梧桐路街道党工委副书记 身份" not in secretary.get("/").text


def test_a_page_where_a_leaver_was_leads_to_the_door(at: House) -> None:
    clerk = at.sign_in("clerk")
    leave(at.world, "clerk")
    assert clerk.get("/").headers["Location"] == "/login?next=/"


def test_a_search_is_a_text_whatever_is_in_it(at: House) -> None:
    system, audit = at.sign_in("system"), at.sign_in("audit")
    for text in ("%00", "%25", "'", "\\", "x" * 5000, "%F0%9F%8C%8A"):
        assert system.get(f"/accounts?q={text}").status_code == 200, text
        assert audit.get(f"/record?q={text}").status_code == 200, text
    assert audit.get("/record?act=refused").status_code == 200
    assert audit.get("/record?act=nothing").status_code == 404


def test_no_route_of_accounts_answers_well_when_the_commit_fails(at: House) -> None:
    clerk = account_id(at.world.env, "clerk")
    bare(at.world, "宣传委员", "town")
    forms = {
        "/account/password": {"old": PASSWORD, "password": NEW, "again": NEW},
        "/account/post": {"post": str(at.world.posts["secretary"])},
        "/accounts/make": {"unit": str(at.world.organisations["town"])},
    }
    owners = {path: login for login, paths in THEIRS.items() for path in paths}
    begin_factor(at.world.env, enter(at.world.env, "clerk"), key="one to recover")
    for method, route in routes():
        if method in SAFE or not route.path.startswith("/account"):
            continue
        if route.path.startswith("/account/codes/"):
            continue  # refused for their code, before anything is written
        browser = at.sign_in(owners.get(route.path, "secretary"))
        if route.path.endswith("/reopen"):
            with at.world.env.engine.begin() as db:
                db.execute(update(_accounts).where(_accounts.c.id == clerk).values(disabled=True))
        path = route.path.replace("{account_id}", str(clerk))
        with failing_commits(at.world.env.engine):
            answer = call(browser, method, path, **forms.get(route.path, {}))
        assert answer.status_code == 503, route.path


def test_administrators_who_owe_codes_are_led_to_them(at: House) -> None:
    with_rules(at.world, administrators_need_codes=True)
    at.app.state.site = type(at.app.state.site)(at.world.env, at.app.state.site.pages)
    audit = at.stranger()
    audit.post("/login", {"login": "audit", "password": PASSWORD})
    assert audit.get("/record").headers["Location"] == "/account/codes"
    assert "启用后才能使用其他功能" in audit.get("/account/codes").text


def test_the_record_page_names_no_log_in_that_is_not_there(at: House) -> None:
    at.stranger().post("/login", {"login": "my secret words", "password": "x"})
    page = at.sign_in("audit").get("/record").text
    assert "没有这个用户名" in page
    assert "my secret words" not in page


def test_the_record_page_says_that_there_are_more_than_it_counts(
    at: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = at.sign_in("audit")
    assert "共 1 条" in audit.get("/record").text
    monkeypatch.setattr("services.account_record.COUNTED", 0)
    monkeypatch.setattr("web.routes.record.COUNTED", 0)
    assert "超过 0 条" in audit.get("/record").text


def test_an_administrator_below_sees_only_what_is_below(at: House) -> None:
    administrator(at.world, AdministratorRole.SYSTEM, "town")
    page = at.sign_in("town.system").get("/accounts").text
    assert "clerk" in page
    assert "outsider" not in page
    assert HERE not in page
