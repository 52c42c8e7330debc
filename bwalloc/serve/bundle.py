"""Bundles: an exported policy as a folder whose every part is checked before it is used."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bwalloc.allocate.constants import check_constants
from bwalloc.allocate.learned import Learned, Policy
from bwalloc.allocate.neural import layer_shapes
from bwalloc.errors import BundleError, ScenarioError
from bwalloc.serve.agents import find_agent
from bwalloc.serve.golden import check_golden
from bwalloc.serve.manifest import (
    GOLDEN,
    MANIFEST,
    MOST_BYTES,
    MOST_GOLDEN_BYTES,
    MOST_MANIFEST_BYTES,
    MOST_SIGNATURE_BYTES,
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

    from bwalloc.allocate.limits import Limits
    from bwalloc.network import Network
    from bwalloc.serve.clock import Clock
    from bwalloc.serve.runtime import RuntimeName
    from bwalloc.serve.supervisor import Supervisor

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names of parts: no folder, no device, no stream of another file."""
OPENING = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
"""Neither follows a link that was put there a moment ago nor waits for a pipe to be filled."""


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

    def bind(
        self,
        network: Network,
        limits: Limits | None = None,
        *,
        runtime: RuntimeName = "auto",
        audit: Path | str | None = None,
        clock: Clock | None = None,
    ) -> Supervisor:
        """Put the policy in charge of `network`, which may be any; it is warmed up when this ends.

        Args:
            network: what it decides for.
            limits: what every decision is held to; None limits nothing but capacity.
            runtime: "onnx", "numpy", or "auto", the faster of those installed.
            audit: file of the audit log; None keeps none. What the log of an earlier process says
                of money, orders and the kill switch holds on.
            clock: for replays and tests; None is the machine's.

        Raises:
            LimitsError: The limits name what the network has not.
            BundleError: The runtime cannot run the bundle, or decides otherwise than it should.
        """
        from bwalloc.serve.supervisor import Supervisor

        return Supervisor(self, network, limits, runtime=runtime, audit=audit, clock=clock)


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
    head = _read(path, MANIFEST, MOST_MANIFEST_BYTES)
    if key is not None:
        check_signature(head, _read(path, SIGNATURE, MOST_SIGNATURE_BYTES), key, str(path))
    manifest = read_manifest(head, str(path))
    _check_list(manifest, f"{path}/{MANIFEST}")
    parts = {name: _checked(path, name, manifest) for name in manifest.files}
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


def write_bundle(
    path: Path, manifest: Manifest, parts: Mapping[str, bytes], signature: bytes | None = None
) -> None:
    """Write a bundle whole or not at all; one that was there before is replaced at the end.

    Raises:
        BundleError: There is something at `path` that is no bundle, and is left alone.
    """
    check_place(path)
    whole = {**parts, MANIFEST: manifest.to_bytes()}
    if signature is not None:
        whole[SIGNATURE] = signature
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    draft, old = aside / "new", aside / "old"
    try:
        draft.mkdir()
        for name, data in whole.items():
            (draft / name).write_bytes(data)
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(draft, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_place(path: Path) -> None:
    """Make sure that a bundle written to `path` replaces nothing but a bundle.

    Raises:
        BundleError: It would.
    """
    is_free = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    if not path.name or not (is_free or (path / MANIFEST).is_file()):
        msg = f"'{path}' is no bundle and would be replaced by one; name another folder."
        raise BundleError(msg)


def _check_list(manifest: Manifest, where: str) -> None:
    """Refuse a list of parts that is not whole, leads out of the folder, or fills the memory."""
    for name in manifest.files:
        if not PLAIN.fullmatch(name):
            msg = f"{where}: {name!r} is no plain file name; refused."
            raise BundleError(msg)
    for name in PARTS_OF_A_BUNDLE:
        if name not in manifest.files:
            msg = f"{where}: lists no {name}; export the run again."
            raise BundleError(msg)
    size, golden = sum(entry.bytes for entry in manifest.files.values()), manifest.files[GOLDEN]
    if size > MOST_BYTES or golden.bytes > MOST_GOLDEN_BYTES:
        msg = (
            f"{where}: lists {size} bytes, {golden.bytes} of them in {GOLDEN}; at most "
            f"{MOST_BYTES} and {MOST_GOLDEN_BYTES} are read."
        )
        raise BundleError(msg)
    try:
        check_constants(manifest.tuned, f"{where}, tuned")
    except ScenarioError as error:
        raise BundleError(str(error)) from None


def _checked(path: Path, name: str, manifest: Manifest) -> bytes:
    data = _read(path, name, MOST_BYTES)
    if entry_of(data) != manifest.files[name]:
        msg = (
            f"{path}/{name}: does not have the hash the manifest lists; it was changed or cut off."
        )
        raise BundleError(msg)
    return data


def _read(path: Path, name: str, most: int) -> bytes:
    """At most so many bytes of a plain file; what is asked of it is asked of the one opened."""
    file = path / name
    refusal = BundleError(
        f"{file}: is a link, no plain file, or larger than {most} bytes; refused."
    )
    try:
        if file.is_symlink():
            raise refusal
        descriptor = os.open(file, os.O_RDONLY | OPENING)
        try:
            kept = os.fstat(descriptor)
            if not stat.S_ISREG(kept.st_mode) or kept.st_size > most:
                raise refusal
            with os.fdopen(descriptor, "rb", closefd=False) as opened:
                data = opened.read(most + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        msg = f"{file}: cannot be read ({error.strerror}); a bundle must hold it."
        raise BundleError(msg) from None
    if len(data) > most:
        raise refusal
    return data


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
        if weights[name].dtype != "float32":
            msg = f"{where}/{WEIGHTS}: '{name}' holds {weights[name].dtype}, expected float32."
            raise BundleError(msg)
    return weights
