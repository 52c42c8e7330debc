"""The command line: one file per command."""

from bwalloc.cli.main import main

__all__ = ["main"]
