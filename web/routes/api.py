"""The JSON API: reading what waits, a step and a case, and deciding, as the signed-in person.

The session is that of the pages. An unsafe call carries the session's token in ``X-CSRF-Token``
(``GET /api/session`` tells it) and says where it comes from (``Origin``).
"""

from dataclasses import asdict
from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from policy.acts import Act
from policy.evidence import LONGEST_NOTE
from services.acts import act_on
from services.acts.acting import LONGEST as MOST_OF_A_REASON
from services.case_page import case_page
from services.casework import decide
from services.errors import Invalid
from services.evidence_withdrawal import withdraw_evidence
from services.inbox import PAGE, Inbox
from services.pausing import pause, prolong, resume
from services.problem_page import problem_page
from services.step_page import step_page
from services.substitution import LONGEST_REASON, make, revoke
from services.substitution_page import Substitutions, operating, preview
from services.substitution_terms import Terms
from services.termination import LONGEST, terminate
from web.access import Ask, Asked, Before, Id, as_json, signed
from web.routes.evidence import MAY_GIVE, added
from web.routes.inbox import mark, parse
from web.routes.papers import MAY_RECORD, api_payload, recorded

router = APIRouter(prefix="/api")
KEY_HEADER = "Idempotency-Key"


class KeyNeeded(Invalid):
    """请求须带 8 到 200 个字符的 Idempotency-Key。"""

    code = "key_needed"


def _takes(model: type[BaseModel]) -> dict[str, Any]:
    """What the OpenAPI says of a body that :meth:`web.access.Ask.json` reads."""
    body = {"content": {"application/json": {"schema": model.model_json_schema()}}}
    return {"requestBody": body}


class DecisionIn(BaseModel):
    """A decision. ``back_to``: the key of the step a return goes to, where one is to be chosen."""

    model_config = ConfigDict(extra="forbid")

    answer: str = Field(min_length=1, max_length=64)
    reason: str = Field(default="", max_length=4000)
    payload: Any = None
    back_to: str | None = Field(default=None, max_length=200)


class ActIn(BaseModel):
    """An act beside deciding; ``given``: what its form asks for, by name, as text."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=MOST_OF_A_REASON)
    given: dict[str, str] = Field(default={}, max_length=20)


class ProlongIn(BaseModel):
    """Until when a pause goes on, as an ISO date, and why."""

    model_config = ConfigDict(extra="forbid")

    review_on: str = Field(min_length=1, max_length=10)
    reason: str = Field(min_length=1, max_length=LONGEST)


class PauseIn(ProlongIn):
    """Why a branch is paused: ``kind`` is one of ``policy.pause.PauseKind``."""

    kind: str = Field(min_length=1, max_length=32)


class TerminationIn(BaseModel):
    """Why a case is terminated, or a pause ended."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST)


class WithdrawalIn(BaseModel):
    """Why a version of evidence is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST_NOTE)


class SubstitutionIn(BaseModel):
    """A substitution (离岗委托). ``until_on``: the last day; no ``mechanisms``: every one."""

    model_config = ConfigDict(extra="forbid")

    post_id: int = Field(ge=1, lt=2**63)
    substitute_post_id: int = Field(ge=1, lt=2**63)
    starts_on: date
    until_on: date
    mechanisms: list[str] = Field(default=[], max_length=50)
    reason: str = Field(default="", max_length=LONGEST_REASON)

    @property
    def terms(self) -> Terms:
        """What the services are asked for."""
        days = self.starts_on, self.until_on
        return Terms(self.post_id, self.substitute_post_id, *days, frozenset(self.mechanisms))


@router.get("/session")
@signed
def session(ask: Asked) -> Response:
    """Who is signed in, and the token that unsafe calls carry."""
    with ask.reading() as db:
        desk = ask.desk(db)
    posts = [{"id": post.id, "name": post.name} for post in desk.who.posts]
    return _json({"posts": posts, "waiting": desk.waiting, "csrf": ask.who.csrf})


@router.get("/inbox")
@signed
def inbox(ask: Asked, after: str = "", behalf: bool = False) -> Response:
    """A page of what waits, by date; ``next`` is where the next page begins. ``behalf``: only what
    waits on others for whom the person stands in."""
    with ask.reading() as db:
        mine = Inbox(ask.desk(db).who, behalf)
        items = mine.items(db, ask.now, parse(after) if after else None)
        counts = mine.counts(db, ask.now)
    following = mark(items[-1]) if len(items) == PAGE else None
    rows = [asdict(item) for item in items]
    return _json({"count": counts.all, "items": rows, "next": following})


@router.get("/steps/{slot_id}")
@signed
def step(ask: Asked, slot_id: Id) -> Response:
    """A step as its page shows it."""
    with ask.reading() as db:
        shown = step_page(db, ask.desk(db).who, slot_id, ask.now)
    return _json(asdict(shown) | {"open": shown.open, "answerable": shown.answerable})


@router.post(
    "/steps/{slot_id}/decision",
    openapi_extra=_takes(DecisionIn),
)
@signed
def decision(ask: Asked, slot_id: Id) -> Response:
    """Decide a step; the header ``Idempotency-Key`` names the request."""
    given = ask.json(DecisionIn)
    decided = decide(
        ask.env,
        ask.who.actor,
        slot_id=slot_id,
        answer=given.answer,
        key=_key(ask),
        reason=given.reason,
        payload=given.payload,
        back_to=given.back_to,
    )
    return _json(asdict(decided))


@router.post(
    "/steps/{slot_id}/acts/{act}",
    openapi_extra=_takes(ActIn),
)
@signed
def do(ask: Asked, slot_id: Id, act: Act) -> Response:
    """Something else than deciding (转办 …); the header ``Idempotency-Key`` names the request."""
    told, key = ask.json(ActIn), _key(ask)
    actor = ask.who.actor
    act_on(ask.env, actor, act, slot_id=slot_id, reason=told.reason, given=told.given, key=key)
    return _json({"slot_id": slot_id, "act": act})


@router.post("/steps/{slot_id}/paper", dependencies=MAY_RECORD)
@signed
def record(ask: Asked, slot_id: Id) -> Response:
    """Record a signed paper (multipart: ``signer``, ``signed_on``, ``answer``, ``reason``,
    ``payload`` as JSON, ``back_to``, ``scan``); the header ``Idempotency-Key`` names the request.
    """
    return _json(asdict(recorded(ask, slot_id, _key(ask), api_payload(ask))))


@router.post("/steps/{slot_id}/evidence", dependencies=MAY_GIVE)
@signed
def give_evidence(ask: Asked, slot_id: Id) -> Response:
    """Add files to a step (multipart: ``files``, ``note``, ``evidence`` for a next version); the
    header ``Idempotency-Key`` names the request.
    """
    return _json(asdict(added(ask, slot_id, _key(ask))))


@router.post(
    "/evidence/versions/{version_id}/withdrawal",
    openapi_extra=_takes(WithdrawalIn),
)
@signed
def take_back(ask: Asked, version_id: Id) -> Response:
    """Take a version of evidence back (撤回); the header ``Idempotency-Key`` names the request."""
    reason, by = ask.json(WithdrawalIn).reason, ask.who.actor
    done = withdraw_evidence(ask.env, by, version_id=version_id, reason=reason, key=_key(ask))
    return _json(asdict(done))


@router.get("/problems/{problem_id}/evidence")
@signed
def evidence(ask: Asked, problem_id: Id) -> Response:
    """The evidence of a problem and its tasks, each piece with its versions."""
    with ask.reading() as db:
        pieces = problem_page(db, ask.desk(db).who, problem_id).evidence
    return _json([asdict(piece) for piece in pieces])


@router.get("/cases/{case_id}")
@signed
def case(ask: Asked, case_id: Id) -> Response:
    """A case as its page shows it, without its history."""
    with ask.reading() as db:
        shown = case_page(db, ask.desk(db).who, case_id, ask.now)
    return _json(asdict(shown))


@router.post(
    "/cases/{case_id}/termination",
    openapi_extra=_takes(TerminationIn),
)
@signed
def end(ask: Asked, case_id: Id) -> Response:
    """Terminate a case (终止); the header ``Idempotency-Key`` names the request."""
    reason = ask.json(TerminationIn).reason
    terminate(ask.env, ask.who.actor, case_id=case_id, reason=reason, key=_key(ask))
    return _json({"case_id": case_id})


@router.post("/branches/{branch_id}/pause")
@signed
def pause_branch(ask: Asked, branch_id: Id) -> Response:
    """Pause a branch with all below it (暂停); of the root, the case."""
    given = ask.json(PauseIn)
    told = {"kind": given.kind, "review_on": given.review_on, "reason": given.reason}
    pause(ask.env, ask.who.actor, branch_id=branch_id, **told, key=_key(ask))
    return _json({"branch_id": branch_id})


@router.post("/branches/{branch_id}/prolongation")
@signed
def prolong_pause(ask: Asked, branch_id: Id) -> Response:
    """Go on with a pause until another day (继续暂停)."""
    given = ask.json(ProlongIn)
    told = {"review_on": given.review_on, "reason": given.reason}
    prolong(ask.env, ask.who.actor, branch_id=branch_id, **told, key=_key(ask))
    return _json({"branch_id": branch_id})


@router.post("/branches/{branch_id}/resumption")
@signed
def resume_branch(ask: Asked, branch_id: Id) -> Response:
    """Let a paused branch go on (恢复)."""
    reason = ask.json(TerminationIn).reason
    resume(ask.env, ask.who.actor, branch_id=branch_id, reason=reason, key=_key(ask))
    return _json({"branch_id": branch_id})


@router.get("/substitutions")
@signed
def substitutions(ask: Asked, before: Before = None, below: bool = False) -> Response:
    """Those that concern the person; with ``below`` those for which they are 系统运维员."""
    with ask.reading() as db:
        who = ask.desk(db).who
        if below:
            operating(who)
        seen = Substitutions(who, below)
        lines, count = seen.lines(db, before), seen.count(db)
    return _json({"count": count, "items": [asdict(line) for line in lines]})


@router.post("/substitutions/preview", openapi_extra=_takes(SubstitutionIn))
@signed
def preview_substitution(ask: Asked) -> Response:
    """What a substitution would cover today, and what hinders it; nothing is kept."""
    given = ask.json(SubstitutionIn)
    known = frozenset(name for name, _ in ask.env.mechanisms)
    with ask.reading() as db:
        shown = preview(db, ask.desk(db).who, given.terms, ask.now, known)
    return _json(asdict(shown))


@router.post("/substitutions", openapi_extra=_takes(SubstitutionIn))
@signed
def make_substitution(ask: Asked) -> Response:
    """Make one; the header ``Idempotency-Key`` names the request."""
    given = ask.json(SubstitutionIn)
    made = make(ask.env, ask.who.actor, terms=given.terms, reason=given.reason, key=_key(ask))
    return _json({"substitution_id": made})


@router.post("/substitutions/{substitution_id}/revocation")
@signed
def revoke_substitution(ask: Asked, substitution_id: Id) -> Response:
    """Revoke one, or give it back; the header ``Idempotency-Key`` names the request."""
    revoke(ask.env, ask.who.actor, substitution_id=substitution_id, key=_key(ask))
    return _json({"substitution_id": substitution_id})


def _key(ask: Ask) -> str:
    key = ask.request.headers.get(KEY_HEADER, "").strip()
    if not 8 <= len(key) <= 200:
        raise KeyNeeded(field=KEY_HEADER)
    return ask.own_key(key)


def _json(value: Any) -> Response:
    return Response(as_json(value), media_type="application/json")
