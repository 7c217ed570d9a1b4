"""Telling people outside the pages: once, in hours, in few texts, and never the wrong ones."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import update

from models.base import table
from models.message import Channel
from notifications.outcome import Outcome, Refused, Unknown
from notifications.recording import RecordingChannels
from policy.delivery import LINES, PAUSE, TEXTS_A_DAY, TRIES
from services.delivery import DeliveryReport, deliver
from services.env import Env
from services.telling import mark_read
from tests.conftest import SettableClock
from tests.telling import Desk, desk, shanghai

LATER = Refused(permanent=False, detail="smtp 451")
NEVER = Refused(permanent=True, detail="smtp 550")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def at(env: Env) -> Desk:
    """A cast on each database, at nine o'clock of a Monday."""
    return desk(env)


def test_a_message_is_sent_once_and_logged(at: Desk) -> None:
    channel = at.channel("clerk")
    message = at.tell("clerk")
    assert at.deliver() == DeliveryReport(sent=1)
    assert at.deliver() == DeliveryReport()
    at.clock.forward(timedelta(days=1))
    assert at.deliver() == DeliveryReport()
    (row,) = at.log()
    assert (row.message_id, row.channel_id, row.attempt, row.state) == (message, channel, 1, "sent")
    assert row.started_at == row.ended_at
    assert at.message(message).send_after is None


def test_an_inside_channel_is_told_what_and_an_outside_one_only_how_many(at: Desk) -> None:
    at.channel("clerk", inside=True)
    at.channel("clerk", inside=False)
    message = at.tell("clerk", due_on="2026-12-31")
    assert at.deliver().sent == 2
    inside, outside = at.twin.posted
    assert "期限2026年12月31日" in inside.body
    assert inside.body.endswith(f"请登录办理：{at.env.base_url}")
    assert outside.title == ""
    assert outside.body == f"您有 1 项待办（编号 {message}），请登录内网办理"


def test_an_unconfirmed_channel_is_never_used(at: Desk) -> None:
    at.channel("clerk", confirmed_at=None)
    at.channel("secretary")
    message = at.tell("clerk")
    assert at.message(message).send_after is None
    at.tell("secretary")
    at.walk(shanghai(11, 30, 12), timedelta(minutes=30))
    assert [posted.url for posted in at.twin.posted] == ["inside://secretary"]


def test_a_channel_that_is_confirmed_later_is_not_told_the_past(at: Desk) -> None:
    at.tell("clerk")
    at.channel("clerk")
    assert at.deliver() == DeliveryReport()


def test_the_one_switch_stops_everything_and_loses_nothing(at: Desk) -> None:
    at.channel("clerk")
    at.tell("clerk")
    assert deliver(replace(at.env, sending=False)) == DeliveryReport(stopped="switched off")
    assert deliver(replace(at.env, channels=None)) == DeliveryReport(stopped="no channels")
    assert at.log() == []
    assert at.deliver().sent == 1


@pytest.mark.parametrize(
    "now",
    [
        shanghai(11, 30, 8, 59, 59),
        shanghai(11, 30, 18),
        shanghai(11, 30, 23),
        shanghai(12, 5, 10),  # a Saturday
        shanghai(10, 1, 10),  # 国庆
    ],
)
def test_nobody_is_told_in_the_evening_or_on_a_day_off(at: Desk, now: datetime) -> None:
    at.clock.set(now)
    at.channel("clerk")
    at.tell("clerk")
    assert at.deliver() == DeliveryReport(stopped="quiet hours")
    assert at.log() == []


@pytest.mark.parametrize(
    "now",
    [shanghai(11, 30, 9), shanghai(11, 30, 17, 59, 59), shanghai(10, 10, 10)],  # 调休 Saturday
)
def test_people_are_told_from_nine_to_six_on_working_days(at: Desk, now: datetime) -> None:
    at.clock.set(now)
    at.channel("clerk")
    at.tell("clerk")
    assert at.deliver().sent == 1


def test_what_came_at_night_is_one_text_in_the_morning(at: Desk) -> None:
    at.clock.set(shanghai(12, 4, 18))
    at.channel("clerk")
    for _ in range(3):
        at.tell("clerk")
        at.clock.forward(timedelta(hours=6))
    assert at.walk(shanghai(12, 8, 9), timedelta(minutes=20)) == [shanghai(12, 7, 9)]
    assert at.states() == ["sent"] * 3


def test_a_digest_of_35_messages_is_one_text(at: Desk) -> None:
    at.channel("clerk")
    for _ in range(35):
        at.tell("clerk")
    assert at.deliver() == DeliveryReport(sent=1)
    (posted,) = at.twin.posted
    assert posted.title == "您有 35 项待办"
    assert f"另有 {35 - LINES} 项" in posted.body
    assert at.states() == ["sent"] * 35
    at.clock.forward(timedelta(days=1))
    assert at.deliver() == DeliveryReport()


def test_what_comes_right_after_a_text_waits_and_is_one_digest(at: Desk) -> None:
    at.channel("clerk")
    for _ in range(10):
        at.tell("clerk")
        at.deliver()
        at.clock.forward(MINUTE)
    assert len(at.twin.posted) == 1
    assert at.walk(shanghai(11, 30, 10)) == [shanghai(11, 30, 9) + PAUSE]
    assert at.twin.posted[1].title == "您有 9 项待办"


def test_after_so_many_texts_a_day_the_rest_is_told_the_next_working_day(at: Desk) -> None:
    at.clock.set(shanghai(12, 4, 9))  # a Friday
    at.channel("clerk")
    left = []
    for _ in range(9):
        at.tell("clerk")
        left += at.walk(at.clock() + timedelta(hours=1), timedelta(minutes=5))
    assert len(left) == TEXTS_A_DAY
    assert at.walk(shanghai(12, 8, 9), timedelta(minutes=30)) == [shanghai(12, 7, 9)]
    assert at.twin.posted[-1].title == f"您有 {9 - TEXTS_A_DAY} 项待办"


def test_a_channel_that_is_confirmed_again_gets_no_more_texts_that_day(at: Desk) -> None:
    channel = at.channel("clerk")
    for text in range(TEXTS_A_DAY):
        at.tell("clerk")
        if text == TEXTS_A_DAY - 1:
            at.twin.answer([NEVER])
        at.deliver()
        at.clock.forward(PAUSE)
    with at.env.engine.begin() as db:
        again = {"refused_at": None, "confirmed_at": at.clock()}
        db.execute(update(table(Channel)).where(table(Channel).c.id == channel).values(again))
    at.tell("clerk")
    assert at.deliver().sent == 1
    at.clock.forward(PAUSE)
    waiting = at.tell("clerk")
    assert at.deliver() == DeliveryReport()
    assert at.message(waiting).send_after == shanghai(12, 1, 9)


def test_what_was_read_or_taken_back_is_not_sent(at: Desk) -> None:
    at.channel("clerk")
    read, kept = at.tell("clerk"), at.tell("clerk")
    with at.env.engine.begin() as db:
        assert mark_read(db, at.world.people["clerk"], [read], at.clock()) == 1
    at.deliver()
    assert [row.message_id for row in at.log()] == [kept]


def test_a_step_that_ended_and_a_slot_that_answered_are_not_sent(at: Desk) -> None:
    for post in ("clerk", "discipline_secretary", "inspection_head"):
        at.channel(post)
    at.open_case()
    at.world.answer("draft")
    at.world.answer("review", "agree", post="discipline_secretary")
    assert at.deliver().sent == 1
    assert [posted.url for posted in at.twin.posted] == ["inside://inspection_head"]
    at.clock.forward(timedelta(days=1))
    assert at.deliver() == DeliveryReport()


def test_a_message_taken_back_while_it_is_being_sent_is_looked_at_no_more(at: Desk) -> None:
    at.channel("clerk")
    message = at.tell("clerk")

    class Interrupting(RecordingChannels):
        def send(self, url: str, *, title: str, body: str) -> Outcome:
            with at.env.engine.begin() as db:
                mark_read(db, at.world.people["clerk"], [message], at.clock())
            return LATER

    deliver(replace(at.env, channels=Interrupting()))
    assert at.states() == ["refused"]
    assert at.message(message).send_after is None


def test_who_is_refused_for_now_is_tried_again_at_doubling_distances(at: Desk) -> None:
    at.channel("clerk")
    at.tell("clerk")
    at.twin.answer([LATER] * 5)
    left = at.walk(shanghai(11, 30, 11))
    assert [later - before for before, later in pairwise(left)] == [
        n * MINUTE for n in (1, 2, 4, 8, 16)
    ]
    assert at.states() == ["refused"] * 5 + ["sent"]
    assert [row.attempt for row in at.log()] == [1, 2, 3, 4, 5, 6]


def test_a_channel_that_was_down_a_day_gives_one_digest(at: Desk) -> None:
    at.channel("clerk")
    at.twin.answer([LATER] * 10)
    for _ in range(4):
        at.tell("clerk")
        at.walk(at.clock() + timedelta(hours=2), timedelta(minutes=5))
    at.walk(shanghai(12, 2, 18), timedelta(minutes=5))
    assert at.states().count("sent") == 4
    arrived = {row.started_at for row in at.log() if row.state == "sent"}
    assert len(arrived) == 1


def test_a_channel_that_fails_for_days_is_marked_and_the_operator_told_once(at: Desk) -> None:
    channel = at.channel("clerk")
    message = at.tell("clerk")
    at.twin.answer([LATER] * 100)
    left = at.walk(shanghai(12, 20, 18), timedelta(minutes=20))
    assert len(left) == TRIES
    assert left[-1] - left[0] > timedelta(days=2)
    assert at.row(channel).refused_at == left[-1]
    assert at.message(message).send_after is None
    assert len(at.of_template("operator")) == 1


def test_who_is_refused_for_good_is_marked_and_the_operator_told(at: Desk) -> None:
    refusing = at.channel("clerk", "inside://secret-canary")
    at.channel("clerk", inside=False)
    first = at.tell("clerk")
    at.twin.answer([NEVER])
    report = at.deliver()
    assert (report.sent, report.refused) == (1, 1)
    assert at.row(refusing).refused_at == at.clock()
    (told,) = at.of_template("operator")
    assert told.key.startswith(f"channel:{refusing}:")
    at.clock.forward(timedelta(hours=1))
    second = at.tell("clerk")
    at.deliver()
    assert [(row.message_id, row.state) for row in at.log()] == [
        (first, "refused"),
        (first, "sent"),
        (second, "sent"),
    ]
    assert "canary" not in repr(at.log())


def test_an_operator_with_a_channel_is_told_of_it_there(at: Desk) -> None:
    at.channel("clerk")
    at.channel("operator")
    at.tell("clerk")
    at.twin.answer([NEVER])
    at.deliver()
    assert at.deliver().sent == 1
    assert at.twin.posted[-1].url == "inside://operator"
    assert "通知渠道" in at.twin.posted[-1].body


def test_an_unknown_outcome_is_repeated_once(at: Desk) -> None:
    at.channel("clerk")
    message = at.tell("clerk")
    at.twin.answer([Unknown("no answer")] * 10)
    left = at.walk(shanghai(12, 2, 18), timedelta(minutes=5))
    assert left == [shanghai(11, 30, 9), shanghai(11, 30, 9) + PAUSE]
    assert at.states() == ["unknown", "unknown"]
    assert at.message(message).send_after is None


def test_one_pass_tells_no_more_people_than_its_limit_the_longest_waiting_first(
    at: Desk,
) -> None:
    for post in ("deputy", "clerk", "secretary"):
        at.channel(post)
        at.tell(post)
        at.clock.forward(MINUTE)
    assert deliver(at.env, limit=2).sent == 2
    assert [posted.url for posted in at.twin.posted] == ["inside://deputy", "inside://clerk"]
    assert deliver(at.env, limit=2).sent == 1


def test_sending_needs_a_calendar_only_when_somebody_waits(env: Env, clock: SettableClock) -> None:
    channels = RecordingChannels()
    assert deliver(replace(env, channels=channels)) == DeliveryReport()
