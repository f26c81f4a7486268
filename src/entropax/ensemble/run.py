"""Many draws of a random model, many models of a scan: one call, chunk by chunk."""

import contextlib
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree

from entropax._checks import Numbers, require_count, require_key
from entropax._device import Device
from entropax._files import StoreError
from entropax._versions import versions
from entropax.ensemble.accumulate import Collected, Read
from entropax.ensemble.arguments import (
    batched,
    checked,
    checked_coordinates,
    draws_of_models,
    require_levels,
)
from entropax.ensemble.processes import Share
from entropax.ensemble.program import (
    AbstractDraws,
    DrawsFromFunction,
    DrawsOfMethod,
    Program,
    Task,
    draws_key,
    with_key,
)
from entropax.ensemble.result import Ensemble, Scan, ledger_of
from entropax.ensemble.store import FAILED, Draws, Manifest, Store
from entropax.ensemble.tree_paths import below, record, whole
from entropax.fingerprint import Question, describe
from entropax.method import AbstractMethod
from entropax.progress import bar
from entropax.sharpness import latest, with_marks

Save = Callable[[Any], PyTree[Array]]


_CHUNK = 16
"""Draws a device and chunk, where nothing else is asked for."""


def ensemble(
    model: Any,
    ts: Numbers,
    method: AbstractMethod[Any] | None = None,
    *,
    key: PRNGKeyArray,
    samples: int,
    chunk: int | None = None,
    store: str | os.PathLike[str] | None = None,
    devices: Sequence[Device] | None = None,
    batch: int | None = None,
    save: Save | None = None,
    indices: tuple[int, int] | Share | None = None,
    quantiles: Sequence[float] = (),
    keep: bool = False,
    progress: bool = False,
    throw: bool = False,
) -> Ensemble[Any]:
    r"""Many draws of a random model: means and standard errors of its ledger.

    Draw i has the key `fold_in(key, i)`: it is the same draw on any number of devices, in any
    chunk, and when a run goes on.

    **Arguments:**

    - `model`: a model, where the method draws (`Schrodinger`), or a function `model(key=key)`
      that makes one, such as `eqx.Partial(ex.pure_start, junction)`. Where both draw, they get the
      two halves of `split(fold_in(key, i))`. A model with a value that it must not have stops the
      run, as it does anywhere.
    - `ts`, `method`, `save`: as for `solve`.
    - `key`, `samples`: of the ensemble, and how many draws.
    - `chunk`: draws that are made together, and kept in one file of a store: what a kill loses.
      16 a device where left out; in a store that is there already, its own.
    - `store`: a folder. Called again, a run goes on where it stopped, also with more samples.
    - `devices`: those of this process where left out. A chunk is shared out evenly.
    - `batch`: draws at a time on a device (or core); what fits into memory where left out, 8 at
      most on a core.
    - `indices`: the range of draws that this process makes, from and to multiples of `chunk`, or
      `Share(rank, size)` of several processes; the result is of all that the store holds by then.
    - `quantiles`: levels between 0 and 1.
    - `keep`: keep every draw in memory. A store has them anyway.
    - `throw`: raise `RuntimeError` at the first chunk with a draw that failed. With False failed
      draws are left out of the statistics, and `failed` says which.

    Memory does not grow with `samples`, unless with `keep`. Raises `ValueError` for samples below
    1 or where nothing is random, `StoreError` for a store that cannot be used as asked.
    """
    times, method = checked(ts, method)
    require_key(key)
    if not callable(model) and not draws_key(method):
        raise ValueError(
            "`model` must be a function of a key, or `method` one that draws (Schrodinger): "
            f"{type(model).__name__} by {type(method).__name__} is the same every time."
        )
    samples = require_count("samples", samples)
    require_levels(quantiles)
    draws: AbstractDraws
    if callable(model):
        draws = DrawsFromFunction(method, model, key, times, latest(times))
    else:
        plan = with_key(method, key).plan(with_marks(model, latest(times)), times)
        draws = DrawsOfMethod(method, plan, key)
    question = describe(model, "model") | describe(method, "method") | describe(key, "key")
    job = _job(
        "ensemble", Task(draws, times, save), question, samples, chunk, batch, store, devices
    )
    collected = _work(job, indices, keep or bool(quantiles), progress, throw)
    return _ensemble(job.manifest, collected, quantiles)


def scan(
    models: Any,
    ts: Numbers,
    method: AbstractMethod[Any] | None = None,
    *,
    key: PRNGKeyArray | None = None,
    coordinates: Mapping[str, Numbers] | None = None,
    chunk: int | None = None,
    store: str | os.PathLike[str] | None = None,
    devices: Sequence[Device] | None = None,
    batch: int | None = None,
    save: Save | None = None,
    indices: tuple[int, int] | Share | None = None,
    progress: bool = False,
    throw: bool = False,
) -> Scan[Any]:
    """Every model of a batch: a grid of couplings, temperatures, sizes of one shape.

    **Arguments:**

    - `models`: a batched model, whose arrays all have one leading axis
      (`eqx.filter_vmap(make)(values)`), or a sequence of models of one structure.
    - `key`: model i gets `fold_in(key, i)`; where left out the method keeps its own key, the same
      for all.
    - `coordinates`: values by which to know the models again, one a model and name: kept in the
      store, and beside the draws in `to_xarray`.

    Everything else is as for `ensemble`; ledgers are kept in memory where there is no store.
    """
    times, method = checked(ts, method)
    if key is not None:
        require_key(key)
    models, samples = batched(models)
    draws = draws_of_models(models, samples, method, key, times)
    task = Task(draws, times, save)
    named = checked_coordinates({} if coordinates is None else coordinates, samples, task)
    question = describe(models, "models") | describe(method, "method") | describe(key, "key")
    question |= describe(sorted(named), "coordinates")
    job = _job("scan", task, question, samples, chunk, batch, store, devices, named)
    return Scan(job.manifest, _work(job, indices, True, progress, throw))


def open_ensemble(
    path: str | os.PathLike[str], *, quantiles: Sequence[float] = ()
) -> Ensemble[Any] | Scan[Any]:
    """What a store holds by now, also while others write to it; a `Scan` where it is one's.

    A damaged file is named in a warning, and left out. Raises `StoreError` for a folder that is
    no store, or one of a newer format.
    """
    require_levels(quantiles)
    store = Store(path)
    manifest = store.manifest()
    if manifest is None:
        raise StoreError(f"`path` must be a store, but {path} is empty or does not exist.")
    collected = _read(store, manifest)
    if manifest.kind == "scan":
        return Scan(manifest, collected)
    return _ensemble(manifest, collected, quantiles)


class _Job(NamedTuple):
    """What there is to do, and where it is kept."""

    task: Task
    manifest: Manifest
    store: Store | None
    devices: tuple[Device, ...]
    batch: int | None

    def spans(self, indices: tuple[int, int] | Share | None) -> list[tuple[int, int]]:
        """The chunks of a range of draws."""
        chunk, samples = self.manifest.chunk, self.manifest.samples
        if isinstance(indices, Share):
            indices = indices.of(samples, chunk)
        first, last = (0, samples) if indices is None else indices
        if not 0 <= first <= last <= samples or first % chunk or (last % chunk and last != samples):
            raise ValueError(
                f"`indices` must be a range within 0 and {samples}, from and to multiples of "
                f"`chunk` ({chunk}) or to the end, but is {indices}."
            )
        return [(a, min(a + chunk, last)) for a in range(first, last, chunk)]


def _job(
    kind: str,
    task: Task,
    question: Question,
    samples: int,
    chunk: int | None,
    batch: int | None,
    store: str | os.PathLike[str] | None,
    devices: Sequence[Device] | None,
    coordinates: dict[str, list[float]] | None = None,
) -> _Job:
    chosen = tuple(jax.local_devices() if devices is None else devices)
    if not chosen:
        raise ValueError("`devices` must be at least one device, but is empty.")
    chunk = require_count("chunk", _CHUNK * len(chosen) if chunk is None else chunk)
    batch = None if batch is None else require_count("batch", batch)
    question = question | describe(task.ts, "ts") | describe(task.save, "save")
    manifest = Manifest(
        kind,
        task.ledger().__name__,
        task.ts.tolist(),
        chunk,
        samples,
        question,
        versions(),
        coordinates or {},
    )
    if store is None:
        return _Job(task, manifest, None, chosen, batch)
    home = Store(store)
    kept = home.open(manifest)._replace(samples=samples)
    return _Job(task, kept, home, chosen, batch)


def _work(
    job: _Job, indices: tuple[int, int] | Share | None, keep: bool, progress: bool, throw: bool
) -> Collected:
    """Make what is not in the store yet; collect everything."""
    spans, store = job.spans(indices), job.store
    first, last = (spans[0][0], spans[-1][1]) if spans else (0, 0)
    collected = Collected()
    program: Program | None = None
    began, made, failures = time.perf_counter(), 0, 0
    with contextlib.ExitStack() as stack:
        if store is not None:
            stack.enter_context(store.claimed(first, last))
        show = stack.enter_context(bar("draws", last - first, shown=progress))
        stopping = stack.enter_context(_finishing_first(enabled=store is not None))
        for start, stop in spans:
            draws = None if store is None else store.chunk(start, stop)
            if draws is None:
                width = min(job.manifest.chunk, job.manifest.samples)
                program = program or Program(job.task, width, job.devices, job.batch)
                draws = program.run(start, stop)
                if draws[FAILED].any() and isinstance(job.task.draws, DrawsFromFunction):
                    # a model that must not be says so where it is made alone
                    with warnings.catch_warnings(action="ignore"):
                        job.task.draws.at(start + int(np.argmax(draws[FAILED])))
                made += stop - start
                if store is not None:
                    store.write(start, stop, draws)
            failures += int(draws[FAILED].sum())
            collected.add(start, draws, _reader(store, start, stop, draws, keep))
            rate = made / (time.perf_counter() - began)
            show(stop - first, f"{rate:.3g} a second, {failures} failed")
            if throw and draws[FAILED].any():
                which = start + int(np.argmax(draws[FAILED]))
                raise RuntimeError(f"Draw {which} failed; with `throw=False` it is left out.")
            if store is not None and stopping() and stop < last:
                raise KeyboardInterrupt(
                    f"Stopped after draw {stop} of {last}; they are in {store.folder}. The same "
                    "call goes on from there."
                )
    if store is not None and len(spans) < len(job.spans(None)):
        return _read(store, job.manifest)
    return collected


def _read(store: Store, manifest: Manifest) -> Collected:
    collected = Collected()
    for start in range(0, manifest.samples, manifest.chunk):
        stop = min(start + manifest.chunk, manifest.samples)
        draws = store.begun_chunk(start, stop)
        if draws is not None:
            collected.add(start, draws, store.reader(start, start + len(draws[FAILED])))
    return collected


@contextlib.contextmanager
def _finishing_first(*, enabled: bool) -> Generator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; a second one does not wait for the chunk to be kept.

    Only the main thread is told, and nobody in a process that ignores it.
    """
    asked = threading.Event()
    here = threading.current_thread() is threading.main_thread()
    if not enabled or not here or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield asked.is_set
        return

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            signal.default_int_handler(number, frame)
        asked.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _ensemble(manifest: Manifest, collected: Collected, levels: Sequence[float]) -> Ensemble[Any]:
    kind, mean = ledger_of(manifest), collected.moments.mean
    error = collected.moments.error()
    return Ensemble(
        manifest,
        collected,
        mean=record(kind, below("ledger", mean)),
        error=record(kind, below("ledger", error)),
        quantiles={q: record(kind, collected.quantiles("ledger", q)) for q in levels},
        saved_mean=whole(below("saved", mean)),
        saved_error=whole(below("saved", error)),
    )


def _reader(store: Store | None, start: int, stop: int, draws: Draws, keep: bool) -> Read | None:
    if store is not None:
        return store.reader(start, stop)
    return draws.__getitem__ if keep else None
