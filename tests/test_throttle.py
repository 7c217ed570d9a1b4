"""How often a log-in may be tried from one address, whatever is tried."""

from datetime import UTC, datetime

import pytest

from services.throttle import PER_ADDRESS, PER_LOGIN, Throttle, TooManyTries

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
HERE = "192.0.2.1"


@pytest.mark.parametrize("first", ["", "somebody"])
def test_an_address_waits_after_so_many_failures_whatever_was_tried_first(first: str) -> None:
    throttle = Throttle()
    for login in (first, *(f"another-{n}" for n in range(PER_ADDRESS - 1))):
        throttle.admit(login, HERE, NOW)
        throttle.failed(login, HERE, NOW)
    with pytest.raises(TooManyTries):
        throttle.admit("a third", HERE, NOW)
    throttle.admit("a third", "192.0.2.2", NOW)


@pytest.mark.parametrize("first", ["", "192.0.2.9"])
def test_a_log_in_waits_after_so_many_failures_from_wherever(first: str) -> None:
    throttle = Throttle()
    for address in (first, *(f"192.0.2.{n}" for n in range(10, 9 + PER_LOGIN))):
        throttle.failed("clerk", address, NOW)
    with pytest.raises(TooManyTries):
        throttle.admit("clerk", "192.0.2.200", NOW)
    throttle.admit("deputy", "192.0.2.200", NOW)
