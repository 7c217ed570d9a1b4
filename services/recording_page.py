"""What somebody fills in who records a paper (代录): the step's form, and what is the paper's."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection

from policy.acts import Act
from services.acts import act_form
from services.acts.about import about
from services.acts.page import ActForm
from services.acts.signing import asked_on
from services.casework import return_targets
from services.catalogue import step_title
from services.scope import Standing
from services.step_form import Form, step_form
from services.step_page import StepPage, choices, step_page


@dataclass(frozen=True, slots=True)
class RecordingPage:
    """``step`` as who is asked has it, with their choices; ``asked_on``: the first day that may
    stand on the paper."""

    step: StepPage
    act: ActForm
    fill: Form
    asked_on: date


def recording_page(db: Connection, who: Standing, slot_id: int, now: datetime) -> RecordingPage:
    """The form of a paper. Errors: NotFound, MayNotAct, AlreadyDecided."""
    form = act_form(db, who, Act.RECORD, slot_id)
    shown, slot = step_page(db, who, slot_id, now), about(db, who, slot_id).slot
    back = tuple((key, step_title(shown.mechanism, key)) for key in return_targets(db, slot_id))
    answers = [choice.value for choice in shown.choices]
    return RecordingPage(
        step=replace(shown, returns=back, choices=choices(answers, bool(back))),
        act=form,
        fill=step_form(db, shown.form, shown.item.case_id, who.on),
        asked_on=asked_on(db, slot.step_id, slot.post_id),
    )
