"""Properties of the guard and of where a log-in leads, for whatever a client may send."""

import asyncio
from typing import Any
from urllib.parse import urljoin, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from services.errors import DutiesError
from web.access import local
from web.guard import Guard

OWN = "http://duties.example"
SITES = st.sampled_from(["same-origin", "same-site", "cross-site", "none", "", "Same-Origin"])
ORIGINS = st.one_of(
    st.sampled_from(
        [OWN, "https://duties.example", "http://duties.example.evil", "null", "", "http://["]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
)


async def _reached(scope: Any, receive: Any, send: Any) -> None:
    await Response("in")(scope, receive, send)


def _refused(request: Request, error: DutiesError) -> Response:
    return Response(error.code, error.status)


def ask(headers: dict[str, str], method: str = "POST") -> tuple[int, bytes]:
    """What a request with these headers gets."""
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
    }
    guard = Guard(_reached, refuse=_refused, base_url=OWN, secure=False)
    asyncio.run(guard(scope, receive, send))
    return answers[0]["status"], answers[1]["body"]


@given(site=st.none() | SITES, origin=st.none() | ORIGINS)
def test_only_what_says_it_comes_from_here_may_change_something(
    site: str | None, origin: str | None
) -> None:
    headers = {"host": "duties.example"}
    headers |= {"sec-fetch-site": site} if site is not None else {}
    headers |= {"origin": origin} if origin is not None else {}
    status, body = ask(headers)
    if site is not None:
        here = site in ("same-origin", "none")
    else:
        try:
            here = origin is not None and urlsplit(origin).netloc == "duties.example"
        except ValueError:
            here = False
    assert (status, body) == ((200, b"in") if here else (403, b"cross_site"))
    assert ask(headers, "GET")[0] == 200


@given(length=st.text(max_size=12).filter(str.isascii))
def test_a_length_that_is_no_small_number_is_refused(length: str) -> None:
    headers = {"host": "duties.example", "origin": OWN, "content-length": length}
    small = length.isdecimal() and int(length) <= 1 << 20
    assert ask(headers)[0] == (200 if small else 413)


@given(
    st.text(max_size=40)
    | st.builds(
        "".join,
        st.lists(st.sampled_from(["/", "\\", "\t", "\n", "//evil.example", "http:", "@", "a"])),
    )
)
def test_a_log_in_leads_to_a_page_of_ours(target: str) -> None:
    led = urljoin(f"{OWN}/login", local(target).replace("\\", "/"))
    assert urlsplit(led).netloc == "duties.example"
