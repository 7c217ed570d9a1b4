"""不漏人: a post that work waits on has a holder, or a superior who is to name one (CK-1).

One case for each vacant post, whatever number of steps wait on it (rule O).
"""

from services.casework import Casework, mechanism
from services.vacancy import settle, who_names


@mechanism("vacancy", edition=1, clause="不漏人", rows=("CK-1",))
def vacancy(case: Casework) -> None:
    """缺位: the superior names who takes the post over; who comes otherwise ends it as well."""
    named = case.ask("name-holder", of=who_names, due="vacancy.name_holder", form="name_holder")
    if not named.overtaken:
        case.record("settle", settle, on_return="keep")
