r"""Observables at many times from the phases of the eigenbasis: O(D^2) per time.

With $R = V^\dagger\rho V$ and $X = V^\dagger O V$ an expectation value is the quadratic form
$\sum_{ab} e^{-i(\lambda_a-\lambda_b)t} R_{ab} X_{ba}$ of the phases.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax.linalg import Spectrum
from entropax.method.amplitudes import Setting, Stretch, Values, density_matrix


class _Observable(NamedTuple):
    """One entry of `Values`: its entry there, and the rows and columns of the state it sums."""

    kind: Literal["joint", "energy", "coherence"]
    entry: tuple[int, ...]
    rows: slice | None = None
    columns: slice | None = None


def _observables(setting: Setting, one: int, other: int) -> list[_Observable]:
    """What is asked of a pair of sectors: windows and energies within one, coherences between."""
    found = []
    if one == other:
        spans = setting.sectors[one].spans
        found += [_Observable("joint", block, span) for block, span in spans.items()]
        found += [_Observable("energy", (n,)) for n in range(len(setting.levels))]
    for k, q, rows, columns in setting.overlaps(one, other):
        found.append(_Observable("coherence", (k, q), rows, columns))
    return found


class Forms(NamedTuple):
    """Constants of a stretch: `values` of each sector, and of each pair of them its `matrices`.

    These are R_ab X_ba of every observable, side by side: with phases they give each at any time.
    `energy`: of everything, which is conserved.
    """

    values: list[Float[Array, " n"]]
    matrices: list[Inexact[Array, "n mn"]]
    energy: Float[Array, ""]


def forms(stretch: Stretch, spectra: list[Spectrum]) -> Forms:
    """What the values at all times follow from."""
    stretch = jax.lax.stop_gradient(stretch)
    setting = stretch.setting
    inside = [
        vectors.conj().T @ x for (_, vectors), x in zip(spectra, stretch.amplitudes, strict=True)
    ]
    energy, matrices = jnp.zeros(()), []
    for one, other in setting.pairs:
        state = setting.weighted(one, other, inside[one]) @ inside[other].conj().T
        values, left = spectra[one]
        right = spectra[other][1].conj()
        if one == other:
            energy = energy + values @ jnp.diagonal(state).real

        def form(observable: _Observable, one=one, state=state, left=left, right=right) -> Array:
            if observable.kind == "energy":
                number = observable.entry[0]
                own = setting.levels[number][setting.sectors[one].place[number]]
                return state * ((left.T * own) @ right)
            columns = observable.rows if observable.columns is None else observable.columns
            return state * (left[observable.rows].T @ right[columns])

        found = [form(observable) for observable in _observables(setting, one, other)]
        empty = jnp.zeros((left.shape[0], 0))
        matrices.append(jnp.concatenate([empty, *found], axis=1))
    return Forms([values for values, _ in spectra], matrices, energy)


@jax.custom_jvp
def from_eigenbasis(stretch: Stretch, forms: Forms, ts: Float[Array, " t"]) -> Values:
    """All observables at some times, from the eigenbasis."""
    since = ts - stretch.begin
    cosine = [jnp.cos(since[:, None] * values) for values in forms.values]
    sine = [jnp.sin(since[:, None] * values) for values in forms.values]
    setting, times = stretch.setting, ts.shape[0]
    d = stretch.energies.shape[0]
    joint = jnp.zeros((times, *setting.sectors[0].shape))
    flow, coherence = joint, jnp.zeros((times, d, d), jnp.complex128)
    energy = jnp.zeros((times, len(setting.levels)))
    for (one, other), matrix in zip(setting.pairs, forms.matrices, strict=True):
        c, s, right_c, right_s = cosine[one], sine[one], cosine[other], sine[other]
        # real products, three times as fast as complex ones on a CPU
        p, q = c @ matrix.real, s @ matrix.real
        if jnp.iscomplexobj(matrix):
            p, q = p + s @ matrix.imag, q - c @ matrix.imag
        observables = _observables(setting, one, other)
        shape = (times, len(observables), right_c.shape[1])
        p, q = (x.reshape(shape).swapaxes(0, 1) for x in (p, q))
        for observable, mine, yours in zip(observables, p, q, strict=True):
            where = (slice(None), *observable.entry)
            value = jnp.sum(mine * right_c + yours * right_s, axis=-1)
            if observable.kind == "coherence":
                turned = jnp.sum(mine * right_s - yours * right_c, axis=-1)
                coherence = coherence.at[where].add(jax.lax.complex(value, turned))
            elif observable.kind == "energy":
                energy = energy.at[where].add(value)
            else:
                rate = jnp.sum((c * yours - s * mine) * forms.values[one], axis=-1)
                joint, flow = joint.at[where].set(value), flow.at[where].set(2.0 * rate)
    system = jnp.sum(joint, axis=tuple(range(2, joint.ndim))) @ stretch.energies
    interaction = forms.energy - system - jnp.sum(energy, axis=-1)
    return Values(joint, flow, jax.vmap(density_matrix)(joint, coherence), energy, interaction)


@from_eigenbasis.defjvp
def _from_eigenbasis_jvp(primals, tangents):
    stretch, forms, ts = primals
    change, _, dts = tangents
    spectra = stretch.spectra()
    _, out = jax.jvp(lambda s, t: _from_amplitudes(s, t, spectra), (stretch, ts), (change, dts))
    return from_eigenbasis(stretch, forms, ts), out


def _from_amplitudes(stretch: Stretch, ts: Float[Array, " t"], spectra: list[Spectrum]) -> Values:
    """The same from amplitudes, time by time: slower, differentiable."""

    def once(time: Array) -> Values:
        return stretch.observe(stretch.at(time, spectra))

    return jax.lax.map(jax.checkpoint(once), ts)
