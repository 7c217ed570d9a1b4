"""Waiting until nothing is under way any more, before the record is looked at."""

from collections.abc import Mapping, Sequence
from typing import Any

from chaos.house import House, utc_now
from chaos.patience import NotBack, waited
from chaos.say import say

SECONDS = 240.0
_WATCH = "/deployments/name/watch/watch"
_OPEN_RUNS = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")
_NOTHING_LEFT = {
    "branches to be looked at": "SELECT count(*) FROM wake",
    "effects": "SELECT count(*) FROM effect WHERE state IN ('queued', 'claimed')",
    "runs to be woken": "SELECT count(*) FROM run_wake",
    "rungs": "SELECT count(*) FROM step WHERE state = 'open' AND next_rung_at <= :now",
}


class Settling:
    """Has the watch look more often than every minute, and says what is left to do."""

    def __init__(self, house: House, *, forgotten: bool = False) -> None:
        self._house, self._forgotten = house, forgotten

    def watch_now(self) -> bool:
        """Ask for a run of the watch; False while Prefect is away."""
        found = self._house.prefect("GET", _WATCH)
        if not isinstance(found, dict):
            return False
        made = self._house.prefect("POST", f"/deployments/{found['id']}/create_flow_run", {})
        return made is not None

    def wait(self) -> list[str]:
        """Wait until nothing is left; what still was after :data:`SECONDS`, in words."""
        self.watch_now()
        left: list[str] = ["everything"]

        def settled() -> bool:
            found = self._left()
            if found != left:
                say(f"left: {', '.join(found[:3]) or 'nothing'}")
            left[:] = found
            return not left

        try:
            waited("quiet", settled, SECONDS, every=1.0)
        except NotBack:
            say(f"not settled: {left}")
        return left

    def _left(self) -> list[str]:
        left = [f"{n} {what}" for what, query in _NOTHING_LEFT.items() if (n := self._count(query))]
        return left or self._runs()

    def _count(self, query: str) -> int:
        given = {"now": utc_now()} if ":now" in query else {}
        found = self._house.rows(query, **given)
        return 1 if found is None else int(found[0][0])

    def _runs(self) -> list[str]:
        """What Prefect shows against our cases: one run each, waiting or ended as the case is."""
        runs = self._all_runs()
        if runs is None:
            return ["Prefect is away"]
        return run_faults(self._cases(), runs, forgotten=self._forgotten)

    def _cases(self) -> dict[str, tuple[str | None, str]]:
        rows = self._house.rows('SELECT number, run_id, state FROM "case"') or ()
        return {row.number: (row.run_id, row.state) for row in rows}

    def _all_runs(self) -> list[dict[str, Any]] | None:
        """The flow runs of cases."""
        found: list[dict[str, Any]] = []
        while True:
            wanted = {
                "flows": {"name": {"any_": ["rectification"]}},
                "limit": 200,
                "offset": len(found),
                "sort": "EXPECTED_START_TIME_DESC",
            }
            page = self._house.prefect("POST", "/flow_runs/filter", wanted, seconds=15)
            if page is None:
                return None
            found += page
            if len(page) < 200:
                return found


def run_faults(
    cases: Mapping[str, tuple[str | None, str]],
    runs: Sequence[Mapping[str, Any]],
    *,
    forgotten: bool = False,
) -> list[str]:
    """INV-21: one run a case, suspended while it is open and completed when it ended; no other.

    ``cases``: run id and state by number. ``forgotten``: Prefect's database was deleted, and with
    it the runs of cases that had ended.
    """
    faults = []
    by_number: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        by_number.setdefault(str(run["parameters"].get("number")), []).append(run)
    for number, (run_id, state) in cases.items():
        mine = by_number.pop(number, [])
        wanted = "PAUSED" if state == "open" else "COMPLETED"
        shown = [(run["id"], run["state_type"]) for run in mine]
        gone = forgotten and state != "open" and not mine
        if shown != [(run_id, wanted)] and not gone:
            faults.append(f"case {number} ({state}, run {run_id}) has {shown}")
    return faults + [f"runs of no case: {number}" for number in by_number]
