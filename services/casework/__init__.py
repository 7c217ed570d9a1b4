"""The heart: cases that are replayed each time something happened (design §4, rules A–O)."""

from policy.outcome import RETURN
from services.casework.deciding import Decided, decide, return_targets
from services.casework.draining import Drain, drain
from services.casework.effects import (
    EffectCall,
    EffectRef,
    claim_effect,
    fail_effect,
    finish_effect,
    ready_effects,
)
from services.casework.here import Here
from services.casework.mechanism import (
    Mechanism,
    branch_script,
    effect,
    form,
    mechanism,
    mechanisms,
    undo,
)
from services.casework.opening import new_case, open_case, start_case
from services.casework.script import AGREE, DONE, REVIEW, Answer, Casework, Result
from services.casework.status import CaseStatus, OpenStep, case_status

__all__ = [
    "AGREE",
    "DONE",
    "RETURN",
    "REVIEW",
    "Answer",
    "CaseStatus",
    "Casework",
    "Decided",
    "Drain",
    "EffectCall",
    "EffectRef",
    "Here",
    "Mechanism",
    "OpenStep",
    "Result",
    "branch_script",
    "case_status",
    "claim_effect",
    "decide",
    "drain",
    "effect",
    "fail_effect",
    "finish_effect",
    "form",
    "mechanism",
    "mechanisms",
    "new_case",
    "open_case",
    "ready_effects",
    "return_targets",
    "start_case",
    "undo",
]
