"""`bwalloc serve`: the sidecar, a policy that decides over HTTP."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bwalloc.cli.exit_codes import INTERRUPTED
from bwalloc.cli.extras import needing
from bwalloc.cli.outputs import check_outputs
from bwalloc.errors import BwallocError
from bwalloc.observe import usual_day
from bwalloc.scenario import load_scenario
from bwalloc.serve.planes.opening import PlaneName
from bwalloc.serve.policy.runtime import RuntimeName

if TYPE_CHECKING:
    from bwalloc.serve import Supervisor
    from bwalloc.serve.http import Listener, Settings
    from bwalloc.serve.planes import PlaneLoop


@dataclass(frozen=True)
class Access:
    """Who may reach the sidecar.

    Args:
        host: address to listen on; what others can reach needs a token and TLS.
        port: port to listen on; 0 takes a free one.
        token_file: file with the token that requests must carry.
        tls_cert: PEM file of the certificate.
        tls_key: PEM file of its key.
        bundles: the folder whose bundles may be swapped in over HTTP; none by default.
        drain_s: after SIGTERM, how long requests are still taken while ready says no.
    """

    host: str = "127.0.0.1"
    port: int = 8321
    token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    bundles: Path | None = None
    drain_s: float = 1.0


@dataclass(frozen=True)
class Enforcement:
    """What measures and enforces.

    Args:
        plane: none: a controller that posts telemetry; htb: this process, on Linux interfaces.
        plane_file: TOML file that says which interface carries which link.
        apply: --no-apply reads and decides, and changes nothing.
    """

    plane: PlaneName = "none"
    plane_file: Path | None = None
    apply: bool = True


def run(
    agent: str,
    *,
    env: str,
    access: Annotated[Access, Parameter(name="*")] = Access(),
    enforcement: Annotated[Enforcement, Parameter(name="*")] = Enforcement(),
    limits: Path | None = None,
    shadow: str | None = None,
    key: Path | None = None,
    audit: Path | None = None,
    runtime: RuntimeName = "auto",
    envs: Path | None = None,
) -> int:
    """Decide over HTTP: telemetry in, decision out; with a page for operators and metrics.

    With `--plane htb` it measures and enforces by itself.

    Args:
        agent: name of an agent of the catalogue, or a bundle (with a /).
        env: environment whose network it decides for.
        access: who may reach it.
        enforcement: what measures and enforces.
        limits: TOML file of what every decision is held to.
        shadow: another agent that decides beside and is never enforced.
        key: Ed25519 public key (PEM) that every bundle must be signed with.
        audit: file of the audit log.
        runtime: what computes decisions; auto is the faster of those installed.
        envs: a folder with environments of your own.
    """
    with needing("serve"):
        from bwalloc.serve.http import listen
    from bwalloc.serve import load_bundle, read_limits

    check_outputs(audit=audit)
    settings = _settings(access, key)
    scenario = load_scenario(env, envs=envs)
    held = read_limits(limits) if limits else None
    listener = listen(settings)
    with closing(listener.socket):
        bundle = load_bundle(agent, key=key)
        beside = load_bundle(shadow, key=key) if shadow else None
        usual = usual_day(scenario)
        bound = bundle.bind(scenario.network, held, runtime=runtime, audit=audit, usual=usual)
        with bound as supervisor:
            if beside:
                supervisor.shadow(beside)
            begun = f"{bundle.name} {bundle.version} decides for {scenario.slug} at {listener.url}"
            with _plane(supervisor, enforcement) as plane:
                return _serve(supervisor, listener, settings, plane, begun)


@contextmanager
def _plane(supervisor: Supervisor, chosen: Enforcement) -> Generator[PlaneLoop | None]:
    """The plane's loop while it runs; None where a controller measures and enforces."""
    from bwalloc.serve.planes import PlaneLoop, open_plane, read_plane_file

    if chosen.plane == "none" or chosen.plane_file is None:
        if chosen.plane != "none" or chosen.plane_file is not None:
            msg = "--plane htb and --plane-file FILE go together; give both, or neither."
            raise BwallocError(msg)
        yield None
        return
    file, network = read_plane_file(chosen.plane_file), supervisor.network
    static_gbps = supervisor.static_gbps
    plane = open_plane(chosen.plane, network, file, static_gbps, is_enforcing=chosen.apply)
    period_s = network.interval_s / file.scale.time
    with closing(plane):
        loop = PlaneLoop(supervisor, plane, period_s, is_enforcing=chosen.apply)
        loop.start()
        try:
            yield loop
        finally:
            loop.stop()


def _settings(access: Access, key: Path | None) -> Settings:
    from bwalloc.serve.http import Settings, read_token

    if not 0 <= access.port <= 65535:
        msg = f"--port {access.port}: expected 1 to 65535, or 0 for any free one."
        raise BwallocError(msg)
    if not 0 <= access.drain_s <= 3600:
        msg = f"--drain-s {access.drain_s}: expected 0 to 3600 seconds."
        raise BwallocError(msg)
    if access.bundles is not None and not access.bundles.is_dir():
        msg = f"--bundles '{access.bundles}': is no folder; name one that holds bundles."
        raise BwallocError(msg)
    return Settings(
        host=access.host,
        port=access.port,
        token=read_token(access.token_file) if access.token_file else None,
        tls_cert=access.tls_cert,
        tls_key=access.tls_key,
        bundles=access.bundles,
        key=key,
        drain_s=access.drain_s,
    )


def _serve(
    supervisor: Supervisor,
    listener: Listener,
    settings: Settings,
    plane: PlaneLoop | None,
    begun: str,
) -> int:
    from bwalloc.serve.http import Drain, create_app, serve

    def tell() -> None:
        print(f"{begun} (page for operators; /docs: API); SIGTERM or Ctrl-C ends it", flush=True)

    drain = Drain()
    app = create_app(supervisor, settings, drain, plane)
    ended_by = serve(app, listener, settings, drain, tell)
    return INTERRUPTED if ended_by == signal.SIGINT else 0
