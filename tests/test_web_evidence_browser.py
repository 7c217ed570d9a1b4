"""Evidence in Debian's chromium: several files dropped at once, and each seen in its page."""

import pytest
from playwright.sync_api import FilePayload, Locator, Page

from deployments.demo.set_up import TOWN
from tests.evidence_scene import docx, pdf, png
from tests.test_web_browser import CHROMIUM, DESK, PHONE, TOUCH, Site, first, site

__all__ = ["site"]
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
RED = b"0.8 0.1 0.1 rg 0 0 300 200 re f"
DROP = """
({names, contents}) => {
  const held = new DataTransfer();
  names.forEach((name, at) => held.items.add(new File([Uint8Array.from(contents[at])], name)));
  const area = document.querySelector("[data-drop]");
  for (const kind of ["dragover", "drop"])
    area.dispatchEvent(new DragEvent(kind, {dataTransfer: held, bubbles: true, cancelable: true}));
}
"""


def drop(page: Page, files: dict[str, bytes]) -> None:
    """Let go of files over the form."""
    given = {"names": list(files), "contents": [list(data) for data in files.values()]}
    page.evaluate(DROP, given)


def seen(page: Page, what: Locator) -> None:
    """Bring something into sight and wait until it is painted there, as a person does.

    Until then chromium gives a click to what was painted in its place: the PDF in its frame.
    """
    what.scroll_into_view_if_needed()
    page.screenshot()


def test_several_files_are_dropped_and_each_is_seen_in_its_page(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.party-building.clerk", DESK)
    first(page, "落实整改任务")
    step = page.url
    site.look(page, "desk-evidence-none")
    drop(page, {"会议纪要.pdf": pdf(RED), "现场.png": png(64, 48, 90), "说明.docx": docx("说明")})
    page.fill("[name=note]", "清单已经印发，三处已经整改")
    page.click("[data-drop] button")
    page.wait_for_selector("#evidence table")
    assert page.url.startswith(step)
    assert page.locator("#evidence tbody tr").count() == 3
    site.look(page, "desk-evidence-given")
    page.locator("#evidence a", has_text="现场.png").click()
    page.wait_for_selector("img.preview")
    page.wait_for_load_state()
    assert page.evaluate("document.querySelector('img.preview').naturalWidth") == 64
    site.look(page, "desk-evidence-picture")
    page.goto(step)
    page.locator("#evidence a", has_text="会议纪要.pdf").click()
    page.wait_for_selector("iframe.preview")
    page.wait_for_timeout(1500)
    site.look(page, "desk-evidence-pdf")
    page.reload()
    assert page.locator("section[aria-labelledby=reads] tbody tr").count() >= 1
    download = page.get_by_role("link", name="下载").first
    seen(page, download)
    with page.expect_download() as got:
        download.click()
    assert got.value.suggested_filename == "会议纪要.pdf"
    assert got.value.path().read_bytes() == pdf(RED)
    phone = site.sign_in(f"{TOWN}.party-building.clerk", PHONE)
    for name, path in (("step", step), ("piece", page.url)):
        phone.goto(path)
        site.look(phone, f"phone-evidence-{name}")
    for act in phone.locator("td.acts .button:visible").all():
        box = act.bounding_box()
        assert box is not None
        assert box["height"] >= TOUCH


def test_what_is_refused_is_read_beside_the_form(site: Site) -> None:
    for size, view in (("desk", DESK), ("phone", PHONE)):
        page = site.sign_in(f"{TOWN}.city.clerk", view)
        first(page, "落实整改任务")
        page.set_input_files(
            "[name=files]",
            [
                FilePayload(name="台账.xlsx", mimeType="", buffer=b"MZ"),
                FilePayload(name="秘密★1年.png", mimeType="", buffer=png()),
            ],
        )
        page.fill("[name=note]", "台账已经更新")
        page.click("[data-drop] button")
        page.wait_for_selector("[data-error]")
        said = page.locator("[data-error]").inner_text()
        assert "没有保存任何文件" in said
        assert "请走保密渠道" in said
        assert page.input_value("[name=note]") == "台账已经更新"
        site.look(page, f"{size}-evidence-refused")


def test_what_was_given_wrongly_is_taken_back_and_given_again(site: Site) -> None:
    page = site.sign_in(f"{TOWN}.city.clerk", DESK)
    first(page, "落实整改任务")
    step = page.url
    drop(page, {"错的.pdf": pdf(RED)})
    page.fill("[name=note]", "台账已经更新")
    page.click("[data-drop] button")
    page.wait_for_selector("#evidence table")
    page.locator("#evidence a", has_text="错的.pdf").click()
    page.wait_for_selector("iframe.preview")
    fold = page.locator(".folds summary", has_text="撤回第 1 版")
    seen(page, fold)
    fold.click()
    site.look(page, "desk-evidence-withdraw")
    page.fill("[name=reason]", "传错了文件")
    button = page.get_by_role("button", name="撤回佐证")
    seen(page, button)
    button.click()
    page.wait_for_selector("[data-voided]")
    assert page.locator("iframe.preview").count() == 0
    assert "传错了文件" in page.locator("[data-voided]").inner_text()
    site.look(page, "desk-evidence-withdrawn")
    page.goto(step)
    assert "已撤回" in page.locator("#evidence tbody tr").first.inner_text()
    page.select_option("[name=evidence]", label="“错的.pdf”的新版本")
    drop(page, {"对的.pdf": pdf()})
    page.fill("[name=note]", "台账已经更新")
    page.click("[data-drop] button")
    page.wait_for_selector("#evidence a:has-text('对的.pdf')")
    assert page.locator("#evidence tbody tr").count() == 1
    phone = site.sign_in(f"{TOWN}.city.clerk", PHONE)
    phone.goto(step)
    phone.locator("#evidence a", has_text="对的.pdf").click()
    phone.wait_for_selector(".folds summary")
    site.look(phone, "phone-evidence-withdrawn")


def test_a_paper_is_recorded_by_the_office_and_seen_by_who_signed_it(site: Site) -> None:
    """线下签批登记, on a screen and on a phone."""
    signer = site.sign_in(f"{TOWN}.office.clerk", PHONE)
    first(signer, "落实整改任务")
    step = signer.url
    page = site.sign_in(f"{TOWN}.party-building.clerk", DESK)
    page.goto(step)
    page.locator("details.more summary").click()
    page.get_by_role("link", name="代录").click()
    scan = page.locator("[name=scan]")
    site.look(page, "desk-paper-form")
    page.fill("[name=signed_on]", page.locator("[name=signed_on]").get_attribute("max") or "")
    page.fill("[name=reason]", "已落实")
    scan.set_input_files([FilePayload(name="签批件.pdf", mimeType="", buffer=b"MZ")])
    page.click("[type=submit][data-kind=main]")
    page.wait_for_selector("[data-error]")
    assert page.input_value("[name=reason]") == "已落实"
    site.look(page, "desk-paper-wrong")
    phone = site.sign_in(f"{TOWN}.party-building.clerk", PHONE)
    phone.goto(f"{step}/paper")
    site.look(phone, "phone-paper-form")
    scan.set_input_files([FilePayload(name="签批件.pdf", mimeType="", buffer=pdf(RED))])
    page.click("[type=submit][data-kind=main]")
    page.wait_for_url(step)
    site.look(page, "desk-paper-recorded")
    for name, path in (("messages", "/messages"), ("done", "/done"), ("step", step)):
        signer.goto(path if path == step else f"{site.address}{path}")
        assert signer.locator("text=代录").count()
        site.look(signer, f"phone-paper-{name}")
    with signer.expect_download() as got:
        signer.locator("a[href$='/downloaded']").first.click()
    assert got.value.suggested_filename == "签批件.pdf"
