"""离岗委托 in the browser: arranged on a phone by the holder, used at a desk; no page scrolls
sideways. ``FOURDUTIES_SCREENSHOTS`` names a folder that keeps the pictures.
"""

import pytest
from playwright.sync_api import Page

from deployments.demo.set_up import DISTRICT, TOWN
from tests.test_web_browser import CHROMIUM, DESK, PHONE, SIZES, TOUCH, Site, first, site

__all__ = ["site"]
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.mark.parametrize("size", SIZES)
def test_no_page_of_it_scrolls_sideways(site: Site, size: str) -> None:
    page = site.sign_in(f"{DISTRICT}.operator", SIZES[size])
    for name in ("", "/below", "/new"):
        page.goto(f"{site.address}/substitutions{name}")
        site.look(page, f"{size}-substitutions{name.replace('/', '-')}")
    page.context.close()


def test_it_is_arranged_on_a_phone_after_a_look_at_what_it_covers(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.discipline.head", PHONE)
    page.get_by_role("link", name="离岗委托").click()
    page.wait_for_selector("h1")
    site.look(page, "phone-substitutions-none")
    page.get_by_role("link", name="设立委托").click()
    page.select_option("[name=to]", label="梧桐路街道党工委书记")
    page.fill("[name=until]", "2027-03-15")
    page.click("form[method=get] button")
    page.wait_for_selector("#covers")
    shown = page.locator("#covers").bounding_box()
    assert shown is not None
    assert 0 <= shown["y"] < PHONE["height"]
    site.look(page, "phone-substitution-preview")
    for one in page.locator("main .button:visible, main .input:visible").all():
        box = one.bounding_box()
        assert box is not None
        assert box["height"] >= TOUCH, one.inner_text()
    page.fill("[name=reason]", "参加党校学习")
    page.get_by_role("button", name="确定委托").click()
    page.wait_for_selector("text=生效中")
    site.look(page, "phone-substitutions")


def test_who_stands_in_finds_the_work_and_every_page_says_for_whom(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.secretary", DESK)
    site.look(page, "desk-inbox-behalf")
    page.get_by_role("link", name="代他人").click()
    page.wait_for_selector("[aria-current=page] >> text=代他人")
    waits = int(page.locator(".tabs [aria-current=page] b").inner_text())
    assert page.locator("tr[data-row]").count() == waits > 0
    chips = page.locator("[data-kind=behalf]").all()
    assert len(chips) == waits
    for chip in chips:
        box, cell = chip.bounding_box(), chip.locator("xpath=..").bounding_box()
        assert box is not None
        assert cell is not None
        assert box["x"] + box["width"] <= cell["x"] + cell["width"]
    site.look(page, "desk-inbox-only-behalf")
    first(page, "核验问题整改")
    assert "您受委托代" in page.locator("form.decide, .decide").first.inner_text() or barred(page)
    site.look(page, "desk-step-behalf")
    page.goto(f"{site.address}/cases/1")
    site.look(page, "desk-case-behalf")
    page.goto(f"{site.address}/messages")
    assert page.get_by_text("离岗委托：").first.is_visible()
    site.look(page, "desk-messages-behalf")


def barred(page: Page) -> bool:
    """Four eyes keep them out of this one, and the page says so."""
    return page.locator("#barred").is_visible()
