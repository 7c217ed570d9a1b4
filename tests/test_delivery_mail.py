"""From a cause to a real mail: the delivery run, Apprise and a mail server on loopback."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller

from notifications.channels import AppriseChannels
from services.channel import add_channel, confirm_channel
from services.delivery import DeliveryReport, deliver
from services.env import Env
from tests.mailbox import Mailbox, free_port
from tests.telling import Desk, desk

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
CANARY = "clerk-canary"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def server(mailbox: Mailbox) -> Iterator[Controller]:
    """Not started: a test may need it to be down first."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    yield controller
    controller.stop(no_assert=True)


@pytest.fixture
def at(env: Env) -> Desk:
    """A cast whose texts leave by Apprise, to a mail server declared as inside."""
    made = desk(env)
    channels = AppriseChannels(inside_hosts=["127.0.0.1"])
    made.env = made.world.env = replace(made.env, channels=channels)
    return made


def said(mailbox: Mailbox) -> tuple[str, str]:
    """Subject and text of the last mail."""
    content = mailbox.taken[-1].content
    assert isinstance(content, bytes)
    mail = message_from_bytes(content, policy=policy.default)
    body = mail.get_body(("plain",))
    assert body is not None
    return str(mail["Subject"]), body.get_content().strip()


def address(server: Controller) -> str:
    return f"mailto://127.0.0.1:{server.port}?from=duties@example.org&to={CANARY}@example.org"


def test_an_address_is_named_confirmed_by_mail_and_told_by_mail(
    at: Desk, server: Controller, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.start()
    clerk = at.world.actor("clerk")
    channel = add_channel(at.env, clerk, key="add", url=address(server))
    found = re.search(r"\d{6}", said(mailbox)[1])
    assert found
    confirm_channel(at.env, clerk, key="confirm", channel_id=channel, code=found[0])
    at.open_case()
    assert deliver(at.env) == DeliveryReport(sent=1)
    subject, body = said(mailbox)
    assert subject == "待办：待办事项——梧桐路街道党工委"
    assert "（CS-2026-1）" in body
    assert len(mailbox.taken) == 2
    ours = [repr(vars(r)) for r in caplog.records if not r.name.startswith("mail.")]
    assert CANARY not in "".join(ours)


def test_a_server_that_is_down_gets_the_mail_once_it_is_back(
    at: Desk, server: Controller, mailbox: Mailbox
) -> None:
    at.channel("clerk", address(server))
    at.tell("clerk")
    assert deliver(at.env) == DeliveryReport(refused=1)
    server.start()
    assert deliver(at.env) == DeliveryReport()
    at.clock.forward(timedelta(minutes=1))
    assert deliver(at.env) == DeliveryReport(sent=1)
    assert [row.detail for row in at.log()] == ["no connection", ""]
    assert len(mailbox.taken) == 1


def test_a_mailbox_that_does_not_exist_is_marked_and_not_asked_again(
    at: Desk, server: Controller, mailbox: Mailbox
) -> None:
    server.start()
    mailbox.rcpt = "550 no such user"
    channel = at.channel("clerk", address(server))
    at.tell("clerk")
    assert deliver(at.env) == DeliveryReport(refused=1)
    assert at.row(channel).refused_at == at.clock()
    at.clock.forward(timedelta(days=1))
    assert deliver(at.env) == DeliveryReport()
    assert [row.detail for row in at.log()] == ["smtp 550"]
