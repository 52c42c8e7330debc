"""Bundles: an exported policy as a folder whose every part is checked before it is used."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bwalloc.allocate.learned import Learned, Policy
from bwalloc.allocate.neural import layer_shapes
from bwalloc.allocate.session import RuleSession
from bwalloc.errors import BundleError
from bwalloc.serve.agents import find_agent
from bwalloc.serve.golden import check_golden
from bwalloc.serve.manifest import (
    GOLDEN,
    MANIFEST,
    MOST_BYTES,
    PARTS_OF_A_BUNDLE,
    SIGNATURE,
    WEIGHTS,
    Manifest,
    entry_of,
    feature_hash,
    read_manifest,
)
from bwalloc.serve.signature import check_signature
from bwalloc.tensors import tensors_from_bytes

if TYPE_CHECKING:
    import numpy as np

    from bwalloc.network import Network


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. `parts` holds the bytes that were hashed: what runs is what was checked."""

    path: Path
    manifest: Manifest
    parts: Mapping[str, bytes]
    policy: Policy

    @property
    def name(self) -> str:
        """Name of the agent."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The first digits of the hash of the weights."""
        return self.manifest.files[WEIGHTS].sha256[:12]

    def rule(self, network: Network) -> Learned:
        """The policy as a rule over arrays, for any network."""
        return Learned(network, self.policy)

    def bind(self, network: Network, limits: object = None) -> RuleSession:
        """A session that decides for `network`, which may be any."""
        del limits
        return RuleSession(self.name, network, self.rule(network), self.version)


def load_bundle(agent: str | Path, *, key: Path | None = None) -> Bundle:
    """Read and check a bundle; nothing of it runs before every hash is right.

    What is returned has decided the bundle's golden vectors again, and to the same rates.

    Args:
        agent: a folder, or the name of an agent of the catalogue.
        key: Ed25519 public key (PEM); the bundle must then carry a signature made with it.

    Raises:
        UnknownNameError: There is no such agent.
        BundleError: A part is missing, has another hash, is not allowed, or does not fit this
            version of bwalloc; names the part.
    """
    path = find_agent(agent)
    head = _read(path, MANIFEST)
    if key is not None:
        check_signature(head, _read(path, SIGNATURE), key, str(path))
    manifest = read_manifest(head, str(path))
    parts = {name: _checked(path, name, manifest) for name in manifest.files}
    for name in PARTS_OF_A_BUNDLE:
        if name not in parts:
            msg = f"{path}: the manifest lists no {name}; export the run again."
            raise BundleError(msg)
    if manifest.features != feature_hash():
        msg = (
            f"{path}: made for other features than this version of bwalloc computes; "
            "export the run again, or install the version named in the card."
        )
        raise BundleError(msg)
    weights = _weights(parts[WEIGHTS], manifest, str(path))
    policy = Policy(manifest.architecture, weights, manifest.tuned)
    check_golden(policy, parts[GOLDEN], f"{path}/{GOLDEN}")
    return Bundle(path, manifest, parts, policy)


def write_bundle(path: Path, manifest: Manifest, parts: Mapping[str, bytes]) -> None:
    """Write a bundle whole or not at all; one that was there before is replaced at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        for name, data in parts.items():
            (draft / name).write_bytes(data)
        (draft / MANIFEST).write_bytes(manifest.to_bytes())
        draft.chmod(0o755)
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
            os.replace(path, old / path.name)
            os.replace(draft, path)
            shutil.rmtree(old)
        else:
            os.replace(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _checked(path: Path, name: str, manifest: Manifest) -> bytes:
    if name != Path(name).name or name.startswith("."):
        msg = f"{path}/{MANIFEST}: '{name}' is no plain file name; refused."
        raise BundleError(msg)
    data, listed = _read(path, name), manifest.files[name]
    if entry_of(data) != listed:
        msg = (
            f"{path}/{name}: does not have the hash the manifest lists; it was changed or cut off."
        )
        raise BundleError(msg)
    return data


def _read(path: Path, name: str) -> bytes:
    file = path / name
    try:
        if file.is_symlink() or file.stat().st_size > MOST_BYTES:
            msg = f"{file}: is a link or larger than {MOST_BYTES} bytes; refused."
            raise BundleError(msg)
        return file.read_bytes()
    except OSError as error:
        msg = f"{file}: cannot be read ({error.strerror}); a bundle must hold it."
        raise BundleError(msg) from None


def _weights(data: bytes, manifest: Manifest, where: str) -> dict[str, np.ndarray]:
    weights = tensors_from_bytes(data, f"{where}/{WEIGHTS}")
    wanted: dict[str, tuple[int, ...]] = {}
    for name, (rows, columns) in layer_shapes(manifest.architecture).items():
        wanted |= {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}
    for name in sorted({*wanted, *weights}):
        found = weights[name].shape if name in weights else None
        if found != wanted.get(name):
            msg = f"{where}/{WEIGHTS}: '{name}' has shape {found}, expected {wanted.get(name)}."
            raise BundleError(msg)
    return weights
