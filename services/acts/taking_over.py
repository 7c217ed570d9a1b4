"""接办: a superior in line does it themselves; who was asked is told nothing more of it."""

from models.base import table
from models.organisation import Post
from services.acts.near import may_be_asked
from services.acts.parts import Acting, Kind, nothing
from services.casework.rerouting import reroute
from services.errors import NotAuthorised

_posts = table(Post)


class CannotTakeOver(NotAuthorised):
    """您已在这一环节承办，或者已办理过这一事项的前一环节，不能由您接办。"""

    code = "cannot_take_over"


def _carry(acting: Acting) -> None:
    if not may_be_asked(acting.about, _posts.c.id == acting.post_id):
        raise CannotTakeOver
    reroute(acting.branch, acting.about.slot.slot_id, acting.post_id)


TAKE_OVER = Kind(nothing, _carry)
