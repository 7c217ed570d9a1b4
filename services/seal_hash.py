"""By which hash function a seal binds what it seals: SHA-256, or SM3 (GB/T 32905) where asked for.

Each seal names its own, so what was sealed by one is checked by it for ever.
"""

import hashlib

from policy.merkle import Digest, sha256
from services.errors import DutiesError

SHA256, SM3 = "sha256", "sm3"
ALGORITHMS = (SHA256, SM3)


class HashMissing(DutiesError):
    """本机的 OpenSSL 不提供封存所用的散列算法，不能封存，也不能核对用它所作的封存。"""

    status = 503
    code = "hash_missing"


def digest_of(algorithm: str) -> Digest:
    """The hash function of that name; :class:`HashMissing` where this machine has none such."""
    if algorithm == SHA256:
        return sha256
    if algorithm not in ALGORITHMS or algorithm not in hashlib.algorithms_available:
        raise HashMissing(f"{HashMissing.__doc__}（{algorithm}）")
    return lambda data: hashlib.new(algorithm, data).digest()
