"""Puts the workflow and the tables, which a checkout has beside the package, into the wheel."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHARED = ("Snakefile", "config.yaml", "envs", "profiles", "resources", "workflow")
"""As NEEDED in mafnet/common/resources.py, which finds them; tests/test_wheel.py compares them."""


class SharedFiles(BuildHookInterface):
    """Fills the folder mafnet/_share of a wheel; an editable install uses the checkout instead."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files; version is "standard" or "editable"."""
        if version == "standard":
            build_data["force_include"] |= {name: f"mafnet/_share/{name}" for name in SHARED}
