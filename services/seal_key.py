"""The key that seals the audit (Ed25519): who holds it can sign, everybody can check."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class SigningKey:
    """The private key of an installation, from its 64 hex digits; ValueError for other texts."""

    def __init__(self, secret: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret.strip()))
        self.public = self._key.public_key().public_bytes_raw().hex()
        self.id = key_id(self.public)

    def sign(self, said: str) -> str:
        """The signature, in hex."""
        return self._key.sign(said.encode()).hex()


def key_id(public: str) -> str:
    """How a public key is named: the beginning of its SHA-256."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()[:16]


def signed(public: str, signature: str, said: str) -> bool:
    """Whether the holder of the key's other half signed it; False for what is no key at all."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), said.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def endorsement(public: str) -> str:
    """What a key signs of the one that follows it."""
    return f"fd-seal-key-v1\n{public}\n"
