"""存量台账 in Debian's chromium: a ledger is looked at, taken over, and its case is marked 导入."""

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from models.organisation import RelationKind
from services.database import open_engine
from tests.ledger_book import ledger, problem_rows
from tests.rectification_cast import begin
from tests.sheets import changed
from tests.test_web_browser import CHROMIUM, SIZES, SWITCHES, Site, _free_port
from tests.web_house import give_accounts
from tests.world import Clock, serve
from web.app import create_app

pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """The cast's town, served by the inspection office, on a free port."""
    shutil.copyfile(sqlite_template, tmp_path / "fourduties.db")
    engine = open_engine(f"sqlite:///{tmp_path / 'fourduties.db'}")
    address = f"http://127.0.0.1:{_free_port()}"
    world = begin(engine, Clock()).world
    give_accounts(world)
    serve(world, "inspection", RelationKind.INSPECTION_OFFICE)
    env = replace(world.env, base_url=address)
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


def test_a_ledger_is_taken_over_on_a_desk_and_a_phone(site: Site, tmp_path: Path) -> None:
    right, wrong = tmp_path / "台账.xlsx", tmp_path / "错误.xlsx"
    right.write_bytes(ledger())
    wrong.write_bytes(ledger(changed(problem_rows(), (4, "责任部门", "水利科"))))
    for size, view in SIZES.items():
        page = site.sign_in("inspection_head", view)
        page.goto(f"{site.address}/import")
        page.get_by_role("link", name="导入存量台账").click()
        page.set_input_files("[name=file]", wrong)
        page.click("main button[type=submit]")
        page.wait_for_selector("[data-error]")
        site.look(page, f"{size}-ledger-faults")
        page.set_input_files("[name=file]", right)
        page.fill("[name=batch]", size)
        page.click("main button[type=submit]")
        page.wait_for_selector("text=待确认的存量台账")
        site.look(page, f"{size}-ledger-preview")
        page.get_by_role("button", name="确认导入并启动").click()
        page.wait_for_selector("text=存量台账导入回执")
        site.look(page, f"{size}-ledger-receipt")
        page.click(".said a")
        page.wait_for_selector("text=按原定期限按时")
        site.look(page, f"{size}-ledger-case")
        page.get_by_role("link", name="报表重复").click()
        page.wait_for_selector("text=导入时的情况")
        site.look(page, f"{size}-ledger-problem")
