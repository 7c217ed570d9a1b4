"""Telling people when a sender dies, is stopped, or is not alone (INV-9)."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from notifications.outcome import Outcome, Sent
from notifications.recording import RecordingChannels
from policy.delivery import LEASE, PAUSE
from services.delivery import DeliveryReport, deliver
from services.env import Env
from tests.telling import Desk, Died, desk, shanghai

MINUTE = timedelta(minutes=1)


@pytest.fixture
def at(env: Env) -> Desk:
    """A cast on each database, at nine o'clock of a Monday."""
    return desk(env)


class Dying(RecordingChannels):
    """The process dies with the text on its way."""

    def send(self, url: str, *, title: str, body: str) -> Outcome:
        super().send(url, title=title, body=body)
        raise Died


def test_who_dies_between_claim_and_record_leaves_an_unknown_that_is_repeated_once(
    at: Desk,
) -> None:
    at.channel("clerk")
    at.tell("clerk")
    dying = replace(at.env, channels=Dying())
    with pytest.raises(Died):
        deliver(dying)
    assert at.states() == ["claimed"]
    at.clock.forward(LEASE - MINUTE)
    assert at.deliver() == DeliveryReport()
    at.clock.forward(MINUTE)
    assert at.deliver().lapsed == 1
    assert at.states() == ["unknown"]
    at.clock.forward(PAUSE)
    with pytest.raises(Died):
        deliver(dying)
    at.walk(shanghai(12, 2, 18), timedelta(minutes=5))
    assert at.states() == ["unknown", "unknown"]
    assert at.twin.posted == []


def test_a_lapsed_claim_is_settled_at_night_too_and_sent_in_the_morning(at: Desk) -> None:
    at.channel("clerk")
    at.tell("clerk")
    at.clock.set(shanghai(11, 30, 17, 55))
    with pytest.raises(Died):
        deliver(replace(at.env, channels=Dying()))
    assert at.walk(shanghai(12, 1, 9, 1), timedelta(minutes=1)) == [shanghai(12, 1, 9)]
    assert at.states() == ["unknown", "sent"]


def test_a_sender_that_was_stopped_for_long_does_not_write_over_what_was_settled(
    at: Desk,
) -> None:
    at.channel("clerk")
    at.tell("clerk")

    class Stopped(RecordingChannels):
        def send(self, url: str, *, title: str, body: str) -> Outcome:
            at.clock.forward(LEASE)
            assert at.deliver().lapsed == 1
            return Sent()

    deliver(replace(at.env, channels=Stopped()))
    assert at.states() == ["unknown"]


class Slow(RecordingChannels):
    """Gives the other sender time to take the same."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.meanwhile = meanwhile
        self.lock = threading.Lock()

    def send(self, url: str, *, title: str, body: str) -> Outcome:
        self.meanwhile()
        with self.lock:
            return super().send(url, title=title, body=body)


def test_two_senders_at_once_send_each_text_once(at: Desk) -> None:
    people = ["clerk", "deputy", "secretary", "district_member", "inspection_head"]
    for post in people:
        at.channel(post)
        for _ in range(3):
            at.tell(post)
    both = threading.Barrier(2)
    channels = Slow(lambda: None)
    env = replace(at.env, channels=channels)

    def run() -> None:
        both.wait()
        reports.append(deliver(env))

    reports: list[DeliveryReport] = []
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.sent for report in reports) == len(people)
    assert sorted(posted.url for posted in channels.posted) == sorted(
        f"inside://{post}" for post in people
    )
    assert at.states() == ["sent"] * 15


def test_what_is_being_sent_is_left_alone_by_another_sender(at: Desk) -> None:
    at.channel("clerk")
    at.tell("clerk")
    others: list[DeliveryReport] = []

    def meanwhile() -> None:
        at.tell("clerk")
        others.append(at.deliver())

    deliver(replace(at.env, channels=Slow(meanwhile)))
    assert others == [DeliveryReport()]
    assert at.walk(shanghai(11, 30, 10)) == [shanghai(11, 30, 9) + PAUSE]
    assert at.states() == ["sent", "sent"]
