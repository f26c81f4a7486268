"""What a method is."""

import abc
from collections.abc import Callable
from typing import Any, Self

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax.model import OpenSystem


class AbstractMethod(eqx.Module):
    """Turns (model, times) into states, and hands each state at once to a function of it.

    Only what that function returns is kept, so memory does not grow with the size of a state
    times the number of times.
    """

    def require_times(self, model: eqx.Module, ts: Float[Array, " times"]) -> Array:
        """`ts`, checked: what the program is then given. `ValueError` for an unknown model, too."""
        del model
        return ts

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        """The method with all that it decides from numbers seen before the program is compiled."""
        del model, ts
        return self

    @abc.abstractmethod
    def initial(self, model: eqx.Module) -> Any:
        """The state that `model` starts in; `ValueError` for a model the method does not know."""

    @abc.abstractmethod
    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        """`reduce(state)` at every time, stacked along a first axis."""


def open_system(method: AbstractMethod, model: eqx.Module, *, ideal: bool = False) -> OpenSystem:
    """The model, where the method knows it."""
    if not isinstance(model, OpenSystem):
        raise ValueError(
            f"`model` must be an OpenSystem for the method {type(method).__name__}, "
            f"but is {type(model).__name__}."
        )
    if model.is_ideal != ideal:
        wanted, found = ("ideal", "window") if ideal else ("window", "ideal")
        raise ValueError(
            f"`model` must have {wanted} baths for the method {type(method).__name__}, "
            f"but has {found} ones."
        )
    return model


def scan_times(
    at: Callable[[Array], PyTree[Array]],
    ts: Float[Array, " times"],
    meter: diffrax.AbstractProgressMeter,
) -> PyTree[Array]:
    """`at(t)` for one time after the other."""
    total = ts.shape[0]

    def step(progress, indexed):
        index, t = indexed
        return meter.step(progress, (index + 1) / total), at(t)

    progress, results = in_turn(step, meter.init(), (jnp.arange(total), ts))
    meter.close(progress)
    return results


def in_turn(step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any) -> tuple[Any, Any]:
    """`jax.lax.scan`, of which reverse mode recomputes each step instead of storing it.

    A single step is made without a loop: value and derivative then share what they can.
    """
    if jax.tree.leaves(xs)[0].shape[0] == 1:
        carry, found = step(carry, jax.tree.map(lambda x: x[0], xs))
        return carry, jax.tree.map(lambda x: x[None], found)
    return jax.lax.scan(jax.checkpoint(step), carry, xs)
