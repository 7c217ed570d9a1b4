"""A file of an organisation against what is there, as a whole."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection

from documents.organisation_file import OrganisationFile
from services.batches.charge_rows import compare_charges
from services.batches.difference import Difference
from services.batches.known import Known
from services.batches.post_rows import Posts, compare_posts
from services.batches.relation_rows import compare_relations
from services.batches.term_rows import compare_terms
from services.batches.unit_rows import compare_units
from services.batches.units import Units


def compare(
    db: Connection,
    file: OrganisationFile,
    *,
    under: tuple[str, ...] | None,
    importer: int | None,
    on: date,
    lock: bool = False,
) -> Difference:
    """What the file changes, and everything that is wrong in it, its form included.

    ``under`` are the paths below which the importer may write, None: everywhere. ``on`` is the
    first day of new names. ``lock``: what it was compared with stays so until the transaction
    ends.
    """
    found = Difference(faults=list(file.faults))
    units = Units.of(db, file.units, under, lock=lock)
    units.keep_ids(found)
    compare_units(units, file.units, found, on)
    numbers = {row.person_code for row in file.terms if row.person_code}
    known = Known.of(db, units, _named(units, file), numbers, lock=lock)
    posts = Posts(units, known)
    compare_posts(posts, file.posts, found)
    compare_terms(posts, file.terms, found, importer)
    compare_charges(posts, file.charges, found)
    compare_relations(units, known, file.relations, found)
    found.faults = sorted(set(found.faults))
    return found


def _named(units: Units, file: OrganisationFile) -> Iterator[str]:
    """The codes of units whose posts and relations the file is about."""
    names = {row.unit for row in file.posts} | {row.unit for row in file.terms}
    names |= {row.unit for row in file.charges} | {row.served for row in file.relations}
    for name in names:
        yield from units.codes(name, mine=True)
