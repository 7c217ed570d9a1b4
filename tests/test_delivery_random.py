"""Random outcomes of telling: whatever happens, nothing is doubled, lost or said at night."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Engine, select, update

from models.base import table
from models.message import Channel, Delivery, DeliveryState, Message
from notifications.outcome import Outcome, Refused, Sent, Unknown
from notifications.recording import Posted
from policy.calendar import SHANGHAI, local_day
from policy.delivery import in_hours
from services.calendar import latest
from services.database import open_engine
from services.env import Env
from services.telling import mark_read
from tests import telling, world
from tests.world import lay_out

_channels, _deliveries, _messages = table(Channel), table(Delivery), table(Message)
PEOPLE = ("clerk", "deputy")
OUTCOMES: tuple[Outcome | None, ...] = (
    Sent(),
    Sent(),
    Refused(permanent=False, detail="later"),
    Refused(permanent=True, detail="never"),
    Unknown("no answer"),
    None,
)
"""None: the process dies with the text on its way."""
OPENS, CLOSES, PAUSE, TEXTS_A_DAY, UNKNOWNS = 9, 18, timedelta(minutes=15), 4, 2
"""Said again, so that a slip in the policy is seen."""
MAYBE = {DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.CLAIMED}


def memory_engine() -> Engine:
    """An SQLite database in memory with every table."""
    engine = open_engine("sqlite://")
    lay_out(engine)
    return engine


class Fate:
    """Channels whose next outcome the test draws; what they took, and when."""

    def __init__(self, clock: world.Clock) -> None:
        self.clock = clock
        self.next: list[Outcome | None] = []
        self.posted: list[tuple[datetime, Posted]] = []

    def address(self, url: str) -> None:
        """Nobody adds an address here."""

    def send(self, url: str, *, title: str, body: str) -> Outcome:
        """Remember, then end as was drawn."""
        self.posted.append((self.clock(), Posted(url, title, body)))
        outcome = self.next.pop(0) if self.next else Sent()
        if outcome is None:
            raise telling.Died
        return outcome


class TellingMachine(RuleBasedStateMachine):
    """Two people, two channels each, and whatever may happen to what they are told."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = world.Clock()
        self.engine = memory_engine()
        self.fate = Fate(self.clock)
        env = Env(self.engine, self.clock)
        self.desk = telling.desk(env)
        self.env = Env(self.engine, self.clock, channels=self.fate)
        self.desk.env = self.env
        self.gone: dict[int, datetime] = {}
        self.messages: list[int] = []

    @initialize()
    def channels(self) -> None:
        """One channel inside and one outside for each."""
        for post in PEOPLE:
            self.desk.channel(post, inside=True)
            self.desk.channel(post, inside=False)

    @rule(post=st.sampled_from(PEOPLE), how_many=st.integers(1, 30))
    def tell(self, post: str, how_many: int) -> None:
        """Something happens that they are to be told of."""
        self.messages += [self.desk.tell(post) for _ in range(how_many)]

    @rule(outcomes=st.lists(st.sampled_from(OUTCOMES), max_size=4))
    def deliver(self, outcomes: list[Outcome | None]) -> None:
        """A pass that ends as it ends."""
        self.fate.next = list(outcomes)
        try:
            self.desk.deliver()
        except telling.Died:
            return
        finally:
            self.fate.next = []

    @rule(
        post=st.sampled_from(PEOPLE),
        outcome=st.sampled_from(OUTCOMES),
        minutes=st.sampled_from([1, 10, 30]),
    )
    def have_a_day(self, post: str, outcome: Outcome | None, minutes: int) -> None:
        """Something new every few minutes, a pass after each, and always the same outcome."""
        for _ in range(6):
            self.tell(post, 1)
            self.deliver([outcome] * 4)
            self.clock.forward(minutes=minutes)

    @rule(minutes=st.sampled_from([1, 5, 10, 15, 60, 300, 1440, 4320]))
    def forward(self, minutes: int) -> None:
        """Time passes."""
        self.clock.forward(minutes=minutes)

    @rule(pick=st.integers(0, 10**6), post=st.sampled_from(PEOPLE))
    def read(self, pick: int, post: str) -> None:
        """Somebody reads something."""
        if self.messages:
            message = self.messages[pick % len(self.messages)]
            with self.engine.begin() as db:
                if mark_read(db, self.desk.world.people[post], [message], self.clock()):
                    self.gone.setdefault(message, self.clock())

    @rule(post=st.sampled_from(PEOPLE))
    def confirm_again(self, post: str) -> None:
        """A channel that refused for good is confirmed again by its owner."""
        person = self.desk.world.people[post]
        with self.engine.begin() as db:
            db.execute(
                update(_channels)
                .where(_channels.c.person_id == person, _channels.c.refused_at.is_not(None))
                .values(refused_at=None, confirmed_at=self.clock())
            )

    def _log(self) -> list[Any]:
        with self.engine.connect() as db:
            return list(db.execute(select(_deliveries).order_by(_deliveries.c.id)))

    @invariant()
    def each_attempt_is_numbered_once_and_nothing_follows_what_arrived(self) -> None:
        """INV-9, by the log alone."""
        rows: dict[tuple[int, int], list[Any]] = defaultdict(list)
        for row in self._log():
            rows[row.message_id, row.channel_id].append(row)
        for attempts in rows.values():
            assert [row.attempt for row in attempts] == list(range(1, len(attempts) + 1))
            states = [row.state for row in attempts]
            assert DeliveryState.SENT not in states[:-1]
            assert sum(state in MAYBE for state in states) <= UNKNOWNS

    @invariant()
    def keys_are_unique(self) -> None:
        """INV-9: the same cause tells a person once."""
        with self.engine.connect() as db:
            keys = list(db.execute(select(_messages.c.key)).scalars())
        assert len(keys) == len(set(keys))

    @invariant()
    def nobody_is_told_what_they_read(self) -> None:
        """Nothing is claimed once it was read."""
        for row in self._log():
            assert row.started_at <= self.gone.get(row.message_id, row.started_at)

    @invariant()
    def texts_leave_in_hours_at_distances_and_few_a_day(self) -> None:
        """Quiet hours, pacing, cap: by what the channels really took."""
        with self.engine.connect() as db:
            calendar = latest(db)
        taken: dict[str, list[datetime]] = defaultdict(list)
        for at, posted in self.fate.posted:
            assert in_hours(at, calendar)
            assert OPENS <= at.astimezone(SHANGHAI).hour < CLOSES
            taken[posted.url].append(at)
        for times in taken.values():
            assert len(times) == len(set(times))
        texts: dict[int, dict[datetime, DeliveryState]] = defaultdict(dict)
        for row in self._log():
            texts[row.channel_id][row.started_at] = row.state
        for states in texts.values():
            maybe = sorted(at for at, state in states.items() if state in MAYBE)
            assert all(b - a >= PAUSE for a, b in zip(maybe, maybe[1:], strict=False))
            assert max(Counter(map(local_day, maybe)).values(), default=0) <= TEXTS_A_DAY

    @invariant()
    def an_outside_text_is_opaque(self) -> None:
        """Design §7: a count and numbers."""
        for _, posted in self.fate.posted:
            if posted.url.startswith("outside"):
                assert posted.title == ""
                assert posted.body.startswith("您有 ")
                assert posted.body.endswith("），请登录内网办理")

    def teardown(self) -> None:
        """However it went: in a few quiet days everything has arrived or was given up."""
        for _ in range(60):
            self.desk.deliver()
            self.clock.forward(hours=3)
        self.each_attempt_is_numbered_once_and_nothing_follows_what_arrived()
        with self.engine.connect() as db:
            assert not db.execute(
                select(_messages.c.id).where(_messages.c.send_after.is_not(None))
            ).all()
        assert {row.state for row in self._log()} <= set(DeliveryState) - {DeliveryState.CLAIMED}
        self.engine.dispose()


TellingMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_telling_survives_every_history = TellingMachine.TestCase
