r"""Exact dynamics of a junction, by the structure of its star-shaped Hamiltonian.

With $U = e^{-iht}$, $x_j = U_{dj} = t_j y_j$ and $D_{jk} = y[\epsilon_j,\epsilon_k]$
(`linalg.arrowhead`), the correlation matrix $C(t) = U^* \mathrm{diag}(n)\, U^T$ has

- the level's row $p_j = C_{dj} = u^* n_d x_j + \sum_k x_k^* n_k U_{jk}$,
- occupations $C_{jj} = \sum_k n_k |U_{jk}|^2$,
- and, since $[h, C] = U^* [h, C(0)]\, U^T$ has rank two, off-diagonal entries
  $(\epsilon_j-\epsilon_k)\, C_{jk} = q_j^* x_k - x_j^* q_k - t_j p_k + p_j^* t_k$,
  with $q = U v$, $v_k = (n_d - n_k)\, t_k$.

All of it costs O(modes^2) a time, without a dense matrix product.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from entropax._checks import concrete, is_traced
from entropax._precision import EPS
from entropax.linalg import (
    ArrowheadExponential,
    ArrowheadSpectrum,
    Displaced,
    Exponential,
    arrowhead_spectrum,
    divided_differences,
    level_response,
    masked_inverse,
    matfn,
    sum_over_rows,
)
from entropax.model import FermionNetwork, Junction
from entropax.state import ProductState, StarState
from entropax.state.fermions import Propagator, as_matrix

_TOLERATED = 1e6
"""The largest value of `_amplified`: entropies are then off by 1e-11."""


class StarEvolution(eqx.Module):
    """How the exact states of a junction are found.

    `is_crowded`: by the dense exponential, O(modes^3), as energies nearly meet; None where they are
    traced, so that a program decides; `tells_rounding`: couplings are traced, and states say what
    rounding the structure costs.
    """

    is_crowded: bool | None = eqx.field(default=False, static=True)
    tells_rounding: bool = eqx.field(default=False, static=True)

    @classmethod
    def of(cls, junction: Junction) -> Self:
        """The way for a junction, as far as its numbers are known."""
        crowded = is_crowded(junction)
        traced = any(is_traced(concrete(lead.couplings)) for lead in junction.leads)
        return cls(crowded if isinstance(crowded, bool) else None, traced)

    def initial(self, junction: Junction) -> ProductState:
        """The start."""
        return product_state(junction)

    def states(
        self, junction: Junction, horizon: Float[Array, ""] | float = 1.0
    ) -> Callable[[Float[Array, ""]], StarState]:
        """The state at any time up to `horizon`."""
        crowded = is_crowded(junction) if self.is_crowded is None else self.is_crowded
        spectrum = arrowhead_spectrum(
            junction.fixed_level, junction.mode_energies, junction.mode_couplings, horizon=horizon
        )
        dense = jax.checkpoint(lambda time: _dense_correlations(junction, time))
        rounding = jnp.zeros(())
        if self.tells_rounding:
            bare = jax.lax.stop_gradient([(x.energies, x.couplings) for x in junction.leads])
            amplified = _amplified(jnp, *map(list, zip(*bare, strict=True)))
            rounding = jnp.asarray(EPS * amplified * (1.0 - crowded))

        def structured(time: Array) -> _Correlations:
            return _structured_correlations(junction, spectrum, time)

        def state_at(time: Float[Array, ""]) -> StarState:
            if isinstance(crowded, bool):
                c = dense(time) if crowded else structured(time)
            else:
                c = jax.lax.cond(crowded, dense, lambda t: structured(t).with_matrices(), time)
            return StarState(
                system=c.level[None, None],
                occupations=tuple(c.occupations[s] for s in junction.lead_slices),
                system_energy=junction.fixed_level * c.level,
                interaction_energy=2.0 * jnp.sum(junction.mode_couplings * c.row.real),
                work=jnp.zeros(()),
                propagator=c.propagator,
                level_row=c.row,
                leads=c.leads,
                amplitudes=c.amplitudes,
                start=junction.initial_occupations,
                rounding=rounding,
            )

        return state_at


def product_state(junction: Junction) -> ProductState:
    """The start of an undriven junction."""
    return ProductState(
        system=junction.occupation[None, None],
        occupations=tuple(junction.lead_occupations),
        system_energy=junction.fixed_level * junction.occupation,
        interaction_energy=jnp.zeros(()),
        work=jnp.zeros(()),
    )


class _Correlations(NamedTuple):
    """The parts of C(t) that the ledger needs."""

    level: Float[Array, ""]
    row: Complex[Array, " modes"]
    occupations: Float[Array, " modes"]
    leads: tuple[Displaced | Complex[Array, "_ _"], ...]
    amplitudes: Float[Array, " sites"]
    propagator: Propagator

    def with_matrices(self) -> Self:
        """The same with the leads' matrices written out."""
        return self._replace(
            leads=tuple(x.matrix() if isinstance(x, Displaced) else x for x in self.leads),
            propagator=as_matrix(self.propagator),
        )


def squared(z: Array) -> Array:
    """|z|^2."""
    return z.real**2 + z.imag**2


def is_crowded(junction: Junction) -> bool | Bool[Array, ""]:
    """Whether energies nearly meet, so that the quotients above lose digits: two modes of one lead
    closer than 1e-5 of the band (or equal), or two of different leads closer than 1e-8 but not
    equal; or closer than couplings allow (`_amplified`), where these are known. A bool where the
    energies are known before the program runs.
    """
    leads = [concrete(lead.energies) for lead in junction.leads]
    couplings = [concrete(lead.couplings) for lead in junction.leads]
    xp = jnp if any(map(is_traced, leads)) else np
    leads = [xp.asarray(energies) for energies in leads]
    energies = xp.concatenate(leads)
    band = xp.max(energies) - xp.min(energies)
    merged = _merged(xp, energies)
    gaps = xp.diff(xp.sort(energies))
    crowded = xp.any((gaps > merged) & (gaps <= 1e-8 * band))
    for lead in leads:
        gaps = xp.diff(xp.sort(lead))
        crowded |= xp.any(gaps <= xp.maximum(1e-5 * band, merged))
    if xp is jnp or not any(map(is_traced, couplings)):
        crowded |= _amplified(xp, leads, [xp.asarray(x) for x in couplings]) > _TOLERATED
    return crowded if isinstance(crowded, jax.Array) else bool(crowded)


def _merged(xp: ModuleType, energies: Any) -> Any:
    """Below which distance energies are one."""
    return 8 * EPS * xp.max(xp.abs(energies))


def _amplified(xp: ModuleType, leads: list[Any], couplings: list[Any]) -> Any:
    r"""How many times rounding the entries $C_{jk}$ within a lead may be off.

    $p_j$ holds $t_j D_{jk}$, off by rounding times the largest ratio r of a coupling to the
    distance of two energies; $C_{jk}$ is it times the largest ratio within a lead. Found, of
    entropies: up to 0.05 of this.
    """
    merged = _merged(xp, xp.concatenate(leads))

    def ratio(energies: Any, couplings: Any) -> Any:
        order = xp.argsort(energies)
        gaps, sizes = xp.diff(energies[order]), xp.abs(couplings[order])
        apart = gaps > merged
        ratios = xp.maximum(sizes[1:], sizes[:-1]) / xp.where(apart, gaps, 1.0)
        return xp.max(xp.where(apart, ratios, 0.0), initial=0.0)

    within = [ratio(*lead) for lead in zip(leads, couplings, strict=True)]
    largest = ratio(xp.concatenate(leads), xp.concatenate(couplings))
    return largest * xp.max(xp.stack(within))


def _structured_correlations(
    junction: Junction, spectrum: ArrowheadSpectrum, time: Array
) -> _Correlations:
    energies, couplings = junction.mode_energies, junction.mode_couplings
    response = level_response(spectrum, time)
    free = jax.lax.complex(jnp.cos(energies * time), -jnp.sin(energies * time))
    row, q, occupations = _moments(
        response.level,
        response.y,
        response.z,
        free,
        energies,
        spectrum.poles,
        couplings,
        junction.occupation,
        junction.mode_occupations,
    )
    x = couplings * response.y
    generators = jnp.stack([q.conj(), x.conj(), couplings + 0j, row.conj()])
    leads = tuple(
        Displaced(energies[s], occupations[s], generators[:, s]) for s in junction.lead_slices
    )
    amplitudes = squared(jnp.concatenate([response.level[None], x]))
    level = amplitudes @ junction.initial_occupations
    propagator = ArrowheadExponential(
        response.level, response.y, response.z, free, couplings, energies, spectrum.poles
    )
    return _Correlations(level, row, occupations, leads, amplitudes, propagator)


def _dense_correlations(junction: Junction, time: Array) -> _Correlations:
    h = FermionNetwork.from_junction(junction).hamiltonian
    u = matfn(Exponential(-1j * time), h)
    c = (u.conj() * junction.initial_occupations) @ u.T
    bath = c[1:, 1:]
    return _Correlations(
        level=c[0, 0].real,
        row=c[0, 1:],
        occupations=jnp.diagonal(bath).real,
        leads=tuple(bath[s, s] for s in junction.lead_slices),
        amplitudes=squared(u[0]),
        propagator=u,
    )


@jax.custom_jvp
def _moments(level, y, z, free, energies, poles, couplings, level_filling, filling):
    """The row p, the vector q and the occupations of the module's head.

    Sums over the table D run in blocks of real arithmetic; derivatives go by the plain twin.
    """
    start = filling * couplings**2
    row_source = couplings**2 * filling * y.conj()
    q_source = couplings**2 * (level_filling - filling)

    def terms(present, energy, pole, yr, yi, zr, zi, weight, source_r, source_i, q_weight):
        gap = energies[None, :] - energy[:, None]
        same = poles[None, :] == pole[:, None]
        # rows that only fill a block are absent: their energy 0 may be next to a mode's
        inverse = masked_inverse(gap, ~same & (present[:, None] > 0))
        dr = (y.real[None, :] - yr[:, None]) * inverse
        di = (y.imag[None, :] - yi[:, None]) * inverse
        dr = jnp.where(same, 0.5 * (z.real[None, :] + zr[:, None]), dr)
        di = jnp.where(same, 0.5 * (z.imag[None, :] + zi[:, None]), di)
        sr, si, qw = source_r[:, None], source_i[:, None], q_weight[:, None]
        return (
            jnp.sum(weight[:, None] * (dr * dr + di * di), 0),
            jnp.sum(sr * dr - si * di, 0),
            jnp.sum(sr * di + si * dr, 0),
            jnp.sum(qw * dr, 0),
            jnp.sum(qw * di, 0),
        )

    spread, row_r, row_i, q_r, q_i = sum_over_rows(
        terms,
        jnp.ones_like(energies),
        energies,
        poles,
        y.real,
        y.imag,
        z.real,
        z.imag,
        start,
        row_source.real,
        row_source.imag,
        q_source,
    )
    sums = spread, jax.lax.complex(row_r, row_i), jax.lax.complex(q_r, q_i)
    return _assemble(sums, level, y, z, free, couplings, level_filling, filling)


def _plain_moments(level, y, z, free, energies, poles, couplings, level_filling, filling):
    d = divided_differences(y, z, energies, poles)
    squares = couplings**2
    sums = (
        squared(d) @ (filling * squares),
        d @ (squares * filling * y.conj()),
        d @ (squares * (level_filling - filling)),
    )
    return _assemble(sums, level, y, z, free, couplings, level_filling, filling)


def _assemble(sums, level, y, z, free, couplings, level_filling, filling):
    spread, row_sum, q_sum = sums
    row = couplings * (level.conj() * level_filling * y + filling * y.conj() * free + row_sum)
    q = couplings * ((level_filling - filling) * free + q_sum)
    returned = 2.0 * filling * (free.conj() * z).real
    occupations = filling + couplings**2 * (returned + level_filling * squared(y) + spread)
    return row, q, occupations


@_moments.defjvp
def _moments_jvp(primals, tangents):
    return jax.jvp(_plain_moments, primals, tangents)
