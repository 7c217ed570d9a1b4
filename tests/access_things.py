"""Something of everything that has an address, in the scene of ``tests.access_scene``, by the part
of the address that names it. A new kind of address needs a row in :data:`MADE`."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import insert

from models.account import Account
from models.act import ActRecord
from models.audit import Command
from models.base import table
from models.batch import Batch, BatchKind
from models.casework import Branch, Decision, Slot, Step
from models.evidence import Evidence, EvidenceFile, EvidenceVersion
from models.ledger import Ledger
from models.organisation import Appointment
from models.planned_change import PlannedChange, PlannedState
from models.problem import Problem
from models.signed_paper import SignedPaper
from models.substitution import Substitution
from models.vacancy import Handover
from policy.access import Action
from policy.batch import BatchState
from policy.calendar import local_day
from tests.access_scene import WORDS, Scene, Thing

OF_UNITS = ("rename", "move", "merge", "split", "close", "create")
OF_POSTS = ("appoint", "abolish")
OF_TERMS = ("leave", "transfer")
LISTS: dict[str, Action | None] = {
    "/accounts": Action.KEEP_ACCOUNTS,
    "/accounts/make": Action.KEEP_ACCOUNTS,
    "/record": Action.READ_RECORD,
    "/changes": Action.CHANGE_POSTS,
    **dict.fromkeys(
        (
            "/",
            "/cases",
            "/done",
            "/messages",
            "/messages/read",
            "/organisations",
            "/handovers",
            "/account",
            "/account/post",
            "/account/sessions/end",
            "/account/password",
            "/account/reads",
            "/account/codes",
            "/account/codes/confirm",
            "/account/codes/drop",
            "/logout",
            "/import",
            "/import/template",
            "/ledgers",
            "/ledgers/template",
            "/organisation-imports",
            "/organisation-imports/template",
            "/substitutions",
            "/substitutions/below",
            "/substitutions/new",
            "/substitutions/preview",
            "/session",
            "/inbox",
        )
    ),
}
"""What is about no single thing: what one needs for it; None: it is everybody's, with their own."""
Making = Callable[[Scene], list[Thing]]
MADE: dict[str, Making] = {}
"""What an address is about, by its part up to the id."""


def of(*stems: str) -> Callable[[Making], Making]:
    """What is there for these addresses."""

    def add(making: Making) -> Making:
        MADE.update(dict.fromkeys(stems, making))
        return making

    return add


def put(scene: Scene) -> dict[str, list[Thing]]:
    """Everything, by address."""
    by_making = {making: making(scene) for making in dict.fromkeys(MADE.values())}
    scene.forget()
    return {stem: by_making[making] for stem, making in MADE.items()}


def _add(scene: Scene, model: type, **values: Any) -> int:
    of = table(model)
    with scene.house.case.env.engine.begin() as db:
        return int(db.execute(insert(of).values(values).returning(of.c.id)).scalar_one())


def _work(scene: Scene, name: str, id_: int) -> Thing:
    unit, case = scene.world.organisations[name], scene.cases[name]
    return Thing(id_, unit, Action.READ_WORK, case)


@of("/cases/{case_id}")
def _cases(scene: Scene) -> list[Thing]:
    return [_work(scene, name, case) for name, case in scene.cases.items()]


@of("/branches/{branch_id}")
def _branches(scene: Scene) -> list[Thing]:
    ids = {name: scene.rows(Branch, "id", case_id=case) for name, case in scene.cases.items()}
    return [_work(scene, name, rows[0].id) for name, rows in ids.items()]


@of("/problems/{problem_id}")
def _problems(scene: Scene) -> list[Thing]:
    ids = {name: scene.rows(Problem, "id", case_id=case) for name, case in scene.cases.items()}
    return [_work(scene, name, rows[0].id) for name, rows in ids.items()]


@of("/asked/{step_id}")
def _steps(scene: Scene) -> list[Thing]:
    ids = {name: scene.rows(Step, "id", case_id=case) for name, case in scene.cases.items()}
    return [_work(scene, name, rows[-1].id) for name, rows in ids.items()]


@of("/steps/{slot_id}")
def _slots(scene: Scene) -> list[Thing]:
    found = []
    for thing, name in zip(_steps(scene), scene.cases, strict=True):
        found.append(_work(scene, name, scene.rows(Slot, "id", step_id=thing.id)[0].id))
    return found


@of("/evidence/{evidence_id}")
def _evidence(scene: Scene) -> list[Thing]:
    return [_work(scene, "town", row.id) for row in scene.rows(Evidence, "id")]


@of("/evidence/versions/{version_id}")
def _versions(scene: Scene) -> list[Thing]:
    return [_work(scene, "town", row.id) for row in scene.rows(EvidenceVersion, "id")]


@of("/papers/{paper_id}")
def _papers(scene: Scene) -> list[Thing]:
    decision = scene.rows(Decision, "id", case_id=scene.cases["town"])[0].id
    file, act = scene.rows(EvidenceFile, "id")[0].id, scene.rows(ActRecord, "id")[0].id
    values: Any = {"decision_id": decision, "act_id": act, "file_id": file}
    id_ = _add(scene, SignedPaper, **values, name="樟木签批.pdf", signed_on=date(2026, 3, 1))
    return [_work(scene, "town", id_)]


@of("/receipts/decision/{about_id}")
def _decided(scene: Scene) -> list[Thing]:
    row = scene.rows(Decision, "slot_id", "person_id", case_id=scene.cases["town"])[0]
    return [Thing(row.slot_id, holders=_login(scene, row.person_id))]


@of("/receipts/act/{about_id}")
def _acted(scene: Scene) -> list[Thing]:
    row = scene.rows(ActRecord, "id", "person_id")[0]
    return [Thing(row.id, holders=_login(scene, row.person_id))]


def _login(scene: Scene, person_id: int) -> frozenset[str]:
    return frozenset(name for name, person in scene.world.people.items() if person == person_id)


def _units(scene: Scene, action: Action) -> list[Thing]:
    ids = (scene.world.organisations[name] for name in WORDS)
    return [Thing(id_, id_, action) for id_ in ids]


@of("/organisations/{organisation_id}")
def _pages(scene: Scene) -> list[Thing]:
    return _units(scene, Action.READ_UNIT)


@of("/changes/units/{unit_id}")
def _unit_posts(scene: Scene) -> list[Thing]:
    return _units(scene, Action.CHANGE_POSTS)


@of(*(f"/changes/{what}/{{about_id}}" for what in OF_UNITS if what != "create"))
def _unit_changes(scene: Scene) -> list[Thing]:
    return _units(scene, Action.CHANGE_UNIT)


@of("/changes/create/{about_id}")
def _new_posts(scene: Scene) -> list[Thing]:
    return _units(scene, Action.CHANGE_POSTS)


@of(*(f"/changes/{what}/{{about_id}}" for what in OF_POSTS))
def _seats(scene: Scene) -> list[Thing]:
    posts = (scene.world.posts[login] for login in ("clerk", "outsider", "far_town_clerk"))
    units = (scene.world.organisations[name] for name in WORDS)
    pairs = zip(posts, units, strict=True)
    return [Thing(post, unit, Action.CHANGE_POSTS) for post, unit in pairs]


@of(*(f"/changes/{what}/{{about_id}}" for what in OF_TERMS))
def _terms(scene: Scene) -> list[Thing]:
    terms = {row.post_id: row.id for row in scene.rows(Appointment, "id", "post_id")}
    return [Thing(terms[one.id], one.unit, one.action) for one in _seats(scene)]


@of("/changes/planned/{planned_id}")
def _planned(scene: Scene) -> list[Thing]:
    made, now = scene.world, scene.house.case.env.clock()
    unit = made.organisations["town"]
    values: Any = {"unit_id": unit, "what": "rename", "made_by": made.people["operator"]}
    values |= {"given": {"name": ["樟木新名"], "short_name": ["樟木新名"]}, "made_at": now}
    values |= {"seen": {"fingerprint": "", "slots": [], "moves": {}, "ends": {}}}
    due = local_day(now) + timedelta(days=9)
    id_ = _add(scene, PlannedChange, **values, due_on=due, state=PlannedState.WAITING)
    return [Thing(id_, unit, Action.CHANGE_UNIT)]


@of("/handovers/{handover_id}")
def _handovers(scene: Scene) -> list[Thing]:
    post = scene.world.posts["office_head"]
    (term,) = scene.rows(Appointment, "id", post_id=post)
    now = scene.house.case.env.clock()
    id_ = _add(scene, Handover, post_id=post, appointment_id=term.id, made_at=now)
    return [Thing(id_, holders=frozenset({"office_head"}))]


@of("/ledgers/{ledger_id}")
def _ledgers(scene: Scene) -> list[Thing]:
    made, now = scene.world, scene.house.case.env.clock()
    values: Any = {"organisation_id": made.organisations["other"], "batch": "雪松批次"}
    values |= {"filename": "雪松台账.xlsx", "sha256": "", "fingerprint": "", "staged_at": now}
    values |= {"said": {}, "state": BatchState.DROPPED}
    id_ = _add(scene, Ledger, **values, person_id=made.people["inspection_head"])
    return [Thing(id_, holders=frozenset({"inspection_head"}))]


@of("/organisation-imports/{batch_id}")
def _batches(scene: Scene) -> list[Thing]:
    now = scene.house.case.env.clock()
    values: Any = {"kind": BatchKind.ORGANISATION, "state": BatchState.DROPPED, "sha256": ""}
    values |= {"fingerprint": "", "on_day": local_day(now), "staged_at": now}
    values |= {"said": {"counts": {}, "changes": [], "change_count": 0}}
    found = []
    for login in ("operator", "far_operator"):
        unit, person = scene.at[login], scene.world.people[login]
        values |= {"organisation_id": unit, "person_id": person, "filename": f"{login}.xlsx"}
        found.append(Thing(_add(scene, Batch, **values), unit, Action.IMPORT_UNITS))
    return found


@of("/import/receipts/{command_id}")
def _receipts(scene: Scene) -> list[Thing]:
    result = {"filename": "樟木反馈.xlsx", "changes": [], "changed": 0, "number": "樟木"}
    result |= {"case_id": scene.cases["town"], "problems": 2}
    person, now = scene.world.people["town_discipline_secretary"], scene.house.case.env.clock()
    values: Any = {"key": "receipt", "name": "problem.import", "body_hash": "", "result": result}
    id_ = _add(scene, Command, **values, person_id=person, at=now)
    return [Thing(id_, holders=frozenset({"town_discipline_secretary"}))]


@of("/substitutions/{substitution_id}")
def _substitutions(scene: Scene) -> list[Thing]:
    """The town's deputy stands in for the other town's secretary, for whom its case waits."""
    made, now = scene.world, scene.house.case.env.clock()
    posts, people = made.posts, made.people
    values: Any = {"post_id": posts["outsider"], "person_id": people["outsider"]}
    values |= {"substitute_post_id": posts["deputy"], "substitute_id": people["deputy"]}
    values |= {"made_by": people["outsider"], "made_as": posts["outsider"], "made_at": now}
    values |= {"starts_on": date(2026, 1, 1), "ends_on": date(2027, 1, 1), "reason": "外出学习"}
    unit = made.organisations["other"]
    holders = frozenset({"outsider", "deputy"})
    return [Thing(_add(scene, Substitution, **values), unit, Action.ARRANGE, holders=holders)]


@of("/accounts/{account_id}")
def _accounts(scene: Scene) -> list[Thing]:
    found = []
    for login in ("clerk", "far_town_clerk"):
        (row,) = scene.rows(Account, "id", login=login)
        found.append(Thing(row.id, scene.at[login], Action.KEEP_ACCOUNTS))
    return found
