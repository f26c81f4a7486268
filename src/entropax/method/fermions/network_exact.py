"""Exact dynamics of any network of free fermions, by dense matrices."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from entropax.linalg import Exponential, held_spectrum, matfn, modes
from entropax.model import FermionNetwork
from entropax.state import DenseState


class DenseView(eqx.Module):
    """What a correlation matrix is to the ledger; `vectors`: eigenmodes of each bath."""

    vectors: tuple[Inexact[Array, "_ _"], ...]

    def __init__(self, network: FermionNetwork):
        blocks = [_block(network.hamiltonian, bath) for bath in network.baths]
        self.vectors = tuple(modes(block)[1] for block in blocks)

    def initial(self, network: FermionNetwork) -> DenseState:
        """The start."""
        unit = jnp.eye(network.sites) + 0j
        return self.state(network, network.initial_correlation, unit, jnp.zeros(()))

    def state(
        self,
        network: FermionNetwork,
        correlation: Inexact[Array, "sites sites"],
        propagator: Complex[Array, "sites sites"],
        work: Float[Array, ""],
    ) -> DenseState:
        """`network`: undriven, that of the moment."""
        # <c_i^dag c_j> h_ij, so energies are sums of elementwise products
        flow = (network.hamiltonian * correlation).real
        energies = [jnp.sum(_block(flow, part)) for part in (network.system, *network.baths)]
        # mode k of a bath: sum_ij v_ik^* C*_ij v_jk, as C is the transpose of <c_j^dag c_i>
        occupations = tuple(
            jnp.sum(v * (_block(correlation, bath) @ v.conj()), axis=0).real
            for bath, v in zip(network.baths, self.vectors, strict=True)
        )
        return DenseState(
            system=_block(correlation, network.system),
            occupations=occupations,
            system_energy=energies[0],
            interaction_energy=jnp.sum(flow) - sum(energies),
            work=work,
            propagator=propagator,
            correlation=correlation,
            traces=tuple(energies[1:]),
            baths=network.baths,
        )


def _block(matrix: Inexact[Array, "sites sites"], sites: tuple[int, ...]) -> Array:
    index = jnp.array(sites)
    return matrix[index[:, None], index[None, :]]


class DenseEvolution(eqx.Module):
    r"""Exact states of any network: $C(t) = U^* C(0)\, U^T$, $U = e^{-iht}$.

    Cost: one eigenproblem of h, then O(sites^3) a time. Differentiable twice in h, the start and
    time, at degenerate spectra too.
    """

    def initial(self, network: FermionNetwork) -> DenseState:
        """The start."""
        return DenseView(network).initial(network)

    def states(
        self, network: FermionNetwork, horizon: Float[Array, ""] | float = 1.0
    ) -> Callable[[Float[Array, ""]], DenseState]:
        """The state at any time."""
        del horizon
        h, start, view = network.hamiltonian, network.initial_correlation, DenseView(network)
        spectrum, zero = held_spectrum(h), jnp.zeros(())

        def state_at(time: Float[Array, ""]) -> DenseState:
            u = matfn(Exponential(-1j * time), h, spectrum=spectrum)
            return view.state(network, u.conj() @ start @ u.T, u, zero)

        return state_at
