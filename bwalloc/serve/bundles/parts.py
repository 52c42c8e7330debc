"""Where the parts of a bundle lie, a folder or one file: read with suspicion, written whole."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bwalloc.errors import BundleError
from bwalloc.files import write_atomically
from bwalloc.serve.bundles.archive import (
    MAGIC,
    MOST_ARCHIVE_BYTES,
    MOST_ENTRIES,
    SUFFIX,
    archive_bytes,
    archive_parts,
)
from bwalloc.serve.bundles.manifest import MANIFEST, SIGNATURE

OPENING = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
"""Neither follows a link that was put there a moment ago nor waits for a pipe to be filled."""


class Parts(Protocol):
    """Parts by name, the manifest and the signature among them."""

    def names(self) -> list[str]:
        """Of all that is there, listed in the manifest or not."""
        ...

    def read(self, name: str, most: int) -> bytes:
        """A part of at most so many bytes.

        Raises:
            BundleError: It is missing, larger, or no plain file.
        """
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """One file per part."""

    path: Path

    def names(self) -> list[str]:
        """As `Parts.names`; stops counting where there are too many for a bundle."""
        found: list[str] = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                found.append(entry.name)
                if len(found) > MOST_ENTRIES:
                    break
        return sorted(found)

    def read(self, name: str, most: int) -> bytes:
        """As `Parts.read`; what is asked of the file is asked of the one that was opened."""
        return _read(self.path / name, most)


@dataclass(frozen=True, slots=True)
class Archive:
    """All parts in one file, which was read and checked."""

    path: Path
    parts: Mapping[str, bytes]

    def names(self) -> list[str]:
        """As `Parts.names`."""
        return sorted(self.parts)

    def read(self, name: str, most: int) -> bytes:
        """As `Parts.read`."""
        if name not in self.parts:
            msg = f"{self.path}/{name}: is not in the file; fetch or export the bundle again."
            raise BundleError(msg)
        if len(self.parts[name]) > most:
            msg = f"{self.path}/{name}: is larger than {most} bytes; refused."
            raise BundleError(msg)
        return self.parts[name]


def open_parts(path: Path) -> Parts:
    """The parts at `path`, in either form.

    Raises:
        BundleError: It is a file, and not one that `write_parts` wrote.
    """
    if path.is_dir():
        return Folder(path)
    return Archive(path, archive_parts(_read(path, MOST_ARCHIVE_BYTES), str(path)))


def write_parts(path: Path, parts: Mapping[str, bytes]) -> None:
    """Write parts whole or not at all; a bundle that was there before is replaced at the end.

    Args:
        path: a file where its name ends in `SUFFIX`, otherwise a folder.
        parts: bytes by name, the manifest among them.

    Raises:
        BundleError: There is something at `path` that is no bundle, and is left alone.
    """
    check_place(path)
    if path.suffix == SUFFIX:
        write_atomically(path, archive_bytes(parts))
    else:
        _write_folder(path, parts)


def check_place(path: Path) -> None:
    """Make sure that a bundle written to `path` replaces nothing but a bundle of the same form.

    Raises:
        BundleError: It would.
    """
    if path.suffix == SUFFIX:
        is_free = not path.exists() or (path.is_file() and _starts_as_archive(path))
    else:
        is_empty = path.is_dir() and not any(path.iterdir())
        is_free = not path.exists() or is_empty or (path / MANIFEST).is_file()
    if not path.name or not is_free:
        msg = f"'{path}' is no bundle and would be replaced by one; name another place."
        raise BundleError(msg)


def _starts_as_archive(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC


def _write_folder(path: Path, parts: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    draft, old = aside / "new", aside / "old"
    try:
        draft.mkdir()
        for name, data in parts.items():
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


def _read(file: Path, most: int) -> bytes:
    refusal = BundleError(
        f"{file}: is a link, no plain file, or larger than {most} bytes; refused. "
        "A bundle holds plain files only: put the part itself there."
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
        if file.name == SIGNATURE and isinstance(error, FileNotFoundError):
            sign = "bwalloc pack AGENT --out X --sign-key KEY"
            msg = f"{file}: is missing, so the bundle is not signed; sign it: {sign}."
            raise BundleError(msg) from None
        msg = (
            f"{file}: cannot be read ({error.strerror}); a bundle must hold it. "
            "Fetch or export it again."
        )
        raise BundleError(msg) from None
    if len(data) > most:
        raise refusal
    return data
