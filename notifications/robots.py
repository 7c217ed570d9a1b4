"""Chat robots whose answer must be read: they say 200 and put the refusal into the body.

Apprise looks at the status only (``reliability.md`` §7.4), so for these four the address is parsed
by Apprise and the text is posted here, with the standard library: it logs no address.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener

from notifications.outcome import Outcome, Refused, Sent, Unknown

_SECONDS = 8
_ANSWER_BYTES = 10_000
_LATER = frozenset({-1, 11232, 45009, 130101, 410100})
"""Codes of a busy or rate-limited service: WeCom and DingTalk -1, Feishu 11232, WeCom 45009 …"""
_LATER_STATUS = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Robot:
    """How one kind of robot is asked; ``service`` is Apprise's parsed object of the address."""

    address: Callable[[Any], str]
    payload: Callable[[str], Mapping[str, Any]]


def _dingtalk(service: Any) -> str:
    address = f"https://oapi.dingtalk.com/robot/send?access_token={quote(service.token)}"
    if not service.secret:
        return address
    timestamp, signature = service.get_signature()
    return f"{address}&timestamp={timestamp}&sign={signature}"


def _wecom(service: Any) -> str:
    return f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={quote(service.key)}"


def _feishu(service: Any) -> str:
    return f"https://open.feishu.cn/open-apis/bot/v2/hook/{quote(service.token)}"


def _lark(service: Any) -> str:
    return f"https://open.larksuite.com/open-apis/bot/v2/hook/{quote(service.token)}"


def _content(body: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": body}}


def _text(body: str) -> dict[str, Any]:
    return {"msg_type": "text", "content": {"text": body}}


ROBOTS: Mapping[str, Robot] = {
    "dingtalk": Robot(_dingtalk, _content),
    "wecombot": Robot(_wecom, _content),
    "feishu": Robot(_feishu, _text),
    "lark": Robot(_lark, _text),
}


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the text to a place nobody confirmed: it is only an answer."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


_opener = build_opener(_NoRedirect)


def post(robot: Robot, service: Any, text: str) -> Outcome:
    """Send one text to a robot and read what it really answered."""
    request = Request(
        robot.address(service),
        data=json.dumps(robot.payload(text), ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
    )
    try:
        with _opener.open(request, timeout=_SECONDS) as answer:
            return read_answer(answer.read(_ANSWER_BYTES))
    except HTTPError as error:
        error.close()
        return by_status(error.code)
    except URLError as error:
        return by_failure(error.reason)
    except (HTTPException, OSError) as error:
        return Unknown(type(error).__name__)


def read_answer(body: bytes) -> Outcome:
    """Sent only when the body says 0; a body that is no JSON object is :class:`Unknown`."""
    try:
        told = json.loads(body)
        code = next(told[name] for name in ("errcode", "code", "StatusCode") if name in told)
    except (ValueError, StopIteration, TypeError):
        return Unknown("unreadable answer")
    if code == 0:
        return Sent()
    return Refused(permanent=code not in _LATER, detail=f"code {code}")


def by_status(status: int) -> Refused:
    """What an HTTP status other than success means: 4xx for good but for the impatient ones."""
    temporary = status >= 500 or status in _LATER_STATUS
    return Refused(permanent=not temporary, detail=f"http {status}")


def by_failure(reason: object) -> Outcome:
    """A connection that was never made carried nothing; one that broke may have."""
    name = type(reason).__name__
    if isinstance(reason, TimeoutError):
        return Unknown(name)
    return Refused(permanent=False, detail=name)
