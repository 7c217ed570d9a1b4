"""登录记录: the record of log-ins and accounts, for the audit administrator."""

from fastapi import APIRouter
from starlette.responses import Response

from services.account_record import ACTS, COUNTED, PAGE, Record, act_named
from web.access import Asked, Before, signed

router = APIRouter()


@router.get("/record")
@signed
def record(ask: Asked, act: str = "", q: str = "", before: Before = None) -> Response:
    """A page of the record, the newest first; NotFound for anybody else."""
    with ask.reading() as db:
        read = Record(ask.administration(db), act_named(act), q)
        lines = read.lines(db, before)
        return ask.page(
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
