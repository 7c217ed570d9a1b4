"""组织导入 in Debian's chromium: a workbook is looked at, confirmed and taken back."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from documents.organisation_file import TERMS
from services.accounts import set_passwords
from services.calendar import seed
from services.command import SYSTEM, execute
from services.database import open_engine
from services.env import Env
from tests.organisation_books import BUREAU, DAY, book, only, small_tree
from tests.test_web_browser import CHROMIUM, SIZES, SWITCHES, Site, _free_port
from tests.web_scene import PASSWORD
from tests.world import Clock
from web.app import create_app

OPERATOR = "3199.operator"
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """A small tree, served on a free port."""
    shutil.copyfile(sqlite_template, tmp_path / "fourduties.db")
    engine = open_engine(f"sqlite:///{tmp_path / 'fourduties.db'}")
    address = f"http://127.0.0.1:{_free_port()}"
    env = Env(engine, Clock(), base_url=address)
    execute(env, SYSTEM, "calendar.seed", "calendar", {}, lambda work: {"id": seed(work)})
    small_tree(env)
    set_passwords(env, SYSTEM, {OPERATOR: PASSWORD})
    env.clock.now = env.clock().replace(year=2026, month=12)  # type: ignore[attr-defined]
    port = int(address.rpartition(":")[2])
    server = uvicorn.Server(uvicorn.Config(create_app(env), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield Site(address, browser, Path(os.environ.get("FOURDUTIES_SCREENSHOTS", tmp_path)), env)
        browser.close()
    server.should_exit = True
    thread.join(20)
    engine.dispose()


def test_a_workbook_is_imported_and_taken_back_on_a_desk_and_a_phone(
    site: Site, tmp_path: Path
) -> None:
    right, wrong = tmp_path / "组织.xlsx", tmp_path / "任职.xlsx"
    right.write_bytes(book(BUREAU))
    wrong.write_bytes(only(TERMS, ["3199", "书记", "甲", "", DAY, ""]))
    for size, view in SIZES.items():
        page = site.sign_in(OPERATOR, view)
        page.set_default_timeout(60_000)
        page.goto(f"{site.address}/organisation-imports")
        site.look(page, f"{size}-batches")
        page.set_input_files("[name=file]", wrong)
        page.click("main button[type=submit]")
        page.wait_for_selector("[data-error]")
        site.look(page, f"{size}-batches-faults")
        page.set_input_files("[name=file]", right)
        page.click("main button[type=submit]")
        page.wait_for_selector("text=核对变动")
        site.look(page, f"{size}-batch-preview")
        page.get_by_role("button", name="确认导入").click()
        page.wait_for_selector("text=导入回执")
        site.look(page, f"{size}-batch-receipt")
        page.get_by_role("link", name="撤销导入").click()
        page.wait_for_selector("text=删去这次新增的 15 行")
        site.look(page, f"{size}-batch-undo")
        page.get_by_role("button", name="撤销导入").click()
        page.wait_for_selector("text=全部恢复为导入之前的情况")
        page.context.close()
