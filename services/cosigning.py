"""Seals that a superior's installation signs too (会签), and what came back of it.

The superior sees no content: number, size, root, time and signature. It signs only what continues
the last seal it signed for that installation, shown by a proof. So nobody below can show one record
to the superior and another at home, not even with the key; nor the superior sign unseen: what it
signed, and what was taken in here, are entries of audit chains (``cosigned/…``, ``cosignature``).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, text

from models.audit import Audit
from models.base import Instant, table
from policy.merkle import Head, sha256
from services.audit import lock_stream
from services.command import Actor, Work, execute
from services.env import Env
from services.errors import Invalid, NotAuthorised
from services.seal_check import FIELDS, Told, authentic
from services.seal_hash import digest_of
from services.seal_key import SigningKey, endorsement, key_id, signed
from services.sealing import statement
from services.violation import Violation

FORMAT = "fd-cosignature-v1"
COSIGNED, TAKEN_IN = "cosigned/", "cosignature"
_KEPT = ("number", "seal", "at", "key_id", "public", "signature")
_audit = table(Audit)
_SEAL = text("SELECT * FROM seal WHERE number = :number").columns(at=Instant)


class NotContinued(Invalid):
    """这次封存没有接上上次会签的封存，不予会签。请核对来源，请对方用 seal-out --since 附上证明。"""

    code = "not_continued"


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What a superior signed. ``continues``: the seal before that it signed; 0: this is the first,
    so whether ``origin`` is that installation's key is to be asked by another way."""

    origin: str
    continues: int
    file: dict[str, Any]


def cosign(
    env: Env, actor: Actor, told: Mapping[str, Any], *, key: str, anew: bool = False
) -> Cosigned:
    """Sign the seal of an installation below. Only by the system.

    Invalid for what is no seal, :class:`NotContinued` for one that does not continue the last,
    unless it is to begin ``anew`` (another hash function, a restored backup), as the entry says.
    """
    if actor.person_id is not None:
        raise NotAuthorised
    origin = _origin(told)
    own = SigningKey(env.seal_key)
    seal = {name: told[name] for name in FIELDS}

    def act(work: Work) -> dict[str, Any]:
        stream = f"{COSIGNED}{origin}"
        lock_stream(work.db, stream)
        last = _last(work.db, stream)
        if last is not None and not anew:
            _require_continued(last, told)
        made = {"number": told["number"], "seal": _bound(Told(told))}
        made |= {"at": work.now.astimezone(UTC).isoformat(), "key_id": own.id, "public": own.public}
        made["signature"] = own.sign(_said(made))
        said = {"act": "cosigned", "seal": seal, "signature": made["signature"], "anew": anew}
        work.audit(stream, said)
        return {"made": made, "continues": last["number"] if last and not anew else 0}

    body = {"seal": seal, "origin": origin, "anew": anew}
    done = execute(env, actor, "seal.cosign", key, body, act)
    return Cosigned(origin, done["continues"], {"format": FORMAT, **done["made"]})


def take_in(env: Env, actor: Actor, told: Mapping[str, Any], *, key: str) -> int:
    """Keep what a superior signed of a seal of ours; its number. Only by the system.

    Invalid where it is no such signature, or of a seal that is not here as it was.
    """
    if actor.person_id is not None:
        raise NotAuthorised
    if told.get("format") != FORMAT or not _holds(told):
        raise Invalid("文件不是有效的会签：内容与签名不符。")
    body = {name: told[name] for name in _KEPT}

    def act(work: Work) -> dict[str, Any]:
        if not _of_ours(work.db, told):
            raise Invalid("所会签的封存与库中不符：会签的不是本安装现有的封存。")
        work.audit(TAKEN_IN, {"act": "taken_in", "cosigned": body})
        return {"number": told["number"]}

    return int(execute(env, actor, "seal.take_in", key, body, act)["number"])


def newest_cosignature(db: Connection) -> dict[str, Any] | None:
    """The last that was taken in: number, at and key of the superior; None before the first."""
    last = select(_audit.c.body).where(_audit.c.stream == TAKEN_IN).order_by(_audit.c.n.desc())
    body = db.execute(last.limit(1)).scalar()
    return dict(json.loads(body)["cosigned"]) if body else None


def unlike_the_cosigned(db: Connection) -> Iterator[Violation]:
    """Seals that are not here any more as the superior signed them (INV-10)."""
    rows = select(_audit.c.body).where(_audit.c.stream == TAKEN_IN).order_by(_audit.c.n)
    for body in db.execute(rows).scalars():
        told = json.loads(body)["cosigned"]
        if not _holds(told) or not _of_ours(db, told):
            yield Violation("INV-10", "上级会签的封存与库中不符", {"seal": told["number"]})


def _origin(told: Mapping[str, Any]) -> str:
    """By what an installation is known for ever: its first key, from which the present one
    follows by endorsements."""
    if not authentic(told):
        raise Invalid("文件不是有效的封存回执：内容与签名不符。")
    keys = told.get("keys") or [{"public": told["public"], "endorsed": ""}]
    try:
        for before, after in zip(keys, keys[1:], strict=False):
            if not signed(before["public"], after["endorsed"], endorsement(after["public"])):
                raise Invalid("文件中的封存密钥来历不明。")
        if told["public"] not in [one["public"] for one in keys]:
            raise Invalid("文件中的封存密钥来历不明。")
        return key_id(keys[0]["public"])
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("文件不是有效的封存回执。") from error


def _last(db: Connection, stream: str) -> dict[str, Any] | None:
    last = select(_audit.c.body).where(_audit.c.stream == stream).order_by(_audit.c.n.desc())
    body = db.execute(last.limit(1)).scalar()
    return dict(json.loads(body)["seal"]) if body else None


def _require_continued(last: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    if last["number"] == told["number"]:
        if any(last[name] != told[name] for name in FIELDS):
            raise NotContinued
        return
    brought = told.get("consistency")
    if (
        last["number"] > told["number"]
        or not isinstance(brought, dict)
        or brought.get("since") != last["number"]
    ):
        raise NotContinued
    if last["algorithm"] != told["algorithm"]:
        raise NotContinued
    digest = digest_of(told["algorithm"])
    try:
        proof = [bytes.fromhex(node) for node in brought["path"]]
    except (KeyError, TypeError, ValueError) as error:
        raise NotContinued from error
    old = Head(last["size"], bytes.fromhex(last["root"]), digest)
    if not old.begins(Head(told["size"], bytes.fromhex(told["root"]), digest), proof):
        raise NotContinued


def _bound(seal: Any) -> str:
    return sha256(statement(seal).encode()).hex()


def _said(made: Mapping[str, Any]) -> str:
    lines = ("fd-cosign-v1", made["number"], made["seal"], made["at"], made["key_id"])
    return "\n".join(map(str, lines)) + "\n"


def _holds(told: Mapping[str, Any]) -> bool:
    try:
        datetime.fromisoformat(told["at"])
        named = key_id(told["public"]) == told["key_id"]
        return named and signed(told["public"], told["signature"], _said(told))
    except (KeyError, TypeError, ValueError):
        return False


def _of_ours(db: Connection, told: Mapping[str, Any]) -> bool:
    seal = db.execute(_SEAL, {"number": told["number"]}).first()
    return seal is not None and _bound(seal) == told["seal"]
