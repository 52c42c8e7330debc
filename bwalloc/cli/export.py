"""`bwalloc export`: from a run folder to a bundle that needs no torch."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwalloc.cli.command import command_line
from bwalloc.cli.extras import needing
from bwalloc.cli.outputs import check_place_of_bundle
from bwalloc.cli.progress import progress_bar
from bwalloc.errors import BwallocError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.bench.card import Scores
    from bwalloc.learn.run import RunFolder
    from bwalloc.serve import Manifest
    from bwalloc.serve.bundles.manifest import Training

GOLDEN_DECISIONS = 32


def run(
    run_folder: Path,
    *,
    out: Path,
    episodes: int = 40,
    bound: bool = True,
    jobs: int = 0,
    sign_key: Path | None = None,
    envs: Path | None = None,
) -> None:
    """Export the best policy of a run, measure it on the test split, and write its card.

    Args:
        run_folder: what `bwalloc train` wrote.
        out: folder of the bundle, or one file if it ends in .bwalloc; its name is the agent's.
        episodes: of the test split for the card, and a quarter as many per shift; 0 plays none.
        bound: prove a bound of every episode for the card, as in `bwalloc compare`.
        jobs: processes; one per core by default.
        sign_key: Ed25519 private key (PEM) to sign the manifest with.
        envs: a folder with environments of your own.
    """
    if episodes < 0 or episodes == 1:
        msg = f"--episodes {episodes}: expected 0, or at least 2."
        raise BwallocError(msg)
    from bwalloc.serve.bundles.agents import is_path
    from bwalloc.serve.bundles.signature import sign

    check_place_of_bundle(out)
    if sign_key is not None:
        if not sign_key.is_file():
            msg = f"--sign-key {sign_key}: is no file; name an Ed25519 private key in PEM."
            raise BwallocError(msg)
        sign(b"", sign_key)  # a key of another kind is refused before the work
    with needing("learn", "export"):
        for name in ("torch", "onnx", "onnxscript"):
            import_module(name)
    parts, manifest, env = _parts(run_folder, _name(out), envs)
    scores = None
    if episodes:
        options = {"episodes": episodes, "bound": bound, "jobs": jobs or os.cpu_count() or 1}
        scores = _scored(parts, manifest, env, envs=envs, **options)
    _write(out, parts, manifest, scores, sign_key, _variety(run_folder))
    print(f"exported: {out} ({sum(map(len, parts.values())) / 1e3:.0f} kB)")
    if scores:
        gain = scores.result["allocators"][scores.agent]["gain_over_best_classical_usd_per_h"]
        rule = scores.result["best_classical"]
        print(
            f"test split, {episodes} episodes: {gain['mean']:+.2f} $/h "
            f"({gain['lo']:+.2f} to {gain['hi']:+.2f}) over {rule}"
        )
    place = f" --env {env}" if env.endswith(".toml") else f" --envs {envs}" if envs else ""
    print(f"Next: bwalloc verify {out if is_path(str(out)) else f'{out}{os.sep}'}{place}")


def _name(out: Path) -> str:
    from bwalloc.serve.bundles.archive import SUFFIX

    return out.resolve().name.removesuffix(SUFFIX)


def _parts(path: Path, name: str, envs: Path | None) -> tuple[dict[str, bytes], Manifest, str]:
    """Every part but the card, the manifest that lists none yet, and the environment's name."""
    from bwalloc.learn.export.decisions import decisions_of
    from bwalloc.learn.export.onnx import onnx_of
    from bwalloc.learn.recipe import recipe_toml
    from bwalloc.learn.run import RunFolder, policy_of_run
    from bwalloc.scenario import load_scenario
    from bwalloc.serve.bundles import manifest as part
    from bwalloc.serve.bundles.golden import golden_bytes
    from bwalloc.serve.bundles.onnx_graph import check_onnx
    from bwalloc.tensors import tensors_to_bytes

    _, recipe = policy_of_run(path, {})
    scenario = load_scenario(recipe.env, envs=envs)
    laws = ("forecast", "action", *(("two-bar",) if scenario.network.offers else ()))
    tuned = recipe.tuned(scenario)
    base = {key: dict(tuned.get(key, {})) for key in laws}
    policy, _ = policy_of_run(path, base)
    decisions = decisions_of(scenario, policy, GOLDEN_DECISIONS)
    architecture = asdict(policy.architecture)
    graph = onnx_of(policy, decisions[-1])
    check_onnx(
        graph, part.ONNX, spans=policy.architecture.spans
    )  # what would not be loaded is not written
    parts = {
        part.ONNX: graph,
        part.WEIGHTS: tensors_to_bytes(policy.weights),
        part.GOLDEN: golden_bytes(decisions),
        part.ARCHITECTURE: json.dumps(architecture, indent=1).encode() + b"\n",
        part.RECIPE: recipe_toml(recipe).encode(),
    }
    manifest = part.Manifest(
        schema=1,
        name=name,
        environment=scenario.id,
        digest=scenario.digest,
        features=part.feature_hash(spans=policy.architecture.spans),
        tuned=base,
        training=_training(RunFolder(path, recipe)),
        files={},
        **architecture,
    )
    return parts, manifest, recipe.env


def _training(folder: RunFolder) -> Training:
    from bwalloc.serve.bundles.manifest import Training

    best, origin, recipe = folder.best, folder.origin(), folder.recipe
    return Training(
        algorithm=recipe.algorithm,
        steps=best.steps if best else 0,
        seconds=best.seconds if best else 0.0,
        seed=recipe.seed,
        command=origin.command,
        hardware=origin.hardware,
        commit=origin.commit,
        versions=origin.versions,
    )


def _scored(
    parts: dict[str, bytes],
    manifest: Manifest,
    env: str,
    **options: Any,
) -> Scores:
    """Play a draft of the bundle on the environment of its recipe, which may be a file."""
    from bwalloc.bench.card import scores_of

    with tempfile.TemporaryDirectory() as folder, progress_bar("scores") as tell:
        draft = Path(folder) / manifest.name
        _write(draft, parts, manifest, None, None)
        return scores_of(draft, env, progress=tell, **options)


def _variety(run_folder: Path) -> list[str]:
    """What training episodes differed in, a text for each entry of the recipe."""
    from bwalloc.learn.recipe import read_recipe
    from bwalloc.learn.run import RECIPE

    recipe = read_recipe(run_folder / RECIPE)
    entries = [each.model_dump(exclude_defaults=True) for each in recipe.variety]
    unsaid = ("name", "source")
    return [
        ", ".join(f"{key} {value}" for key, value in entry.items() if key not in unsaid)
        or "the environment's own"
        for entry in entries
    ]


def _write(
    out: Path,
    parts: dict[str, bytes],
    manifest: Manifest,
    scores: Scores | None,
    sign_key: Path | None,
    variety: Sequence[str] = (),
) -> None:
    from bwalloc.bench.card import card_text
    from bwalloc.serve import write_bundle
    from bwalloc.serve.bundles.manifest import CARD, entry_of
    from bwalloc.serve.bundles.signature import sign

    card = card_text(manifest, scores, command_line(), variety)
    whole = {**parts, CARD: card.encode()}
    listed = manifest.model_copy(
        update={"files": {name: entry_of(data) for name, data in sorted(whole.items())}}
    )
    signature = sign(listed.to_bytes(), sign_key) if sign_key else None
    write_bundle(out, listed, whole, signature)
