"""The first cycle with real processes: a file is uploaded, people decide, the run completes.

Everything is started as ``make up`` starts it. Worker, Prefect server and web are killed meanwhile;
no acknowledged decision is lost (INV-1), and what must hold holds at the end (INV-2 to 6).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deployments.clock import now
from deployments.demo import TOWN, feedback
from policy.calendar import local_day
from services.catalogue import step_title
from services.invariants import violations
from tests.running_house import SAID, Api, House, house, until

DISTRICT = "319900"
PREFECT, WORKER, WEB = "prefect", "deployments.worker_process", "deployments.serving"
PATIENCE = 90
"""Seconds for what takes ten on a quiet machine."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("first-cycle")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield started
        started.close()


class Run:
    """The case's Prefect run, as the Prefect UI shows it."""

    def __init__(self, up: House, case_id: int) -> None:
        self._up, self._case_id = up, case_id

    def state(self) -> dict[str, str]:
        """Type, name and message of the run's state; {} while there is none to be read."""
        row = self._up.row('SELECT run_id FROM "case" WHERE id = :id', id=self._case_id)
        found = self._up.prefect(f"/flow_runs/{row.run_id}") if row and row.run_id else None
        return found["state"] if found else {}

    def shows(self, name: str, about: str) -> bool:
        """Whether the state has this name and its message tells of ``about``."""
        state = self.state()
        return state.get("name") == name and about in (state.get("message") or "")


def page_of(browser: Browser, up: House, login: str) -> Page:
    """A signed-in person's browser, at their inbox."""
    page = browser.new_context(base_url=up.settings.base_url, locale="zh-CN").new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.goto("/")
    page.get_by_label("用户名").fill(login)
    page.locator("input[type=password]").fill(up.password(login))
    page.locator("form.signin button[type=submit]").click()
    expect(page.locator("h1")).to_have_text("我的待办")
    return page


def test_a_feedback_becomes_a_rectification_that_ends_through_all_kills(
    up: House, browser: Browser, tmp_path: Path
) -> None:
    journal: list[dict[str, Any]] = []
    case_id = upload(browser, up, tmp_path)
    run = Run(up, case_id)

    decide_in_browser(browser, up, f"{TOWN}.secretary", "assign-roles", journal)
    see(run, "draft-plan")
    decide_in_browser(browser, up, f"{TOWN}.clerk", "draft-plan", journal, "done")
    see(run, "review-plan")
    decide_in_browser(browser, up, f"{DISTRICT}.discipline.head", "review-plan", journal, "agree")

    deciders = Deciders(up, journal)
    deciders.until_asked("approve-plan")
    see(run, "approve-plan")
    killed = {module: up.kill(module) for module in (WORKER, PREFECT)}
    deciders.until_asked("do-task")  # nobody waits for Prefect: the plan is published meanwhile
    assert up.row("SELECT count(*) AS n FROM branch").n > 17
    deciders.some(60)
    for module, pid in killed.items():
        until(f"{module} again", partial(up.replaced, module, pid), PATIENCE)
    until("the effect", lambda: effect_is_done(up), PATIENCE)
    web = up.kill(WEB)
    deciders.until_ended()
    assert up.replaced(WEB, web)

    until("the run to complete", lambda: run.state().get("type") == "COMPLETED", PATIENCE)
    assert run.state()["name"] == "办结"
    stored = {row.id: row.slot_id for row in decisions(up)}
    assert {one["decision"]: one["slot"] for one in journal}.items() <= stored.items()  # INV-1
    assert len(stored) > 370
    until("the last wake", lambda: not up.row("SELECT 1 FROM wake"), PATIENCE)
    assert [str(v) for v in violations(up.engine, local_day(now()))] == []
    assert up.said.count("已退出（signal 9）") == 3
    assert told_in_logs(up) == []


def told_in_logs(up: House) -> list[str]:
    """Files of the log, Prefect's included, with a secret or what somebody wrote in them."""
    canaries = {*up.passwords.values(), up.settings.prefect_auth.partition(":")[2], SAID}
    kept = (file.read_text().strip() for file in up.settings.secrets.iterdir() if file.is_file())
    canaries |= {secret for secret in kept if not secret.startswith("[")}
    files = sorted(file for file in up.settings.logs.rglob("*") if file.is_file())
    texts = {file.name: file.read_text(encoding="utf-8", errors="replace") for file in files}
    assert len(canaries) > 5
    assert texts["worker.log"]
    assert texts["prefect.log"]
    return [name for name, text in texts.items() if any(one in text for one in canaries)]


def upload(browser: Browser, up: House, folder: Path) -> int:
    """The inspection office's clerk uploads the file; the id of the case it opened."""
    file = folder / "feedback.xlsx"
    file.write_bytes(feedback())
    page = page_of(browser, up, f"{DISTRICT}.inspection.clerk")
    page.goto("/import")
    unit = page.locator("select[name=unit] option", has_text="梧桐路街道")
    page.locator("select[name=unit]").select_option(unit.first.get_attribute("value"))
    page.locator("input[type=file]").set_input_files(file)
    page.locator("form[action='/import'] button[type=submit]").click()
    page.wait_for_url("**/cases/*")
    page.context.close()
    return int(page.url.split("/cases/")[1].split("?")[0])


def decide_in_browser(
    browser: Browser,
    up: House,
    login: str,
    key: str,
    journal: list[dict[str, Any]],
    answer: str = "",
) -> None:
    """Open the first thing that waits, decide it, and read that it was kept."""
    slot = next(row.slot for row in up.waiting() if row.key == key and row.login == login)
    page = page_of(browser, up, login)
    page.locator(f"a.title[href='/steps/{slot}']").click()
    expect(page.locator("h1")).to_contain_text(step_title("rectification", key))
    if answer:
        page.locator(f"form#act input[name=answer][value={answer}]").check()
    page.locator("form#act button[type=submit]").click()
    page.wait_for_url(f"**done={slot}*")
    page.context.close()
    kept = up.row("SELECT id FROM decision WHERE slot_id = :slot", slot=slot)
    journal.append({"decision": kept.id, "slot": slot})


def see(run: Run, key: str) -> None:
    """The Prefect UI shows what the case waits for now."""
    title = step_title("rectification", key)
    until(f"Prefect shows {title}", lambda: run.shows("待办", title), PATIENCE)


class Deciders:
    """Everybody who is asked, at the HTTP API; each agrees."""

    def __init__(self, up: House, journal: list[dict[str, Any]]) -> None:
        self._up, self._journal = up, journal
        self._people: dict[str, Api] = {}

    def until_asked(self, key: str) -> None:
        """Decide until a step ``key`` waits, which is left alone."""
        while not any(row.key == key for row in self._up.waiting()):
            self._one()

    def some(self, number: int) -> None:
        """Decide so many."""
        for _ in range(number):
            self._one()

    def until_ended(self) -> None:
        """Decide until the case has ended."""
        while self._up.row("SELECT 1 FROM \"case\" WHERE state = 'open'"):
            self._one()
        for person in self._people.values():
            person.close()

    def _one(self) -> None:
        rows = until("somebody is asked", self._asked_or_ended, 30)
        if rows is not True:
            row = rows[0]
            if row.login not in self._people:
                self._people[row.login] = Api(self._up, row.login, self._journal)
            positive = "agree" if "agree" in row.answers else "done"
            self._people[row.login].decide(row.slot, positive)

    def _asked_or_ended(self) -> Any:
        ended = not self._up.row("SELECT 1 FROM \"case\" WHERE state = 'open'")
        return True if ended else self._up.waiting()


def effect_is_done(up: House) -> bool:
    """Whether everything that the plan had done outside is done."""
    row = up.row("SELECT count(*) AS n, sum(state = 'done') AS done FROM effect")
    return bool(row.n) and row.n == row.done


def decisions(up: House) -> list[Any]:
    with up.engine.connect() as db:
        return list(db.exec_driver_sql("SELECT id, slot_id FROM decision"))
