r"""Blocks of a small system and its window baths as a Markov chain between two measurements.

Measured are the system's energy and the window of each bath, x, at the start and at time t. With
$T_t(x'|x)$ from a start even in block x (by any method),

$$ \sigma = \ln\frac{p_0(x)}{V_x} - \ln\frac{p_t(x')}{V_{x'}}, $$

whose mean is the change of observational entropy (Strasberg 2020; Riera-Campeny 2021, Eq. 57) and
$\langle e^{-\sigma}\rangle = \sum_{x'} p_t(x')/V_{x'} \sum_x T(x'|x) V_x = 1$ where evenly filled
blocks are stationary, as under exact dynamics and the EMME.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from entropax.counting.kinds import FLOOR, in_words
from entropax.counting.law import AbstractCounting
from entropax.method import AbstractMethod
from entropax.model import Joint, OpenSystem, Product
from entropax.model.views import as_windows, joint_volumes
from entropax.sharpness import with_marks
from entropax.solve import raise_failures, solve_plan

_COUNTED = ("energy", "heat", "entropy_production")


class BlockCounting(AbstractCounting):
    """What `counting` returns for window baths. `before` and `after`: x is what `after` says of the
    block at the end, less what `before` says of that at the start.
    """

    ts: Float[Array, " times"]
    start: Float[Array, " blocks"]
    transitions: Float[Array, "times blocks blocks"]
    before: Float[Array, " blocks"]
    after: Float[Array, "times blocks"]
    what: str = eqx.field(static=True)
    is_whole: bool = eqx.field(static=True, default=False)

    @property
    def _first(self) -> Float[Array, " blocks"]:
        return jnp.where(self.start > 0, self.before, 0.0)

    def mean_and_variance(self) -> tuple[Float[Array, " times"], Float[Array, " times"]]:
        later = self.transitions @ self.start
        mean = jnp.sum(self.after * later, axis=1) - self.start @ self._first
        away = self.after[:, :, None] - self._first - mean[:, None, None]
        return mean, jnp.einsum("tyx,x,tyx->t", self.transitions, self.start, away**2)

    @property
    def spread(self) -> Float[Array, ""]:
        both = jnp.concatenate([self._first, self.after.ravel()])
        return jax.lax.stop_gradient(jnp.max(both) - jnp.min(both))

    def logs(self, u: Complex[Array, "points times"]) -> Complex[Array, "points times"]:
        mean = self.mean
        last = jnp.exp(u[:, :, None] * (self.after - mean[:, None]))
        # what starts empty counts as filled by a vanishing probability
        filled = jnp.log(jnp.maximum(self.start, FLOOR))
        first = jnp.exp(filled - u[:, :, None] * self.before)
        return jnp.log(jnp.einsum("pty,tyx,ptx->pt", last, self.transitions + 0j, first)) + u * mean


def count_windows(
    model: OpenSystem,
    ts: Float[Array, " times"],
    method: AbstractMethod[Any],
    of: str,
    bath: int | None,
    throw: bool | None,
) -> BlockCounting:
    """Counts of what a bath gains, or of the entropy production."""
    system = as_windows(model, type(method).__name__)
    if of not in _COUNTED:
        raise ValueError(f"`of` must be {', '.join(_COUNTED)} of window baths, but is {of!r}.")
    start = model.start
    if isinstance(start, Product) and (start.beta is not None or start.filling < 1.0):
        raise ValueError(
            "`start` must be even in each window for this: `Product(system, windows)`."
        )
    if not (start.is_diagonal and start.is_incoherent):
        raise ValueError("`start` must be diagonal in what is measured: energies and windows.")
    table = jnp.asarray(start.on_windows(system.before())).real
    units = jnp.eye(table.size).reshape(table.size, *table.shape)
    marked = with_marks(model, ts)
    first = eqx.tree_at(lambda m: m.start, marked, Joint(np.full(table.shape, 1.0 / table.size)))
    plan = method.plan(first, ts)
    solution = raise_failures(_transitions(method, plan, units), throw)
    transitions = solution.ledger
    volumes = jnp.broadcast_to(joint_volumes(system), table.shape).ravel()
    p = table.ravel()
    if of == "entropy_production":
        later = transitions @ p
        before = -jnp.log(jnp.maximum(p, FLOOR) / volumes)
        after = -jnp.log(jnp.maximum(later, FLOOR) / volumes)
    else:
        assert bath is not None
        centers, shape = system.baths[bath].centers, [1] * table.ndim
        shape[1 + bath] = centers.shape[0]
        before = jnp.broadcast_to(centers.reshape(shape), table.shape).ravel()
        after = jnp.broadcast_to(before, (ts.shape[0], before.size))
    return BlockCounting(
        ts=ts,
        start=p,
        transitions=transitions,
        before=before,
        after=after,
        what=in_words(of, bath),
    )


@eqx.filter_jit
def _transitions(method: AbstractMethod[Any], plan: Any, units: Array) -> Any:
    """The joint distribution at each time from each block, as the ledger of a solution."""

    def one(unit: Array) -> Any:
        model = eqx.tree_at(lambda m: m.start.probabilities, plan.model, unit)
        solution = solve_plan(method, eqx.tree_at(lambda p: p.model, plan, model))
        return eqx.tree_at(
            lambda s: s.ledger, solution, solution.ledger.joint.reshape(plan.asked, -1)
        )

    each = jax.lax.map(one, units)
    # the verdict is that of the first run that failed
    which = jnp.argmax(jnp.any(each.failed, axis=1))
    merged = jax.tree.map(lambda leaf: leaf[which], each)
    return eqx.tree_at(lambda s: s.ledger, merged, jnp.transpose(each.ledger, (1, 2, 0)))
