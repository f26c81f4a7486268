"""The compiled program that makes one chunk of draws, on one device or many."""

import abc
import contextlib
import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree
from threadpoolctl import threadpool_limits

from entropax._crossovers import DRAWS_ON_A_CORE
from entropax._device import Device, cores, memory
from entropax.ensemble.store import FAILED, Draws
from entropax.ensemble.tree_paths import by_name
from entropax.ledger import family_of
from entropax.method import AbstractMethod, Plan
from entropax.sharpness import with_marks
from entropax.solve import solve_plan

_AXIS = "draws"
_SHARE = 0.5
"""The share of the memory that a chunk may take."""


class AbstractDraws(eqx.Module):
    """Draw number i: which plan, by which method."""

    method: eqx.AbstractVar[AbstractMethod[Any]]

    @abc.abstractmethod
    def at(self, index: Int[Array, ""] | int) -> tuple[AbstractMethod[Any], Plan[Any, Any]]:
        """The method of one draw, and its plan."""


class DrawsOfMethod(AbstractDraws):
    """One plan; what is drawn is in the method."""

    method: AbstractMethod[Any]
    plan: Plan[Any, Any]
    key: PRNGKeyArray

    def at(self, index: Int[Array, ""] | int) -> tuple[AbstractMethod[Any], Plan[Any, Any]]:
        return with_key(self.method, jax.random.fold_in(self.key, index)), self.plan


class DrawsFromFunction(AbstractDraws):
    """Models that a function makes of a key; a method that draws has a key of its own."""

    method: AbstractMethod[Any]
    make: Callable[..., Any]
    key: PRNGKeyArray
    ts: Float[Array, " times"]
    latest: float = eqx.field(static=True)

    def at(self, index: Int[Array, ""] | int) -> tuple[AbstractMethod[Any], Plan[Any, Any]]:
        key, method = jax.random.fold_in(self.key, index), self.method
        if draws_key(method):
            key, key_of_method = jax.random.split(key)
            method = with_key(method, key_of_method)
        model = with_marks(self.make(key=key), self.latest)
        return method, method.plan(model, self.ts)


class DrawsFromPlans(AbstractDraws):
    """A batch of plans, for all of which the same was decided."""

    method: AbstractMethod[Any]
    plans: Any
    key: PRNGKeyArray | None

    def at(self, index: Int[Array, ""] | int) -> tuple[AbstractMethod[Any], Plan[Any, Any]]:
        return _with_key_of(self.method, self.key, index), take(self.plans, index)


class DrawsFromModels(AbstractDraws):
    """A batch of models; a program decides for each."""

    method: AbstractMethod[Any]
    models: Any
    key: PRNGKeyArray | None
    ts: Float[Array, " times"]

    def at(self, index: Int[Array, ""] | int) -> tuple[AbstractMethod[Any], Plan[Any, Any]]:
        method = _with_key_of(self.method, self.key, index)
        return method, method.plan(take(self.models, index), self.ts)


def _with_key_of(
    method: AbstractMethod[Any], key: PRNGKeyArray | None, index: Int[Array, ""] | int
) -> AbstractMethod[Any]:
    return method if key is None else with_key(method, jax.random.fold_in(key, index))


def draws_key(method: AbstractMethod[Any]) -> bool:
    """Whether a method draws at random."""
    return "key" in {field.name for field in dataclasses.fields(method)}


def with_key(method: AbstractMethod[Any], key: PRNGKeyArray) -> AbstractMethod[Any]:
    """The method with this key, where it takes one."""
    return dataclasses.replace(method, key=key) if draws_key(method) else method


def take(batch: Any, index: int | Array) -> Any:
    """One member of a batched pytree."""
    return jax.tree.map(lambda x: x[index] if eqx.is_array(x) else x, batch)


class Task(NamedTuple):
    """What every draw is asked: its ledger at `ts`, and `save` of its states."""

    draws: AbstractDraws
    ts: Float[Array, " times"]
    save: Callable[[Any], PyTree[Array]] | None

    def ledger(self) -> type:
        """The class of the ledgers."""
        return family_of(self.draws.method.states).ledger

    def draw(self, index: Int[Array, ""] | int) -> dict[str, Array]:
        """Arrays by name: `ledger.*`, `saved.*` and `failed`."""
        solution = solve_plan(*self.draws.at(index), self.save)
        named = by_name("ledger", solution.ledger) | by_name("saved", solution.saved)
        return named | {FAILED: jnp.any(solution.failed)}


class Program:
    """A compiled chunk: draws shared out over `devices`, `batch` at a time on each.

    A CPU that is one device works on one core; so as many calls are made side by side as there
    are cores (`lanes`). The batch is what fits into half of the memory, found by asking the
    compiler, on a core 8 at most; it divides the share of a device, which is rounded up.
    """

    def __init__(
        self, task: Task, chunk: int, devices: Sequence[Device], batch: int | None = None
    ) -> None:
        self.task, self.devices = task, tuple(devices)
        self._is_cpu = devices[0].platform == "cpu"
        self.lanes = min(cores(), chunk) if self._is_cpu and len(devices) == 1 else 1
        # the same threads for all chunks: each new one may take memory of its own, and keep it
        self._pool = ThreadPoolExecutor(self.lanes)
        share = math.ceil(chunk / (len(devices) * self.lanes))
        if batch is not None:
            most = min(batch, share)
        else:
            most = min(share, DRAWS_ON_A_CORE) if self._is_cpu else share
        is_small = False
        while True:
            rounds = math.ceil(share / most)
            self.batch = math.ceil(share / rounds)
            self.width = self.batch * rounds * len(devices)
            self._compiled = self._compile()
            allowed = _SHARE * memory(devices[0])
            need = self._footprint()
            if need <= allowed or self.batch == 1 or batch is not None:
                break
            most, is_small = min(self.batch - 1, max(1, int(self.batch * allowed / need))), True
        if is_small:
            warnings.warn(
                f"Draws need so much memory that in {allowed / 2**30:.1f} GiB, half of what there "
                f"is, `chunk` of {chunk} is worked off {self.batch} at a time.",
                stacklevel=4,
            )

    def _compile(self) -> Any:
        indices = jnp.zeros(self.width, int)
        return cast(Any, _chunk).lower(self.task, indices, self.devices, self.batch).compile()

    def _footprint(self) -> float:
        """Bytes that the program takes of one memory: a device's own, or what all cores share."""
        analysis = self._compiled.compiled.memory_analysis()
        one = analysis.temp_size_in_bytes + analysis.output_size_in_bytes
        return one * self.lanes * (len(self.devices) if self._is_cpu else 1)

    def run(self, start: int, stop: int) -> Draws:
        """Draws [start, stop) of one chunk: by the same program, whatever their number."""
        # a library that spreads one matrix over all cores only stands in the others' way
        with threadpool_limits(1, "blas") if self._is_cpu else contextlib.nullcontext():
            parts = list(self._pool.map(self._call, range(start, stop, self.width)))
        return {name: np.concatenate([x[name] for x in parts])[: stop - start] for name in parts[0]}

    def _call(self, start: int) -> Draws:
        indices = start + jnp.arange(self.width)
        drawn = self._compiled(self.task, indices, self.devices, self.batch)
        return {name: np.asarray(x) for name, x in drawn.items()}


@eqx.filter_jit
def _chunk(
    task: Task, indices: Int[Array, " draws"], devices: tuple[Device, ...], batch: int
) -> dict[str, Array]:
    arrays, rest = eqx.partition(task, eqx.is_array)

    def share(arrays: Task, indices: Array) -> dict[str, Array]:
        return jax.lax.map(eqx.combine(arrays, rest).draw, indices, batch_size=batch)

    # `vmap` over a sharded axis may gather what LAPACK works on; here nothing can be exchanged
    mesh = jax.make_mesh((len(devices),), (_AXIS,), (AxisType.Auto,), devices=devices)
    everywhere, shared = PartitionSpec(), PartitionSpec(_AXIS)
    # traced as the program of one device: lineax compares shapes together with their sharding, and
    # finds those of its own making unlike those of an array inside `shard_map`
    share_of_one = indices[: indices.shape[0] // len(devices)]
    program, shapes = jax.make_jaxpr(share, return_shape=True)(arrays, share_of_one)

    def traced(arrays: Task, indices: Array) -> list[Array]:
        return jaxpr_as_fun(program)(*jax.tree.leaves((arrays, indices)))

    spread = jax.shard_map(
        traced, mesh=mesh, in_specs=(everywhere, shared), out_specs=shared, check_vma=False
    )
    return jax.tree.unflatten(jax.tree.structure(shapes), spread(arrays, indices))
