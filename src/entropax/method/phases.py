r"""Observables at many times from the phases of the eigenbasis: O(D^2) per time.

With $R = V^\dagger\rho V$ and $X = V^\dagger O V$ an expectation value is the quadratic form
$\sum_{ab} e^{-i(\lambda_a-\lambda_b)t} R_{ab} X_{ba}$ of the phases. Observables come one after the
other, each at all times: of all their D x D matrices one is there at a time, while caches hold it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax.linalg import Spectrum
from entropax.method.amplitudes import Stretch, Values, density_matrix


@jax.custom_jvp
def from_eigenbasis(stretch: Stretch, spectra: list[Spectrum], ts: Float[Array, " t"]) -> Values:
    """All observables at some times, from the eigenbasis (constants, `Stretch.spectra`)."""
    setting, times = stretch.setting, ts.shape[0]
    angles = [(ts - stretch.begin)[:, None] * values for values, _ in spectra]
    turned = [(jnp.cos(x), jnp.sin(x)) for x in angles]
    inside = [
        vectors.conj().T @ x for (_, vectors), x in zip(spectra, stretch.amplitudes, strict=True)
    ]
    d = stretch.energies.shape[0]
    joint = jnp.zeros((times, *setting.sectors[0].shape))
    flow, coherence = joint, jnp.zeros((times, d, d), jnp.complex128)
    energy, conserved = jnp.zeros((times, len(setting.levels))), jnp.zeros(())
    for one, other in setting.pairs:
        state = setting.weighted(one, other, inside[one]) @ inside[other].conj().T
        values, left = spectra[one]
        right = spectra[other][1].conj()

        def followed(operator: Array, state=state, one=one, other=other, values=values) -> _Means:
            return _means(state * operator, turned[one], turned[other], values)

        if one == other:
            conserved = conserved + values @ jnp.diagonal(state).real
            sector = setting.sectors[one]
            spans = sector.spans
            found = _over_spans(followed, left, right, [*spans.values()], [*spans.values()])
            for i, block in enumerate(spans):
                joint = joint.at[:, *block].set(found.real[i])
                flow = flow.at[:, *block].set(2.0 * found.rate[i])
            for number, levels in enumerate(setting.levels):
                operator = (left.T * levels[sector.place[number]]) @ right
                energy = energy.at[:, number].add(followed(operator).real)
        overlaps = setting.overlaps(one, other)
        if overlaps:
            _, _, rows, columns = zip(*overlaps, strict=True)
            found = _over_spans(followed, left, right, rows, columns)
            for i, (k, q, *_) in enumerate(overlaps):
                both = jax.lax.complex(found.real[i], found.imaginary[i])
                coherence = coherence.at[:, k, q].add(both)
    system = jnp.sum(joint, axis=tuple(range(2, joint.ndim))) @ stretch.energies
    interaction = conserved - system - jnp.sum(energy, axis=-1)
    return Values(joint, flow, jax.vmap(density_matrix)(joint, coherence), energy, interaction)


@from_eigenbasis.defjvp
def _from_eigenbasis_jvp(primals, tangents):
    stretch, spectra, ts = primals
    change, _, dts = tangents
    _, out = jax.jvp(lambda s, t: _from_amplitudes(s, t, spectra), (stretch, ts), (change, dts))
    return from_eigenbasis(stretch, spectra, ts), out


class _Means(NamedTuple):
    """Of an observable at all times: real, imaginary part; half its rate of change where it is
    Hermitian.
    """

    real: Float[Array, "*n t"]
    imaginary: Float[Array, "*n t"]
    rate: Float[Array, "*n t"]


def _means(
    form: Inexact[Array, "n m"],
    left: tuple[Array, Array],
    right: tuple[Array, Array],
    values: Float[Array, " n"],
) -> _Means:
    """Sums of e^{-i(lambda_a-lambda_b)t} F_ab; of cosines and sines, as real products are three
    times as fast as complex ones on a CPU.
    """
    (c, s), (right_c, right_s) = left, right
    p, q = c @ form.real, s @ form.real
    if jnp.iscomplexobj(form):
        p, q = p + s @ form.imag, q - c @ form.imag
    real = jnp.sum(p * right_c + q * right_s, axis=-1)
    return _Means(real, jnp.sum(p * right_s - q * right_c, axis=-1), (c * q - s * p) @ values)


def _over_spans(
    follow: Callable[[Array], _Means],
    left: Inexact[Array, "n n"],
    right: Inexact[Array, "m m"],
    rows: Sequence[slice],
    columns: Sequence[slice],
) -> _Means:
    """`follow` of the operators that lead from each span of `columns` to its twin of `rows`."""
    sizes = [span.stop - span.start for span in rows]
    width = np.arange(max(sizes))

    def one(span: Array) -> _Means:
        row, column, size = span
        begun = left.at[row + width].get(mode="clip")
        ended = right.at[column + width].get(mode="clip")
        return follow(begun.T @ jnp.where((width < size)[:, None], ended, 0.0))

    edges = [[a.start, b.start, size] for a, b, size in zip(rows, columns, sizes, strict=True)]
    return jax.lax.map(one, jnp.array(edges))


def _from_amplitudes(stretch: Stretch, ts: Float[Array, " t"], spectra: list[Spectrum]) -> Values:
    """The same from amplitudes, time by time: slower, differentiable."""

    def once(time: Array) -> Values:
        return stretch.observe(stretch.at(time, spectra))

    return jax.lax.map(jax.checkpoint(once), ts)
