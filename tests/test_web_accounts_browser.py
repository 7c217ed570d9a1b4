"""The pages of accounts in the browser: nothing scrolls sideways, slips fit on paper, and a first
password is changed there. ``FOURDUTIES_SCREENSHOTS`` names a folder that keeps the pictures.
"""

import pytest
from playwright.sync_api import Page
from sqlalchemy import insert, select

from deployments.demo.set_up import DISTRICT, TOWN
from models.account import Account
from models.base import table
from models.organisation import Appointment
from services.command import SYSTEM, Work, execute
from services.env import Env
from tests.test_web_browser import CHROMIUM, DESK, PHONE, SIZES, TOUCH, Site, site

__all__ = ["site"]
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
NEW = "seven quiet rivers"


@pytest.mark.parametrize("size", SIZES)
def test_no_page_of_accounts_scrolls_sideways(site: Site, size: str) -> None:
    for login, paths in {
        f"{TOWN}.secretary": ("/account", "/account/password", "/account/codes"),
        f"{DISTRICT}.system": ("/accounts", "/accounts?q=clerk", "/accounts?q=nobody", "/account"),
        f"{DISTRICT}.security": ("/accounts",),
        f"{DISTRICT}.audit": ("/record", "/record?act=refused"),
    }.items():
        page = site.sign_in(login, SIZES[size])
        for path in paths:
            page.goto(f"{site.address}{path}")
            name = login.rpartition(".")[2] + path.replace("/", "-").replace("?", "-")
            site.look(page, f"{size}-{name}")
        page.context.close()


def test_on_a_phone_a_thumb_hits_every_act_on_an_account(site: Site) -> None:
    page = site.sign_in(f"{DISTRICT}.security", PHONE)
    page.goto(f"{site.address}/accounts?q={TOWN}.clerk")
    for one in page.locator("main .button:visible, .who a:visible").all():
        box = one.bounding_box()
        assert box is not None
        assert box["height"] >= TOUCH, one.inner_text()


@pytest.mark.parametrize("size", SIZES)
def test_the_secret_of_codes_is_drawn_for_another_device(site: Site, size: str) -> None:
    page = site.sign_in(f"{TOWN}.clerk", SIZES[size])
    page.goto(f"{site.address}/account/codes")
    page.click("main form button[type=submit]")
    box = page.locator(".square svg").bounding_box()
    assert box is not None
    assert box["width"] == box["height"] > 150
    site.look(page, f"{size}-codes-begun")
    page.context.close()


def test_a_slip_is_made_and_its_first_password_changed(site: Site) -> None:
    system = site.sign_in(f"{DISTRICT}.system", DESK)
    system.goto(f"{site.address}/accounts")
    system.locator("select[name=unit]").select_option(label=named(system, "区委宣传部"))
    system.click("section button[type=submit]")
    system.wait_for_selector(".slip")
    site.look(system, "desk-slips")
    assert system.locator(".slip").count() == 2
    login, password = system.locator(".slip dd").all_inner_texts()[:2]
    system.emulate_media(media="print")
    site.look(system, "print-slips")
    assert system.locator(".button, .nav").filter(visible=True).count() == 0
    page = site.browser.new_context(viewport=PHONE, locale="zh-CN").new_page()
    page.goto(f"{site.address}/login")
    page.fill("[name=login]", login)
    page.fill("[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_selector("[name=old]")
    site.look(page, "phone-first-password")
    page.goto(f"{site.address}/cases")
    assert page.url.endswith("/account/password")
    for name, value in (("old", password), ("password", NEW), ("again", NEW)):
        page.fill(f"[name={name}]", value)
    page.click("form.narrow button[type=submit]")
    page.wait_for_selector("#sessions")
    assert page.locator("h1").inner_text() == "账号与安全"
    site.look(page, "phone-account")


def named(page: Page, unit: str) -> str:
    """The choice that begins with a unit's name."""
    choices = page.locator("select[name=unit] option").all_inner_texts()
    return next(choice for choice in choices if choice.startswith(unit))


def test_a_secret_for_ones_device_is_shown_and_fits(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.publicity", PHONE)
    page.goto(f"{site.address}/account/codes")
    page.click("main button[type=submit]")
    page.wait_for_selector(".secret")
    site.look(page, "phone-codes")


def give_another_post(env: Env, login: str, of: str) -> None:
    """Somebody holds what another one holds, too."""
    accounts, held = table(Account), table(Appointment)

    def act(work: Work) -> dict[str, int]:
        people = select(accounts.c.login, accounts.c.person_id)
        person = {row.login: row.person_id for row in work.db.execute(people)}
        post = select(held.c.post_id).where(held.c.person_id == person[of])
        row = {"post_id": work.db.execute(post).scalar_one(), "person_id": person[login]}
        work.db.execute(insert(held).values(row | {"starts_on": work.today}))
        return {}

    execute(env, SYSTEM, "test", f"another post for {login}", {}, act)


@pytest.mark.parametrize("size", SIZES)
def test_as_which_post_one_acts_is_said_on_every_page_and_chosen_there(
    site: Site, size: str
) -> None:
    login = f"{TOWN}.services.head"
    if size == "desk":
        give_another_post(site.env, login, f"{TOWN}.grid.head")
    page = site.sign_in(login, SIZES[size])
    site.look(page, f"{size}-several-posts")
    page.click(".acting summary")
    site.look(page, f"{size}-several-posts-open")
    for one in page.locator(".acting .button").all():
        box = one.bounding_box()
        assert box is not None
        assert size == "desk" or box["height"] >= TOUCH
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= SIZES[size]["width"]
    page.locator(".acting .button:not([aria-current])").first.click()
    page.wait_for_selector("h1")
    chosen = page.locator(".acting summary").inner_text()
    page.goto(f"{site.address}/cases")
    assert page.locator(".acting summary").inner_text() == chosen
    page.goto(f"{site.address}/account")
    site.look(page, f"{size}-account-several-posts")
    page.goto(site.address)
    page.locator("a.title").first.click()
    page.wait_for_selector("form.decide")
    site.look(page, f"{size}-step-several-posts")
