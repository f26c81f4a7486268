"""What ensembles and scans return: statistics, and the draws themselves where they are kept."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from entropax.ensemble.accumulate import Collected
from entropax.ensemble.store import Draws, Manifest
from entropax.ensemble.tree_paths import axes, rebuilt, whole
from entropax.ledger import FAMILIES, about

if TYPE_CHECKING:
    import xarray

LedgerT = TypeVar("LedgerT")

_LEDGERS = {family.ledger.__name__: family.ledger for family in FAMILIES}


@dataclasses.dataclass(frozen=True, repr=False)
class Scan(Generic[LedgerT]):
    """The solutions of a batch of models, or the draws of an ensemble.

    `samples` were asked for, `indices` are done, `failed` says which of these must not be used;
    `ledger` and `saved` have all of them, `to_xarray` makes a dataset.
    """

    manifest: Manifest
    collected: Collected

    def __repr__(self) -> str:
        done, failed = len(self.indices), int(self.failed.sum())
        return (
            f"{type(self).__name__}({self.manifest.ledger}, {len(self.manifest.ts)} times, {done} "
            f"of {self.samples} done, {failed} failed)"
        )

    @property
    def ts(self) -> Float[np.ndarray, " times"]:
        """The times."""
        return np.asarray(self.manifest.ts)

    @property
    def samples(self) -> int:
        """How many draws were asked for."""
        return self.manifest.samples

    @property
    def indices(self) -> Int[np.ndarray, " draws"]:
        """Which of them are done, in order."""
        return self.collected.indices

    @property
    def failed(self) -> Bool[np.ndarray, " draws"]:
        """Which of those that are done failed: their ledgers must not be used."""
        return self.collected.failed

    @property
    def ledger(self) -> LedgerT:
        """Every ledger, stacked along a first axis in the order of `indices`.

        All of it is read anew each time. Raises `ValueError` where draws were not kept: of an
        ensemble without a store or `keep`.
        """
        return rebuilt(ledger_of(self.manifest), self.collected.fields("ledger"))

    @property
    def saved(self) -> Draws | np.ndarray:
        """What `save` returned, stacked alike: an array, or arrays by their places in a tree."""
        return whole(self.collected.fields("saved"))

    def to_xarray(self) -> "xarray.Dataset":
        """Ledgers (by the names of their fields) and what was saved (`saved.*`) as a dataset.

        Axes: `draws`, `times`, and what the ledger names; attributes: symbols (`long_name`), units,
        meanings and sources. Draws that failed are NaN. Needs the
        extra `store`. Write it with `.to_netcdf(path, engine="h5netcdf")`, which keeps complex
        numbers. All is read into memory.
        """
        import xarray

        kind = ledger_of(self.manifest)
        beside = about(kind)
        variables: dict[str, tuple[Any, ...]] = {
            name: (
                ["draws", *axes(kind, name, x.ndim - 1)],
                self._sound(x),
                attributes(beside.get(name, {})),
            )
            for name, x in self.collected.fields("ledger").items()
        }
        for name, x in self.collected.fields("saved").items():
            full = f"saved.{name}".rstrip(".")
            names = [f"{full}_{i}" for i in range(x.ndim - 1)]
            variables[full] = (["draws", *names], self._sound(x))
        coordinates = {"draws": self.indices, "times": self.ts, "failed": ("draws", self.failed)}
        for name, values in self.manifest.coordinates.items():
            coordinates[name] = ("draws", np.array(values)[self.indices])
        left_out = ("ts", "coordinates")
        asked = {k: json.dumps(v) for k, v in self.manifest._asdict().items() if k not in left_out}
        return xarray.Dataset(variables, coordinates, asked)

    def _sound(self, x: np.ndarray) -> np.ndarray:
        failed = self.failed.reshape(-1, *(1,) * (x.ndim - 1))
        return np.where(failed, np.nan, x) if x.dtype.kind in "fc" else x


@dataclasses.dataclass(frozen=True, repr=False)
class Ensemble(Scan[LedgerT]):
    r"""Draws of one random model, and their statistics.

    `mean` and `error` have the ledger's fields: of each the mean over the draws that did not fail,
    and its standard error $\sqrt{\sum|x-\bar x|^2/n(n-1)}$; `quantiles` has the same by level.
    None where no draw is left. A mean is infinite or NaN where a draw's value is (`beta` at a zero
    temperature). What a ledger computes from its fields take of each draw: `ledger.total_energy`.
    """

    mean: Any
    error: Any
    quantiles: dict[float, Any]
    saved_mean: Draws | np.ndarray
    saved_error: Draws | np.ndarray


def attributes(beside: dict[str, str]) -> dict[str, str]:
    """What stands beside a quantity, by the names that xarray and its pictures look for."""
    named = {"long_name": "symbol", "units": "unit", "description": "meaning", "source": "source"}
    present = {name: beside.get(key, "") for name, key in named.items()}
    return {name: f"${x}$" if name == "long_name" else x for name, x in present.items() if x}


def ledger_of(manifest: Manifest) -> Any:
    """The class of the ledgers."""
    return _LEDGERS[manifest.ledger]
