"""The forms of 任职、离任、转任、新设职务、撤销职务."""

from models.organisation import PostKind
from services.appointing import appoint, leave, leaving, transfer
from services.changes.choices import line_of, posts_of, vacant_posts
from services.changes.parts import (
    About,
    Act,
    Answers,
    Field,
    Kind,
    Look,
    Option,
    day,
    number,
    text,
)
from services.errors import Invalid
from services.moves import Moves, of_posts
from services.organisers import Seat, seat_of, unit_of
from services.posting import abolish_post, abolition, create_post
from services.posts import KIND_NAMES
from services.scope import post_name
from services.vacancy import people_near


def _seat(about: About) -> Seat:
    return seat_of(about.db, about.who, about.id)


def _name_of(seat: Seat) -> tuple[str, int]:
    return post_name(seat.unit.short_name, seat.title), seat.unit.id


def _appoint_fields(about: About, given: Answers) -> list[Field]:
    near = people_near(about.db, about.id, about.on)
    people = tuple(Option(str(one.id), one.name) for one in near)
    return [
        Field("person", "choice", "change: person", people, required=False),
        Field("name", "text", "change: or a new person's name", required=False),
        Field("on", "date", "change: first day in the post", start=about.on.isoformat()),
    ]


def _appoint_look(about: About, given: Answers) -> Look:
    if not text(given, "person") and not text(given, "name"):
        raise Invalid("请选择任职人员，或填写新任职人员的姓名。", field="person")
    day(given, "on")
    moves = of_posts(about.db, [about.id], about.on)
    return Look(Moves(slots=moves.slots, portfolios=moves.portfolios))


def _appoint(act: Act) -> None:
    given = act.given
    person = number(given, "person") if text(given, "person") else None
    starts_on, name = day(given, "on"), "" if person else text(given, "name")
    of = {"post_id": act.id, "starts_on": starts_on, "person_id": person, "name": name}
    appoint(act.env, act.actor, key=act.key, **of)  # type: ignore[arg-type]


def _holder_name(about: About) -> tuple[str, int]:
    found = leaving(about.db, about.who, about.id, about.on)
    name, unit_id = _name_of(seat_of(about.db, about.who, found.post_id))
    return (name if found.person in ("", name) else f"{found.person}（{name}）"), unit_id


def _leave_fields(about: About, given: Answers) -> list[Field]:
    return [Field("on", "date", "change: first day out of the post", start=about.on.isoformat())]


def _leave_look(about: About, given: Answers) -> Look:
    day(given, "on")
    moves = leaving(about.db, about.who, about.id, about.on).moves
    return Look(moves, fingerprint=moves.fingerprint)


def _leave(act: Act) -> None:
    on = day(act.given, "on")
    leave(act.env, act.actor, appointment_id=act.id, ends_on=on, seen=act.seen, key=act.key)


def _transfer_fields(about: About, given: Answers) -> list[Field]:
    found = leaving(about.db, about.who, about.id, about.on)
    path = seat_of(about.db, about.who, found.post_id).unit.path
    to = Field("to", "choice", "change: to the post", vacant_posts(about, path))
    return [to, *_leave_fields(about, given)]


def _transfer_look(about: About, given: Answers) -> Look:
    seat_of(about.db, about.who, number(given, "to"))
    return _leave_look(about, given)


def _transfer(act: Act) -> None:
    to, on = number(act.given, "to"), day(act.given, "on")
    transfer(act.env, act.actor, appointment_id=act.id, to=to, on=on, seen=act.seen, key=act.key)


def _create_name(about: About) -> tuple[str, int]:
    unit = unit_of(about.db, about.who, about.id, posts=True)
    return unit.short_name, unit.id


def _create_fields(about: About, given: Answers) -> list[Field]:
    kinds = tuple(Option(kind.value, KIND_NAMES[kind]) for kind in PostKind)
    return [
        Field("title", "text", "change: title"),
        Field("kind", "choice", "change: kind of post", kinds),
        Field("rank", "number", "change: rank, 0 leads", start="5"),
    ]


def _create_look(about: About, given: Answers) -> Look:
    number(given, "rank")
    _kind(given)
    return Look(Moves())


def _create(act: Act) -> None:
    title, rank = text(act.given, "title"), number(act.given, "rank")
    of = {"unit_id": act.id, "kind": _kind(act.given), "title": title, "rank": rank}
    create_post(act.env, act.actor, key=act.key, **of)  # type: ignore[arg-type]


def _kind(given: Answers) -> PostKind:
    try:
        return PostKind(text(given, "kind"))
    except ValueError as error:
        raise Invalid("请选择职务类别。", field="kind") from error


def _abolish_fields(about: About, given: Answers) -> list[Field]:
    line = line_of(_seat(about).unit.path)
    options = posts_of(about.db, line, about.id)
    return [Field("successor", "choice", "change: who takes what is open", options)]


def _abolish_look(about: About, given: Answers) -> Look:
    found = abolition(about.db, about.who, about.id, number(given, "successor"), about.on)
    return Look(found.moves, fingerprint=found.moves.fingerprint)


def _abolish(act: Act) -> None:
    to = number(act.given, "successor")
    abolish_post(act.env, act.actor, post_id=act.id, successor_id=to, seen=act.seen, key=act.key)


KINDS = {
    "appoint": Kind(lambda a: _name_of(_seat(a)), _appoint_fields, _appoint_look, _appoint),
    "leave": Kind(_holder_name, _leave_fields, _leave_look, _leave),
    "transfer": Kind(_holder_name, _transfer_fields, _transfer_look, _transfer),
    "create": Kind(_create_name, _create_fields, _create_look, _create),
    "abolish": Kind(lambda a: _name_of(_seat(a)), _abolish_fields, _abolish_look, _abolish),
}
