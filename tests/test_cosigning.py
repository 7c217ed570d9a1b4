"""What a superior's installation signs, keys that follow keys, and seals by another hash."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.command import SYSTEM, Actor
from services.cosigning import (
    NotContinued,
    cosign,
    newest_cosignature,
    take_in,
    unlike_the_cosigned,
)
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.invariants import snapshot
from services.seal_check import FIELDS, Told, unlike_the_seals
from services.seal_export import exported
from services.seal_hash import HashMissing, digest_of
from services.seal_key import SigningKey
from services.seal_outbox import leaving, write_daily
from services.seal_proof import OtherHash
from services.seal_rotation import NotTheKey, follow
from services.sealing import Sealer, statement
from tests.conftest import SettableClock
from tests.test_sealing import KEY, MINUTE, OTHER, House
from tests.test_sealing import statement as sql
from tools.audit_verifier import Verifier, between, verify

ABOVE = "33" * 32


@pytest.fixture
def house(env: Env, clock: SettableClock) -> House:
    """An installation with one seal over three streams."""
    made = House(env, clock)
    more(made, "abc")
    return made


def more(house: House, streams: str = "ab") -> None:
    for stream in streams:
        house.write(stream)
    assert house.seal() > 0


def out(house: House, since: int = 0) -> dict[str, Any]:
    with snapshot(house.env.engine) as db:
        told = leaving(db, since)
    return json.loads(json.dumps(told)) if told else {}


def above(house: House) -> Env:
    return replace(house.env, seal_key=ABOVE)


def signed(house: House, told: dict[str, Any], key: str, **more: bool) -> Any:
    return cosign(above(house), SYSTEM, told, key=key, **more)


def unlike(house: House) -> list[Any]:
    with snapshot(house.env.engine) as db:
        return [one.ids["seal"] for one in unlike_the_cosigned(db)]


def test_a_superior_signs_what_continues_what_it_signed_and_nothing_else(house: House) -> None:
    first = out(house)
    begun = signed(house, first, "first")
    assert (begun.origin, begun.continues, begun.file["number"]) == (KEY.id, 0, 1)
    assert begun.file["public"] == SigningKey(ABOVE).public
    more(house)
    more(house, "cd")
    bare, proved = out(house), out(house, since=1)
    assert proved["number"] == 3
    path = proved["consistency"]["path"]
    cut = proved | {"consistency": {"since": 1, "path": path[:-1]}}
    odd = proved | {"consistency": {"since": 1, "path": ["no hex"]}}
    fork = {name: bare[name] for name in (*FIELDS, "public", "keys")} | {"root": "ab" * 32}
    fork["signature"] = KEY.sign(statement(Told(fork)))  # by who has the key
    fork["consistency"] = proved["consistency"]
    for key, told in enumerate((bare, cut, odd, fork)):
        with pytest.raises(NotContinued):
            signed(house, told, f"refused {key}")
    for key, told in enumerate((bare | {"size": 9}, {"number": 3}, bare | {"keys": [{}]})):
        with pytest.raises(Invalid):
            signed(house, told, f"no seal {key}")
    assert signed(house, proved, "next").continues == 1
    assert signed(house, proved, "again").continues == 3
    with pytest.raises(NotContinued):
        signed(house, first, "older")
    with pytest.raises(NotAuthorised):
        cosign(above(house), Actor(1), proved, key="a person")


def test_what_came_back_is_kept_shown_and_held_against_the_seals(house: House) -> None:
    made = signed(house, out(house), "first").file
    for wrong in (made | {"number": 2}, made | {"seal": "00"}, {**made, "format": "other"}, {}):
        with pytest.raises(Invalid):
            take_in(house.env, SYSTEM, wrong, key=f"wrong {wrong}"[:60])
    with pytest.raises(NotAuthorised):
        take_in(house.env, Actor(1), made, key="a person")
    assert take_in(house.env, SYSTEM, made, key="kept") == 1
    more(house)
    with snapshot(house.env.engine) as db:
        kept = newest_cosignature(db)
    assert kept is not None
    assert (kept["number"], kept["public"]) == (1, SigningKey(ABOVE).public)
    assert (house.found(), unlike(house)) == ([], [])
    house.forge(sql("UPDATE seal SET root = 'ff' WHERE number = 1"))
    assert unlike(house) == [1]
    with pytest.raises(Invalid, match="与库中不符"):
        take_in(house.env, SYSTEM, made, key="kept later")


def test_a_key_follows_by_the_word_of_the_one_before_it(house: House) -> None:
    first, later = out(house), SigningKey(OTHER)
    signed(house, first, "first")
    with pytest.raises(NotTheKey):
        follow(above(house), SYSTEM, successor=later, key="another machine")
    with pytest.raises(NotAuthorised):
        follow(house.env, Actor(1), successor=later, key="a person")
    assert follow(house.env, SYSTEM, successor=later, key="follow") == later.id
    house.write("a")
    assert house.seal() == 0  # the old one seals no more
    house.env = replace(house.env, seal_key=OTHER)
    house.sealer = Sealer(house.env)
    assert house.seal() > 0
    with snapshot(house.env.engine) as db:
        assert list(unlike_the_seals(db, later.public)) == []
        lines = [json.dumps(line) for line in exported(db)]
    assert list(verify(lines, Verifier(later.public))) == []
    told = out(house, since=1)
    assert [one["public"] for one in told["keys"]] == [KEY.public, later.public]
    assert list(between(first, told, KEY.public)) == []
    assert signed(house, told, "next").origin == KEY.id
    stolen = told | {"keys": [told["keys"][0], told["keys"][1] | {"endorsed": "00"}]}
    assert [one["what"] for one in between(first, stolen, KEY.public)] == [
        "a key of unknown origin"
    ]
    with pytest.raises(Invalid, match="来历不明"):
        signed(house, stolen, "stolen")


def test_seals_may_be_made_by_another_hash_and_what_was_sealed_stays(house: House) -> None:
    signed(house, out(house), "first")
    house.env = replace(house.env, seal_hash="sm3")
    house.sealer = Sealer(house.env)
    more(house)
    more(house, "cd")
    seals = house.seals()
    assert [(row.algorithm, row.size) for row in seals] == [("sha256", 3), ("sm3", 6), ("sm3", 8)]
    assert house.found() == []
    with snapshot(house.env.engine) as db:
        lines = [json.dumps(line) for line in exported(db)]
        with pytest.raises(OtherHash):
            leaving(db, 1)
    assert list(verify(lines, Verifier(KEY.public))) == []
    with pytest.raises(NotContinued):
        signed(house, out(house), "other hash")
    assert signed(house, out(house), "anew", anew=True).continues == 0
    more(house)
    assert signed(house, out(house, since=3), "on").continues == 3
    house.forge(sql("DELETE FROM seal_leaf WHERE place = 1"))
    assert {"what": "封存的叶与其签名的根不符", "seal": 1} in house.found()


def test_a_machine_without_the_hash_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashlib.algorithms_available", {"sha256"})
    for name in ("sm3", "md5"):
        with pytest.raises(HashMissing, match=name):
            digest_of(name)


def test_a_seal_is_left_in_the_outbox_each_day(house: House, tmp_path: Path) -> None:
    assert write_daily(house.env) is None
    folder = tmp_path / "outbox"
    house.env = replace(house.env, seal_outbox=folder)
    first = write_daily(house.env)
    assert first is not None
    assert write_daily(house.env) is None
    signed(house, json.loads(first.read_text("utf-8")), "first")
    house.clock.forward(24 * 60 * MINUTE)
    more(house)
    second = write_daily(house.env)
    assert second is not None
    assert signed(house, json.loads(second.read_text("utf-8")), "second").continues == 1
    assert sorted(file.name for file in folder.iterdir()) == sorted([first.name, second.name])
