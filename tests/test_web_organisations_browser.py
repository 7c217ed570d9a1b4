"""The organisation tree in Debian's chromium: branches open in place, nothing scrolls sideways."""

import pytest

from deployments.demo.set_up import DISTRICT
from tests.test_web_browser import CHROMIUM, SIZES, Site, site

__all__ = ["site"]
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.mark.parametrize("size", SIZES)
def test_a_branch_opens_in_place_and_a_unit_shows_its_posts(site: Site, size: str) -> None:
    page = site.sign_in(f"{DISTRICT}.deputy", SIZES[size])
    page.goto(f"{site.address}/organisations")
    site.look(page, f"{size}-organisations")
    page.locator("summary small").first.click()
    page.wait_for_selector(".plan li")
    site.look(page, f"{size}-organisations-open")
    page.fill("[name=name]", "梧桐路")
    page.press("[name=name]", "Enter")
    page.wait_for_selector("text=全部组织")
    site.look(page, f"{size}-organisations-found")
    page.get_by_role("link", name="梧桐路街道党工委", exact=True).first.click()
    page.wait_for_selector("#posts")
    site.look(page, f"{size}-organisation")
