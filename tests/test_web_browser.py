"""Every page in Debian's chromium: nothing scrolls sideways, and a decision can be made there.

``FOURDUTIES_SCREENSHOTS`` names a folder that keeps the pictures.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from deployments.demo.set_up import DISTRICT, TOWN
from services.catalogue import translated
from services.database import open_engine
from services.env import Env, SignInRules
from services.file_store import FileStore
from tests.rectification_cast import MECHANISMS
from tests.web_scene import PASSWORD, in_the_middle
from tests.world import Clock
from web.app import create_app

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK, PHONE = ViewportSize(width=1366, height=768), ViewportSize(width=390, height=844)
SIZES = {"desk": DESK, "phone": PHONE}
FEEDBACK = Path(__file__).parents[1] / "deployments" / "demo" / "feedback.xlsx"
TOUCH = 44
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@dataclass
class Site:
    """A served scene, and the browser that looks at it."""

    address: str
    browser: Browser
    pictures: Path
    env: Env

    def sign_in(self, login: str, size: ViewportSize, scheme: str = "light") -> Page:
        """A new window with somebody signed in."""
        window = self.browser.new_context(viewport=size, color_scheme=scheme, locale="zh-CN")  # type: ignore[arg-type]
        page = window.new_page()
        page.set_default_timeout(20_000)
        page.goto(f"{self.address}/login")
        page.fill("[name=login]", login)
        page.fill("[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_selector("h1")
        return page

    def look(self, page: Page, name: str) -> None:
        """Nothing is wider than the window; the picture is kept."""
        page.screenshot(path=self.pictures / f"{name}.png", full_page=True)
        wide, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window, f"{name}: {wide} > {window}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Site]:
    """The district in the middle of its rectification, served on a free port."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copyfile(sqlite_template, folder / "fourduties.db")
    engine = open_engine(f"sqlite:///{folder / 'fourduties.db'}")
    clock, address = Clock(), f"http://127.0.0.1:{_free_port()}"
    env = Env(
        engine,
        clock,
        MECHANISMS,
        base_url=address,
        words=translated,
        sign_in=SignInRules("of a test"),
        files=FileStore(folder / "files"),
    )
    in_the_middle(env, clock)
    app = create_app(env, prefect_ui_url="http://prefect.test", demo=True)
    port = int(address.rpartition(":")[2])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        kept = Path(os.environ.get("FOURDUTIES_SCREENSHOTS", folder))
        yield Site(address, browser, kept, env)
        browser.close()
    server.should_exit = True
    thread.join(20)
    engine.dispose()


def _free_port() -> int:
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first(page: Page, title: str) -> None:
    """Open the first row of the inbox whose title begins so."""
    page.locator("a.title", has_text=title).first.click()
    page.wait_for_selector("h1")


@pytest.mark.parametrize("size", SIZES)
def test_no_page_scrolls_sideways(site: Site, size: str) -> None:
    page = site.sign_in(f"{TOWN}.secretary", SIZES[size])
    for name, path in (
        ("inbox", "/"),
        ("done", "/done"),
        ("messages", "/messages"),
        ("cases", "/cases"),
        ("case", "/cases/1"),
        ("problem", "/problems/3"),
        ("no-import", "/import"),
        ("not-found", "/nothing"),
    ):
        page.goto(f"{site.address}{path}")
        site.look(page, f"{size}-{name}")
    page.goto(site.address)
    first(page, "督促逾期事项")
    site.look(page, f"{size}-duty")


@pytest.mark.parametrize("size", SIZES)
def test_no_step_scrolls_sideways_whatever_it_asks(site: Site, size: str) -> None:
    for login, title in (
        (f"{TOWN}.party-building.clerk", "落实整改任务"),
        (f"{TOWN}.services.head", "确认任务完成情况"),
        (f"{TOWN}.discipline.head", "核验问题整改"),
        (f"{TOWN}.discipline.head", "研判长期逾期事项"),
        (f"{DISTRICT}.operator", "处理失败的自动事项"),
    ):
        page = site.sign_in(login, SIZES[size])
        site.look(page, f"{size}-inbox-{login}")
        first(page, title)
        site.look(page, f"{size}-step-{title}")
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_log_in_page_is_narrow_enough(site: Site, scheme: str) -> None:
    window = site.browser.new_context(viewport=PHONE, color_scheme=scheme)  # type: ignore[arg-type]
    page = window.new_page()
    page.goto(f"{site.address}/cases")
    site.look(page, f"phone-login-{scheme}")
    assert page.url.endswith("/login?next=/cases")


def test_on_a_phone_a_thumb_hits_everything_that_acts(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.discipline.head", PHONE)
    first(page, "核验问题整改")
    acting = page.locator(".button:visible, .choice:visible, .nav a:visible, .input:visible")
    for one in acting.all():
        box = one.bounding_box()
        assert box is not None
        assert box["height"] >= TOUCH, one.inner_text()


def test_a_step_is_decided_in_the_browser_and_the_next_one_opens(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.services.head", DESK)
    waiting = int(page.locator(".nav b").first.inner_text())
    first(page, "确认任务完成情况")
    page.get_by_label("退回").check()
    page.click("form.decide button[type=submit]")
    page.wait_for_selector("[data-error]")
    assert page.locator("[data-error]").inner_text().startswith("没有提交，您填的内容没有丢")
    assert page.get_by_label("退回").is_checked()
    site.look(page, "desk-step-error")
    page.get_by_label("同意").check()
    page.click("form.decide button[type=submit]")
    page.wait_for_selector("[role=status]")
    assert "已办理：确认任务完成情况，同意" in page.locator("[role=status]").inner_text()
    assert page.locator("h1").inner_text().startswith("确认任务完成情况")
    assert int(page.locator(".nav b").first.inner_text()) == waiting - 1
    site.look(page, "desk-step-next")


def test_the_keyboard_walks_the_list_and_opens_a_row(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.city.clerk", DESK)
    for key in ("j", "j", "k"):
        page.keyboard.press(key)
    row = page.locator("[data-cursor]")
    assert row.count() == 1
    site.look(page, "desk-inbox-keys")
    title = row.locator("a.title").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_selector("form.decide")
    assert page.locator("h1").inner_text() == title


def test_a_problem_opens_in_place_and_pages_work_without_scripts(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.clerk", DESK)
    page.goto(f"{site.address}/cases/1?before=12")
    page.locator("a", has_text="报送整改方案").first.click()
    page.locator("summary").first.click()
    page.wait_for_selector(".plan table")
    site.look(page, "desk-step-plan")
    window = site.browser.new_context(viewport=PHONE, java_script_enabled=False)
    window.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    plain = window.new_page()
    plain.goto(page.url)
    plain.locator("summary").first.click()
    assert plain.locator(".plan a").first.is_visible()


def test_a_feedback_is_uploaded_in_the_browser_and_its_faults_are_read_there(
    site: Site, tmp_path: Path
) -> None:
    page = site.sign_in(f"{DISTRICT}.inspection.clerk", DESK)
    page.goto(f"{site.address}/import")
    page.select_option("[name=unit]", label="梧桐路街道党工委")
    page.set_input_files("[name=file]", FEEDBACK)
    page.click("main button[type=submit]")
    page.wait_for_selector("[data-error]")
    assert "已经导入过" in page.locator("[data-error]").inner_text()
    page.select_option("[name=unit]", index=2)
    page.fill("[name=batch]", "第二轮")
    page.set_input_files("[name=file]", FEEDBACK)
    page.click("main button[type=submit]")
    page.wait_for_selector("tbody tr")
    assert "什么也没有保存" in page.locator("[data-error]").inner_text()
    assert page.input_value("[name=batch]") == "第二轮"
    site.look(page, "desk-import-faults")


def test_the_roles_form_fits_a_desk_and_a_phone(site: Site) -> None:
    page = site.sign_in(f"{DISTRICT}.inspection.clerk", DESK)
    page.goto(f"{site.address}/import")
    page.select_option("[name=unit]", label="梧桐路街道党工委")
    page.fill("[name=batch]", "第三轮")
    page.set_input_files("[name=file]", FEEDBACK)
    page.click("main button[type=submit]")
    page.wait_for_selector(".strip")
    for size, view in SIZES.items():
        page = site.sign_in(f"{TOWN}.secretary", view)
        first(page, "点题领题")
        site.look(page, f"{size}-step-roles")
        assert page.locator(".roles select").count() == 17 * 4


def test_paper_has_no_navigation_and_no_buttons(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.secretary", DESK)
    page.goto(f"{site.address}/cases/1")
    page.emulate_media(media="print")
    site.look(page, "print-case")
    assert page.locator(".nav, .button").filter(visible=True).count() == 0


def test_a_case_is_terminated_with_the_keyboard_and_says_so_afterwards(site: Site) -> None:
    """The last test of the file: its case has ended then."""
    phone = site.sign_in(f"{DISTRICT}.deputy", PHONE)
    phone.goto(f"{site.address}/cases/1/termination")
    site.look(phone, "phone-termination")
    for act in phone.locator("form.decide .button").all():
        box = act.bounding_box()
        assert box is not None
        assert box["height"] >= TOUCH
    page = site.sign_in(f"{DISTRICT}.deputy", DESK)
    page.goto(f"{site.address}/cases/1")
    site.look(page, "desk-case-before-termination")
    page.get_by_role("link", name="终止这一事项").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#reason")
    site.look(page, "desk-termination")
    page.locator("#reason").focus()
    page.keyboard.type("机构改革，整改任务并入新单位")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=已终止")
    assert page.locator(".notice", has_text="整改任务并入新单位").is_visible()
    assert "160 / 160" not in page.locator(".figures").inner_text()
    site.look(page, "desk-terminated")
    phone.goto(f"{site.address}/cases/1")
    site.look(phone, "phone-terminated")
