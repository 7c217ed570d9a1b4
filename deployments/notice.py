"""How Prefect's server tells the operator: a notification block over the house's own channels.

The server runs it by itself when an automation fires, so it works while our worker is dead. Prefect
finds the class by the entry point of ``deployments.worker``. Unlike Prefect's own blocks it reads
what a chat robot answers: those say no with status 200 (traps 20).
"""

import asyncio

from prefect.blocks.abstract import NotificationBlock, NotificationError
from pydantic import Field, SecretStr

from notifications.channels import AppriseChannels
from notifications.outcome import Sent

NAME = "fourduties-operator"
"""The block document that the automations name."""


class OperatorNotice(NotificationBlock):
    """Tells whoever operates the installation, over one Apprise address."""

    _block_type_name = "fourduties operator"
    _block_type_slug = "fourduties-operator"
    _description = "Tells the operator of 四责协同 that something is wrong."

    url: SecretStr = Field(description="An Apprise address (FOURDUTIES_OPERATOR_URL).")

    async def notify(self, body: str, subject: str | None = None) -> None:
        """Send once; NotificationError when it did not arrive. Nothing says the address."""
        outcome = await asyncio.to_thread(
            AppriseChannels().send_own,
            self.url.get_secret_value(),
            title=subject or "",
            body=body,
        )
        if not isinstance(outcome, Sent) and self._raise_on_failure:
            raise NotificationError(log=getattr(outcome, "detail", ""))
