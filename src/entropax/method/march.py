"""Driven models in small steps, whatever carries the state: grids, jumps, work, memory."""

import abc
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax._checks import check, require_count
from entropax.method.base import AbstractMethod
from entropax.method.splitting import SPLITTINGS
from entropax.model.driven import BEFORE, AbstractControlled


class Steps(NamedTuple):
    """Consecutive steps: when each begins, how long it is, and the stretch that it lies in."""

    begin: Float[Array, " steps"]
    length: Float[Array, " steps"]
    stretch: tuple[Float[Array, " steps"], Float[Array, " steps"]]


class AbstractPropagator(eqx.Module):
    """What carries a state x through time."""

    @property
    @abc.abstractmethod
    def block(self) -> int:
        """How many pairs of steps `advance` should be given at once."""

    @abc.abstractmethod
    def begin(self) -> PyTree[Array]:
        """x at time 0."""

    @abc.abstractmethod
    def forces(self, x: PyTree[Array]) -> Float[Array, " controls"]:
        r"""$\langle \partial H/\partial u_i\rangle$ of each control u_i of the model at time 0."""

    @abc.abstractmethod
    def advance(
        self, x: PyTree[Array], steps: Steps
    ) -> tuple[PyTree[Array], Float[Array, "steps controls"]]:
        """x after the steps, and the forces after each of them."""

    @abc.abstractmethod
    def state(self, x: PyTree[Array], time: Float[Array, ""], work: Float[Array, ""]) -> Any:
        """What the ledger asks for."""


class _Here(NamedTuple):
    """Where a march has come to. `controls`: their limits from the left."""

    x: PyTree[Array]
    work: Float[Array, ""]
    controls: Float[Array, " controls"]
    forces: Float[Array, " controls"]


def march(
    model: AbstractControlled,
    propagator: AbstractPropagator,
    ts: Float[Array, " times"],
    steps: int,
    show: Callable[[PyTree[Array], Array, Array], PyTree[Array]],
    meter: diffrax.AbstractProgressMeter,
) -> PyTree[Array]:
    r"""`show(x, t, work)` at times in any order.

    A grid of `steps` equal steps, rounded up to an even number, leads from each time to the next;
    a break inside divides the pair of steps that it falls in. The work
    $\int\sum_i \dot u_i F_i\,dt$ is Simpson's over pairs of steps, and jumps add
    $\Delta u_i F_i$. In reverse, groups of blocks are run anew, so that memory grows as the square
    root of the steps.
    """
    order = jnp.argsort(ts)
    ts, back = ts[order], jnp.argsort(order)
    breaks = model.breaks
    pairs = -(-steps // 2)
    count = pairs + breaks.shape[0]
    block = min(propagator.block, count)
    groups = math.ceil(math.sqrt(count / block))
    shape = (groups, math.ceil(count / (block * groups)), block)

    def advance(here: _Here, edges: tuple[Array, Array]) -> tuple[_Here, None]:
        start, stop = edges
        half = 0.5 * (stop - start)
        begin = jnp.stack([start, start + half], axis=1)
        twice = (jnp.repeat(start, 2), jnp.repeat(stop, 2))
        x, forces = propagator.advance(here.x, Steps(begin.ravel(), jnp.repeat(half, 2), twice))

        def along(start: Array, stop: Array) -> tuple[Array, Array]:
            stretch, times = (start, stop), jnp.stack([start, 0.5 * (start + stop), stop])
            controls = jax.vmap(lambda t: model.controls(t, stretch))(times[::2])
            return controls, jax.vmap(lambda t: model.control_slopes(t, stretch))(times)

        controls, slopes = jax.vmap(along)(start, stop)
        after = forces.reshape(start.shape[0], 2, -1)
        before = jnp.concatenate([here.forces[None], after[:-1, 1]])
        left = jnp.concatenate([here.controls[None], controls[:-1, 1]])
        jumps = jnp.sum((controls[:, 0] - left) * before)
        nodes = jnp.concatenate([before[:, None], after], axis=1)
        power = jnp.einsum("snc,snc,n->s", slopes, nodes, jnp.array([1.0, 4.0, 1.0]))
        work = here.work + jumps + half @ power / 3.0
        return _Here(x, work, controls[-1, 1], after[-1, 1]), None

    def group(here: _Here, edges: tuple[Array, Array]) -> _Here:
        return jax.lax.scan(advance, here, edges)[0]

    def leg(carry: Any, indexed: tuple[Array, Array, Array]) -> tuple[Any, PyTree[Array]]:
        index, start, stop = indexed
        grid = start + (stop - start) * (jnp.arange(pairs + 1) / pairs)
        # where a break meets the grid it comes first: what is between them lies after it
        # a break at the end of a leg is that leg's, and no longer the next one's
        own = jnp.where(breaks <= start, start, jnp.where(breaks > stop, stop, breaks))
        nodes = jnp.sort(jnp.concatenate([own, grid]))
        nodes = jnp.concatenate([nodes, jnp.full(math.prod(shape) - count, stop)])

        def step(carry: Any, numbered: Any) -> tuple[Any, None]:
            here, progress = carry
            number, edges = numbered
            here = jax.checkpoint(group)(here, edges)
            done = (index + (number + 1) / groups) / ts.shape[0]
            return (here, meter.step(progress, done)), None

        edges = (nodes[:-1].reshape(shape), nodes[1:].reshape(shape))
        (here, progress), _ = jax.lax.scan(step, carry, (jnp.arange(groups), edges))
        # what is shown at a jump is the state after it
        after = model.controls(stop, (stop, stop))
        work = here.work + (after - here.controls) @ here.forces
        return (here, progress), jax.checkpoint(show)(here.x, stop, work)

    x, zero = propagator.begin(), jnp.zeros(())
    first = _Here(x, zero, model.controls(zero, BEFORE), propagator.forces(x))
    starts = jnp.concatenate([jnp.zeros(1), ts[:-1]])
    legs = jax.checkpoint(leg) if ts.shape[0] > 1 else leg
    carry, found = jax.lax.scan(legs, (first, meter.init()), (jnp.arange(ts.shape[0]), starts, ts))
    meter.close(carry[1])
    return jax.tree.map(lambda leaf: leaf[back], found)


class AbstractSteppedMethod(AbstractMethod):
    """A method of so many `steps` between neighbouring times, of an `order`."""

    steps: eqx.AbstractVar[int]
    order: eqx.AbstractVar[Literal[2, 4]]

    def __check_init__(self) -> None:
        if self.order not in SPLITTINGS:
            raise ValueError(f"`order` must be 2 or 4, but is {self.order!r}.")
        require_count("steps", self.steps)

    @abc.abstractmethod
    def known(self, model: eqx.Module) -> AbstractControlled:
        """The model; `ValueError` for one that the method does not know."""

    @abc.abstractmethod
    def propagator(self, model: Any) -> AbstractPropagator:
        """What carries the state of a known model."""

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        self._required(self.known(model), ts)
        return self

    def _required(self, model: AbstractControlled, ts: Float[Array, " times"]) -> Array:
        """The times: steps begin at time 0."""
        rule = f"non-negative for the method {type(self).__name__}"
        return model.require_defined(check("ts", ts, rule, lambda xp, t: t >= 0))

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        known = self.known(model)
        ts = self._required(known, ts)
        if ts.shape[0] == 0:
            nothing = self.initial(known)
            return jax.vmap(lambda _: reduce(nothing))(ts)
        known = known.apart()
        propagator = self.propagator(known)

        def show(x: PyTree[Array], time: Array, work: Array) -> PyTree[Array]:
            return reduce(propagator.state(x, time, work))

        return march(known, propagator, ts, self.steps, show, meter)
