"""What ensembles and scans return: statistics, and the draws themselves where they are kept."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from entropax.ensemble.collect import Collected
from entropax.ensemble.naming import axes, rebuilt
from entropax.ensemble.store import Draws, Manifest
from entropax.ledger import FermionLedger, GKLSLedger, WindowLedger

if TYPE_CHECKING:
    import xarray

LedgerT = TypeVar("LedgerT")

_LEDGERS = {kind.__name__: kind for kind in (FermionLedger, WindowLedger, GKLSLedger)}


@dataclasses.dataclass(frozen=True)
class Scan(Generic[LedgerT]):
    """The solutions of a batch of models, or the draws of an ensemble."""

    manifest: Manifest = dataclasses.field(repr=False)
    collected: Collected = dataclasses.field(repr=False)

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

        Raises `ValueError` where draws were not kept: of an ensemble without a store or `keep`.
        """
        return rebuilt(ledger_of(self.manifest), self.collected.fields("ledger"))

    @property
    def saved(self) -> Draws:
        """What `save` returned, stacked alike, by its place in the tree that was returned."""
        return self.collected.fields("saved")

    def to_xarray(self) -> "xarray.Dataset":
        """Ledgers (by the names of their fields) and what was saved (`saved.*`) as a dataset.

        Axes: `draws`, `times`, and what the ledger names. Needs the extra `store`. Write it with
        `.to_netcdf(path, engine="h5netcdf")`, which keeps complex numbers. All is read into memory.
        """
        import xarray

        kind = ledger_of(self.manifest)
        variables = {
            name: (["draws", *axes(kind, name, x.ndim - 1)], x)
            for name, x in self.collected.fields("ledger").items()
        } | {
            f"saved.{name}": (["draws", *(f"saved.{name}_{i}" for i in range(x.ndim - 1))], x)
            for name, x in self.saved.items()
        }
        coordinates = {"draws": self.indices, "times": self.ts, "failed": ("draws", self.failed)}
        about = {k: json.dumps(v) for k, v in self.manifest._asdict().items() if k != "ts"}
        return xarray.Dataset(variables, coordinates, about)


@dataclasses.dataclass(frozen=True)
class Ensemble(Scan[LedgerT]):
    r"""Draws of one random model, and their statistics.

    `mean` and `error` are ledgers: of every field the mean over the draws that did not fail, and
    its standard error $\sqrt{\sum|x-\bar x|^2/n(n-1)}$; `quantiles` are ledgers by their level.
    A mean is infinite or NaN where a draw's value is (`beta` at a zero temperature).
    """

    mean: LedgerT = dataclasses.field(repr=False)
    error: LedgerT = dataclasses.field(repr=False)
    quantiles: dict[float, LedgerT] = dataclasses.field(repr=False)
    saved_mean: Draws = dataclasses.field(repr=False)
    saved_error: Draws = dataclasses.field(repr=False)


def ledger_of(manifest: Manifest) -> Any:
    """The class of the ledgers."""
    return _LEDGERS[manifest.ledger]
