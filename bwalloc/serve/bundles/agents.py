"""The catalogue of agents: which there are, and where their folders lie."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from bwalloc.errors import BundleError, unknown_name
from bwalloc.serve.bundles.archive import SUFFIX
from bwalloc.serve.bundles.manifest import MANIFEST, read_manifest

REMEDY = "See agents/README.md, or give the path of a bundle."


@cache
def _shipped() -> Path:
    package = Path(str(files("bwalloc")))
    inside = package / "catalogue" / "agents"
    return inside if inside.is_dir() else package.parent / "agents"


def list_agents() -> dict[str, Path]:
    """Folder of every agent of the catalogue by name, sorted."""
    found = {path.parent.name: path.parent for path in _shipped().glob(f"*/{MANIFEST}")}
    return dict(sorted(found.items()))


def agents_for(environment: str) -> list[str]:
    """Names of the agents of the catalogue that were trained on an environment, by its id."""
    manifests = {
        name: read_manifest((path / MANIFEST).read_bytes(), str(path))
        for name, path in list_agents().items()
    }
    return [name for name, made in manifests.items() if made.environment == environment]


def is_path(agent: str) -> bool:
    """Whether an agent is given by its path and not by its name."""
    return "/" in agent or "\\" in agent or agent.endswith(SUFFIX)


def holds_bundle(path: Path) -> bool:
    """Whether a path looks like a bundle: a folder with a manifest, or a `.bwalloc` file."""
    return (path / MANIFEST).is_file() or (path.suffix == SUFFIX and path.is_file())


def find_agent(agent: str | Path) -> Path:
    """The folder or file of an agent given by name or path.

    What holds a path separator or ends in `.bwalloc` is a path.

    Raises:
        UnknownNameError: No agent of the catalogue has that name; the text names the nearest.
        BundleError: It is a path to no bundle.
    """
    text, known = str(agent), list_agents()
    if isinstance(agent, Path) or is_path(text):
        path = Path(text)
        if holds_bundle(path):
            return path
        msg = (
            f"{text}: is no folder with a {MANIFEST} and no {SUFFIX} file; "
            "export a run: bwalloc export RUN --out DIR."
        )
        raise BundleError(msg)
    if text in known:
        return known[text]
    raise unknown_name(kind="agent", name=text, known=known, remedy=remedy_of(text, REMEDY))


def remedy_of(name: str, usual: str) -> str:
    """What to do about an agent that the catalogue lacks: it may lie in the folder one is in."""
    if name and holds_bundle(Path(name)):
        return f"For the bundle in this folder say ./{name}."
    return usual
