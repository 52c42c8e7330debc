"""The catalogue: which environments there are, and where their files lie."""

from __future__ import annotations

import os
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from bwalloc.errors import ScenarioError, unknown_name

_ID = re.compile(r'^id\s*=\s*"([^"]+)"', re.MULTILINE)
REMEDY = "See `bwalloc envs list`, or give a path to a .toml file."


def shelves(envs: str | Path | None = None) -> list[Path]:
    """Folders that are searched, first wins: `envs`, `BWALLOC_ENVS`, then the shipped catalogue.

    Raises:
        ScenarioError: If a folder that was asked for does not exist.
    """
    asked = [Path(envs)] if envs is not None else []
    asked += [Path(part) for part in os.environ.get("BWALLOC_ENVS", "").split(os.pathsep) if part]
    for folder in asked:
        if not folder.is_dir():
            msg = f"{folder}: there is no such folder of environments (--envs, BWALLOC_ENVS)."
            raise ScenarioError(msg)
    return [*asked, _shipped()]


@cache
def _shipped() -> Path:
    package = Path(str(files("bwalloc")))
    inside = package / "catalogue" / "envs"
    return inside if inside.is_dir() else package.parent / "envs"


def list_scenarios(envs: str | Path | None = None) -> dict[str, Path]:
    """Path of every environment by slug, sorted; a file of the user hides a shipped one."""
    found: dict[str, Path] = {}
    for folder in shelves(envs):
        for path in folder.glob("*.toml"):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find(name: str | Path, envs: str | Path | None = None) -> Path:
    """The file of an environment given by slug, by id, or by path.

    A name that ends in `.toml` or holds a path separator and is no id is a path.

    Raises:
        UnknownNameError: If no environment has that name; the text names the nearest.
        ScenarioError: If it is a path to no file.
    """
    text = str(name)
    known = list_scenarios(envs)
    if text in known:
        return known[text]
    ids = {_id_of(path): path for path in known.values()}
    if text in ids:
        return ids[text]
    if isinstance(name, Path) or text.endswith(".toml"):
        if Path(text).is_file():
            return Path(text)
        msg = f"{text}: there is no such environment file. {REMEDY}"
        raise ScenarioError(msg)
    names = [*known, *(key for key in ids if key)]
    raise unknown_name(kind="environment", name=text, known=names, remedy=REMEDY)


def _id_of(path: Path) -> str:
    """The id written in a file, without parsing it: broken files must not break the catalogue."""
    try:
        found = _ID.search(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return found.group(1) if found else ""
