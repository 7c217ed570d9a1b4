"""A file of an organisation against what is there, as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from documents.organisation_file import OrganisationFile
from models.base import table
from models.organisation import Organisation
from services.batches.charge_rows import compare_charges
from services.batches.difference import Difference
from services.batches.known import Known
from services.batches.locking import alone, lock_rows
from services.batches.post_rows import Posts, compare_posts
from services.batches.relation_rows import compare_relations
from services.batches.term_rows import compare_terms
from services.batches.unit_rows import compare_units
from services.batches.units import Units


@dataclass(frozen=True, slots=True)
class There:
    """What is there of what a file names: all that a comparison reads."""

    units: Units
    known: Known

    def same_as(self, before: "There") -> bool:
        """Whether it is what was there before, when a file was compared with that."""
        self.known.read()
        return self.units == before.units and self.known.digest == before.known.digest


def look(
    db: Connection, file: OrganisationFile, *, under: tuple[str, ...] | None, lock: bool = False
) -> There:
    """Read what the comparison with a file needs.

    ``under`` are the paths below which the importer may write, None: everywhere. ``lock``: it stays
    so until the transaction ends, but for what nobody else may write meanwhile by the database's
    own rules (a second code, number or title).
    """
    units, held = Units.of(db, file.units, under), set[int]()
    while lock and not alone(db) and (wanted := _to_lock(units, file) - held):
        lock_rows(db, table(Organisation), wanted)
        held |= wanted
        units = Units.of(db, file.units, under)
    numbers = {row.person_code for row in file.terms if row.person_code}
    return There(units, Known(db, units, _named(units, file), numbers, lock=lock))


def compare(file: OrganisationFile, there: There, *, importer: int | None, on: date) -> Difference:
    """What the file changes, and everything that is wrong in it, its form included.

    ``importer`` is the person who imports, None for the system; ``on`` is today, the first day of
    new names.
    """
    found = Difference(faults=list(file.faults))
    units, known = there.units, there.known
    units.keep_ids(found)
    compare_units(units, file.units, found, on)
    posts = Posts(units, known)
    compare_posts(posts, file.posts, found)
    compare_terms(posts, file.terms, found, importer, on)
    compare_charges(posts, file.charges, found)
    compare_relations(units, known, file.relations, found)
    found.faults = sorted(set(found.faults))
    found.numbers.clear()
    return found


def _named(units: Units, file: OrganisationFile) -> Iterator[str]:
    """The codes of units whose posts and relations the file is about."""
    names = {row.unit for row in file.posts} | {row.unit for row in file.terms}
    names |= {row.unit for row in file.charges} | {row.served for row in file.relations}
    for name in names:
        yield from units.codes(name, mine=True)


def _to_lock(units: Units, file: OrganisationFile) -> set[int]:
    """The ids of the units that are written or referred to, and of those above new ones.

    Who moves a unit locks it and then the paths below it: what is put there meanwhile would be left
    behind. Who closes one does not see what it is given meanwhile.
    """
    codes = {*_named(units, file), *(row.code for row in file.units)}
    above = {row.parent for row in file.units if row.code not in units.known}
    names = {row.over for row in file.charges} | {row.organ for row in file.relations}
    for name in names:
        codes |= units.codes(name, mine=False)
    ids = {units.known[code].id for code in codes if code in units.known}
    for name in above:
        for code in units.codes(name, mine=False) & units.known.keys():
            ids |= {int(part) for part in units.known[code].path.split("/") if part}
    return ids
