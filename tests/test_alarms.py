"""What the operator is told of the house: once a day, by whoever lives, and with room to settle."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from models.base import table
from models.casework import Case, RunWake, Wake
from models.message import Message
from models.operating import Installation, RunEvent
from models.organisation import Person
from notifications.recording import RecordingChannels
from services import alarms, watch
from services.alarms import HIGH, LOW, OUTBOX_GROWING, Alarm, Backlog, Outside, grows, look
from services.database import reading
from services.env import Env
from services.errors import StorageFault
from services.message import messages_for
from services.sealing import Sealer
from tests import two_step_world
from tests.conftest import START, SettableClock

_events, _installation, _messages = table(RunEvent), table(Installation), table(Message)
MINUTE = timedelta(minutes=1)
NOTHING = Backlog(0, timedelta(), timedelta())


class House:
    """A house whose operator is the clerk, with one open case."""

    def __init__(self, env: Env, clock: SettableClock) -> None:
        self.clock, self.since = clock, clock.now
        self.town = two_step_world.town(replace(env, channels=RecordingChannels()))
        self.world = self.town.world
        self.case_id = self.town.open()
        self.env = replace(self.world.env, operator=self.world.people["clerk"])
        self.watched()
        self.settle()

    def look(self, **outside: Any) -> set[Alarm]:
        return set(look(self.env, Outside(self.since, **outside)))

    def run(self, statement: Any, *given: Any) -> None:
        with self.env.engine.begin() as db:
            db.execute(statement, *given)

    def watched(self) -> None:
        """The watch has looked just now."""
        self.run(update(_installation).values(looked_at=self.clock.now))

    def settle(self) -> None:
        """Nothing is due."""
        later = {"try_at": self.clock.now + timedelta(days=900)}
        self.run(update(table(Wake)).values(later))
        self.run(update(table(RunWake)).values(later))
        self.run(update(_messages).values(send_after=None))

    def told(self) -> list[str]:
        """What the operator was told of the house, the newest first."""
        with reading(self.env.engine) as db:
            shown = messages_for(db, self.world.people["clerk"])
        return [message.body for message in shown if "需要管理员处理" in message.title]

    def events(self) -> list[Any]:
        with reading(self.env.engine) as db:
            return list(db.execute(select(_events).where(_events.c.kind == OUTBOX_GROWING)))

    def owe(self, at: Any) -> None:
        """A message is to be sent from then on."""
        row = {
            "key": f"test:{at}", "person_id": self.world.people["secretary"], "template": "opened",
            "context": {}, "created_at": at, "send_after": at,
        }  # fmt: skip
        self.run(insert(_messages), row)


@pytest.fixture
def house(env: Env, clock: SettableClock) -> House:
    return House(env, clock)


def test_all_is_well(house: House) -> None:
    assert house.look() == set()
    assert house.told() == []


def test_the_watch_is_late_after_three_minutes_and_the_operator_is_told_once_a_day(
    house: House, clock: SettableClock
) -> None:
    clock.forward(3 * MINUTE)
    assert house.look() == set()
    clock.forward(timedelta(seconds=1))
    for _ in range(3):
        assert house.look() == {Alarm.WATCH_LATE}
    (said,) = house.told()
    assert "巡检已停" in said
    clock.forward(timedelta(days=1))
    house.look()
    assert len([said for said in house.told() if "巡检已停" in said]) == 2


def test_a_process_that_has_just_started_gives_the_watch_its_time(
    house: House, clock: SettableClock
) -> None:
    clock.forward(timedelta(hours=8))
    house.since = clock.now
    assert Alarm.WATCH_LATE not in house.look()
    clock.forward(4 * MINUTE)
    assert Alarm.WATCH_LATE in house.look()
    house.watched()
    assert Alarm.WATCH_LATE not in house.look()


def test_a_watch_that_never_comes_to_its_end_is_late_though_it_looks_at_the_clock(
    house: House, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(env: Env) -> None:
        raise ZeroDivisionError

    watch.look(house.env)
    monkeypatch.setattr(watch, "sweep", fails)
    for _ in range(4):
        clock.forward(MINUTE)
        with pytest.raises(ZeroDivisionError):
            watch.look(house.env)
    assert house.look() == {Alarm.WATCH_LATE}
    monkeypatch.undo()
    watch.look(house.env)
    assert house.look() == set()


def test_a_watch_that_doubts_the_clock_is_not_late(house: House, clock: SettableClock) -> None:
    watch.look(house.env)
    clock.forward(timedelta(days=30))
    house.since = clock.now  # as an attendant whose clock was moved has it
    watch.look(house.env)
    clock.forward(2 * MINUTE)
    assert Alarm.WATCH_LATE not in house.look()


def test_a_look_by_a_clock_that_was_ahead_hides_nothing(house: House, clock: SettableClock) -> None:
    house.run(update(_installation).values(looked_at=clock.now + timedelta(days=30)))
    clock.forward(4 * MINUTE)
    assert house.look() == {Alarm.WATCH_LATE}


def test_an_alarm_that_was_over_and_comes_again_is_told_again_on_the_same_day(
    house: House, clock: SettableClock
) -> None:
    for _ in range(3):
        house.look(prefect_away=True)
        clock.forward(alarms.CALM)  # it comes and goes: one and the same
        house.watched()
        house.look()
    assert told_of_prefect(house) == 1
    clock.forward(timedelta(seconds=1))
    house.watched()
    house.look(prefect_away=True)
    assert told_of_prefect(house) == 2


def test_what_lasts_is_told_once_in_each_day_of_it(house: House, clock: SettableClock) -> None:
    clock.forward(timedelta(hours=14, minutes=50))  # ten minutes before midnight in Shanghai
    for _ in range(60):
        house.watched()
        house.look(prefect_away=True)
        clock.forward(timedelta(minutes=40))
    assert told_of_prefect(house) == 2


def told_of_prefect(house: House) -> int:
    return len([said for said in house.told() if "Prefect" in said])


def test_what_cannot_be_told_is_known_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **named: object) -> None:
        raise StorageFault

    monkeypatch.setattr(alarms, "execute", full)
    assert house.look(prefect_away=True, crashed=True) == {Alarm.PREFECT_AWAY, Alarm.RUN_CRASHED}


@pytest.mark.parametrize(
    ("outside", "alarm", "said"),
    [
        ({"prefect_away": True}, Alarm.PREFECT_AWAY, "Prefect 服务没有应答"),
        ({"crashed": True}, Alarm.RUN_CRASHED, "没有自动接续或反复发生"),
        ({"dying": True}, Alarm.PROCESS_DYING, "有进程反复退出"),
    ],
)
def test_what_a_process_saw_of_prefect_is_told_too(
    house: House, outside: dict[str, bool], alarm: Alarm, said: str
) -> None:
    assert house.look(**outside) == {alarm}
    assert said in house.told()[0]


def test_what_is_not_sealed_for_five_minutes_is_told_where_seals_are_made(
    house: House, clock: SettableClock
) -> None:
    clock.forward(timedelta(minutes=5, seconds=1))
    house.watched()
    assert house.look() == set()
    house.env, house.since = replace(house.env, seal_key="11" * 32), clock.now
    assert house.look() == set()
    clock.forward(timedelta(minutes=5))
    house.watched()
    assert house.look() == set()
    clock.forward(timedelta(seconds=1))
    assert house.look() == {Alarm.SEAL_LATE}
    assert "没有封存" in house.told()[0]
    Sealer(house.env).once()
    assert house.look() == set()


def test_a_message_that_waits_for_ten_minutes_is_a_growing_outbox_told_to_prefect_once(
    house: House, clock: SettableClock
) -> None:
    house.owe(clock.now)
    clock.forward(10 * MINUTE)
    house.watched()
    assert house.look() == set()
    clock.forward(timedelta(seconds=1))
    for _ in range(3):
        assert house.look() == {Alarm.OUTBOX_GROWING}
    (event,) = house.events()
    assert event.payload == {"messages": 1, "minutes": 10}
    assert event.case_id is None
    assert "积压" in house.told()[0]


def test_it_has_to_shrink_well_below_to_be_told_of_again(
    house: House, clock: SettableClock
) -> None:
    house.owe(clock.now)
    clock.forward(11 * MINUTE)
    house.watched()
    assert Alarm.OUTBOX_GROWING in house.look()
    house.run(update(_messages).values(send_after=clock.now - 6 * MINUTE))
    assert Alarm.OUTBOX_GROWING in house.look()  # less, and not yet little
    house.run(update(_messages).values(send_after=clock.now - 5 * MINUTE))
    assert Alarm.OUTBOX_GROWING not in house.look()
    house.run(update(_messages).values(send_after=clock.now - 6 * MINUTE))
    assert Alarm.OUTBOX_GROWING not in house.look()
    assert len(house.events()) == 1
    clock.forward(timedelta(seconds=15))
    house.run(update(_messages).values(send_after=clock.now - 11 * MINUTE))
    house.look()
    assert len(house.events()) == 2


def test_the_night_is_no_reason(house: House, clock: SettableClock) -> None:
    clock.forward(timedelta(hours=8, minutes=30))  # 17:30 in Shanghai
    house.owe(clock.now + 25 * MINUTE)
    clock.forward(timedelta(hours=4))
    house.watched()
    assert house.look() == set()
    clock.set(START + timedelta(days=1, minutes=1))  # a minute after it opens again
    house.watched()
    assert Alarm.OUTBOX_GROWING in house.look()  # it might have left yesterday


def test_what_was_said_at_night_waits_from_the_morning_on(
    house: House, clock: SettableClock
) -> None:
    clock.forward(timedelta(hours=13))  # 22:00 in Shanghai
    house.owe(clock.now)
    clock.set(START + timedelta(days=1) + 10 * MINUTE)
    house.watched()
    assert house.look() == set()
    clock.forward(timedelta(seconds=1))
    assert house.look() == {Alarm.OUTBOX_GROWING}


@pytest.mark.parametrize(
    "quiet",
    [lambda env: replace(env, sending=False), lambda env: replace(env, channels=None)],
)
def test_what_somebody_switched_off_may_wait(
    house: House, clock: SettableClock, quiet: Callable[[Env], Env]
) -> None:
    house.owe(clock.now)
    clock.forward(timedelta(hours=2))
    house.watched()
    assert Alarm.OUTBOX_GROWING in house.look()
    house.env = quiet(house.env)
    assert house.look() == set()


def test_after_a_restore_what_is_held_may_wait(house: House, clock: SettableClock) -> None:
    house.owe(clock.now)
    house.run(update(_installation).values(holding=True))
    clock.forward(timedelta(hours=2))
    house.watched()
    assert house.look() == set()


def test_wakes_that_nobody_looks_at_count_too(house: House, clock: SettableClock) -> None:
    wake = {"branch_id": 1, "kind": "advance", "try_at": clock.now, "attempts": 0}
    house.run(insert(table(Wake)), wake)
    clock.forward(5 * MINUTE)
    house.watched()
    assert house.look() == set()
    clock.forward(timedelta(seconds=1))
    assert house.look() == {Alarm.OUTBOX_GROWING}


def test_a_case_that_waits_for_its_turn_to_get_a_run_is_no_fault(
    house: House, clock: SettableClock
) -> None:
    wake = {"case_id": house.case_id, "try_at": clock.now, "attempts": 0}
    house.run(insert(table(RunWake)), wake)
    clock.forward(timedelta(hours=1))
    house.watched()
    assert house.look() == set()
    house.run(update(table(Case)).values(run_id="0" * 8))
    assert house.look() == {Alarm.OUTBOX_GROWING}


def test_where_nobody_operates_it_is_kept_in_the_audit_all_the_same(house: House) -> None:
    house.env = replace(house.env, operator=None)
    assert house.look(crashed=True) == {Alarm.RUN_CRASHED}
    assert house.told() == []


def test_what_the_operator_is_told_names_nobody(house: House, clock: SettableClock) -> None:
    clock.forward(timedelta(hours=1))
    house.look(prefect_away=True, crashed=True)
    with reading(house.env.engine) as db:
        names = list(db.execute(select(table(Person).c.name)).scalars())
    said = "".join(house.told())
    assert len(house.told()) == 3
    assert not [name for name in names if name in said]


BACKLOGS = st.builds(
    Backlog,
    st.integers(0, 10_000),
    st.timedeltas(timedelta(), timedelta(hours=1)),
    st.timedeltas(timedelta(), timedelta(hours=1)),
)


@given(BACKLOGS)
def test_what_begins_also_goes_on_and_nothing_ends_above_the_lower_limit(found: Backlog) -> None:
    if grows(found, already=False):
        assert grows(found, already=True)
    below = (
        found.messages <= LOW.messages and found.sending <= LOW.sending and found.wakes <= LOW.wakes
    )
    assert grows(found, already=True) is not below


@pytest.mark.parametrize("part", ["messages", "sending", "wakes"])
def test_each_part_has_its_limits(part: str) -> None:
    high, low = getattr(HIGH, part), getattr(LOW, part)
    more = 1 if part == "messages" else timedelta(seconds=1)
    assert not grows(replace(NOTHING, **{part: high}), already=False)
    assert grows(replace(NOTHING, **{part: high + more}), already=False)
    assert not grows(replace(NOTHING, **{part: low}), already=True)
    assert grows(replace(NOTHING, **{part: low + more}), already=True)


def test_of_many_processes_that_see_it_at_once_one_tells(
    house: House, clock: SettableClock
) -> None:
    house.owe(clock.now)
    clock.forward(11 * MINUTE)
    house.watched()
    backlog = Backlog(1, 11 * MINUTE, timedelta())
    alarms._note(house.env, backlog, growing=True)
    clock.forward(timedelta(milliseconds=3))
    alarms._note(house.env, backlog, growing=True)
    assert len(house.events()) == 1
