"""Recipes of runs that end within seconds."""

from bwalloc.learn.recipe import recipe_from

UPDATE = 20
"""Intervals of an update: 4 episodes, 5 intervals."""
TABLE = {
    "env": "tiny-edge",
    "steps": 2 * UPDATE,
    "network": {"hidden": 4},
    "validation": {"episodes": 1, "every_steps": UPDATE},
    "apg": {"batch": 4},
}
TEXT = (
    f'schema = 1\nenv = "tiny-edge"\nsteps = {2 * UPDATE}\n[network]\nhidden = 4\n'
    f"[validation]\nepisodes = 1\nevery_steps = {UPDATE}\n[apg]\nbatch = 4\n"
)


def tiny(**changes):
    return recipe_from({**TABLE, **changes}, "test")


class Killed(BaseException):
    """What nobody catches, as a kill."""


def killed_after(points):
    """A listener that ends a run once it has heard of so many validations."""
    heard = []

    def listen(tell):
        heard.extend([tell.point] if tell.point else [])
        if len(heard) >= points:
            raise Killed

    return listen


def times(folder):
    """When every file below a folder was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
