"""Pictures of an environment: one frame as an array, or in a window. Needs matplotlib."""

from __future__ import annotations

from bwalloc.gym.render.frame import Frame, SpanTier
from bwalloc.gym.render.picture import Renderer
from bwalloc.gym.render.window import Window

__all__ = ["Frame", "Renderer", "SpanTier", "Window"]
