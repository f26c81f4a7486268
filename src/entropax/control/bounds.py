"""Parameters between bounds, and as free numbers."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree


def limits_of(bounds: tuple[Any, Any] | None, params: Any, spec: Any, moving: Any) -> Any:
    """Low and high of each number that is optimised; None where there are no bounds."""
    if bounds is None:
        return None
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise ValueError(f"`bounds` must be a pair (low, high), but is {bounds!r}.") from None
    both = []
    for name, bound in (("low", low), ("high", high)):
        if jax.tree_util.all_leaves([bound]) and np.ndim(bound) == 0:
            full = jax.tree.map(lambda leaf, g=bound: jnp.full(leaf.shape, float(g)), moving)
        elif jax.tree.structure(bound) == jax.tree.structure(params):
            full = eqx.filter(bound, spec)
        else:
            raise ValueError(
                f"`bounds` must have a {name} that is a number or a pytree like `params`, "
                f"but it is {bound!r}."
            )
        both.append(full)
    for least, most in zip(*map(jax.tree.leaves, both), strict=True):
        if not np.all(np.asarray(least < most)):
            raise ValueError(f"`bounds` must be a low below a high, but are {low} and {high}.")
    return tuple(both)


def require_inside(moving: Any, limits: Any) -> None:
    """`ValueError` for a start that does not lie between its bounds."""
    if limits is None:
        return
    for leaf, least, most in zip(*map(jax.tree.leaves, (moving, *limits)), strict=True):
        inside = np.asarray((leaf > least) & (leaf < most))
        if not inside.all():
            where = np.unravel_index(np.argmin(inside), inside.shape)
            edges = f"{np.asarray(least)[where]:g} and {np.asarray(most)[where]:g}"
            raise ValueError(
                f"`params` must begin between the bounds ({edges}), "
                f"but hold {np.asarray(leaf)[where]:g}."
            )


def into_bounds(x: PyTree[Array], limits: Any) -> PyTree[Array]:
    """Parameters between their bounds, of free numbers x."""
    if limits is None:
        return x

    def bring(x: Array, low: Array, high: Array) -> Array:
        below, above = jnp.isfinite(low), jnp.isfinite(high)
        least, most = jnp.where(below, low, 0.0), jnp.where(above, high, 0.0)
        between = least + (most - least) * jax.nn.sigmoid(x)
        half = jnp.where(below, least + jax.nn.softplus(x), most - jax.nn.softplus(-x))
        return jnp.where(below & above, between, jnp.where(below | above, half, x))

    return jax.tree.map(bring, x, *limits)


def out_of_bounds(values: PyTree[Array], limits: Any) -> PyTree[Array]:
    """Free numbers x, of parameters between their bounds."""
    if limits is None:
        return values

    def leave(value: Array, low: Array, high: Array) -> Array:
        below, above = jnp.isfinite(low), jnp.isfinite(high)
        up, down = jnp.where(below, value - low, 1.0), jnp.where(above, high - value, 1.0)
        between = jnp.log(up) - jnp.log(down)
        half = jnp.where(below, _inverse_softplus(up), -_inverse_softplus(down))
        return jnp.where(below & above, between, jnp.where(below | above, half, value))

    return jax.tree.map(leave, values, *limits)


def _inverse_softplus(y: Array) -> Array:
    return y + jnp.log(-jnp.expm1(-y))
