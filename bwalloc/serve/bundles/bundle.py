"""Bundles: an exported policy whose every part is checked before anything of it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bwalloc.allocate.policy.constants import check_constants
from bwalloc.allocate.policy.learned import Learned, Policy
from bwalloc.allocate.policy.neural import layer_shapes
from bwalloc.errors import BundleError, ScenarioError
from bwalloc.serve.bundles.agents import find_agent
from bwalloc.serve.bundles.archive import PLAIN
from bwalloc.serve.bundles.golden import check_golden
from bwalloc.serve.bundles.manifest import (
    ARCHITECTURE,
    GOLDEN,
    MANIFEST,
    MOST_BYTES,
    MOST_GOLDEN_BYTES,
    MOST_MANIFEST_BYTES,
    MOST_SIGNATURE_BYTES,
    ONNX,
    PARTS_OF_A_BUNDLE,
    SIGNATURE,
    WEIGHTS,
    Manifest,
    entry_of,
    feature_hash,
    read_architecture,
    read_manifest,
)
from bwalloc.serve.bundles.onnx_graph import check_onnx
from bwalloc.serve.bundles.parts import Parts, open_parts, write_parts
from bwalloc.serve.bundles.signature import check_signature
from bwalloc.tensors import tensors_from_bytes

if TYPE_CHECKING:
    import numpy as np

    from bwalloc.allocate.limits import Limits
    from bwalloc.network import Network
    from bwalloc.observe import UsualDay
    from bwalloc.serve.clock import Clock
    from bwalloc.serve.policy.runtime import RuntimeName
    from bwalloc.serve.supervisor import Supervisor


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. `parts` holds the bytes that were hashed: what runs is what was checked.

    Attributes:
        path: where it was read, a folder or a file.
        manifest: what it holds and how it came to be.
        parts: bytes by name, without manifest and signature.
        policy: weights for NumPy.
        head: the manifest as it was read, which is what a signature is of.
        signature: as it was read; checked only against the key that was given, if any.
    """

    path: Path
    manifest: Manifest
    parts: Mapping[str, bytes]
    policy: Policy
    head: bytes = b""
    signature: bytes | None = None

    @property
    def name(self) -> str:
        """Name of the agent."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The first digits of the hash of the weights."""
        return self.manifest.files[WEIGHTS].sha256[:12]

    def rule(self, network: Network, usual: UsualDay | None = None) -> Learned:
        """The policy as a rule over arrays, for any network; `usual` as in `bind`."""
        return Learned(network, self.policy, usual)

    def bind(
        self,
        network: Network,
        limits: Limits | None = None,
        *,
        runtime: RuntimeName = "auto",
        audit: Path | str | None = None,
        clock: Clock | None = None,
        usual: UsualDay | None = None,
    ) -> Supervisor:
        """Put the policy in charge of `network`, which may be any; it is warmed up when this ends.

        Args:
            network: what it decides for.
            limits: what every decision is held to; None limits nothing but capacity.
            runtime: "onnx", "numpy", or "auto", the faster of those installed.
            audit: file of the audit log; None keeps none. What the log of an earlier process says
                of money, orders and the kill switch holds on.
            clock: for replays and tests; None is the machine's.
            usual: load by hour of day of the network's demands, which capacity is ordered by; None
                takes every hour to be alike.

        Raises:
            LimitsError: The limits name what the network has not.
            TopologyError: A demand of the network has no tunnel.
            BundleError: The runtime cannot run the bundle, or decides otherwise than it should.
        """
        from bwalloc.serve.supervisor import Supervisor

        return Supervisor(
            self, network, limits, runtime=runtime, audit=audit, clock=clock, usual=usual
        )


def load_bundle(agent: str | Path, *, key: Path | str | None = None) -> Bundle:
    """Read and check a bundle; nothing of it runs before all of it is right.

    What is returned has decided the bundle's golden vectors again, and to the same rates.

    Args:
        agent: a folder, a `.bwalloc` file, or the name of an agent of the catalogue.
        key: Ed25519 public key (PEM); the bundle must then carry a signature made with it.

    Raises:
        UnknownNameError: There is no such agent.
        BundleError: A part is missing, not listed, changed, not allowed, or does not fit this
            version of bwalloc; names the part.
    """
    path = find_agent(agent)
    kept = open_parts(path)
    head, signature = kept.read(MANIFEST, MOST_MANIFEST_BYTES), None
    if key is not None or SIGNATURE in kept.names():
        signature = kept.read(SIGNATURE, MOST_SIGNATURE_BYTES)
    if key is not None and signature is not None:
        check_signature(head, signature, Path(key), str(path))
    manifest = read_manifest(head, str(path))
    _check_list(manifest, f"{path}/{MANIFEST}")
    _check_names(kept, manifest, path)
    parts = {name: _checked(kept, path, name, manifest) for name in manifest.files}
    _check_fit(manifest, parts, path)
    check_onnx(parts[ONNX], f"{path}/{ONNX}", spans=manifest.spans)
    weights = _weights(parts[WEIGHTS], manifest, str(path))
    policy = Policy(manifest.architecture, weights, manifest.tuned)
    check_golden(policy, parts[GOLDEN], f"{path}/{GOLDEN}")
    return Bundle(path, manifest, parts, policy, head, signature)


def write_bundle(
    path: Path, manifest: Manifest, parts: Mapping[str, bytes], signature: bytes | None = None
) -> None:
    """Write a bundle whole or not at all; one that was there before is replaced at the end.

    Args:
        path: a file where its name ends in `.bwalloc`, otherwise a folder.
        manifest: lists `parts`.
        parts: bytes by name.
        signature: of the manifest's bytes.

    Raises:
        BundleError: There is something at `path` that is no bundle, and is left alone.
    """
    signed = {} if signature is None else {SIGNATURE: signature}
    write_parts(path, {**parts, MANIFEST: manifest.to_bytes(), **signed})


def _check_list(manifest: Manifest, where: str) -> None:
    """Refuse a list of parts that is not whole, leads out of the folder, or fills the memory."""
    for name in manifest.files:
        if not PLAIN.fullmatch(name) or name in (MANIFEST, SIGNATURE):
            msg = f"{where}: {name!r} is no plain file name of a part; refused."
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


def _check_names(kept: Parts, manifest: Manifest, path: Path) -> None:
    """Refuse what nobody vouches for, though nothing would read it."""
    for name in kept.names():
        if name not in (MANIFEST, SIGNATURE, *manifest.files):
            msg = f"{path}/{name}: is not listed in the manifest; take it away, or export again."
            raise BundleError(msg)


def _checked(kept: Parts, path: Path, name: str, manifest: Manifest) -> bytes:
    data = kept.read(name, MOST_BYTES)
    if entry_of(data) != manifest.files[name]:
        msg = (
            f"{path}/{name}: does not have the hash the manifest lists; it was changed or cut "
            "off. Fetch or export the bundle again."
        )
        raise BundleError(msg)
    return data


def _check_fit(manifest: Manifest, parts: Mapping[str, bytes], path: Path) -> None:
    """Refuse other features than are computed here, and an architecture told in two ways."""
    if manifest.features != feature_hash(spans=manifest.spans):
        msg = (
            f"{path}: made for other features than this version of bwalloc computes; "
            "export the run again, or install the version named in the card."
        )
        raise BundleError(msg)
    told = read_architecture(parts[ARCHITECTURE], f"{path}/{ARCHITECTURE}")
    if told != manifest.architecture:
        msg = (
            f"{path}/{ARCHITECTURE}: tells of {told}, the manifest of {manifest.architecture}; "
            "export the run again."
        )
        raise BundleError(msg)


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
