"""What an ensemble or a scan is asked, checked."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from entropax._checks import Numbers, finite_array
from entropax.ensemble.program import (
    AbstractDraws,
    DrawsFromModels,
    DrawsFromPlans,
    Task,
    take,
    with_key,
)
from entropax.ensemble.tree_paths import axis_names
from entropax.method import AbstractMethod, Exact
from entropax.sharpness import latest, with_marks_of_each
from entropax.solve import require_method


def checked(ts: Numbers, method: AbstractMethod[Any] | None) -> tuple[Array, AbstractMethod[Any]]:
    """Times as an array, and the method."""
    times = finite_array("ts", ts, ndim=1)
    return times, require_method(Exact() if method is None else method)


def require_levels(quantiles: Sequence[float]) -> None:
    """`ValueError` for quantiles that are none."""
    for level in quantiles:
        if not 0.0 <= level <= 1.0:
            raise ValueError(f"`quantiles` must be levels between 0 and 1, but hold {level}.")


def checked_coordinates(
    coordinates: Mapping[str, Numbers], samples: int, task: Task
) -> dict[str, list[float]]:
    """Values of each model by names that are free in a dataset."""
    if not isinstance(coordinates, Mapping):
        raise ValueError(f"`coordinates` must be values by name, but is {coordinates!r}.")
    taken = {"draws", "times", "failed"} | set(axis_names(task.ledger()))
    values_of = {}
    for name, values in coordinates.items():
        if name in taken or name.startswith("saved"):
            raise ValueError(
                f"`coordinates` must have names that are free, but {name!r} is one of the ledger."
            )
        values_of[name] = finite_array(f"coordinates[{name!r}]", values, ndim=1).tolist()
        if len(values_of[name]) != samples:
            raise ValueError(
                f"`coordinates[{name!r}]` must have one value a model ({samples}), "
                f"but has {len(values_of[name])}."
            )
    return values_of


def batched(models: Any) -> tuple[Any, int]:
    """Models as one batched tree, and their number."""
    if isinstance(models, Sequence):
        if not models:
            raise ValueError("`models` must hold at least one model, but is empty.")
        rest = [eqx.partition(model, eqx.is_array)[1] for model in models]
        shapes = [[np.shape(x) for x in jax.tree.leaves(model)] for model in models]
        for i, structure in enumerate(zip(rest, shapes, strict=True)):
            if not eqx.tree_equal(structure[0], rest[0]) or structure[1] != shapes[0]:
                raise ValueError(
                    "`models` must be of one structure and of arrays of equal shapes (as many "
                    f"modes, levels, windows), but `models[{i}]` is unlike the first."
                )
        models = jax.tree.map(lambda *x: jnp.stack(x) if eqx.is_array(x[0]) else x[0], *models)
    sizes = {np.shape(x)[:1] for x in jax.tree.leaves(eqx.filter(models, eqx.is_array))}
    if len(sizes) != 1 or () in sizes or (0,) in sizes:
        raise ValueError(
            "`models` must be a batch whose arrays all have one leading axis, as "
            "`eqx.filter_vmap(make)(values)` makes it, or a sequence of models; leading axes are "
            f"{sorted(sizes)}."
        )
    return models, sizes.pop()[0]


def draws_of_models(
    models: Any, samples: int, method: AbstractMethod[Any], key: PRNGKeyArray | None, ts: Array
) -> AbstractDraws:
    """Draws of a batch of models: by plans, where the same was decided for all."""
    keyed = method if key is None else with_key(method, key)
    models = with_marks_of_each(models, latest(ts))
    plans = [keyed.plan(take(models, i), ts) for i in range(samples)]
    arrays, rest = zip(*(eqx.partition(plan, eqx.is_array) for plan in plans), strict=True)
    if not all(eqx.tree_equal(one, rest[0]) for one in rest):
        return DrawsFromModels(method, models, key, ts)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *arrays)
    return DrawsFromPlans(method, eqx.combine(stacked, rest[0]), key)
