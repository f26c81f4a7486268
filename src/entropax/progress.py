"""A progress bar for compiled loops, drawn by rich."""

import diffrax
import jax
from jaxtyping import Array, ArrayLike
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class RichProgressMeter(diffrax.AbstractProgressMeter):
    """A diffrax progress meter that draws one bar, and only a last line where output is piped.

    It starts at the first step and ends at progress 1, and shows the furthest member of a batch.
    """

    def init(self) -> None:
        jax.debug.callback(_begin)

    def step(self, state: None, progress: ArrayLike) -> None:
        del state
        jax.debug.callback(_draw, progress)

    def close(self, state: None) -> None:
        del state


_live: Progress | None = None
"""One bar for the process: callbacks of a compiled program can carry no object of a call."""


def _begin() -> None:
    global _live
    if _live is not None:  # what an interrupted run left
        _live.stop()
    _live = Progress(
        TextColumn("[progress.percentage]{task.percentage:>3.0f}%"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    _live.add_task("", total=1.0)
    _live.start()


def _draw(fraction: Array) -> None:
    global _live
    if _live is None:  # a callback that came after the last
        return
    done = max(float(fraction), _live.tasks[0].completed)
    _live.update(_live.tasks[0].id, completed=done)
    if done >= 1.0:
        _live.stop()
        _live = None
