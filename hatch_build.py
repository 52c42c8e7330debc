"""Build hook: ship the catalogue folders inside the package.

`envs/` and `agents/` are data beside the code. Wheels carry them as `bwalloc/catalogue/...`;
an editable install reads the folders where they are, so nothing is copied for it.
"""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogueHook(BuildHookInterface):
    """Adds `envs/` and `agents/` to every wheel but the editable one."""

    def initialize(self, version, build_data):
        """Map each shelf to its place in the wheel."""
        if version == "editable":
            return
        for shelf in ("envs", "agents"):
            build_data["force_include"][str(Path(self.root) / shelf)] = f"bwalloc/catalogue/{shelf}"
