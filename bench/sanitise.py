"""How well the gate tells what must not be stored: make bench BENCH=sanitise.

A JSON line for each part of the labelled sentences (``tests/data/sanitise_sample.csv``): ``tuned``
was looked at while the rules were written, ``held`` was not, and ``later`` was written when they
were done, in other words on purpose: it says best what to expect. ``precision``: of the sentences
in which anything was noticed, how many hold something; ``recall``: of those that hold something,
in how many anything was noticed; ``level``: how many have the level of their label (or none);
``refused_wrongly``: harmless ones that would be refused. ``kinds`` has precision and recall of each
kind. Numbers in the file are written ``{identity}``: no file here holds one.
"""

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy.sanitise import Finding, Kind, Level, findings
from policy.sanitise_numbers import check_digit

SAMPLE = Path(__file__).parents[1] / "tests/data/sanitise_sample.csv"
PARTS = ("tuned", "held", "later")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_WIDE = {ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)}
_FIRST = "00000019000101001"
_IDENTITY = _FIRST + check_digit(_FIRST)
_WRONG = _FIRST + ("1" if check_digit(_FIRST) != "1" else "2")
_MOBILE, _LANDLINE = "13" + "0" * 9, ("021", "0" * 8)
_WRITTEN = {
    "identity": _IDENTITY,
    "identity_wrong": _WRONG,
    "identity_spaced": f"{_IDENTITY[:6]} {_IDENTITY[6:14]} {_IDENTITY[14:]}",
    "identity_dashed": f"{_IDENTITY[:6]}-{_IDENTITY[6:14]}-{_IDENTITY[14:]}",
    "identity_wide": _IDENTITY.translate(_WIDE),
    "mobile": _MOBILE,
    "mobile_spaced": f"{_MOBILE[:3]} {_MOBILE[3:7]} {_MOBILE[7:]}",
    "mobile_dashed": f"{_MOBILE[:3]}-{_MOBILE[3:7]}-{_MOBILE[7:]}",
    "mobile_wide": _MOBILE.translate(_WIDE),
    "mobile_plus": f"+86{_MOBILE}",
    "landline": "-".join(_LANDLINE),
    "landline_joined": "".join(_LANDLINE),
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A labelled sentence. ``label``: none, warn or block; ``kind`` is empty for none."""

    part: str
    label: str
    kind: str
    text: str


def sentences(part: str) -> list[Sentence]:
    """The sentences of a part, with numbers of the right form in their places."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == part]
    return [Sentence(part, row["label"], row["kind"], written(row["text"])) for row in rows]


def written(text: str) -> str:
    """A sentence with its numbers."""
    return _PLACEHOLDER.sub(lambda found: _WRITTEN[found[1]], text)


def figures(part: str) -> dict[str, Any]:
    """The line of a part."""
    sample = sentences(part)
    found = [findings(one.text) for one in sample]
    both = list(zip(sample, found, strict=True))
    total = _ratios(both, lambda one: one.label != "none", bool)
    kinds = {kind.value: _of_kind(both, kind) for kind in Kind}
    agree = sum(one.label == _label(given) for one, given in both)
    wrongly = sum(one.label == "none" and _label(given) == "block" for one, given in both)
    line = {"bench": "sanitise", "part": part, "n": len(sample), **total}
    return line | {
        "level": round(agree / len(sample), 3),
        "refused_wrongly": wrongly,
        "kinds": kinds,
    }


Pair = tuple[Sentence, Sequence[Finding]]


def _label(found: Sequence[Finding]) -> str:
    if any(one.level is Level.BLOCK for one in found):
        return "block"
    return "warn" if found else "none"


def _of_kind(both: Sequence[Pair], kind: Kind) -> dict[str, Any]:
    return _ratios(
        both,
        lambda one: one.kind == kind,
        lambda found: any(one.kind is kind for one in found),
    )


def _ratios(
    both: Sequence[Pair],
    holds: Callable[[Sentence], bool],
    noticed: Callable[[Sequence[Finding]], bool],
) -> dict[str, float]:
    right = sum(holds(one) and noticed(found) for one, found in both)
    all_noticed = sum(noticed(found) for _, found in both)
    all_holding = sum(holds(one) for one, _ in both)
    return {
        "precision": round(right / all_noticed, 3) if all_noticed else 0.0,
        "recall": round(right / all_holding, 3) if all_holding else 0.0,
    }


def lines() -> Iterator[dict[str, Any]]:
    """One for each part."""
    return (figures(part) for part in PARTS)


if __name__ == "__main__":
    for line in lines():
        sys.stdout.write(f"{json.dumps(line)}\n")
