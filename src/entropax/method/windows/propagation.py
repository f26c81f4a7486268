r"""Exact states as amplitudes: $\rho(t) = X(t)\,C\,X(t)^\dagger$, $X(t) = U(t)X(0)$."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from entropax._batching import vmap_by_shape
from entropax.entropy import marginal
from entropax.equilibrium import expectation
from entropax.linalg import Exponential, Spectrum, eigh, matfn_times
from entropax.method.windows.hamiltonian import Controls, WindowHamiltonian


class Observables(NamedTuple):
    """What is observed at each time. `flow`: the rate of change of `joint`."""

    joint: Float[Array, "..."]
    flow: Float[Array, "..."]
    system: Complex[Array, "*t d d"]
    energy: Float[Array, "*t baths"]
    interaction: Float[Array, "*t"]


class Segment(eqx.Module):
    """A stretch of time in which nothing changes.

    `amplitudes`: X of each sector at time `begin`; `work`: done on the system until then.
    """

    setting: WindowHamiltonian
    controls: Controls
    amplitudes: tuple[Inexact[Array, "_ columns"], ...]
    begin: Float[Array, ""]
    work: Float[Array, ""]

    @property
    def hamiltonians(self) -> tuple[Inexact[Array, "_ _"], ...]:
        """H of each sector."""
        return self.setting.under(self.controls)

    def spectra(self) -> list[Spectrum]:
        """Eigenvalues and eigenvectors of the Hamiltonians, as constants."""
        return vmap_by_shape(eigh, self.hamiltonians)

    def at(self, time: Array, spectra: list[Spectrum]) -> tuple[Array, ...]:
        """X of each sector at a later time."""
        return self.evolved(time - self.begin, self.amplitudes, spectra)

    def evolved(
        self, duration: Array, amplitudes: tuple[Array, ...], spectra: list[Spectrum]
    ) -> tuple[Array, ...]:
        r"""$e^{-iH\tau}X$ of each sector."""
        return turned(duration, self.hamiltonians, amplitudes, spectra)

    def observe(self, amplitudes: tuple[Array, ...]) -> Observables:
        """All that is asked for of one state."""
        setting, sectors, start = self.setting, self.setting.sectors, self.setting.start
        d, hamiltonians = self.controls.system.shape[0], self.hamiltonians
        joint = jnp.zeros(sectors[0].shape)
        flow, coherence = joint, jnp.zeros((d, d), jnp.complex128)
        energy, total = jnp.zeros(len(setting.levels)), jnp.zeros(())
        for one, other in start.pairs:
            left, right = amplitudes[one], amplitudes[other]
            weighted = start.weighted(one, other, left)
            for k, q, rows, columns in setting.overlaps(one, other):
                overlap = jnp.sum(weighted[rows] * right[columns].conj())
                coherence = coherence.at[k, q].add(overlap)
            if one != other:
                continue
            sector, h = sectors[one], hamiltonians[one]
            populations = jnp.sum((weighted * left.conj()).real, axis=1)
            moved = jnp.sum((h @ weighted) * left.conj(), axis=1)  # the diagonal of H rho
            for block, span in sector.spans.items():
                joint = joint.at[block].set(jnp.sum(populations[span]))
                flow = flow.at[block].set(2.0 * jnp.sum(moved[span].imag))
            for number, levels in enumerate(setting.levels):
                energy = energy.at[number].add(populations @ levels[sector.place[number]])
            total = total + jnp.sum(moved.real)
        system = density_matrix(joint, coherence)
        interaction = total - expectation(self.controls.matrix, system) - jnp.sum(energy)
        return Observables(joint, flow, system, energy, interaction)

    def jump(self, time: Array, controls: Controls, amplitudes: tuple[Array, ...]) -> "Segment":
        """The next stretch, under other controls from `time` on; the jump does work."""
        change = controls - self.controls
        work = self.work + expectation(change.matrix, self.observe(amplitudes).system)
        work = work + change.strengths @ self.couplings(amplitudes)
        return Segment(self.setting, controls, amplitudes, time, work)

    def couplings(self, amplitudes: tuple[Array, ...]) -> Float[Array, " switched"]:
        r"""$\langle S_c\otimes B_c\rangle$ of each coupling that is driven."""
        total = jnp.zeros(self.controls.strengths.shape[0])
        for number, (x, terms) in enumerate(zip(amplitudes, self.setting.switched, strict=True)):
            if terms:
                weighted = self.setting.start.weighted(number, number, x)
                means = [jnp.sum((term @ weighted) * x.conj()).real for term in terms]
                total = total + jnp.stack(means)
        return total

    def kets(self, amplitudes: tuple[Array, ...]) -> tuple[Array, Array]:
        """X and X C of all sectors together, shape (d, levels of each bath, columns)."""
        setting, sectors = self.setting, self.setting.sectors
        shape = (self.controls.system.shape[0], *(len(levels) for levels in setting.levels))
        ends = np.cumsum([0, *(x.shape[1] for x in amplitudes)])
        ket = jnp.zeros((*shape, int(ends[-1])), jnp.complex128)
        weighted = ket
        for i, (sector, x) in enumerate(zip(sectors, amplitudes, strict=True)):
            rows = (sector.level, *sector.place)
            ket = ket.at[(*rows, slice(ends[i], ends[i + 1]))].set(x)
        for i, j in setting.start.pairs:
            rows = (sectors[i].level, *sectors[i].place)
            part = setting.start.weighted(i, j, amplitudes[i])
            weighted = weighted.at[(*rows, slice(ends[j], ends[j + 1]))].set(part)
        return ket, weighted


def turned(
    duration: Array,
    hamiltonians: tuple[Array, ...],
    amplitudes: tuple[Array, ...],
    spectra: list[Spectrum],
) -> tuple[Array, ...]:
    r"""$e^{-iH\tau}X$ of each sector, of which the spectrum is known."""
    flow = Exponential(-1j * duration)

    def one(h: Array, x: Array, spectrum: Spectrum) -> Array:
        return matfn_times(flow, h, x, spectrum=spectrum)

    return tuple(vmap_by_shape(one, hamiltonians, amplitudes, spectra))


def begin(setting: WindowHamiltonian, controls: Controls) -> Segment:
    """The start, under constant controls from time 0 on."""
    amplitudes = [setting.start.columns(number) for number in range(len(setting.sectors))]
    return Segment(setting, controls, tuple(amplitudes), jnp.zeros(()), jnp.zeros(()))


def density_matrix(joint: Array, coherence: Array) -> Array:
    """The system's, from populations and what is above its diagonal."""
    return coherence + coherence.conj().T + jnp.diag(marginal(joint, 0))
