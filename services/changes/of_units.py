"""The forms of 更名、划转、合并、拆分、撤销."""

from services.changes.choices import (
    children,
    committees,
    running_cases,
    successors,
    takers,
    titles_of,
)
from services.changes.parts import (
    About,
    Act,
    Answers,
    Field,
    Kind,
    Look,
    Option,
    number,
    numbers,
    text,
)
from services.errors import DutiesError
from services.merging import Ending, TargetsNeeded, close_unit, closure, ending, merge_unit
from services.moves import Moves
from services.organisers import Unit, unit_of
from services.reorganising import (
    Reorganisation,
    check_names,
    move_unit,
    moving,
    rename_unit,
    renaming,
)
from services.splitting import Parts, check_new, split_unit, splitting


def _unit(about: About) -> Unit:
    return unit_of(about.db, about.who, about.id)


def _name(about: About) -> tuple[str, int]:
    unit = _unit(about)
    return unit.short_name, unit.id


def _rename_fields(about: About, given: Answers) -> list[Field]:
    unit = _unit(about)
    return [
        Field("name", "text", "change: full name", start=unit.name),
        Field("short_name", "text", "change: short name", start=unit.short_name),
    ]


def _rename_look(about: About, given: Answers) -> Look:
    names = {name: text(given, name) for name in ("name", "short_name")}
    check_names(_unit(about), names)
    return _look(renaming(about.db, _unit(about), about.on))


def _rename(act: Act) -> None:
    name, short = text(act.given, "name"), text(act.given, "short_name")
    of = {"name": name, "short_name": short, "seen": act.seen, "key": act.key}
    rename_unit(act.env, act.actor, unit_id=act.id, **of)


def _move_fields(about: About, given: Answers) -> list[Field]:
    return [Field("to", "choice", "change: under which unit", committees(about, about.id))]


def _move_look(about: About, given: Answers) -> Look:
    return _look(moving(about.db, about.who, _unit(about), number(given, "to"), about.on))


def _move(act: Act) -> None:
    to = number(act.given, "to")
    move_unit(act.env, act.actor, unit_id=act.id, to=to, seen=act.seen, key=act.key)


def _merge_fields(about: About, given: Answers) -> list[Field]:
    """First the other unit; then a target for each post that something waits on."""
    into = Field("into", "choice", "change: into which unit", successors(about, _unit(about)))
    if not text(given, "into"):
        return [into]
    try:
        found = _ending(about, given, {})
    except DutiesError:
        return [into]
    near = [unit for unit in (found.into.id, *_above(found.into)) if unit in found.takers]
    return [into, *_target_fields(found, takers(about.db, near))]


def _target_fields(found: Ending, posts: tuple[Option, ...], start: str = "") -> list[Field]:
    """For each post of a unit that ends and that needs one, who takes what is open."""
    return [
        Field(
            f"target.{post.post_id}",
            "choice",
            "change: %(n)s wait on %(post)s",
            posts,
            about=f"{post.title} {post.waiting}",
            start=start,
        )
        for post in found.open
    ]


def _merge_look(about: About, given: Answers) -> Look:
    return _look_of(_ending(about, given, _targets(given)))


def _look_of(found: Ending) -> Look:
    if found.open:
        raise TargetsNeeded
    ends = Moves(units=found.children)
    return Look(found.moves, ends, found.moves.fingerprint, found.moves.cases)


def _merge(act: Act) -> None:
    into, targets = number(act.given, "into"), _targets(act.given)
    merge_unit(
        act.env,
        act.actor,
        unit_id=act.id,
        into=into,
        targets=targets,
        seen=act.seen,
        key=act.key,
    )


def _ending(about: About, given: Answers, targets: dict[int, int]) -> Ending:
    return ending(about.db, about.who, _unit(about), number(given, "into"), targets, about.on)


def _close_fields(about: About, given: Answers) -> list[Field]:
    """A target for each post that something waits on: the superior's head unless another is
    chosen of those above or directly below."""
    try:
        found = closure(about.db, about.who, _unit(about), {}, about.on)
    except DutiesError:
        return []
    superior = takers(about.db, [found.into.id])
    others = [unit for unit in found.takers if unit != found.into.id]
    near = (*superior, *takers(about.db, others))
    return _target_fields(found, near, superior[0].value if superior else "")


def _close_look(about: About, given: Answers) -> Look:
    return _look_of(closure(about.db, about.who, _unit(about), _targets(given), about.on))


def _close(act: Act) -> None:
    targets = _targets(act.given)
    close_unit(act.env, act.actor, unit_id=act.id, targets=targets, seen=act.seen, key=act.key)


def _targets(given: Answers) -> dict[int, int]:
    names = [name for name in given if name.startswith("target.") and text(given, name)]
    posts = {name: name.removeprefix("target.") for name in names}
    return {int(posts[name]): number(given, name) for name in names if posts[name].isdecimal()}


def _above(unit: Unit) -> list[int]:
    return [unit.parent_id] if unit.parent_id is not None else []


def _split_fields(about: About, given: Answers) -> list[Field]:
    db = about.db
    fields = [
        Field("code", "text", "change: code of the new unit"),
        Field("name", "text", "change: full name"),
        Field("short_name", "text", "change: short name"),
        Field("posts", "several", "change: posts that go along", titles_of(db, _unit(about))),
    ]
    for name, options in (
        ("children", children(db, about.id)),
        ("cases", running_cases(db, about.id)),
    ):
        if options:
            label = f"change: {name} that go along"
            fields.append(Field(name, "several", label, options, required=False))
    return fields


def _split_look(about: About, given: Answers) -> Look:
    names = {name: text(given, name) for name in ("code", "name", "short_name")}
    check_new(about.db, names)
    found = splitting(about.db, about.who, _unit(about), _parts(given), about.on)
    return Look(found.moves, fingerprint=found.moves.fingerprint)


def _split(act: Act) -> None:
    names = {name: text(act.given, name) for name in ("code", "name", "short_name")}
    parts = _parts(act.given)
    split_unit(act.env, act.actor, unit_id=act.id, parts=parts, seen=act.seen, key=act.key, **names)


def _parts(given: Answers) -> Parts:
    return Parts(*(numbers(given, name) for name in ("posts", "children", "cases")))


def _look(found: Reorganisation) -> Look:
    return Look(found.moves, found.ends, found.fingerprint)


KINDS = {
    "rename": Kind(_name, _rename_fields, _rename_look, _rename, plans=True),
    "move": Kind(_name, _move_fields, _move_look, _move, plans=True),
    "merge": Kind(_name, _merge_fields, _merge_look, _merge, plans=True),
    "split": Kind(_name, _split_fields, _split_look, _split, plans=True),
    "close": Kind(_name, _close_fields, _close_look, _close, plans=True),
}
