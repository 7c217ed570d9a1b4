"""Artifacts at Prefect's API: one version of each, changed in place.

Each ``create`` would keep one more version for ever and tell two events of it; a change in place
keeps one, costs half, and tells none. Hence not by Prefect's own functions, which tell events too.
"""

from collections.abc import Iterable, Mapping

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey
from prefect.client.schemas.objects import ArtifactCollection

from deployments.prefect_runs import PAGE
from services.case_artifacts import Artifact


async def read_artifacts(
    client: PrefectClient, keys: Iterable[str]
) -> dict[str, ArtifactCollection]:
    """The artifacts that Prefect shows under these keys."""
    wanted, found = sorted(keys), {}
    for start in range(0, len(wanted), PAGE):
        some = ArtifactCollectionFilterKey(any_=wanted[start : start + PAGE])
        page = await client.read_latest_artifacts(
            artifact_filter=ArtifactCollectionFilter(key=some), limit=PAGE
        )
        found.update({one.key: one for one in page})
    return found


async def put(
    client: PrefectClient,
    run_id: str,
    artifacts: Iterable[Artifact],
    there: Mapping[str, ArtifactCollection],
) -> None:
    """Have Prefect show these artifacts at a run; ``there`` is what it shows so far."""
    for artifact in artifacts:
        shown = there.get(artifact.key)
        if shown is None or str(shown.flow_run_id) != run_id:
            made = {"key": artifact.key, "type": artifact.kind, "flow_run_id": run_id}
            await client.request("POST", "/artifacts/", json=made | _content(artifact))
        elif (shown.data, shown.description) != (artifact.data, artifact.description):
            await client.request(
                "PATCH",
                "/artifacts/{id}",
                path_params={"id": shown.latest_id},
                json=_content(artifact),
            )


def _content(artifact: Artifact) -> dict[str, str]:
    return {"data": artifact.data, "description": artifact.description}
