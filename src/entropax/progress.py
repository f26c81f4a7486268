"""Progress bars, drawn by rich: of compiled loops, and of loops in Python."""

import contextlib
import sys
from collections.abc import Callable, Generator

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


@contextlib.contextmanager
def bar(name: str, total: int, *, shown: bool) -> Generator[Callable[[int, str], None]]:
    """A function `show(done, text)` that draws a bar with `name` and the text beside it.

    Where output goes to a file or a pipe it writes a line each time.
    """
    if not shown:
        yield lambda done, text: None
        return
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):

        def tell(done: int, text: str) -> None:
            print(f"{name} {done} of {total}: {text}", file=sys.stderr, flush=True)

        yield tell
        return
    with _progress(TextColumn("{task.description}")) as progress:
        task = progress.add_task(name, total=total)

        def show(done: int, text: str) -> None:
            progress.update(task, completed=done, description=f"{name} {text}")

        yield show


def _progress(*columns: TextColumn) -> Progress:
    return Progress(
        TextColumn("[progress.percentage]{task.percentage:>3.0f}%"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        *columns,
        console=Console(stderr=True),
    )


def _begin() -> None:
    global _live
    if _live is not None:  # what an interrupted run left
        _live.stop()
    _live = _progress()
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
