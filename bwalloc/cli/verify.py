"""`bwalloc verify`: whether a bundle is whole and every runtime decides alike."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bwalloc.cli.outputs import check_outputs, write_json
from bwalloc.errors import BwallocError, UnknownNameError
from bwalloc.scenario import Scenario, load_scenario

NOT_RIGHT = 1


def run(
    agent: str,
    *,
    key: Path | None = None,
    env: str | None = None,
    decisions: int = 1000,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    envs: Path | None = None,
) -> int:
    """Check hashes, golden vectors and runtimes of an exported agent, and time them.

    Args:
        agent: name of an agent of the catalogue, the folder of a bundle (with a /), or a .bwalloc
            file.
        key: Ed25519 public key (PEM) that it must be signed with.
        env: environment to decide for; the one it was trained on by default.
        decisions: real decisions that the runtimes are held against each other on; without torch
            those of the golden vectors.
        json_file: write the figures here.
        envs: a folder with environments of your own.
    """
    from bwalloc.bench.verify import verify
    from bwalloc.serve import load_bundle
    from bwalloc.serve.bundles.golden import TOLERANCE

    if decisions < 1:
        msg = f"--decisions {decisions}: expected at least 1."
        raise BwallocError(msg)
    check_outputs(json=json_file)
    bundle = load_bundle(agent, key=key)
    print(
        f"{bundle.name} {bundle.version}: {len(bundle.parts)} parts have the listed hashes, "
        f"the graph is one of ours, golden vectors decided again"
        f"{', signature is right' if key else ''}"
    )
    found = verify(bundle, _scenario(bundle.manifest.environment, env, envs), decisions)
    for name, size in found.difference.items():
        verdict = "right" if size <= TOLERANCE else "WRONG"
        print(
            f"{name}: {verdict}, largest difference from {found.reference} {size:.1e} on "
            f"{found.decisions} decisions (rates as a share of the widest link; "
            f"at most {TOLERANCE:.0e})"
        )
    table = Table(box=None, pad_edge=False)
    table.add_column("one decision, one thread")
    table.add_column("p50 ms", justify="right")
    for name, spent in found.p50_ms.items():
        table.add_row(name, f"{spent:.2f}")
    Console().print(table)
    if json_file:
        write_json(json_file, asdict(found))
    return 0 if found.is_right else NOT_RIGHT


def _scenario(made_for: str, env: str | None, envs: Path | None) -> Scenario:
    try:
        return load_scenario(env or made_for, envs=envs)
    except UnknownNameError:
        if env is not None:
            raise
        msg = (
            f"The agent was made for '{made_for}', which is not in the catalogue: "
            "name the file with --env FILE, or its folder with --envs DIR."
        )
        raise BwallocError(msg) from None
