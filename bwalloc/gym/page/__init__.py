"""The page of an environment, written from its file and from the typed records behind it."""

from bwalloc.gym.page.write import page_of

__all__ = ["page_of"]
