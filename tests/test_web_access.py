"""Who may call what: rules of the route table, sessions, origin, tokens, and what is not seen."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Connection, Engine, func, select, text
from starlette.routing import Mount

from models.base import metadata, table
from models.casework import Decision
from tests.rectification_cast import begin
from tests.web_house import HERE, PASSWORD, House, failing_commits, open_house
from tests.world import Clock
from web.access import SAFE
from web.app import ROUTERS

ADMINISTRATORS = {"/accounts", "/record"}
"""Pages that are not there for whoever holds a post."""
OPERATORS = {
    "/organisation-imports/{batch_id}",
    "/organisation-imports/{batch_id}/undo",
    "/changes",
    "/changes/units/{unit_id}",
    "/changes/{what}/{about_id}",
    "/handovers/{handover_id}",
    "/ledgers/{ledger_id}",
}
"""Pages that are not there for whoever is no 系统运维员, or was handed nothing over."""
ELSEWHERE = re.compile(
    r"^/import$|^/ledgers|/tasks$|/evidence$|/withdrawal$|/termination$|^/branches/|^/api/branches/|^/organisation-imports|/substitutions|^/account"
    r"|^/account|^/changes|^/handovers|/rerouting$|/acts/|/paper$|/withdrawn$"
)
"""What needs a file, an office or somebody else: tests of its own fail the commit of these."""
PUBLIC = {("GET", "/health"), ("GET", "/ready"), ("GET", "/login"), ("POST", "/login")}


@pytest.fixture
def house(engine: Engine) -> House:
    """The first step waits on the secretary."""
    return open_house(begin(engine, Clock()))


def every_route() -> Iterator[APIRoute]:
    """The route table of the application."""
    for part in ROUTERS:
        for route in part.router.routes:
            assert isinstance(route, APIRoute), route
            yield route


def access_of(route: APIRoute) -> object:
    """Who may call a route, as its endpoint declares; None where nothing is declared."""
    return getattr(route.endpoint, "access", None)


def routes(*, unsafe: bool) -> list[tuple[str, APIRoute]]:
    """Method and route of every endpoint that may (or may not) change something."""
    found = [(method, route) for route in every_route() for method in route.methods or ()]
    wanted = [(method, route) for method, route in found if (method not in SAFE) == unsafe]
    assert len(wanted) >= 6
    return wanted


def address(house: House, route: APIRoute) -> str:
    """The route with real ids in it."""
    ids = {"slot_id": house.slot("assign-roles"), "step_id": 1, "case_id": house.case.case_id}
    ids["problem_id"] = house.case.problems[1]
    ids |= {"evidence_id": 1, "version_id": 1, "command_id": 1, "paper_id": 1}
    ids["organisation_id"] = house.world.organisations["town"]
    ids |= {"account_id": 1, "batch_id": 1, "substitution_id": 1, "handover_id": 1, "planned_id": 1}
    ids["ledger_id"] = 1
    ids["branch_id"] = 1
    words = {"what": "rename", "about_id": 1, "unit_id": 1, "act": "transfer"}
    words["kind"] = "decision"
    return re.sub(r"{(\w+)}", lambda found: str((ids | words)[found[1]]), route.path)


def decisions(house: House) -> int:
    """How many decisions are stored."""
    with house.case.env.engine.connect() as db:
        return db.execute(select(func.count()).select_from(table(Decision))).scalar_one()


def contents(house: House) -> dict[str, list[Any]]:
    """Every row of every table."""
    with house.case.env.engine.connect() as db:
        return {t.name: list(db.execute(select(t))) for t in metadata.sorted_tables}


def test_every_route_says_who_may_call_it(house: House) -> None:
    mounted = [route for route in house.app.routes if isinstance(route, Mount)]
    assert [route.path for route in mounted] == ["/static"]
    assert len(house.app.routes) == len(ROUTERS) + 1
    for route in every_route():
        for method in route.methods or ():
            public = access_of(route) == "public"
            assert public == ((method, route.path) in PUBLIC), route.path


def test_nobody_gets_in_without_a_session(house: House) -> None:
    stranger = house.stranger()
    for _, route in routes(unsafe=False):
        if access_of(route) == "public":
            continue
        answer = stranger.get(address(house, route))
        if route.path.startswith("/api/"):
            assert answer.status_code == 401
            assert answer.json()["error"] == "not_signed_in"
        else:
            assert answer.status_code == 303
            assert answer.headers["Location"].startswith("/login?next=/")
    for method, route in routes(unsafe=True):
        if access_of(route) == "signed":
            given = {"headers": {"Origin": HERE}}
            answer = stranger.send(method, address(house, route), **given)
            assert answer.status_code == 401


def test_a_part_of_a_page_leads_to_the_log_in_as_a_whole(house: House) -> None:
    path = f"/problems/{house.case.problems[1]}/plan"
    answer = house.stranger().get(path, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login")
    assert answer.text == ""


def test_an_unsafe_request_without_the_sessions_token_is_refused(house: House) -> None:
    secretary, other = house.sign_in("secretary"), house.sign_in("clerk")
    before = contents(house)
    for method, route in routes(unsafe=True):
        if access_of(route) == "public":
            continue
        for token in ("", "wrong", other.csrf):
            answer = secretary.send(
                method,
                address(house, route),
                data={"csrf": token, "answer": "done", "key": "k" * 9, "id": "1"},
                headers={"Origin": HERE},
            )
            assert answer.status_code == 403, route.path
    assert contents(house) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": HERE},
        {"Sec-Fetch-Site": "same-site", "Origin": HERE},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_what_comes_from_another_site_is_refused_on_every_unsafe_route(
    house: House, headers: dict[str, str]
) -> None:
    secretary = house.sign_in("secretary")
    for method, route in routes(unsafe=True):
        answer = secretary.send(
            method,
            address(house, route),
            data={"csrf": secretary.csrf, "login": "clerk", "password": PASSWORD},
            headers={**headers, "X-CSRF-Token": secretary.csrf},
        )
        assert answer.status_code == 403, route.path
        assert "set-cookie" not in answer.headers


def test_opening_a_page_changes_nothing(house: House) -> None:
    secretary = house.sign_in("secretary")
    before = contents(house)
    for _, route in routes(unsafe=False):
        if route.path.startswith(("/evidence/", "/papers/")):
            continue  # what is read there is recorded: see test_web_evidence, test_web_paper
        if route.path.startswith("/import/receipts/"):
            continue  # it is there for who imported: see test_web_import
        if route.path.startswith("/receipts/"):
            continue  # it is there for who decided: see test_web_receipts
        answer = secretary.get(address(house, route))
        wanted = (404,) if route.path in ADMINISTRATORS | OPERATORS else (200, 303)
        assert answer.status_code in wanted, route.path
    assert contents(house) == before


def test_a_foreign_step_case_or_problem_answers_like_one_that_is_not_there(house: House) -> None:
    outsider = house.sign_in("outsider")
    slot, missing = house.slot("assign-roles"), 987_654
    pairs = [
        (f"/steps/{slot}", f"/steps/{missing}"),
        (f"/cases/{house.case.case_id}", f"/cases/{missing}"),
        (f"/problems/{house.case.problems[1]}", f"/problems/{missing}"),
        (f"/problems/{house.case.problems[1]}/plan", f"/problems/{missing}/plan"),
        ("/asked/1", f"/asked/{missing}"),
        (f"/api/steps/{slot}", f"/api/steps/{missing}"),
        (f"/api/cases/{house.case.case_id}", f"/api/cases/{missing}"),
    ]
    for foreign, absent in pairs:
        seen, unseen = outsider.get(foreign), outsider.get(absent)
        assert seen.status_code == unseen.status_code == 404
        assert anonymous(seen.text) == anonymous(unseen.text)
    given = {"answer": "done", "key": "k" * 20}
    posts = [outsider.post(f"/steps/{one}", given) for one in (slot, missing)]
    assert [answer.status_code for answer in posts] == [404, 404]
    assert anonymous(posts[0].text) == anonymous(posts[1].text)


def anonymous(page: str) -> str:
    """A page without the number of its request."""
    return re.sub(r"[0-9a-f]{12}", "", page)


def test_an_address_that_cannot_be_is_not_found(house: House) -> None:
    secretary = house.sign_in("secretary")
    for path in ("/steps/0", "/steps/99999999999999999999999", "/steps/x", "/nothing", "/?after=x"):
        assert secretary.get(path).status_code == 404, path


@pytest.mark.parametrize(
    "path",
    [
        "/?done=18446744073709551616",
        "/?after=0001-01-01T00:00:00%2B23:59_1",
        "/?after=9999-12-31T23:59:59-23:59_1",
    ],
)
def test_an_address_beyond_what_the_database_counts_is_not_found(house: House, path: str) -> None:
    assert house.sign_in("secretary").get(path).status_code == 404


def test_a_character_no_database_keeps_is_refused_in_every_field(house: House) -> None:
    secretary = house.sign_in("secretary")
    path = f"/steps/{house.slot('assign-roles')}"
    assert secretary.post(path, {"answer": "done", "key": "k\0" * 9}).status_code == 422
    given = {"login": "clerk\0", "password": PASSWORD}
    assert house.stranger().post("/login", given).status_code == 422


def test_the_holder_of_another_post_may_look_but_not_decide(house: House) -> None:
    clerk, slot = house.sign_in("clerk"), house.slot("assign-roles")
    page = clerk.get(f"/steps/{slot}")
    assert page.status_code == 200
    assert 'name="answer"' not in page.text
    assert clerk.post(f"/steps/{slot}", {"answer": "done", "key": "k" * 20}).status_code == 403
    assert clerk.api(f"/api/steps/{slot}/decision", {"answer": "done"}).status_code == 403
    assert decisions(house) == 0


def test_no_unsafe_route_answers_well_when_the_commit_fails(house: House) -> None:
    secretary = house.sign_in("secretary")
    form = {"answer": "done", "key": "k" * 20, "id": "1", "unit": "1", "login": "clerk"}
    for method, route in routes(unsafe=True):
        if ELSEWHERE.search(route.path):
            continue
        before = contents(house)
        with failing_commits(house.case.env.engine):
            path = address(house, route)
            if route.path.startswith("/api/"):
                answer = secretary.api(path, {"answer": "done"})
            else:
                answer = secretary.send(
                    method,
                    path,
                    data=form | {"csrf": secretary.csrf, "password": PASSWORD},
                    headers={"Origin": HERE, "Accept": "text/html"},
                )
        assert answer.status_code == 503, route.path
        assert contents(house) == before, route.path


def test_a_session_ends_when_its_person_leaves(house: House) -> None:
    secretary = house.sign_in("secretary")
    assert secretary.post("/logout").status_code == 303
    assert secretary.get("/").status_code == 303
    cookies = house.sign_in("secretary")
    clock: Any = house.case.env.clock
    clock.forward(minutes=31)
    assert cookies.get("/").status_code == 303


def test_a_log_in_is_throttled_and_says_nothing_about_the_account(house: House) -> None:
    stranger = house.stranger()
    wrong = stranger.post("/login", {"login": "secretary", "password": "wrong"})
    nobody = stranger.post("/login", {"login": "nobody", "password": "wrong"})
    assert wrong.status_code == nobody.status_code == 401
    assert wrong.text.replace("secretary", "") == nobody.text.replace("nobody", "")
    for _ in range(4):
        stranger.post("/login", {"login": "secretary", "password": "wrong"})
    held = stranger.post("/login", {"login": "secretary", "password": PASSWORD})
    assert held.status_code == 429
    assert "set-cookie" not in held.headers


@pytest.mark.parametrize(
    "target", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "x", ""]
)
def test_signing_in_leads_to_no_other_site(house: House, target: str) -> None:
    given = {"login": "clerk", "password": PASSWORD, "next": target}
    assert house.stranger().post("/login", given).headers["Location"] == "/"


def test_the_cookie_of_a_session_is_bound_to_its_host(engine: Engine) -> None:
    house = open_house(begin(engine, Clock()), secure_cookies=True)
    answer = house.stranger().post("/login", {"login": "clerk", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-fourduties=")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Strict-Transport-Security" in answer.headers


def test_answers_carry_the_headers_that_keep_pages_safe(house: House) -> None:
    secretary = house.sign_in("secretary")
    for path in ("/", "/nothing", "/api/inbox", "/health", "/login"):
        headers = secretary.get(path).headers
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Request-Id"]


def test_a_body_that_is_too_large_is_refused(house: House) -> None:
    secretary = house.sign_in("secretary")
    slot = house.slot("assign-roles")
    long = {"answer": "done", "key": "k" * 20, "reason": "长" * 400_000}
    assert secretary.post(f"/steps/{slot}", long).status_code == 413
    unsaid = secretary.send(
        "POST",
        f"/steps/{slot}",
        content=drip(),
        headers={"Origin": HERE, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert unsaid.status_code == 413
    big = {"file": ("a.xlsx", b"x" * (22 << 20))}
    assert secretary.post("/import", {}, files=big).status_code == 413


async def drip() -> AsyncIterator[bytes]:
    """A body that does not say how long it is."""
    for _ in range(20):
        yield b"x" * 70_000


def test_an_error_nobody_foresaw_says_nothing_of_itself(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object, **given: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("web.routes.done.done_by", fail)
    answer = house.sign_in("secretary").get("/done")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert answer.headers["Content-Security-Policy"]
    assert "secret of the house" in caplog.text


def test_a_statement_that_the_tables_do_not_know_is_no_busy_system(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite calls it by the same name as a lock: whoever waits for it waits for ever."""

    def ask(db: Connection, *args: object, **given: object) -> None:
        db.execute(text("SELECT missing FROM organisation"))

    monkeypatch.setattr("web.routes.done.done_by", ask)
    answer = house.sign_in("secretary").get("/done")
    assert answer.status_code == 500
    assert "系统繁忙" not in answer.text
    assert "missing" in caplog.text


def test_the_drain_of_the_process_runs_while_it_serves(house: House) -> None:
    async def life() -> None:
        async with house.app.router.lifespan_context(house.app):
            site = house.app.state.site
            assert any(thread.name == "drain" for thread in threading.enumerate())
            site.env.nudge()

    asyncio.run(life())
    assert not any(thread.name == "drain" for thread in threading.enumerate())


def test_the_process_says_that_it_lives_and_can_serve(house: House) -> None:
    stranger = house.stranger()
    assert stranger.get("/health").json() == {"ok": True}
    assert stranger.get("/ready").json() == {"ready": True}
