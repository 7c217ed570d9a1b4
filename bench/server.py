"""The web process of the bench: the real application, and beside it the floor.

``python -m bench.server`` with the settings of the environment, as ``deployments.serving``.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from bench.floor import PREFIX, floor_app
from bench.mechanism import TWO_STEP
from deployments.root import build
from deployments.serving import application, listen
from deployments.settings import load


class Fork:
    """Sends requests for the floor to it, and everything else to the house."""

    def __init__(self, house: ASGIApp, floor: ASGIApp) -> None:
        self._house, self._floor = house, floor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        on_floor = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (self._floor if on_floor else self._house)(scope, receive, send)


def main() -> None:
    """Serve until told to end."""
    settings = load(None)
    env = build(settings)
    if (TWO_STEP, 1) not in env.mechanisms:
        raise LookupError(f"mechanism {TWO_STEP} is not registered")
    listen(Fork(application(settings, env), floor_app(env.engine)), settings)


if __name__ == "__main__":
    main()
