r"""Counts of a small system between ideal baths in finite time: $\mathrm{tr}\,e^{L(u)t}\rho_0$."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from entropax._checks import concrete, is_traced
from entropax._tolerances import ROUNDED
from entropax.counting.jumps import JumpCounts, countable, jump_counts
from entropax.counting.kinds import FLOOR, in_words
from entropax.counting.law import AbstractCounting
from entropax.method.ideal.master_equation import AbstractIdealBathEquation
from entropax.model.transition_frequencies import total_spectrum
from entropax.model.views import IdealSystem


class JumpCounting(AbstractCounting):
    """What `counting` returns for ideal baths."""

    ts: Float[Array, " times"]
    jumps: JumpCounts
    weights: Float[Array, "baths 2"]
    ends: tuple[Float[Array, " n"], Float[Array, "times n"]] | None
    r"""$\ln p_0$ and $\ln p_t$ over forms of diagonal states, where entropy is counted."""
    what: str = eqx.field(static=True)
    is_whole: bool = eqx.field(static=True)

    def mean_and_variance(self) -> tuple[Float[Array, " times"], Float[Array, " times"]]:
        return _moments(self)

    @property
    def spread(self) -> Float[Array, ""]:
        number, energy = jnp.abs(self.weights[:, 0]), jnp.abs(self.weights[:, 1])
        most = max((abs(n) for n in self.jumps.particles), default=0)
        step = jnp.max(number * most + energy * self.jumps.width, initial=0.0)
        return jax.lax.stop_gradient(jnp.maximum(step, 1e-12))

    def logs(self, u: Complex[Array, "points times"]) -> Complex[Array, "points times"]:
        start = self.jumps.start
        assert start is not None

        def at(u: Array, time: Array, index: Array) -> Array:
            first, last = start, self.jumps.weight
            if self.ends is not None:
                before, after = self.ends
                # what starts empty counts as filled by a vanishing probability
                first = jnp.exp((1.0 + u) * before)
                last = last * jnp.exp(-u * after[index])
            grown = jax.scipy.linalg.expm(self.jumps.tilted(u, self.weights) * time)
            return jnp.log(last @ (grown @ first))

        index = jnp.arange(self.ts.shape[0])
        points = u.reshape(-1)
        times, places = (jnp.broadcast_to(x, u.shape).reshape(-1) for x in (self.ts, index))
        return jax.lax.map(lambda x: at(*x), (points, times, places)).reshape(u.shape)


@eqx.filter_jit
def _moments(counting: JumpCounting) -> tuple[Float[Array, " times"], Float[Array, " times"]]:
    """Mean and variance, by the derivatives of the exponential."""
    jumps, start = counting.jumps, counting.jumps.start
    assert start is not None

    def at(time: Array, index: Array) -> tuple[Array, Array]:
        parts = jumps.passed(counting.weights, time, 2)
        rows, columns = [jumps.weight], [start]
        if counting.ends is not None:
            before, after = counting.ends
            a = jnp.where(start > 0, before, 0.0)
            columns += [start * a, 0.5 * start * a**2]
            rows += [-jumps.weight * after[index], 0.5 * jumps.weight * after[index] ** 2]
        coefficients = []
        for order in (1, 2):
            total = jnp.zeros(())
            for r, row in enumerate(rows):
                for c, column in enumerate(columns):
                    k = order - r - c
                    if 0 <= k <= 2:
                        total = total + row @ (parts[k] @ column)
            coefficients.append(total)
        mean, half = coefficients
        return mean, 2.0 * half - mean**2

    return jax.lax.map(lambda x: at(*x), (counting.ts, jnp.arange(counting.ts.shape[0])))


def count_jumps(
    model: Any,
    ts: Float[Array, " times"],
    method: AbstractIdealBathEquation,
    of: str,
    bath: int | None,
) -> JumpCounting:
    """Counts of what a bath gains; `ValueError` for what jumps do not tell."""
    system = countable(model, method, of)
    method.plan(system, ts)  # looks at the times
    jumps = jump_counts(method, system, with_start=True)
    ends = None
    if of == "entropy_production":
        if not jumps.is_plain:
            raise ValueError(
                "`of` must be a count where coherences are followed: the entropy production is "
                "known for populations alone (Davies, no two levels of one energy, no Jump)."
            )
        _require_diagonal(system)
        ends = _ends(jumps, ts)
    return JumpCounting(
        ts=ts,
        jumps=jumps,
        weights=jumps.weights(of, bath),
        ends=ends,
        what=in_words(of, bath),
        is_whole=of == "particles",
    )


def _require_diagonal(model: IdealSystem) -> None:
    """`ValueError` for a start with coherences between energies, which a measurement would end."""
    vectors = total_spectrum(model)[1]
    inside = vectors.conj().T @ model.start.system_state(model) @ vectors
    away = concrete(jnp.max(jnp.abs(inside - jnp.diag(jnp.diagonal(inside)))))
    if not is_traced(away) and float(away) > ROUNDED:
        raise ValueError(
            "`start` must be diagonal in the energies where entropy is counted, but has an element "
            f"of {float(away):.3g} between them."
        )


@eqx.filter_jit
def _ends(
    jumps: JumpCounts, ts: Float[Array, " times"]
) -> tuple[Float[Array, " n"], Float[Array, "times n"]]:
    """Logarithms of the diagonal states at both ends."""
    assert jumps.start is not None
    later = jax.lax.map(lambda t: jax.scipy.linalg.expm(jumps.generator * t) @ jumps.start, ts)
    return jnp.log(jnp.maximum(jumps.start, FLOOR)), jnp.log(jnp.maximum(later, FLOOR))
