r"""Observables at many times from the phases of the eigenbasis: O(D^2) per time.

With $R = V^\dagger\rho V$ and $X = V^\dagger O V$ an expectation value is the quadratic form
$\sum_{ab} e^{-i(\lambda_a-\lambda_b)t} R_{ab} X_{ba}$ of the phases. Observables come one after the
other, each at all times: of a sector's D x D matrices one is there at a time, while caches hold it.
Sectors of one size go side by side.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, Int

from entropax._batching import vmap_by_shape
from entropax.equilibrium import expectation
from entropax.linalg import Spectrum, complex_matmul
from entropax.method.windows.propagation import Observables, Segment, density_matrix


@jax.custom_jvp
def observables_at(
    stretch: Segment, spectra: list[Spectrum], ts: Float[Array, " t"]
) -> Observables:
    """All observables at some times, from the eigenbasis (constants, `Segment.spectra`)."""
    setting, sectors, start = stretch.setting, stretch.setting.sectors, stretch.setting.start
    angles = [(ts - stretch.begin)[:, None] * values for values, _ in spectra]
    phases = [(jnp.cos(x), jnp.sin(x)) for x in angles]
    inside = [
        complex_matmul(vectors.conj().T, x)
        for (_, vectors), x in zip(spectra, stretch.amplitudes, strict=True)
    ]
    states = {
        (i, j): complex_matmul(start.weighted(i, j, inside[i]), inside[j].conj().T)
        for i, j in start.pairs
    }
    parts = vmap_by_shape(
        _of_a_sector,
        spectra,
        phases,
        [states[i, i] for i in range(len(sectors))],
        [
            jnp.stack(
                [energies[p] for energies, p in zip(setting.levels, sector.place, strict=True)]
            )
            for sector in sectors
        ],
        [_BlockSlices.of([*sector.spans.values()], [*sector.spans.values()]) for sector in sectors],
    )
    joint = jnp.zeros((ts.shape[0], *sectors[0].shape))
    flow, energy, conserved = joint, jnp.zeros((ts.shape[0], len(setting.levels))), jnp.zeros(())
    for sector, (filled, baths, kept) in zip(sectors, parts, strict=True):
        for i, block in enumerate(sector.spans):
            joint = joint.at[:, *block].set(filled.real[i])
            flow = flow.at[:, *block].set(2.0 * filled.rate[i])
        energy, conserved = energy + baths, conserved + kept

    overlaps = {pair: setting.overlaps(*pair) for pair in start.pairs}
    overlaps = {pair: blocks for pair, blocks in overlaps.items() if blocks}
    coherences = vmap_by_shape(
        _between_sectors,
        [(spectra[i], spectra[j]) for i, j in overlaps],
        [(phases[i], phases[j]) for i, j in overlaps],
        [states[pair] for pair in overlaps],
        [
            _BlockSlices.of([b[2] for b in blocks], [b[3] for b in blocks])
            for blocks in overlaps.values()
        ],
    )
    h = stretch.controls.matrix
    d = h.shape[0]
    coherence = jnp.zeros((ts.shape[0], d, d), jnp.complex128)
    for blocks, values in zip(overlaps.values(), coherences, strict=True):
        for (k, q, *_), both in zip(blocks, values, strict=True):
            coherence = coherence.at[:, k, q].add(both)
    system = jax.vmap(density_matrix)(joint, coherence)
    interaction = conserved - jax.vmap(expectation, (None, 0))(h, system) - jnp.sum(energy, axis=-1)
    return Observables(joint, flow, system, energy, interaction)


@observables_at.defjvp
def _from_eigenbasis_jvp(primals, tangents):
    stretch, spectra, ts = primals
    change, _, dts = tangents
    _, out = jax.jvp(lambda s, t: _from_amplitudes(s, t, spectra), (stretch, ts), (change, dts))
    return observables_at(stretch, spectra, ts), out


_Phases = tuple[Array, Array]
"""Cosines and sines."""


class _Means(NamedTuple):
    """An observable's mean at all times: real, imaginary part; half its rate of change where it is
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


def _of_a_sector(
    spectrum: Spectrum,
    phases: _Phases,
    state: Inexact[Array, "n n"],
    levels: Float[Array, "baths n"],
    blocks: "_BlockSlices",
) -> tuple[_Means, Float[Array, "t baths"], Float[Array, ""]]:
    """What is in each block; energy of each bath; the conserved energy of all."""
    values, vectors = spectrum

    def follow(operator: Array) -> _Means:
        return _means(state * operator, phases, phases, values)

    baths = [
        follow(complex_matmul(vectors.T * energies, vectors.conj())).real for energies in levels
    ]
    kept = values @ jnp.diagonal(state).real
    filled = _over_spans(follow, vectors, vectors.conj(), blocks)
    return filled, jnp.stack(baths, axis=-1), kept


def _between_sectors(
    spectra: tuple[Spectrum, Spectrum],
    phases: tuple[_Phases, _Phases],
    state: Inexact[Array, "n m"],
    blocks: "_BlockSlices",
) -> Complex[Array, "blocks t"]:
    """Coherences of the system between blocks of two sectors, or of one."""
    (values, left), (_, right) = spectra

    def follow(operator: Array) -> _Means:
        return _means(state * operator, *phases, values)

    means = _over_spans(follow, left, right.conj(), blocks)
    return jax.lax.complex(means.real, means.imaginary)


class _BlockSlices(NamedTuple):
    """Blocks, of which those of about one size go by one program: where they begin in rows and
    columns and how many they have, and 0, 1, ... to the most of them; `order`: back to the given.
    """

    groups: tuple[tuple[Int[Array, "_ 3"], Int[Array, " _"]], ...]
    order: Int[Array, " blocks"]

    @classmethod
    def of(cls, rows: Sequence[slice], columns: Sequence[slice]) -> Self:
        places: dict[int, list[int]] = {}  # by powers of two: padding costs a factor of two at most
        pairs = zip(rows, columns, strict=True)
        edges = np.array([(a.start, b.start, a.stop - a.start) for a, b in pairs])
        for number, size in enumerate(edges[:, 2]):
            places.setdefault(int(size - 1).bit_length(), []).append(number)
        groups = (edges[numbers] for numbers in places.values())
        order = np.argsort(np.concatenate([*places.values()]))
        return cls(
            tuple((jnp.array(numbers), jnp.arange(numbers[:, 2].max())) for numbers in groups),
            jnp.array(order),
        )


def _over_spans(
    follow: Callable[[Array], _Means],
    left: Inexact[Array, "n n"],
    right: Inexact[Array, "m m"],
    blocks: _BlockSlices,
) -> _Means:
    """`follow` of the operators that lead from each span of columns to its twin of rows."""

    def group(begins: Array, width: Array) -> _Means:
        def one(span: Array) -> _Means:
            row, column, size = span
            begun = left.at[row + width].get(mode="clip")
            ended = right.at[column + width].get(mode="clip")
            return follow(complex_matmul(begun.T, jnp.where((width < size)[:, None], ended, 0.0)))

        return jax.lax.map(one, begins)

    means = [group(*blocks_of_size) for blocks_of_size in blocks.groups]
    return jax.tree.map(lambda *x: jnp.concatenate(x)[blocks.order], *means)


def _from_amplitudes(
    stretch: Segment, ts: Float[Array, " t"], spectra: list[Spectrum]
) -> Observables:
    """The same from amplitudes, time by time: slower, differentiable."""

    def once(time: Array) -> Observables:
        return stretch.observe(stretch.at(time, spectra))

    return jax.lax.map(jax.checkpoint(once), ts)
