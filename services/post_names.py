"""What posts are called, many at once."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from models.base import table
from models.organisation import Organisation, Post
from services.scope import post_name

_organisations = table(Organisation)
_posts = table(Post)


def names_of(db: Connection, post_ids: Collection[int]) -> dict[int, str]:
    """The name of each of these posts, the abolished ones too; no query for none."""
    if not post_ids:
        return {}
    rows = db.execute(
        select(_posts.c.id, _posts.c.title, _organisations.c.short_name)
        .join(_organisations, _organisations.c.id == _posts.c.organisation_id)
        .where(_posts.c.id.in_(post_ids))
    )
    return {row.id: post_name(row.short_name, row.title) for row in rows}
