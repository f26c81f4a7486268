"""What a published figure is: parameters, a run, a picture, and what the paper says must hold."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import matplotlib.figure


@dataclasses.dataclass(frozen=True)
class Options:
    """Size of a figure: modes per bath and number of times; None for the published ones."""

    modes: int | None = None
    times: int | None = None
    progress: bool = False

    def modes_or(self, published: int) -> int:
        return published if self.modes is None else self.modes

    def times_or(self, published: int) -> int:
        return published if self.times is None else self.times


QUICK = Options(modes=60, times=25)


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement of the paper in a few words, our number beside it, and whether it holds."""

    statement: str
    found: str
    holds: bool


@dataclasses.dataclass(frozen=True)
class Figure:
    """One published figure.

    `run(options)` returns data; `plot(data)` a matplotlib figure; `claims(data)` the table;
    `arrays(data)` what is written to the data file.
    """

    name: str
    title: str
    citation: str
    run: Callable[[Options], Any]
    plot: Callable[[Any], "matplotlib.figure.Figure"]
    claims: Callable[[Any], list[Claim]]
    arrays: Callable[[Any], Mapping[str, Any]]


class Row(NamedTuple):
    """One comparison: `allowed` is the largest |found - cited|, relative for numbers above 1."""

    quantity: str
    source: str
    cited: float
    found: float
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is within what is allowed (False for NaN)."""
        return abs(self.found - self.cited) <= self.allowed * max(1.0, abs(self.cited))
