"""组织变动 in the browser: no page scrolls sideways on a desk or a phone, and a change is looked at
before it is confirmed. ``FOURDUTIES_SCREENSHOTS`` names a folder that keeps the pictures.
"""

import pytest

from deployments.demo.set_up import DISTRICT, TOWN
from tests.test_web_browser import CHROMIUM, PHONE, SIZES, TOUCH, Site, site

__all__ = ["site"]
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.mark.parametrize("size", SIZES)
def test_no_page_of_it_scrolls_sideways(site: Site, size: str) -> None:
    page = site.sign_in(f"{DISTRICT}.operator", SIZES[size])
    page.goto(f"{site.address}/changes")
    site.look(page, f"{size}-changes")
    page.goto(f"{site.address}/changes?q={TOWN}")
    page.locator("tbody th a").first.click()
    page.wait_for_selector("#posts")
    site.look(page, f"{size}-changes-unit")
    unit = page.url.rsplit("/", 1)[1]
    for what in ("create", "rename", "move", "merge", "split"):
        page.goto(f"{site.address}/changes/{what}/{unit}")
        site.look(page, f"{size}-changes-{what}")
    page.goto(f"{site.address}/changes/units/{unit}")
    for what in ("leave", "transfer", "abolish"):
        page.goto(f"{site.address}/changes/units/{unit}")
        page.locator(f'a[href^="/changes/{what}/"]').first.click()
        page.wait_for_selector("form[method=get]")
        site.look(page, f"{size}-changes-{what}")
    page.context.close()


def test_who_leaves_is_seen_with_what_stays_before_it_is_confirmed_on_a_phone(site: Site) -> None:
    page = site.sign_in(f"{DISTRICT}.operator", PHONE)
    page.goto(f"{site.address}/changes?q={TOWN}")
    page.locator("tbody th a").first.click()
    page.locator('a[href^="/changes/leave/"]').first.click()
    page.wait_for_selector("form[method=get]")
    page.click("form[method=get] button")
    page.wait_for_selector("#moves")
    shown = page.locator("#moves").bounding_box()
    assert shown is not None
    assert 0 <= shown["y"] < PHONE["height"]
    site.look(page, "phone-changes-leave-preview")
    for one in page.locator("main .button:visible, main .input:visible").all():
        box = one.bounding_box()
        assert box is not None
        assert box["height"] >= TOUCH, one.inner_text()
    page.get_by_role("button", name="确认").click()
    page.wait_for_selector("#posts")
    assert page.get_by_text("空缺").first.is_visible()
    site.look(page, "phone-changes-left")
    page.context.close()
