"""The picture in a window, for `render_mode="human"`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bwalloc.errors import BwallocError
from bwalloc.gym.render.picture import DPI, HEIGHT, WIDTH, Renderer
from bwalloc.gym.render.plotting import require_matplotlib

if TYPE_CHECKING:
    from bwalloc.gym.render.frame import Frame
    from bwalloc.scenario import Scenario


class Window:
    """A matplotlib window that follows an episode.

    Raises:
        BwallocError: matplotlib is not installed, or there is no display.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Open the window."""
        require_matplotlib()
        self.scenario = scenario
        self.figure = open_figure()
        self.renderer = Renderer(scenario, self.figure)

    def draw(self, frame: Frame) -> None:
        """Show a frame; returns at once."""
        self.renderer.show(frame)
        self.figure.canvas.draw_idle()
        self.figure.canvas.flush_events()

    def close(self) -> None:
        """Close the window."""
        from matplotlib import pyplot

        pyplot.close(self.figure)


def open_figure() -> Any:
    """An interactive figure.

    Raises:
        BwallocError: There is no display, or its toolkit cannot be loaded.
    """
    from matplotlib import get_backend, pyplot
    from matplotlib.backends.registry import BackendFilter, backend_registry

    try:
        pyplot.switch_backend(get_backend())
        backend = get_backend()
    except ImportError as error:
        raise _no_window(str(error)) from error
    interactive = backend_registry.list_builtin(BackendFilter.INTERACTIVE)
    if backend.lower() not in interactive and not backend.startswith("module://"):
        msg = f"matplotlib's backend is '{backend}', which opens no windows"
        raise _no_window(msg)
    figure = pyplot.figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
    pyplot.show(block=False)
    return figure


def _no_window(why: str) -> BwallocError:
    return BwallocError(
        f"render_mode='human' cannot open a window: {why}. On a machine without a display use "
        "render_mode='rgb_array'; with one, install a toolkit (tkinter, or pip install pyqt6)."
    )
