"""转办: who is asked gives it to another post of the same unit, once; the deadline stays."""

from sqlalchemy import func, select

from models.act import ActRecord
from models.base import table
from models.organisation import Post
from policy.acts import TRANSFERS, Act
from services.acts.about import About
from services.acts.near import may_be_asked
from services.acts.parts import Acting, Field, Kind
from services.casework.rerouting import reroute
from services.errors import Invalid

_acts = table(ActRecord)
_posts = table(Post)
POST = "post"


class PassedOnAlready(Invalid):
    """这一项已经转办过一次，不能再转办；确需由其他人办理的，请上级领导改派。"""

    code = "passed_on_already"


def _fields(this: About) -> tuple[Field, ...]:
    unit = select(_posts.c.organisation_id).where(_posts.c.id == this.slot.post_id)
    same = _posts.c.organisation_id == unit.scalar_subquery()
    return (Field(POST, "choice", may_be_asked(this, same)),)


def _carry(acting: Acting) -> None:
    this = acting.about
    before = select(func.count()).where(
        _acts.c.slot_id == this.slot.slot_id, _acts.c.act == Act.TRANSFER
    )
    if this.db.execute(before).scalar_one() >= TRANSFERS:
        raise PassedOnAlready(field=POST)
    reroute(acting.branch, this.slot.slot_id, int(acting.given[POST]))


TRANSFER = Kind(_fields, _carry)
