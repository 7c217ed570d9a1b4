"""The Apprise adapter against a real mail server and a real HTTP server on loopback."""

import json
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from notifications.channels import AppriseChannels
from notifications.outcome import Outcome, Refused, Sent, Unknown
from notifications.recording import Posted, RecordingChannels
from notifications.robots import ROBOTS, Robot, by_failure, by_status, post, read_answer
from tests.mailbox import Mailbox, free_port

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
SECRET = "hunter2-canary"
TOKEN = "c" * 64


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller.port
    controller.stop()


@pytest.fixture
def channels() -> AppriseChannels:
    return AppriseChannels(inside_hosts=["127.0.0.1"])


def mail(port: int, to: str = "reader@example.org", more: str = "") -> str:
    return f"mailto://127.0.0.1:{port}?from=duties@example.org&to={to}{more}"


def send(channels: AppriseChannels, url: str) -> Outcome:
    return channels.send(url, title="待办：制定整改方案", body="请您办理。")


def test_a_mail_arrives_once_with_its_title_and_text(
    channels: AppriseChannels, mailbox: Mailbox, port: int
) -> None:
    assert send(channels, mail(port)) == Sent()
    (taken,) = mailbox.taken
    assert taken.rcpt_tos == ["reader@example.org"]
    assert isinstance(taken.content, bytes)
    said = message_from_bytes(taken.content, policy=policy.default)
    assert said["Subject"] == "待办：制定整改方案"
    body = said.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "请您办理。"


def test_a_title_cannot_add_a_header(
    channels: AppriseChannels, mailbox: Mailbox, port: int
) -> None:
    channels.send(mail(port), title="甲\r\nBcc: spy@example.org", body="乙")
    for taken in mailbox.taken:
        assert isinstance(taken.content, bytes)
        assert message_from_bytes(taken.content)["Bcc"] is None
        assert taken.rcpt_tos == ["reader@example.org"]


def test_an_unknown_recipient_is_refused_for_good(
    channels: AppriseChannels, mailbox: Mailbox, port: int
) -> None:
    mailbox.rcpt = "550 no such user"
    assert send(channels, mail(port)) == Refused(permanent=True, detail="smtp 550")


def test_a_full_mailbox_is_refused_for_now(
    channels: AppriseChannels, mailbox: Mailbox, port: int
) -> None:
    mailbox.data = "451 try later"
    assert send(channels, mail(port)) == Refused(permanent=False, detail="smtp 451")
    mailbox.data, mailbox.rcpt = "250 OK", "450 greylisted"
    assert send(channels, mail(port)) == Refused(permanent=False, detail="smtp 450")


def test_a_refusal_stays_one_when_the_address_calls_it_optional_or_wants_retries(
    channels: AppriseChannels, mailbox: Mailbox, port: int
) -> None:
    mailbox.data = "451 try later"
    url = mail(port, more="&optional=yes&retry=5&wait=0.1")
    assert send(channels, url) == Refused(permanent=False, detail="smtp 451")


def test_a_server_that_is_not_there_is_refused_for_now(channels: AppriseChannels) -> None:
    assert send(channels, mail(free_port())) == Refused(permanent=False, detail="no connection")


def test_a_server_that_hangs_up_may_have_taken_it(channels: AppriseChannels) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            talk, _ = server.accept()
            talk.sendall(b"220 hello\r\n")
            talk.recv(1000)
            talk.close()

        worker = threading.Thread(target=hang_up)
        worker.start()
        outcome = send(channels, mail(server.getsockname()[1]))
        worker.join()
    assert isinstance(outcome, Unknown)


def test_a_server_without_the_login_that_the_address_asks_for_is_refused_for_good(
    channels: AppriseChannels, port: int
) -> None:
    url = f"mailto://user:{SECRET}@127.0.0.1:{port}?from=duties@example.org&to=r@example.org"
    assert isinstance(outcome := send(channels, url), Refused)
    assert outcome.permanent


@pytest.mark.parametrize("more", ["", "&cc=b@example.org", "&bcc=b@example.org"])
def test_two_recipients_are_refused_before_anything_is_sent(
    channels: AppriseChannels, mailbox: Mailbox, port: int, more: str
) -> None:
    to = "a@example.org" if more else "a@example.org,b@example.org"
    outcome = send(channels, mail(port, to=to, more=more))
    assert isinstance(outcome, Refused)
    assert outcome.permanent
    assert mailbox.taken == []
    assert channels.address(mail(port, to=to, more=more)) is None


def test_an_address_of_a_neighbour_is_refused_unless_the_settings_call_it_inside(
    mailbox: Mailbox, port: int
) -> None:
    outside = AppriseChannels()
    assert send(outside, mail(port)) == Refused(permanent=True, detail="not a public address")
    assert mailbox.taken == []
    again = f"mailto://user:pass@example.org:{port}?smtp=localhost&to=a@example.org"
    assert send(outside, again) == Refused(permanent=True, detail="not a public address")


def test_only_a_mail_server_that_the_settings_name_is_inside() -> None:
    channels = AppriseChannels(inside_hosts=["Mail.Intranet"])
    for url, inside in {
        "mailto://u:p@mail.intranet?to=a@example.org": True,
        "mailtos://u:p@example.org?smtp=mail.intranet&to=a@example.org": True,
        "mailtos://u:p@example.org?to=a@example.org": False,
        "mailtos://u:p@mail.intranet?smtp=example.org&to=a@example.org": False,
        f"dingtalk://{TOKEN}": False,
    }.items():
        address = channels.address(url)
        assert address is not None
        assert address.inside is inside, url


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "nonsense://a/b",
        "json://127.0.0.1/hook",
        "syslog://local5",
        "dbus://",
        "mailto://u:p@example.org?wkd=yes&to=a@example.org",
        "file:///etc/passwd",
        "",
    ],
)
def test_an_address_of_no_known_kind_is_refused_for_good(url: str) -> None:
    channels = AppriseChannels()
    assert channels.address(url) is None
    assert isinstance(outcome := send(channels, url), Refused)
    assert outcome.permanent


class Answering(BaseHTTPRequestHandler):
    """A robot's server: says what the test put into ``reply``, and keeps what it was asked."""

    reply: tuple[int, bytes] = (200, b"{}")
    asked: list[Any] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.asked.append((self.path, json.loads(self.rfile.read(length))))
        status, body = self.reply
        self.send_response(status)
        if status in {301, 302, 307, 308}:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test server's own log is of no interest."""


@dataclass
class RobotServer:
    """A robot whose address is on loopback; ``reply`` is what the server will say."""

    handler: type[Answering]
    robots: dict[str, Robot]

    def says(self, reply: Any, status: int = 200) -> Outcome:
        said = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.handler.reply = (status, said)
        return send(AppriseChannels(robots=self.robots), f"wecombot://{SECRET}")


@pytest.fixture
def robot() -> Iterator[RobotServer]:
    handler = type("Handler", (Answering,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    here = f"http://127.0.0.1:{server.server_address[1]}/send?key="
    made = Robot(lambda service: here + service.key, ROBOTS["wecombot"].payload)
    yield RobotServer(handler, {**ROBOTS, "wecombot": made})
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_robot_that_says_zero_took_it_as_one_text(robot: RobotServer) -> None:
    assert robot.says({"errcode": 0, "errmsg": "ok"}) == Sent()
    ((path, told),) = robot.handler.asked
    assert path == f"/send?key={SECRET}"
    assert told == {"msgtype": "text", "text": {"content": "待办：制定整改方案\n请您办理。"}}


def test_a_robot_that_says_200_and_an_error_code_refused(robot: RobotServer) -> None:
    assert robot.says({"errcode": 93000}) == Refused(permanent=True, detail="code 93000")
    assert robot.says({"errcode": 45009}) == Refused(permanent=False, detail="code 45009")
    assert robot.says({"code": 19001}) == Refused(permanent=True, detail="code 19001")
    assert robot.says({"code": 11232}) == Refused(permanent=False, detail="code 11232")


@pytest.mark.parametrize("reply", [b"", b"<html>", b"[]", b"{}", b"null", b'"ok"', b"0"])
def test_a_robot_that_says_nothing_to_be_read_may_have_taken_it(
    robot: RobotServer, reply: bytes
) -> None:
    assert isinstance(robot.says(reply), Unknown)


@pytest.mark.parametrize(
    ("status", "permanent"), [(404, True), (403, True), (429, False), (500, False), (503, False)]
)
def test_a_robots_status_is_read(robot: RobotServer, status: int, permanent: bool) -> None:
    assert robot.says({}, status) == Refused(permanent=permanent, detail=f"http {status}")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(robot: RobotServer, status: int) -> None:
    assert isinstance(robot.says({}, status), Refused)
    assert [path for path, _ in robot.handler.asked] == [f"/send?key={SECRET}"]


@pytest.mark.parametrize(
    "url",
    [
        f"dingtalk://{TOKEN}",
        f"dingtalk://SEC{'d' * 20}@{TOKEN}",
        f"wecombot://{SECRET}",
        "feishu://abcdefgh-1234",
        "lark://abcdefgh-1234",
    ],
)
def test_each_robot_is_asked_at_its_own_address_and_not_through_apprise(url: str) -> None:
    asked: list[str] = []

    def here(real: Robot) -> Robot:
        def address(service: Any) -> str:
            asked.append(real.address(service))
            return f"http://127.0.0.1:{free_port()}/"

        return Robot(address, real.payload)

    channels = AppriseChannels(robots={name: here(robot) for name, robot in ROBOTS.items()})
    assert send(channels, url) == Refused(permanent=False, detail="ConnectionRefusedError")
    assert len(asked) == 1
    assert asked[0].startswith("https://")


def test_a_lost_answer_is_unknown_and_a_lost_connection_is_a_refusal() -> None:
    assert by_failure(TimeoutError()) == Unknown("TimeoutError")
    assert by_failure(ConnectionRefusedError()) == Refused(
        permanent=False, detail="ConnectionRefusedError"
    )
    assert by_failure(ssl.SSLCertVerificationError()) == Refused(
        permanent=False, detail="SSLCertVerificationError"
    )
    assert by_status(302).permanent
    assert read_answer(b'{"errcode": "0"}') == Refused(permanent=True, detail="code 0")


def test_a_robot_that_breaks_off_may_have_taken_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def break_off() -> None:
            talk, _ = server.accept()
            talk.recv(10_000)
            talk.close()

        worker = threading.Thread(target=break_off)
        worker.start()
        here = f"http://127.0.0.1:{server.getsockname()[1]}/"
        outcome = post(Robot(lambda service: here, ROBOTS["lark"].payload), None, "甲")
        worker.join()
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("kind", ["taken", "refused", "closed", "robot", "nonsense", "raises"])
def test_no_secret_reaches_a_log_an_outcome_or_the_screen(
    mailbox: Mailbox,
    port: int,
    kind: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("apprise", "urllib3", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, logger=name)
    mailbox.rcpt = "550 no" if kind == "refused" else "250 OK"
    there = free_port() if kind == "closed" else port
    url = {
        "nonsense": f"nonsense://{SECRET}@127.0.0.1",
        "robot": f"wecombot://{SECRET}",
        "raises": f"lark://{SECRET}",
    }.get(kind, mail(there, to=f"{SECRET}@example.org"))
    nobody = Robot(lambda service: f"http://127.0.0.1:{free_port()}/{SECRET}", _payload)
    channels = AppriseChannels(
        inside_hosts=["127.0.0.1"], robots={"wecombot": nobody, "lark": Robot(_raise, _payload)}
    )
    outcome = send(channels, url)
    assert SECRET not in repr(outcome)
    # the mail server of this test logs what it is told, and it is not ours
    logged = [repr(vars(r)) for r in caplog.records if not r.name.startswith("mail.")]
    assert SECRET not in "".join(logged)
    printed = capfd.readouterr()
    assert SECRET not in printed.out + printed.err


def _payload(text: str) -> dict[str, str]:
    return {"text": text}


def _raise(service: Any) -> str:
    raise ValueError(SECRET)


def test_the_recording_twin_keeps_texts_and_gives_the_outcomes_it_was_told() -> None:
    twin = RecordingChannels()
    twin.answer([Refused(permanent=False, detail="busy")])
    assert twin.send("inside://a", title="甲", body="乙") == Refused(permanent=False, detail="busy")
    assert twin.send("outside://a", title="", body="丙") == Sent()
    assert twin.posted == [Posted("inside://a", "甲", "乙"), Posted("outside://a", "", "丙")]
    assert twin.address("nonsense") is None
    assert [twin.address(posted.url).inside for posted in twin.posted] == [True, False]  # type: ignore[union-attr]
