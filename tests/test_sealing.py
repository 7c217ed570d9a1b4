"""What is below the last seal cannot be changed unseen, by whoever holds the disk; and where."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from models.audit import Seal, SealLeaf
from models.base import table
from services import sealing
from services.audit import lock_stream
from services.audit_trail import broken_chains
from services.command import SYSTEM, Work, execute
from services.env import Env
from services.errors import Invalid
from services.invariants import snapshot
from services.seal_check import against, newest, unlike_the_seals
from services.seal_key import SigningKey, endorsement
from services.sealing import Sealer, Unsealable, seal, unsealed_since
from tests import two_step_world
from tests.conftest import SettableClock
from tests.forging import disarm

SECRET, OTHER = "11" * 32, "22" * 32
KEY = SigningKey(SECRET)
MINUTE = timedelta(minutes=1)


class House:
    """Streams ``a`` and ``b``, written to and sealed from time to time."""

    def __init__(self, env: Env, clock: SettableClock) -> None:
        self.env, self.clock = replace(env, seal_key=SECRET), clock
        self.sealer, self.written = Sealer(self.env), 0

    def write(self, stream: str, times: int = 1) -> None:
        for _ in range(times):
            self.written += 1
            body = {"act": "noted", "number": self.written}
            key = f"note:{self.written}"
            execute(self.env, SYSTEM, "note", key, body, partial(_note, stream, body))

    def seal(self) -> int:
        self.clock.forward(MINUTE)
        return self.sealer.once()

    def seals(self) -> list[Any]:
        with snapshot(self.env.engine) as db:
            return list(db.execute(select(table(Seal)).order_by(table(Seal).c.number)))

    def found(self) -> list[dict[str, Any]]:
        """What `audit verify` finds."""
        with snapshot(self.env.engine) as db:
            seen = [*broken_chains(db), *unlike_the_seals(db, KEY.public)]
        return [{"what": one.what, **one.ids} for one in seen]

    def forge(self, act: Callable[[Connection], None]) -> None:
        """Change the tables as whoever holds the disk."""
        with self.env.engine.connect() as db:
            disarm(db)
            act(db)
            db.commit()
        self.env.engine.dispose()


def _note(stream: str, body: dict[str, Any], work: Work) -> dict[str, Any]:
    work.audit(stream, body)
    return {}


@pytest.fixture
def house(env: Env, clock: SettableClock) -> House:
    """Two streams with six entries each, sealed thrice; entry 2, 4 and 6 are the sealed heads."""
    made = House(env, clock)
    for _ in range(3):
        made.write("a", 2)
        made.write("b", 2)
        assert made.seal() == 2
    return made


def digest(stream: str, n: int, prev: str, body: str) -> str:
    said = f"fd-audit-v1\0{stream}\0{n}\0{prev}\0{len(body.encode())}\0{body}"
    return hashlib.sha256(said.encode()).hexdigest()


def rewrite(db: Connection, stream: str, start: int, change: Callable[[list[Any]], Any]) -> None:
    """Change a chain and recompute everything the database holds of it from ``start`` on."""
    query = "SELECT * FROM audit WHERE stream = :stream ORDER BY n"
    rows = [dict(row) for row in db.execute(text(query), {"stream": stream}).mappings()]
    change(rows)
    db.execute(text("DELETE FROM audit WHERE stream = :stream"), {"stream": stream})
    prev = ""
    for n, row in enumerate(rows, 1):
        if n >= start:
            row.update(n=n, prev=prev, hash=digest(stream, n, prev, row["body"]))
        prev = row["hash"]
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        db.execute(text(f"INSERT INTO audit ({names}) VALUES ({values})"), row)
    head = {"n": len(rows), "hash": prev, "stream": stream}
    db.execute(text("UPDATE audit_head SET n = :n, hash = :hash WHERE stream = :stream"), head)


def changed(rows: list[Any]) -> None:
    rows[2]["body"] = rows[2]["body"].replace("noted", "forged")


def put_in(rows: list[Any]) -> None:
    rows.insert(2, rows[2] | {"id": 900_000})


def exchanged(rows: list[Any]) -> None:
    rows[2], rows[3] = rows[3], rows[2]


def cut_off(rows: list[Any]) -> None:
    del rows[4:]


def statement(*said: str) -> Callable[[Connection], None]:
    def act(db: Connection) -> None:
        for one in said:
            db.execute(text(one))

    return act


def recomputed(change: Callable[[list[Any]], Any]) -> Callable[[Connection], None]:
    return lambda db: rewrite(db, "a", 1, change)


def refitted(db: Connection) -> None:
    recomputed(changed)(db)
    statement(
        "UPDATE seal_leaf SET hash = (SELECT a.hash FROM audit a"
        " WHERE a.stream = seal_leaf.stream AND a.n = seal_leaf.n)"
    )(db)


CHANGED = {"what": "已封存的记录被改动", "stream": "a", "after": 2, "n": 4}
EDITS: dict[str, tuple[Callable[[Connection], None], dict[str, Any]]] = {
    "an entry changed": (
        statement("UPDATE audit SET body = '{}' WHERE stream = 'a' AND n = 3"),
        {"what": "审计链断裂", "stream": "a", "n": 3},
    ),
    "its time changed": (
        statement("UPDATE audit SET at = '2020-01-01 00:00:00' WHERE stream = 'a' AND n = 3"),
        {"what": "审计记录的时间与其内容不符", "stream": "a", "n": 3},
    ),
    "one taken out": (
        statement("DELETE FROM audit WHERE stream = 'a' AND n = 3"),
        {"what": "审计链断裂", "stream": "a", "n": 4},
    ),
    "one taken out, all recomputed": (recomputed(lambda rows: rows.pop(2)), CHANGED),
    "one put in, all recomputed": (recomputed(put_in), CHANGED),
    "two exchanged, all recomputed": (recomputed(exchanged), CHANGED),
    "written anew from an entry on": (recomputed(changed), CHANGED),
    "the tail cut off with its head": (
        recomputed(cut_off),
        {"what": "已封存的记录缺失", "stream": "a", "after": 4, "n": 6},
    ),
    "a stream taken out as a whole": (
        statement(*(f"DELETE FROM {name} WHERE stream = 'a'" for name in ("audit", "audit_head"))),
        {"what": "已封存的记录缺失", "stream": "a", "after": 0, "n": 2},
    ),
    "a head changed": (
        statement("UPDATE audit_head SET hash = 'forged' WHERE stream = 'a'"),
        {"what": "审计链与其链头不符", "stream": "a"},
    ),
    "a leaf changed to fit": (
        refitted,
        {"what": "封存的叶与其签名的根不符", "seal": 2},
    ),
    "a leaf taken out": (
        statement("DELETE FROM seal_leaf WHERE place = 2"),
        {"what": "封存的叶与其签名的根不符", "seal": 2},
    ),
    "a leaf put in": (
        statement(
            "INSERT INTO seal_leaf (id, place, stream, n, hash)"
            " SELECT 900000, 900000, stream, n, hash FROM audit WHERE stream = 'a' AND n = 5"
        ),
        {"what": "叶不在任何封存之下", "stream": "a", "n": 5},
    ),
    "a seal taken out": (
        statement("DELETE FROM seal WHERE number = 2"),
        {"what": "封存记录缺失", "seal": 2},
    ),
    "a seal's time changed": (
        statement("UPDATE seal SET at = '2020-01-01 00:00:00' WHERE number = 2"),
        {"what": "封存的签名不符", "seal": 2},
    ),
    "another key": (
        statement(f"UPDATE seal_key SET public = '{SigningKey(OTHER).public}'"),
        {"what": "封存的签名不符", "seal": 1},
    ),
    "another key by its right name": (
        statement(
            f"UPDATE seal_key SET public = '{SigningKey(OTHER).public}',"
            f" key_id = '{SigningKey(OTHER).id}'"
        ),
        {"what": "封存密钥不是本安装的密钥", "key": SigningKey(OTHER).id},
    ),
}


def test_what_nobody_touched_is_whole(house: House) -> None:
    house.write("a")
    assert house.found() == []
    assert [row.size for row in house.seals()] == [2, 4, 6]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_below_the_last_seal_is_found_and_said_where(house: House, edit: str) -> None:
    act, where = EDITS[edit]
    house.forge(act)
    assert where in house.found()


def test_above_the_last_seal_a_forger_is_not_found(house: House) -> None:
    """So it is said up to when it is sealed."""
    house.write("a", 2)
    house.forge(lambda db: rewrite(db, "a", 7, lambda rows: rows.pop()))
    assert house.found() == []


def test_seals_that_were_taken_off_show_against_one_that_left_the_house(house: House) -> None:
    with snapshot(house.env.engine) as db:
        kept = json.loads(json.dumps(newest(db)))
        assert list(against(db, kept)) == []
    newest_off = "DELETE FROM seal WHERE number = 3", "DELETE FROM seal_leaf WHERE place >= 4"
    house.forge(statement(*newest_off))
    assert house.found() == []
    with snapshot(house.env.engine) as db:
        assert [one.ids for one in against(db, kept)] == [{"seal": 3}]
        with pytest.raises(Invalid):
            list(against(db, kept | {"root": "00" * 32}))


def test_what_somebody_wrote_can_be_erased_and_the_chains_stay_whole(
    env: Env, clock: SettableClock
) -> None:
    """An entry binds a decision's text by an HMAC under the request's key: both are erased."""
    town = two_step_world.town(replace(env, seal_key=SECRET))
    town.open()
    said = "请补充完成标准与责任人"
    (slot,) = town.world.open_slots()
    town.world.answer(slot[1], reason=said)
    house = House(town.env, clock)
    assert house.seal() > 0
    erased = (
        "UPDATE decision SET reason = '', payload = NULL, key = 'erased:' || id",
        "UPDATE command SET key = 'erased:' || id, body_hash = '', result = NULL",
    )
    house.forge(statement(*erased))
    assert house.found() == []
    with snapshot(env.engine) as db:
        bodies = db.execute(text("SELECT body FROM audit")).scalars().all()
    assert any("decision" in body for body in bodies)
    assert not any(said in body for body in bodies)


def test_only_changed_heads_are_sealed_and_nothing_when_none_did(house: House) -> None:
    assert house.seal() == 0
    house.write("b")
    assert house.seal() == 1
    with snapshot(house.env.engine) as db:
        leaves = table(SealLeaf)
        last = db.execute(select(leaves).order_by(leaves.c.place.desc())).first()
    assert last is not None
    assert (last.place, last.stream, last.n) == (6, "b", 7)


def test_a_stream_that_was_locked_and_never_written_to_is_not_sealed(house: House) -> None:
    with house.env.engine.begin() as db:
        lock_stream(db, "empty")
    assert Sealer(house.env).once() == 0


def test_many_heads_are_sealed_in_parts_that_fit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST", 2)
    for name in "cdefg":
        house.write(name)
    assert house.seal() == 5
    assert [row.size for row in house.seals()] == [2, 4, 6, 8, 10, 11]
    assert house.found() == []


def test_two_sealers_make_one_seal(house: House) -> None:
    house.write("a")
    house.clock.forward(MINUTE)
    other = Sealer(house.env)
    assert sorted([house.sealer.once(), other.once()]) == [0, 1]


def test_who_has_another_key_seals_nothing(house: House) -> None:
    house.write("a")
    assert seal(house.env, SigningKey(OTHER)) == 0
    assert len(house.seals()) == 3


def test_nothing_is_put_on_a_seal_whose_tree_was_changed(house: House) -> None:
    house.forge(statement("UPDATE seal SET root = 'ff' WHERE number = 3"))
    house.write("a")
    with pytest.raises(Unsealable):
        house.seal()


def test_a_key_that_follows_another_is_endorsed_by_it(house: House) -> None:
    later = SigningKey(OTHER)
    row = {"key_id": later.id, "public": later.public, "at": house.clock.now}
    row["endorsed"] = KEY.sign(endorsement(later.public))
    house.forge(lambda db: _insert_key(db, row))
    with snapshot(house.env.engine) as db:
        assert list(unlike_the_seals(db, later.public)) == []
    house.forge(statement(f"UPDATE seal_key SET endorsed = '' WHERE key_id = '{later.id}'"))
    with snapshot(house.env.engine) as db:
        (found,) = unlike_the_seals(db, later.public)
    assert (found.what, dict(found.ids)) == ("封存密钥来历不明", {"key": later.id})


def _insert_key(db: Connection, row: dict[str, Any]) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    db.execute(text(f"INSERT INTO seal_key ({names}) VALUES ({values})"), row)


def test_what_is_unsealed_is_known_by_its_age(house: House) -> None:
    with snapshot(house.env.engine) as db:
        assert unsealed_since(db) is None
    house.write("a")
    written = house.clock.now
    house.clock.forward(MINUTE)
    house.write("b")
    with snapshot(house.env.engine) as db:
        assert unsealed_since(db) == written
