"""Which runs, and where they take place: what `sweep` and `search` share, some with `train`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from bwalloc.cli.extras import needing
from bwalloc.cli.outputs import check_folder
from bwalloc.errors import BwallocError, unknown_name

if TYPE_CHECKING:
    from bwalloc.learn.recipe import Recipe
    from bwalloc.learn.sweep_backends import Spread

NOT_ALL = 1
"""Exit code where a run failed or was not finished."""
PACKAGES = {"ray": ("ray",), "dask": ("dask", "distributed")}
"""What a backend needs besides joblib."""


@dataclass(frozen=True)
class Runs:
    """Runs of one recipe, side by side.

    Args:
        algo: apg, ppo, sac or bc; that of the recipe, else apg, by default.
        recipe: a recipe file to start from.
        minutes: stop each run after this many minutes.
        steps: stop each run after this many intervals of single episodes.
        jobs: runs at a time; one per core, or all that the cluster has, by default.
        backend: loky (processes of this machine), ray or dask.
        address: of a Ray cluster or a Dask scheduler; without, one is started on this machine.
        envs: a folder with environments of your own.
    """

    algo: str | None = None
    recipe: Path | None = None
    minutes: float | None = None
    steps: int | None = None
    jobs: int = 0
    backend: str = "loky"
    address: str | None = None
    envs: Path | None = None

    @property
    def home(self) -> Path | None:
        """The folder of environments in full, since workers run elsewhere."""
        return self.envs.resolve() if self.envs else None

    def spread(self, out: Path) -> Spread:
        """Where runs take place, if all options and extras for it are there, and `out` may be made.

        Raises:
            BwallocError: an option is wrong, or a package is missing.
        """
        check_minutes(self.minutes)
        if self.jobs < 0:
            msg = f"--jobs {self.jobs}: expected a number of runs, or 0 for one per core."
            raise BwallocError(msg)
        check_folder(out=out)
        with needing("learn", "tune"):
            for name in ("torch", "joblib"):
                import_module(name)
        from bwalloc.learn.sweep_backends import Backend, Spread

        known: dict[str, Backend] = {name: name for name in get_args(Backend)}
        if self.backend not in known:
            raise unknown_name(kind="backend", name=self.backend, known=known, remedy="Pick one.")
        if self.address is not None and self.backend == "loky":
            msg = f"--address {self.address}: is of a cluster; add --backend ray or --backend dask."
            raise BwallocError(msg)
        with needing("cluster"):
            for name in PACKAGES.get(self.backend, ()):
                import_module(name)
        return Spread(known[self.backend], self.jobs, self.address)

    def chosen(self, env: str | None, where: str) -> Recipe:
        """The recipe of the file, or the plain one, with what was said on the command line.

        An environment that is a file, and a dataset that is a folder, are named in full: workers
        run elsewhere.

        Args:
            env: name or path of an environment; None for that of the recipe.
            where: what to name in a message where there is no file.

        Raises:
            RecipeError: it is broken; names file, key and remedy.
        """
        from bwalloc.learn.recipe import recipe_with

        recipe = recipe_with(self.recipe, where, env=env, algorithm=self.algo, steps=self.steps)
        if recipe.env.endswith(".toml"):
            recipe = recipe.model_copy(update={"env": str(Path(recipe.env).resolve())})
        dataset = Path(recipe.bc.dataset or "")
        if not recipe.bc.dataset or not dataset.is_dir():
            return recipe
        found = recipe.bc.model_copy(update={"dataset": str(dataset.resolve())})
        return recipe.model_copy(update={"bc": found})


def check_minutes(minutes: float | None) -> None:
    """Refuse what is no time that a run may take.

    Raises:
        BwallocError: it is not above 0, or endless.
    """
    if minutes is not None and not 0 < minutes < math.inf:
        msg = f"--minutes {minutes:g}: expected a finite number above 0."
        raise BwallocError(msg)


USUAL = Runs()
"""Where nothing is said."""
