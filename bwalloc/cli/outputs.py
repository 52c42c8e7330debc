"""Files that a command will write: tried before the work, and written whole after it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bwalloc.errors import BwallocError
from bwalloc.files import write_atomically


def check_outputs(**paths: Path | None) -> None:
    """Find out before hours of work that their result has no place to go to.

    Args:
        **paths: what will be written, by the name of its option; None is passed over.

    Raises:
        BwallocError: names the option, the path, and what is in the way.
    """
    for option, path in paths.items():
        if path is None:
            continue
        reason = _obstacle(path)
        if reason:
            msg = f"--{option} '{path}': {reason}; name a file in a folder you may write to."
            raise BwallocError(msg)


def check_folder(**paths: Path) -> None:
    """As `check_outputs`, for folders that will be made or filled.

    Raises:
        BwallocError: names the option, the path, and what is in the way.
    """
    for option, path in paths.items():
        reason = _obstacle(path / "file")
        if reason:
            msg = f"--{option} '{path}': {reason}; name a folder you may write to."
            raise BwallocError(msg)


def check_place_of_bundle(out: Path) -> None:
    """As `check_folder`, for a bundle in either form, which replaces nothing but a bundle.

    Raises:
        BwallocError: names the option, the path, and what is in the way.
    """
    from bwalloc.serve.bundles.archive import SUFFIX
    from bwalloc.serve.bundles.parts import check_place

    (check_outputs if out.suffix == SUFFIX else check_folder)(out=out)
    check_place(out)


def _obstacle(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    folder = next(each for each in path.absolute().parents if each.exists())
    if not folder.is_dir():
        return f"'{folder}' is a file, not a folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"may not write into '{folder}'"


def write_json(path: Path, tree: Any) -> None:
    """Write results whole or not at all; numbers that are none of them become null.

    Raises:
        BwallocError: it cannot be written; names the path and the reason.
    """
    with writing(path):
        write_atomically(path, json.dumps(_finite(tree), indent=1, allow_nan=False).encode())


def _finite(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {str(key): _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Turn a failure to write `path` into one line."""
    try:
        yield
    except OSError as error:
        msg = f"Cannot write '{path}' ({error.strerror}): name a file in a folder you may write to."
        raise BwallocError(msg) from None
