"""Ed25519 signatures over the manifest, whose hashes cover every other part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bwalloc.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path


def check_signature(manifest: bytes, signature: bytes, key: Path, where: str) -> None:
    """Hold the manifest's bytes against a signature.

    Raises:
        BundleError: The key is no Ed25519 public key, or the signature was not made with it.
    """
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        msg = "Checking a signature needs 'cryptography': pip install 'bwalloc[sign]'."
        raise BundleError(msg) from None
    try:
        public = load_pem_public_key(key.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        msg = f"{key}: cannot be read as a public key in PEM ({error})."
        raise BundleError(msg) from None
    if not isinstance(public, Ed25519PublicKey):
        msg = f"{key}: is no Ed25519 key."
        raise BundleError(msg)
    try:
        public.verify(signature, manifest)
    except InvalidSignature:
        msg = f"{where}: the signature was not made with '{key}', or the manifest was changed."
        raise BundleError(msg) from None


def sign(manifest: bytes, key: Path) -> bytes:
    """The signature of a manifest under an Ed25519 private key (PEM, no password).

    Raises:
        BundleError: The key cannot be read, or is of another kind.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        msg = "Signing needs 'cryptography': pip install 'bwalloc[sign]'."
        raise BundleError(msg) from None
    try:
        private = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        msg = f"{key}: cannot be read as a private key in PEM ({error})."
        raise BundleError(msg) from None
    if not isinstance(private, Ed25519PrivateKey):
        msg = f"{key}: is no Ed25519 key."
        raise BundleError(msg)
    return private.sign(manifest)
