"""Rows of a new part of the tree: organisations with organs, posts, holders, relations, charges.

Nothing is read or written here but ids: the rows are gathered, then inserted in bulk.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, insert

from models.account import Account
from models.base import table
from models.organisation import (
    Appointment,
    Level,
    Organisation,
    OrganisationKind,
    Person,
    Portfolio,
    Post,
    Relation,
    RelationKind,
)
from services.establishment import IN_CHARGE_BELOW, Establishment, OrganPlan, PostPlan
from services.ids import reserve
from services.scope import post_name

TABLES = tuple(
    table(model)
    for model in (Organisation, Person, Post, Appointment, Account, Relation, Portfolio)
)
"""In the order in which their rows may be written."""
SERVED_FROM_ABOVE = (
    RelationKind.ORGANISATION_DEPT,
    RelationKind.PUBLICITY_DEPT,
    RelationKind.INSPECTION_OFFICE,
    RelationKind.LEADING_GROUP,
)


@dataclass(frozen=True, slots=True)
class Placed:
    """An organisation under which others can be founded."""

    id: int
    path: str
    organs: Mapping[RelationKind, int]
    """Who serves it, or the nearest above it."""
    in_charge_below: int | None
    """The post that gets (分管) the committees one level down."""


@dataclass(slots=True)
class Founding:
    """Gathers rows; ``on`` is the first day of every appointment, relation and charge."""

    on: date
    organisation_ids: Iterator[int]
    post_ids: Iterator[int]
    person_ids: Iterator[int]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, db: Connection, plans: Sequence[Establishment], on: date) -> "Founding":
        """A founding with ids enough for everything in ``plans``."""
        organisations = sum(1 + len(plan.organs) for plan in plans)
        posts = sum(
            len(plan.posts) + sum(len(organ.posts) for organ in plan.organs) for plan in plans
        )
        return cls(
            on,
            reserve(db, table(Organisation), organisations),
            reserve(db, table(Post), posts),
            reserve(db, table(Person), posts),
        )

    def found(self, code: str, plan: Establishment, parent: Placed | None) -> Placed:
        """Add an organisation with all that its plan says; where it now stands."""
        own = self._organisation(code, plan, plan.level, plan.kind, parent)
        posts = {post.slug: self._post(own.id, code, plan, post) for post in plan.posts}
        organs = {}
        for organ in plan.organs:
            organ_code = f"{code}.{organ.slug}"
            organs[organ.slug] = self._organisation(
                organ_code, organ, plan.level, organ.kind, own
            ).id
            for post in organ.posts:
                made = self._post(organs[organ.slug], organ_code, organ, post)
                posts[f"{organ.slug}/{post.slug}"] = made
        serving = {o.relation: organs[o.slug] for o in plan.organs if o.relation is not None}
        self._relations(own.id, plan, serving, parent)
        self._charges(own.id, plan, posts, organs, parent)
        in_charge = IN_CHARGE_BELOW.get(plan.level)
        below = next((posts[post.slug] for post in plan.posts if post.title == in_charge), None)
        above = parent.organs if parent else {}
        return Placed(own.id, own.path, {**above, **serving}, below)

    def write(self, db: Connection) -> None:
        """Insert everything that was gathered."""
        for of in TABLES:
            if self.rows[of.name]:
                db.execute(insert(of), self.rows[of.name])

    def _organisation(
        self,
        code: str,
        plan: Establishment | OrganPlan,
        level: Level,
        kind: OrganisationKind,
        parent: Placed | None,
    ) -> Placed:
        organisation_id = next(self.organisation_ids)
        path = f"{parent.path if parent else '/'}{organisation_id}/"
        self.rows["organisation"].append(
            {
                "id": organisation_id,
                "code": code,
                "name": plan.name,
                "short_name": plan.short_name,
                "level": level,
                "kind": kind,
                "parent_id": parent.id if parent else None,
                "path": path,
            }
        )
        return Placed(organisation_id, path, {}, None)

    def _post(
        self, organisation_id: int, code: str, plan: Establishment | OrganPlan, post: PostPlan
    ) -> int:
        post_id, person_id = next(self.post_ids), next(self.person_ids)
        self.rows["post"].append(
            {
                "id": post_id,
                "organisation_id": organisation_id,
                "kind": post.kind,
                "title": post.title,
                "rank": post.rank,
            }
        )
        name = post_name(plan.short_name, post.title)
        self.rows["person"].append({"id": person_id, "name": name})
        self.rows["appointment"].append(
            {"post_id": post_id, "person_id": person_id, "starts_on": self.on}
        )
        self.rows["account"].append(
            {"login": f"{code}.{post.slug}", "person_id": person_id, "disabled": False}
        )
        return post_id

    def _relations(
        self,
        own: int,
        plan: Establishment,
        serving: Mapping[RelationKind, int],
        parent: Placed | None,
    ) -> None:
        for kind, organ_id in serving.items():
            self._relation(kind, organ_id, own)
        if parent is None or plan.level is Level.VILLAGE:
            return
        for kind in SERVED_FROM_ABOVE:
            if kind not in serving and kind in parent.organs:
                self._relation(kind, parent.organs[kind], own)
        if RelationKind.DISCIPLINE in parent.organs:
            for served in (own, serving.get(RelationKind.DISCIPLINE)):
                self._relation(
                    RelationKind.SUPERIOR_DISCIPLINE, parent.organs[RelationKind.DISCIPLINE], served
                )

    def _relation(self, kind: RelationKind, organ_id: int, served_id: int | None) -> None:
        if served_id is not None:
            self.rows["relation"].append(
                {
                    "kind": kind,
                    "organ_id": organ_id,
                    "served_id": served_id,
                    "starts_on": self.on,
                }
            )

    def _charges(
        self,
        own: int,
        plan: Establishment,
        posts: Mapping[str, int],
        organs: Mapping[str, int],
        parent: Placed | None,
    ) -> None:
        for charge in plan.charges:
            unit = organs[charge.organ] if charge.organ else None
            self._charge(posts[charge.holder], unit, charge.area)
        if parent and parent.in_charge_below:
            self._charge(parent.in_charge_below, own, None)

    def _charge(self, post_id: int, unit_id: int | None, area: int | None) -> None:
        self.rows["portfolio"].append(
            {"post_id": post_id, "unit_id": unit_id, "area": area, "starts_on": self.on}
        )
