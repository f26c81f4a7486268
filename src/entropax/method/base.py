"""What a method is, and the plan of a run."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self, TypeVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from entropax._checks import concrete, is_traced

ModelT = TypeVar("ModelT")
DecidedT = TypeVar("DecidedT")
StateT = TypeVar("StateT")


class Plan(eqx.Module, Generic[ModelT, DecidedT]):
    """A run of one model, ready: what was asked has been checked, and what can be has been decided.

    `ts`: the times to go through, at least one; `order`: where among them each time asked for lies,
    None where they are the times asked for; `decided`: what a method chose by looking at numbers
    before the program is compiled.
    """

    model: ModelT
    ts: Float[Array, " times"]
    order: Int[Array, " asked"] | None
    decided: DecidedT

    @classmethod
    def of(cls, model: ModelT, ts: Float[Array, " asked"], decided: DecidedT) -> Self:
        """The plan at checked times, which it sorts; one time stands in for none."""
        if ts.shape[0] == 0:
            return cls(model, jnp.zeros(1), jnp.zeros(0, int), decided)
        if is_traced(values := concrete(ts)):
            sequence = jnp.argsort(ts)
            return cls(model, ts[sequence], jnp.argsort(sequence), decided)
        sequence = np.argsort(np.asarray(values), kind="stable")
        if np.array_equal(sequence, np.arange(ts.shape[0])):
            return cls(model, ts, None, decided)
        return cls(model, ts[sequence], jnp.asarray(np.argsort(sequence)), decided)

    @property
    def asked(self) -> int:
        """How many times were asked for."""
        return self.ts.shape[0] if self.order is None else self.order.shape[0]

    def as_asked(self, results: PyTree[Array]) -> PyTree[Array]:
        """What belongs to `ts`, along first axes, at the times asked for."""
        if self.order is None:
            return results
        return jax.tree.map(lambda x: x[self.order], results)


class AbstractMethod(eqx.Module, Generic[StateT]):
    """Turns (model, times) into states, and hands each state at once to a function of it.

    Only what that function returns is kept, so memory does not grow with the size of a state
    times the number of times.
    """

    states: ClassVar[type[eqx.Module]]
    """The kind of states that it makes."""

    @abc.abstractmethod
    def plan(self, model: eqx.Module, ts: Float[Array, " asked"]) -> Plan[Any, Any]:
        """The run of `model` at `ts`; `ValueError` for a model or times the method does not know.

        Asked for outside of the program, so that it sees all numbers that are not traced.
        """

    @abc.abstractmethod
    def initial(self, plan: Plan[Any, Any]) -> StateT:
        """The state that the model starts in."""

    @abc.abstractmethod
    def run(
        self,
        plan: Plan[Any, Any],
        reduce: Callable[[StateT], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        """`reduce(state)` at every time of the plan, stacked along a first axis."""


def require_model(
    method: AbstractMethod[Any], model: object, kinds: type | tuple[type, ...], hint: str = ""
) -> None:
    """`ValueError` for a model of no kind that the method knows; `hint`: which one does."""
    if isinstance(model, kinds):
        return
    several = kinds if isinstance(kinds, tuple) else (kinds,)
    names = " or a ".join(kind.__name__ for kind in several)
    raise ValueError(
        f"`model` must be a {names} for the method {type(method).__name__}, "
        f"but is {type(model).__name__}{hint}."
    )


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
        carry, result = step(carry, jax.tree.map(lambda x: x[0], xs))
        return carry, jax.tree.map(lambda x: x[None], result)
    return jax.lax.scan(jax.checkpoint(step), carry, xs)
