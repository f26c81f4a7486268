"""Driven models in small steps, whatever carries the state: grids, jumps, work, memory."""

import abc
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Self

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from entropax._checks import check, require_count
from entropax.method.base import AbstractMethod, Plan, StateT, in_turn
from entropax.method.compositions import SPLITTINGS
from entropax.model.driven import AbstractControlled, before_start

_FEW = 16
"""Blocks between two times whose states are all held in reverse."""


class Steps(NamedTuple):
    """Consecutive steps: when each begins, how long it is, and the stretch that it lies in."""

    begin: Float[Array, " steps"]
    length: Float[Array, " steps"]
    stretch: tuple[Float[Array, " steps"], Float[Array, " steps"]]

    def times(self, nodes: Sequence[float]) -> Float[Array, "steps nodes"]:
        """Where the nodes lie, which are given in units of a step."""
        return self.begin[:, None] + self.length[:, None] * jnp.array(nodes)

    def controls(
        self, model: AbstractControlled, nodes: Sequence[float]
    ) -> Float[Array, "steps nodes controls"]:
        """The controls of a model at nodes."""
        of_a_step = jax.vmap(model.controls, in_axes=(0, None))
        return jax.vmap(of_a_step)(self.times(nodes), self.stretch)


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
    def coefficients(self, steps: Steps) -> PyTree[Array]:
        """What is known of steps beforehand, few numbers of each along a first axis.

        Found for all steps at once: protocols are then no part of the loop, which compiles, and
        is differentiated, faster for it.
        """

    @abc.abstractmethod
    def advance(
        self, x: PyTree[Array], coefficients: PyTree[Array]
    ) -> tuple[PyTree[Array], Float[Array, "steps controls"]]:
        """x after the steps, and the forces after each of them."""

    @abc.abstractmethod
    def state(self, x: PyTree[Array], time: Float[Array, ""], work: Float[Array, ""]) -> Any:
        """What the ledger asks for."""


class _Position(NamedTuple):
    """How far the steps have come. `controls`: their limits from the left."""

    x: PyTree[Array]
    work: Float[Array, ""]
    controls: Float[Array, " controls"]
    forces: Float[Array, " controls"]


class _Pair(NamedTuple):
    """A pair of steps as the work sees it: `controls` at both ends, `slopes` in the middle too."""

    half: Float[Array, "*pairs"]
    controls: Float[Array, "*pairs 2 controls"]
    slopes: Float[Array, "*pairs 3 controls"]

    @classmethod
    def along(cls, model: AbstractControlled, start: Array, stop: Array) -> Self:
        half, stretch = 0.5 * (stop - start), (start, stop)
        times = jnp.stack([start, start + half, stop])
        controls = jax.vmap(lambda t: model.controls(t, stretch))(times[::2])
        return cls(half, controls, jax.vmap(lambda t: model.control_slopes(t, stretch))(times))


def _prepared(
    model: AbstractControlled, propagator: AbstractPropagator, nodes: Float[Array, " nodes"]
) -> tuple[_Pair, PyTree[Array]]:
    """All that is known of the pairs of steps between nodes before x is."""
    start, stop = nodes[:-1], nodes[1:]
    half = 0.5 * (stop - start)
    begin = jnp.stack([start, start + half], axis=1)
    twice = jnp.repeat(start, 2), jnp.repeat(stop, 2)
    steps = Steps(begin.ravel(), jnp.repeat(half, 2), twice)
    along = jax.vmap(lambda start, stop: _Pair.along(model, start, stop))
    return along(start, stop), propagator.coefficients(steps)


def _advance(
    propagator: AbstractPropagator, here: _Position, pairs: tuple[_Pair, PyTree[Array]]
) -> _Position:
    """Where a block of pairs of steps leads: x, and the work that jumps and slopes do."""
    along, coefficients = pairs
    x, forces = propagator.advance(here.x, coefficients)
    after = forces.reshape(along.half.shape[0], 2, -1)
    before = jnp.concatenate([here.forces[None], after[:-1, 1]])
    left = jnp.concatenate([here.controls[None], along.controls[:-1, 1]])
    jumps = jnp.sum((along.controls[:, 0] - left) * before)
    nodes = jnp.concatenate([before[:, None], after], axis=1)
    power = jnp.einsum("snc,snc,n->s", along.slopes, nodes, jnp.array([1.0, 4.0, 1.0]))
    work = here.work + jumps + along.half @ power / 3.0
    return _Position(x, work, along.controls[-1, 1], after[-1, 1])


def step_through(
    model: AbstractControlled,
    propagator: AbstractPropagator,
    ts: Float[Array, " times"],
    steps: int,
    show: Callable[[PyTree[Array], Array, Array], PyTree[Array]],
    meter: diffrax.AbstractProgressMeter,
    *,
    cuts: Float[Array, " cuts"] | None = None,
    asked: Bool[Array, " times"] | None = None,
) -> PyTree[Array]:
    r"""`show(x, t, work)` at ascending times.

    A grid of `steps` equal steps, rounded up to an even number, leads from each time to the next;
    a break or mark inside divides the pair of steps that it falls in. The work
    $\int\sum_i \dot u_i F_i\,dt$ is Simpson's over pairs of steps, and jumps add
    $\Delta u_i F_i$. In reverse, groups of blocks are run anew: as many states are held as the
    square root of the steps, and a few numbers of each step. `cuts`: breaks and marks that are not
    among the times; None for all of them; `asked`: at which times something is to be shown, zeros
    at the others; None for all.
    """
    if cuts is None:
        cuts = jnp.sort(jnp.concatenate([model.breaks, model.marks]))
    pairs = -(-steps // 2)
    count = pairs + cuts.shape[0]
    block = min(propagator.block, count)
    # few blocks between times are not divided: intervals are run anew as they are
    few = ts.shape[0] > 1 and count <= _FEW * block
    groups = 1 if few else math.ceil(math.sqrt(count / block))
    shape = (groups, math.ceil(count / (block * groups)), block)
    rest = math.prod(shape) - count

    def advance(here: _Position, pairs: tuple[_Pair, PyTree[Array]]) -> _Position:
        return _advance(propagator, here, pairs)

    def advance_where_needed(here: _Position, block: tuple[Array, Any]) -> tuple[_Position, None]:
        is_needed, pairs = block
        if not cuts.shape[0]:
            return advance(here, pairs), None
        return jax.lax.cond(jnp.any(is_needed), advance, lambda here, _: here, here, pairs), None

    def in_groups(leaf: Array) -> Array:
        many = leaf.shape[0] // (shape[0] * shape[1])
        return leaf.reshape(*shape[:2], many, *leaf.shape[1:])

    def group(here: _Position, blocks: tuple[Array, tuple[_Pair, PyTree[Array]]]) -> _Position:
        return jax.lax.scan(advance_where_needed, here, blocks)[0]

    if not few:
        group = jax.checkpoint(group)

    def shown(is_asked: Array, *state: Any) -> PyTree[Array]:
        if asked is None:
            return show(*state)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(show, *state))
        return jax.lax.cond(is_asked, show, lambda *_: zeros, *state)

    def interval(carry: Any, indexed: tuple[Array, ...]) -> tuple[Any, PyTree[Array]]:
        index, start, stop, is_asked = indexed
        grid = start + (stop - start) * (jnp.arange(pairs + 1) / pairs)
        # a break on a grid point is sorted before it: the empty step between counts as after it
        # a break at `stop` belongs to this interval, one at `start` to the one before
        inside = jnp.where(cuts <= start, start, jnp.where(cuts > stop, stop, cuts))
        nodes = jnp.sort(jnp.concatenate([inside, grid]))
        nodes = jnp.concatenate([nodes, jnp.full(rest, stop)])
        # pairs of cuts that lie elsewhere have no length, and are left out
        first, last = jnp.sum(cuts <= start), count - jnp.sum(cuts > stop)
        number = jnp.arange(count + rest)
        is_needed = (number >= first) & (number < last)

        def step(carry: Any, numbered: Any) -> tuple[Any, None]:
            here, progress = carry
            number, blocks = numbered
            done = (index + (number + 1) / groups) / ts.shape[0]
            return (group(here, blocks), meter.step(progress, done)), None

        blocks = jax.tree.map(in_groups, (is_needed, _prepared(model, propagator, nodes)))
        (here, progress), _ = jax.lax.scan(step, carry, (jnp.arange(groups), blocks))
        # what is shown at a jump is the state after it
        after = model.controls_at(stop)
        work = here.work + (after - here.controls) @ here.forces
        return (here, progress), shown(is_asked, here.x, stop, work)

    x, zero = propagator.begin(), jnp.zeros(())
    first = _Position(x, zero, model.controls(zero, before_start()), propagator.forces(x))
    starts = jnp.concatenate([jnp.zeros(1), ts[:-1]])
    everywhere = jnp.ones(ts.shape[0], bool) if asked is None else asked
    indexed = jnp.arange(ts.shape[0]), starts, ts, everywhere
    carry, answers = in_turn(interval, (first, meter.init()), indexed)
    meter.close(carry[1])
    return answers


def require_steps(steps: object, order: object) -> None:
    """`ValueError` for a number of steps, or an order, that there is not."""
    if order not in SPLITTINGS:
        raise ValueError(f"`order` must be 2 or 4, but is {order!r}.")
    require_count("steps", steps)


class AbstractSteppedMethod(AbstractMethod[StateT]):
    """A method of so many `steps` between neighbouring times, of an `order`."""

    steps: eqx.AbstractVar[int]
    order: eqx.AbstractVar[Literal[2, 4]]

    def __check_init__(self) -> None:
        require_steps(self.steps, self.order)

    @abc.abstractmethod
    def require(self, model: eqx.Module) -> AbstractControlled:
        """The model; `ValueError` for one that the method does not know."""

    @abc.abstractmethod
    def propagator(self, model: Any) -> AbstractPropagator:
        """What carries the state of a model."""

    def plan(self, model: eqx.Module, ts: Float[Array, " asked"]) -> Plan[Any, None]:
        controlled, rule = self.require(model), f"non-negative for the method {type(self).__name__}"
        checked = controlled.require_defined(check("ts", ts, rule, lambda xp, t: t >= 0))
        return Plan.of(controlled, checked, None)

    def run(
        self,
        plan: Plan[Any, None],
        reduce: Callable[[StateT], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        model = plan.model.with_separated_breaks()
        propagator = self.propagator(model)

        def show(x: PyTree[Array], time: Array, work: Array) -> PyTree[Array]:
            return reduce(propagator.state(x, time, work))

        return step_through(model, propagator, plan.ts, self.steps, show, meter)
