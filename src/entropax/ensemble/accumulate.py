"""Draws as they come in: their moments, and the draws themselves where they are kept."""

from collections.abc import Callable

import numpy as np

from entropax._files import StoreError
from entropax.ensemble.statistics import Moments
from entropax.ensemble.store import FAILED, Draws
from entropax.ensemble.tree_paths import below

Read = Callable[[str], np.ndarray]
"""An array of a chunk, by name."""


class Collected:
    """What has come in, in the order of the draws.

    Of each draw nothing stays in memory but its index and whether it failed; the rest is read
    again, array by array, where somebody keeps it.
    """

    def __init__(self) -> None:
        self.moments = Moments.none()
        self._indices = [np.zeros(0, int)]
        self._failed = [np.zeros(0, bool)]
        self._reads: list[Read] | None = []
        self._names: list[str] = []

    def add(self, start: int, draws: Draws, read: Read | None) -> None:
        """Take a chunk in; None for `read` where nobody keeps it."""
        failed = draws[FAILED]
        sound = {name: x[~failed] for name, x in draws.items() if name != FAILED}
        self.moments = self.moments.merged(Moments.of(sound))
        self._indices.append(start + np.arange(len(failed)))
        self._failed.append(failed)
        if self._names and set(self._names) != set(sound):
            raise StoreError(f"Draws {start} on hold other fields than those before them.")
        self._names = list(sound)
        if read is None:
            self._reads = None
        elif self._reads is not None:
            self._reads.append(read)

    @property
    def indices(self) -> np.ndarray:
        return np.concatenate(self._indices)

    @property
    def failed(self) -> np.ndarray:
        return np.concatenate(self._failed)

    def fields(self, prefix: str) -> Draws:
        """Arrays under a name, of all draws."""
        return {
            rest: self._all(f"{prefix}.{rest}".rstrip("."))
            for rest in below(prefix, dict.fromkeys(self._names))
        }

    def quantiles(self, prefix: str, level: float) -> Draws:
        """Quantiles of the draws that did not fail, array by array; complex ones have none."""
        sound, fields = ~self.failed, self.fields(prefix)
        return {
            name: _quantile(x[sound].astype(float), level)
            for name, x in fields.items()
            if not np.iscomplexobj(x)
        }

    def _all(self, name: str) -> np.ndarray:
        if self._reads is None:
            raise ValueError("`store` must be given, or `keep` be True: draws were not kept.")
        return np.concatenate([read(name) for read in self._reads])


def _quantile(x: np.ndarray, level: float) -> np.ndarray:
    """By interpolation; beside infinite values, where there is none, one of the draws'."""
    if len(x) == 0:
        return np.full(x.shape[1:], np.nan)
    with np.errstate(invalid="ignore"):
        between = np.quantile(x, level, axis=0)
    one = np.quantile(x, level, axis=0, method="inverted_cdf")
    return np.where(np.isnan(between) & ~np.isnan(x).any(axis=0), one, between)
