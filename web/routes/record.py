"""登录记录: the record of log-ins and accounts, for the audit administrator."""

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import Response

from services.account_record import ACTS, COUNTED, PAGE, Record, act_named
from services.reads import record_reads
from web.access import Asked, Before, signed

router = APIRouter()


@router.get("/record")
@signed
def record(ask: Asked, act: str = "", q: str = "", before: Before = None) -> Response:
    """A page of the record, the newest first; NotFound for anybody else. That it was read is kept
    for the people in it, once the page is sent."""
    with ask.reading() as db:
        read = Record(ask.administration(db), act_named(act), q)
        lines = read.lines(db, before)
        page = ask.page(
            "record.html",
            ask.desk(db),
            lines=lines,
            count=read.count(db),
            counted=COUNTED,
            acts=ACTS,
            act=act,
            q=q,
            before=lines[-1].id if len(lines) == PAGE else None,
        )
    shown = {line.person_id for line in lines if line.person_id is not None}
    page.background = BackgroundTask(record_reads, ask.env, read.at, shown)
    return page
