"""A deployment: one bundle bound to one network, warmed up, under one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.serve.runtime import Runtime, RuntimeName, make_runtime
from bwalloc.serve.session import PolicySession, nothing_read
from bwalloc.serve.status import DeploymentStatus

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.serve.bundle import Bundle


@dataclass(frozen=True)
class Deployment:
    """What decides; made whole before it takes over."""

    bundle: Bundle
    session: PolicySession
    runtime: Runtime
    status: DeploymentStatus


def deploy(bundle: Bundle, network: Network, wanted: RuntimeName, number: int) -> Deployment:
    """Bind and warm up.

    Raises:
        UnknownNameError: There is no such runtime.
        BundleError: The runtime cannot run this bundle, or decides otherwise.
    """
    trial = PolicySession(network, bundle.policy)
    trial.push(nothing_read(network))
    example = trial.inputs(np.zeros(network.tunnels.exists.shape, np.float32))
    runtime, taken = make_runtime(bundle, network, wanted, example)
    trial.push(nothing_read(network))
    trial.reset()
    said = DeploymentStatus(
        deployment=number,
        name=bundle.name,
        version=bundle.version,
        environment=bundle.manifest.environment,
        runtime=runtime.name,
        runtime_ms=taken,
    )
    return Deployment(bundle, trial, runtime, said)
