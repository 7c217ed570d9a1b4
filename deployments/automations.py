"""The automations that Prefect's server runs for us: what goes wrong is told to the operator.

They are made when they are missing and left alone after that, so what an operator changes or
disables stays. Only when our own definition changes, by a newer version or another address, is it
written anew, disabled if it was. The texts are fixed: no template, hence no unit and no name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.events.actions import DoNothing, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from deployments.health import AGAIN, REPEATED, TAKEN_UP, WATCH
from deployments.notice import NAME, OperatorNotice
from deployments.prefect_settings import POOL
from services.alarms import OUTBOX_GROWING, WATCH_LATE
from services.run_events import EFFECT_FAILED, INSTALLATION

PAUSE = timedelta(minutes=10)
"""What happens again within it is not told again."""
_OF_RUN = {"prefect.resource.id": "prefect.flow-run.*"}
_OF_POOL = {"prefect.resource.role": "work-pool", "prefect.resource.name": POOL}
_OF_WATCH = {"prefect.resource.role": "flow", "prefect.resource.name": WATCH}
_OF_CASE = {"prefect.resource.role": "flow", "prefect.resource.name": f"!{WATCH}"}
_EACH = {"prefect.resource.id"}
_CRASHED = {"prefect.flow-run.Crashed"}
_TAKEN_UP = {"prefect.flow-run.Pending", "prefect.flow-run.Running"}
_COMPLETED = {"prefect.flow-run.Completed"}


@dataclass(frozen=True, slots=True)
class Watched:
    """An automation: what it waits for, and what the operator is told then."""

    name: str
    trigger: EventTrigger
    text: str


def watched(late: timedelta = WATCH_LATE, taken_up: timedelta = TAKEN_UP) -> tuple[Watched, ...]:
    """All of ours. ``late``: after so long without a completed run the watch is late. ``taken_up``:
    after so long a crashed run of a case was not taken up again by itself.

    A crash that is taken up in time is no news (its run's state says so), and one of the watch is
    none as long as the watch is not late: who is told of nothing soon reads nothing.
    """
    return (*_crashes(taken_up), *_others(late))


def _crashes(taken_up: timedelta) -> tuple[Watched, ...]:
    """That a crash is also what is expected makes it begin a time of its own: one that comes within
    the time of a crash that was taken up would else be passed over.
    """
    return (
        Watched(
            "四责协同：运行意外中断",
            EventTrigger(
                posture=Posture.Proactive,
                after=_CRASHED,
                expect=_TAKEN_UP | _CRASHED,
                for_each=_EACH,
                match=_OF_RUN,
                match_related=[_OF_POOL, _OF_CASE],
                within=taken_up,
            ),
            "有事项的流程运行意外中断（Crashed），没有自动接续。办理不受影响，自动事项要等它恢复。"
            "请查看工作进程（fourduties status）及其日志。",
        ),
        Watched(
            "四责协同：运行反复中断",
            EventTrigger(
                expect=_CRASHED,
                for_each=_EACH,
                match=_OF_RUN,
                match_related=[_OF_POOL, _OF_CASE],
                threshold=REPEATED,
                within=AGAIN,
            ),
            "同一事项的流程运行反复意外中断（Crashed），每次都已自动接续。请查看工作进程的日志。",
        ),
    )


def _others(late: timedelta) -> tuple[Watched, ...]:
    return (
        Watched(
            "四责协同：巡检停止",
            EventTrigger(
                posture=Posture.Proactive,
                after=_COMPLETED,
                expect=_COMPLETED,
                match=_OF_RUN,
                match_related=[_OF_POOL, _OF_WATCH],
                within=late,
            ),
            "每分钟一次的巡检没有按时完成：期限提醒和升级暂时不会发出，恢复后自动补办。"
            "请查看工作进程（fourduties status）。",
        ),
        Watched(
            "四责协同：待发事项积压",
            EventTrigger(
                expect={OUTBOX_GROWING}, match={"prefect.resource.id": INSTALLATION}, within=PAUSE
            ),
            "待发送的消息或待处理的事项积压。请查看工作进程和消息渠道。",
        ),
        Watched(
            "四责协同：自动事项失败",
            EventTrigger(
                expect={EFFECT_FAILED},
                match={"prefect.resource.id": "fourduties.case.*"},
                within=PAUSE,
            ),
            "有自动事项多次失败，已停止重试。请系统运维员登录本系统，在待办中处理。",
        ),
    )


class Automations:
    """Registers them at a server. ``url``: where its notifications go; '' for nowhere."""

    def __init__(self, url: str = "", wanted: Sequence[Watched] | None = None) -> None:
        self._url, self._wanted = url, watched() if wanted is None else wanted

    async def register(self, client: PrefectClient) -> None:
        """Make what is missing, and what we define otherwise by now."""
        there = {found.name: found for found in await client.read_automations()}
        stale = [one for one in self._wanted if not self._is_ours(one, there)]
        block_id = await self._block(client) if stale and self._url else None
        for one in stale:
            found = there.get(one.name)
            made = self._made(one, block_id, enabled=found.enabled if found else True)
            if found is None:
                await client.create_automation(made)
            else:
                await client.update_automation(found.id, made)

    def _is_ours(self, one: Watched, there: Mapping[str, AutomationCore]) -> bool:
        return one.name in there and self._mark(one) in there[one.name].tags

    async def _block(self, client: PrefectClient) -> UUID:
        await OperatorNotice.aregister_type_and_schema(client=client)
        notice = OperatorNotice(url=self._url)
        return await notice.asave(NAME, overwrite=True, client=client)

    def _made(self, one: Watched, block_id: UUID | None, *, enabled: bool) -> AutomationCore:
        told = (
            SendNotification(block_document_id=block_id, subject=one.name, body=one.text)
            if block_id
            else DoNothing()
        )
        return AutomationCore(
            name=one.name,
            description=one.text,
            enabled=enabled,
            tags=["system", self._mark(one)],
            trigger=one.trigger,
            actions=[told],
        )

    def _mark(self, one: Watched) -> str:
        """Which definition an automation was written by; says nothing of the address."""
        given = f"{one.trigger.model_dump_json(exclude={'id'})}\0{one.text}\0{self._url}"
        return f"fourduties:{sha256(given.encode()).hexdigest()[:12]}"
