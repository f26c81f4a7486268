r"""Observables at many times from the phases of the eigenbasis: O(D^2) per time.

With $R = V^\dagger\rho V$ and $X = V^\dagger O V$ an expectation value is the quadratic form
$\sum_{ab} e^{-i(\lambda_a-\lambda_b)t} R_{ab} X_{ba}$ of the phases. Observables come one after the
other, each at all times: of all their D x D matrices one is there at a time, while caches hold it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact, Int

from entropax._batching import each
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
    states = {
        (i, j): setting.weighted(i, j, inside[i]) @ inside[j].conj().T for i, j in setting.pairs
    }
    held = [
        jnp.stack([own[p] for own, p in zip(setting.levels, sector.place, strict=True)])
        for sector in setting.sectors
    ]

    def alone(
        spectrum: Spectrum, phases: _Phases, state: Array, held: Array, spans: _Spans
    ) -> tuple[_Means, Array, Array]:
        """What is in each block of a sector; energy of each bath; the conserved energy."""
        values, left = spectrum

        def follow(operator: Array) -> _Means:
            return _means(state * operator, phases, phases, values)

        baths = [follow((left.T * own) @ left.conj()).real for own in held]
        kept = values @ jnp.diagonal(state).real
        return _over_spans(follow, left, left.conj(), spans), jnp.stack(baths, axis=-1), kept

    def between(
        one: Spectrum,
        other: Spectrum,
        phases: tuple[_Phases, _Phases],
        state: Array,
        spans: _Spans,
    ) -> Array:
        """Coherences of the system between blocks of two sectors."""

        def follow(operator: Array) -> _Means:
            return _means(state * operator, *phases, one[0])

        found = _over_spans(follow, one[1], other[1].conj(), spans)
        return jax.lax.complex(found.real, found.imaginary)

    d = stretch.energies.shape[0]
    joint = jnp.zeros((times, *setting.sectors[0].shape))
    flow, coherence = joint, jnp.zeros((times, d, d), jnp.complex128)
    energy, conserved = jnp.zeros((times, len(setting.levels))), jnp.zeros(())
    spans = [[*sector.spans.values()] for sector in setting.sectors]
    own = [states[i, i] for i in range(len(setting.sectors))]
    edges = [_Spans.of(rows, rows) for rows in spans]
    found = each(alone, spectra, turned, own, held, edges)
    for sector, (seen, baths, kept) in zip(setting.sectors, found, strict=True):
        for i, block in enumerate(sector.spans):
            joint = joint.at[:, *block].set(seen.real[i])
            flow = flow.at[:, *block].set(2.0 * seen.rate[i])
        energy, conserved = energy + baths, conserved + kept
    overlaps = {pair: setting.overlaps(*pair) for pair in setting.pairs}
    overlaps = {pair: blocks for pair, blocks in overlaps.items() if blocks}
    given = [
        (
            spectra[i],
            spectra[j],
            (turned[i], turned[j]),
            states[i, j],
            _Spans.of([b[2] for b in blocks], [b[3] for b in blocks]),
        )
        for (i, j), blocks in overlaps.items()
    ]
    found = each(between, *zip(*given, strict=True)) if given else []
    for blocks, seen in zip(overlaps.values(), found, strict=True):
        for (k, q, *_), both in zip(blocks, seen, strict=True):
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


_Phases = tuple[Array, Array]
"""Cosines and sines."""


class _Means(NamedTuple):
    """Of an observable at all times: real, imaginary part; half its rate of change where it is
    Hermitian.
    """

    real: Float[Array, "*n t"]
    imaginary: Float[Array, "*n t"]
    rate: Float[Array, "*n t"]


def _means(
    form: Inexact[Array, "n m"],
    left: _Phases,
    right: _Phases,
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


class _Spans(NamedTuple):
    """Rows and columns of blocks, and how many they have; `width`: 0, 1, ... to the most of all."""

    begins: Int[Array, "blocks 3"]
    width: Int[Array, " width"]

    @classmethod
    def of(cls, rows: Sequence[slice], columns: Sequence[slice]) -> Self:
        sizes = [span.stop - span.start for span in rows]
        begins = [[a.start, b.start, n] for a, b, n in zip(rows, columns, sizes, strict=True)]
        return cls(jnp.array(begins), jnp.arange(max(sizes)))


def _over_spans(
    follow: Callable[[Array], _Means],
    left: Inexact[Array, "n n"],
    right: Inexact[Array, "m m"],
    spans: _Spans,
) -> _Means:
    """`follow` of the operators that lead from each span of columns to its twin of rows."""
    begins, width = spans

    def one(span: Array) -> _Means:
        row, column, size = span
        begun = left.at[row + width].get(mode="clip")
        ended = right.at[column + width].get(mode="clip")
        return follow(begun.T @ jnp.where((width < size)[:, None], ended, 0.0))

    return jax.lax.map(one, begins)


def _from_amplitudes(stretch: Stretch, ts: Float[Array, " t"], spectra: list[Spectrum]) -> Values:
    """The same from amplitudes, time by time: slower, differentiable."""

    def once(time: Array) -> Values:
        return stretch.observe(stretch.at(time, spectra))

    return jax.lax.map(jax.checkpoint(once), ts)
