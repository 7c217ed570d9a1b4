"""A rectification of a 党组 that has no 派驻机构 now (R6-2): watched from above, and said so."""

from sqlalchemy import Engine, update

from models.base import table
from models.organisation import Organisation, OrganisationKind
from services.command import Work
from services.step_form import RolesForm, step_form
from tests import world
from tests.rectification_cast import begin, proposed

DAY = world.START.date()


def test_without_a_stationed_organ_the_superiors_organs_are_proposed_and_offered(
    engine: Engine,
) -> None:
    case = begin(engine, world.Clock())
    unit = case.world.organisations["town"]
    units = table(Organisation)

    def lose(work: Work) -> dict[str, object]:
        """The town's committee is a 党组, and what was its discipline organ is no 派驻机构."""
        of = units.c.id == unit
        work.db.execute(update(units).where(of).values(kind=OrganisationKind.PARTY_GROUP))
        return {}

    with case.env.engine.connect() as db:
        before = step_form(db, "assign_roles", case.case_id, DAY)
        assert isinstance(before, RolesForm)
        assert before.gap == ""
    case.world.do(lose)
    watcher = case.world.posts["discipline_secretary"]
    assert {role["supervisor"] for role in proposed(case).values()} == {watcher}
    with case.env.engine.connect() as db:
        form = step_form(db, "assign_roles", case.case_id, DAY)
    assert isinstance(form, RolesForm)
    assert form.gap == "梧桐路街道党工委没有派驻机构"
    inspection = case.world.posts["inspection_head"]
    assert {one.id for one in form.options["supervisor"]} == {watcher, inspection}
    assert case.world.waiting() == [("assign-roles", "secretary")]
    case.answer("assign-roles")
    assert case.world.waiting() == [("draft-plan", "clerk")]
