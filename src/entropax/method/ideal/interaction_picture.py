r"""The rotating picture in which density matrices are integrated, and generators made matrices.

Phases of a Hamiltonian that is constant are taken out of the state, so that steps follow what
baths do, not what energies do. They are constants: no derivative goes through them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from entropax.equilibrium import expectation
from entropax.linalg import Spectrum, from_real, held_spectrum, to_real
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator
from entropax.model import Drive


class Flow(NamedTuple):
    """Rates of change: of a state's form, of the energy and particles that each bath has given,
    and of the work done.
    """

    y: Float[Array, "..."]
    energy: Float[Array, " baths"]
    particles: Float[Array, " baths"]
    work: Float[Array, ""]


def flow_of(
    generator: AbstractGenerator, y: Array, slope: Inexact[Array, "d d"] | None = None
) -> Flow:
    """The rates of a form y under a generator; `slope`: dH/dt, None where there is none."""
    dissipated = generator.dissipated(y)
    power = generator.boundary_power(dissipated)
    if slope is not None:
        power = power + expectation(slope, generator.unpack(y))
    return Flow(
        generator.coherent(y) + jnp.sum(dissipated, axis=0),
        generator.energy_given(dissipated),
        generator.particles_taken(y),
        power,
    )


class Picture(eqx.Module):
    """Forms of states, with the phases of a Hamiltonian turned back where there is one.

    `spectrum` of that Hamiltonian; None: forms in the basis in which the system is given.
    """

    spectrum: Spectrum | None

    @classmethod
    def of(cls, hamiltonian: Inexact[Array, "d d"]) -> "Picture":
        return cls(held_spectrum(hamiltonian))

    def turned(self, z: Float[Array, "d d"], since: Float[Array, ""]) -> Float[Array, "d d"]:
        """The form of a state, taken out of the interaction picture after the time `since`; a
        negative time takes it back in.
        """
        if self.spectrum is None:
            return z
        # Re + Im of A_ij exp(-iwt) is cos(wt) X_ij - sin(wt) X_ji
        energies = self.spectrum[0]
        angle = (energies[:, None] - energies[None, :]) * since
        return jnp.cos(angle) * z - jnp.sin(angle) * z.T

    def to_given(self, z: Float[Array, "d d"]) -> Complex[Array, "d d"]:
        """The matrix in the basis in which the system is given."""
        if self.spectrum is None:
            return from_real(z)
        vectors = self.spectrum[1]
        return vectors @ from_real(z) @ vectors.conj().T

    def from_given(self, state: Inexact[Array, "d d"]) -> Float[Array, "d d"]:
        """The form of a matrix in that basis."""
        if self.spectrum is None:
            return to_real(state)
        vectors = self.spectrum[1]
        return to_real(vectors.conj().T @ state @ vectors)

    def without(self, generator: AbstractGenerator) -> MatrixGenerator:
        """The generator without the Hamiltonian that the picture takes out."""
        assert isinstance(generator, MatrixGenerator), "others have no phases"
        if self.spectrum is None:
            return generator
        energies, vectors = self.spectrum
        taken = (vectors * energies[None, :]) @ vectors.conj().T
        return eqx.tree_at(lambda g: g.hamiltonian, generator, generator.hamiltonian - taken)


class RateMatrices(NamedTuple):
    """Rates of change by the numbers of a form: its own, and those of what it hands over (energy
    and particles of each bath, work).
    """

    change: Float[Array, "n n"]
    flows: Float[Array, "flows n"]


def rate_matrices(
    generator: AbstractGenerator,
    slope: Inexact[Array, "d d"] | None,
    picture: Picture | None = None,
) -> RateMatrices:
    """The rates of forms in a picture, where one is given; else of the generator's own."""

    def one(unit: Array) -> tuple[Array, Array]:
        inside = unit if picture is None else generator.pack(picture.to_given(unit))
        flow = flow_of(generator, inside, slope)
        change = flow.y if picture is None else picture.from_given(generator.unpack(flow.y))
        return change.ravel(), jnp.concatenate([flow.energy, flow.particles, flow.work[None]])

    shape = generator.trace().shape
    change, flows = jax.vmap(one)(jnp.eye(generator.size).reshape(-1, *shape))
    return RateMatrices(change.T, flows.T)


Field = Callable[[Array, Flow, None], Flow]


def action_field(
    picture: Picture,
    follow: Callable[[Array], AbstractGenerator],
    slope: Callable[[Array], Inexact[Array, "d d"] | None],
    begin: Float[Array, ""],
) -> Field:
    """The rates of what is integrated, by what generators do to matrices."""

    def field(time: Array, integrated: Flow, args: None) -> Flow:
        del args
        since = time - begin
        generator = picture.without(follow(time))
        state = picture.to_given(picture.turned(integrated.y, since))
        flow = flow_of(generator, generator.pack(state), slope(time))
        change = picture.from_given(generator.unpack(flow.y))
        return flow._replace(y=picture.turned(change, -since))

    return field


def linear_field(
    picture: Picture,
    generators: Sequence[tuple[MatrixGenerator, Inexact[Array, "d d"] | None]],
    drives: Sequence[Drive],
    stretch: tuple[Array, Array],
) -> Field:
    r"""The same by a matrix over the numbers of a state, and a commutator for each drive.

    `generators`: with no drive, then with each of the `drives` alone at strength 1; beside each,
    dH/dt at that strength, of a rotating frame, or None. Flows of energy are linear in the
    strengths, as the energy is.
    """
    size = generators[0][0].hamiltonian.shape[0]

    def rows(generator: MatrixGenerator, slope: Inexact[Array, "d d"] | None) -> RateMatrices:
        return rate_matrices(picture.without(generator), slope, picture)

    change, first = rows(*generators[0])
    table = jnp.stack([first, *(rows(*g)[1] - first for g in generators[1:])])
    means = [picture.from_given(drive.operator).ravel() for drive in drives]
    powers = jnp.stack(means) if means else jnp.zeros((0, size * size))
    everything = jnp.concatenate([change, table.reshape(-1, size * size), powers])
    ends = np.cumsum([size * size, table.shape[0] * table.shape[1]])
    baths = generators[0][0].baths

    def field(time: Array, integrated: Flow, args: None) -> Flow:
        del args
        since = time - stretch[0]
        z = picture.turned(integrated.y, since)
        change, flows, means = jnp.split(everything @ z.ravel(), ends)
        change = change.reshape(size, size)
        strengths = [drive.protocol.within(time, stretch) for drive in drives]
        total = jnp.stack([jnp.ones(()), *strengths]) @ flows.reshape(table.shape[:2])
        energy, particles, work = jnp.split(total, [baths, 2 * baths])
        work = work[0]
        for drive, strength, driven in zip(drives, strengths, means, strict=True):
            change = change + strength * commutator_form(drive.operator, z)
            work = work + drive.protocol.slope(time, stretch) * driven
        return Flow(picture.turned(change, -since), energy, particles, work)

    return field


def commutator_form(operator: Inexact[Array, "d d"], z: Float[Array, "d d"]) -> Array:
    r"""The form of $-i[V, \rho]$: with V = A + iB it is $X^T A - A X^T + B X - X B$."""
    even, odd = operator.real, jnp.imag(operator)
    form = z.T @ even - even @ z.T
    return form + odd @ z - z @ odd if jnp.iscomplexobj(operator) else form
