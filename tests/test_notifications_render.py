"""Texts of messages: never fail, never say more than the channel may carry."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import render
from notifications.render import TEMPLATES, Rendered

ROOT = Path(__file__).parents[1]
FACTS = {
    "number": "CS-2026-0001",
    "unit": "梧桐路街道",
    "about_unit": "梧桐路街道",
    "step": "制定整改方案",
    "due_on": date(2026, 12, 31),
    "provisional": True,
    "holder_post": "梧桐路街道党工委书记",
    "post": "梧桐路街道党工委联络员",
    "substitute": "梧桐路街道党工委副书记",
    "post_id": 7,
    "count": 3,
    "effect_id": 5,
    "branch_id": 6,
    "channel_id": 8,
    "target_id": 9,
}
CANARIES = ["{{7*7}}", "{% raw %}", "<img src=x onerror=alert(1)>", "=cmd|' /C calc'!A0", "${7*7}"]
CONTEXT_KEYS = {
    "post_id",
    "substitute_post_id",
    "about_step_id",
    "from_on",
    "until_on",
    "signed_on",
    "why",
    "due_on",
    "count",
    "late",
    "effect_id",
    "branch_id",
    "channel_id",
    "target_id",
    "problem_id",
    "task_id",
    "row_id",
    "alarm",
    "clock",
    "unsent",
    "unit_id",
    "what",
}
"""What a context may hold: ids, dates, counts, and which of our own alarms or acts it is.

Names are looked up when the text is read.
"""


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_a_text_with_any_one_or_two_facts_missing_is_still_a_text(template: str) -> None:
    whole = set(FACTS)
    for left_out in [(), *combinations(whole, 1), *combinations(whole, 2), tuple(whole)]:
        facts = {name: FACTS[name] for name in sorted(whole - set(left_out))}
        text = render.render(template, facts)
        assert text.title
        assert text.body
        assert "None" not in text.title + text.body


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@given(facts=st.dictionaries(st.sampled_from(sorted(FACTS)), st.none()))
def test_a_fact_that_is_none_is_a_fact_that_is_missing(
    template: str, facts: dict[str, None]
) -> None:
    assert "None" not in render.render(template, facts).body


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@pytest.mark.parametrize("canary", CANARIES)
def test_a_fact_is_said_as_it_is_and_never_evaluated(template: str, canary: str) -> None:
    about = ("unit", "about_unit", "step", "post", "number")
    facts = FACTS | dict.fromkeys(about, canary)
    text = render.render(template, facts)
    assert canary in text.title + text.body
    assert "49" not in text.title + text.body


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_a_title_is_one_line_whatever_a_fact_holds(template: str) -> None:
    broken = "甲\r\nBcc: someone@example.org\n\n乙\x0b\x0c\u2028丙\u0085丁"
    facts = FACTS | {"unit": broken, "step": broken, "post": broken, "number": broken}
    assert len(render.render(template, facts).title.splitlines()) == 1


def test_dates_are_said_in_chinese_from_a_date_or_its_iso_text() -> None:
    for due_on in (date(2026, 3, 5), "2026-03-05", "2026-03-05T16:00:00+00:00"):
        assert "2026年3月5日" in render.render("opened", {"due_on": due_on}).body


def test_a_provisional_date_says_so() -> None:
    said = render.render("opened", {"due_on": date(2027, 3, 5), "provisional": True})
    assert "（暂定）" in said.body


def test_a_template_that_does_not_exist_is_an_error_and_an_envelope_is_no_template() -> None:
    for name in ("nonsense", "behalf", "digest", "outside", "single", "code", "_about"):
        with pytest.raises(KeyError):
            render.render(name, {})


def test_who_stands_in_reads_for_whom_they_are_told() -> None:
    said = render.on_behalf(Rendered("待办：甲", "请您办理。"), "党工委书记")
    assert said == Rendered("〔代党工委书记〕待办：甲", "请您办理。（您受委托代党工委书记办理。）")
    assert "None" not in render.on_behalf(said, "").body


def test_what_leaves_the_trusted_network_is_a_count_and_numbers() -> None:
    assert render.outside([12]) == Rendered("", "您有 1 项待办（编号 12），请登录内网办理")
    many = render.outside(range(101, 136))
    assert many == Rendered("", "您有 35 项待办（编号 101、102、103 等），请登录内网办理")


@given(st.lists(st.integers(min_value=1, max_value=2**62), min_size=1, max_size=50))
def test_outside_text_has_no_word_beyond_its_own(ids: list[int]) -> None:
    text = render.outside(ids)
    assert text.title == ""
    said = re.sub(r"\d+", "", text.body)
    assert set(said) <= set("您有  项待办（编号 、等），请登录内网办理")


def test_a_code_says_nothing_but_itself() -> None:
    text = render.code("012345", 10)
    assert text.title == ""
    assert text.body == "验证码：012345，10 分钟内有效。如非本人操作，请忽略。"


def test_a_digest_lists_its_lines_and_counts_the_others() -> None:
    lines = [Rendered(f"待办：第{n}项", f"内容{n}") for n in range(1, 21)]
    text = render.digest(lines, more=15, url="http://127.0.0.1:8000")
    assert text.title == "您有 35 项待办"
    assert "1. 待办：第1项\n   内容1\n" in text.body
    assert "20. 待办：第20项" in text.body
    assert "另有 15 项" in text.body
    assert text.body.endswith("请登录办理：http://127.0.0.1:8000")


def test_a_digest_of_all_there_is_counts_no_others() -> None:
    text = render.digest([Rendered("甲", "乙")] * 2, more=0, url="http://intranet")
    assert "另有" not in text.body


def test_one_message_is_a_text_of_its_own() -> None:
    text = render.single(Rendered("待办：甲", "请您办理。"), url="http://intranet")
    assert text == Rendered("待办：甲", "请您办理。\n\n请登录办理：http://intranet")


@pytest.mark.parametrize("canary", CANARIES)
def test_a_digest_evaluates_nothing_either(canary: str) -> None:
    text = render.digest([Rendered(canary, canary)] * 2, more=0, url="http://intranet")
    assert text.body.count(canary) == 4


def _sources() -> Iterator[tuple[Path, ast.AST]]:
    for folder in ("services", "flows", "web", "deployments"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text("utf-8"))


def _tellings() -> Iterator[tuple[str, ast.Call]]:
    """Every call that tells somebody something."""
    for path, tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) in {
                "tell",
                "tell_many",
                "tell_operator",
                "tell_person",
            }:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def _called(node: ast.Call) -> str:
    function = node.func
    return getattr(function, "id", "") or getattr(function, "attr", "")


def _argument(node: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in node.keywords if word.arg == name), None)


def test_every_template_that_is_told_by_name_exists() -> None:
    told = {
        (where, template.value)
        for where, node in _tellings()
        if isinstance(template := _argument(node, "template"), ast.Constant)
    }
    assert told
    assert {(where, name) for where, name in told if name not in TEMPLATES} == set()


def test_every_template_is_used_somewhere() -> None:
    words = {
        node.value
        for _, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert words >= TEMPLATES, "a template nobody tells anything with"


def test_a_context_holds_ids_dates_and_counts_only() -> None:
    for where, node in _tellings():
        context = _argument(node, "context")
        if isinstance(context, ast.Dict):
            keys = {key.value for key in context.keys if isinstance(key, ast.Constant)}
            assert keys <= CONTEXT_KEYS, where
