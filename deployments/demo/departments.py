"""What 滨河区 has beside its tree: 党组 with their 派驻机构, an office, an enterprise.

Made by the generator and brought in like everybody's file: staged, then confirmed.
"""

import hashlib
from dataclasses import replace
from datetime import date

from deployments.generating import DEMO, Generated, Place, generate_beside, workbook
from services.batches.page import batch_head
from services.batches.staging import confirm, stage
from services.command import Actor
from services.database import reading
from services.env import Env
from services.organisation import organisation_id

FILENAME = "滨河区部门.xlsx"
_ORGANS = {
    "纪委": "discipline",
    "组织部": "organisation",
    "宣传部": "publicity",
    "巡察办": "inspection",
    "党委办": "office",
    "领导小组": "group",
}


def departments(code: str, name: str) -> Generated:
    """The further organisations of a district of the tree; people are called by their posts."""
    organs = {kind: f"{code}.{slug}" for kind, slug in _ORGANS.items()}
    made = generate_beside(Place(code, name, "区", organs, ("副书记",)), DEMO.district)
    units = {unit.code: unit.name for unit in made.units}
    terms = [replace(term, name=units[term.unit] + term.title, code="") for term in made.terms]
    return replace(made, terms=terms)


def add_departments(env: Env, actor: Actor, code: str, name: str, on: date) -> None:
    """Import :func:`departments`, with everything from ``on``; where they are, nothing is done."""
    made = departments(code, name)
    with reading(env.engine) as db:
        if any(organisation_id(db, unit.code) is not None for unit in made.units):
            return
    data = workbook(made, on)
    key = f"demo-departments-{on.isoformat()}-{hashlib.sha256(data).hexdigest()[:16]}"
    batch_id = stage(env, actor, data=data, filename=FILENAME, key=key)
    with reading(env.engine) as db:
        fingerprint = batch_head(db, None, batch_id).fingerprint
    confirm(env, actor, batch_id=batch_id, fingerprint=fingerprint, key=f"{key}-confirm")
