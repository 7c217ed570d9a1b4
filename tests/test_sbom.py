"""The bill of materials: what the product is made of, as ``make sbom`` lists it."""

import json
import re
import subprocess
from typing import Any

from tests.house import ROOT


def test_the_bill_of_materials_names_what_is_locked() -> None:
    subprocess.run(["make", "-s", "sbom"], cwd=ROOT, check=True, capture_output=True)
    lock = (ROOT / "requirements" / "product.txt").read_text()
    packages = {(name, version) for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock, re.M)}
    assert len(packages) > 100
    assert named("python", "pkg:pypi/") == packages
    kept = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    pages = {(path.rpartition("node_modules/")[2], one["version"]) for path, one in kept.items()}
    assert named("web", "pkg:npm/") == {one for one in pages if one[0]}


def named(part: str, kind: str) -> set[tuple[str, str]]:
    """Name and version of every component, each with an address by which it can be looked up."""
    told: dict[str, Any] = json.loads((ROOT / "build" / f"sbom-{part}.json").read_text())
    assert told["bomFormat"] == "CycloneDX"
    assert all(one["purl"].startswith(kind) for one in told["components"])
    return {(one["name"], one["version"]) for one in told["components"]}
