"""Ed25519 keys for tests of signatures."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Key:
    private: Path
    public: Path


def new_key(folder, name):
    """A key as the documentation makes it in Python."""
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    made, pair = (
        ed25519.Ed25519PrivateKey.generate(),
        Key(folder / f"{name}.pem", folder / f"{name}.pub"),
    )
    pair.private.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pair.public.write_bytes(
        made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return pair
