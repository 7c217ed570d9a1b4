"""What a stolen table of passwords costs to read: the hash that the product makes."""

from argon2 import Type, extract_parameters
from pwdlib import PasswordHash


def test_a_password_is_kept_by_argon2id_at_the_cost_owasp_asks_for(
    cheap_passwords: PasswordHash,
) -> None:
    """The other tests' hashes are cheap. OWASP: 19 MiB and two passes, or more of either."""
    kept = extract_parameters(cheap_passwords.hash("a password"))
    assert kept.type is Type.ID
    assert kept.memory_cost >= 19 * 1024
    assert kept.time_cost >= 2
