"""What a method is."""

import abc
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
from jaxtyping import Array, Float, PyTree


class AbstractMethod(eqx.Module):
    """Turns (model, times) into states, and hands each state at once to a function of it.

    Only what that function returns is kept, so memory does not grow with the size of a state
    times the number of times.
    """

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
