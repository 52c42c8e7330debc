"""A deployment: one bundle bound to one network, warmed up, under one number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.serve.books.status import DeploymentStatus
from bwalloc.serve.policy.runtime import Proposal, Runtime, RuntimeName, make_runtime
from bwalloc.serve.policy.session import PolicySession, nothing_read
from bwalloc.serve.policy.worker import Worker

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe import UsualDay
    from bwalloc.serve.bundles.bundle import Bundle


@dataclass(frozen=True)
class Deployment:
    """What decides; made whole before it takes over."""

    bundle: Bundle
    session: PolicySession
    runtime: Runtime
    worker: Worker
    status: DeploymentStatus

    def ask(self, rates_gbps: np.ndarray, within_s: float) -> Proposal:
        """The policy's answer to what its session knows; see `Worker.run` for what it raises."""
        given, orders = self.session.inputs(rates_gbps), self.session.ordering()

        def answer() -> Proposal:
            found = self.runtime(given)
            return found if found.orders else replace(found, orders=orders(found.about_spans))

        return self.worker.run(answer, within_s)


def deploy(
    bundle: Bundle,
    network: Network,
    wanted: RuntimeName,
    number: int,
    usual: UsualDay | None = None,
) -> Deployment:
    """Bind and warm up; `usual` as in `Bundle.bind`.

    Raises:
        UnknownNameError: There is no such runtime.
        BundleError: The runtime cannot run this bundle, or decides otherwise.
    """
    session = PolicySession(network, bundle.policy, usual)
    nothing = np.zeros(network.tunnels.exists.shape, np.float32)
    for _ in range(2):  # the first record of an episode and a later one take other ways
        session.push(nothing_read(network))
    runtime, taken = make_runtime(bundle, network, wanted, session.inputs(nothing))
    session.reset()
    said = DeploymentStatus(
        deployment=number,
        name=bundle.name,
        version=bundle.version,
        environment=bundle.manifest.environment,
        runtime=runtime.name,
        runtime_ms=taken,
    )
    return Deployment(bundle, session, runtime, Worker(f"bwalloc-policy-{number}"), said)
