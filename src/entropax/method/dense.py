"""Exact dynamics of any network of free fermions, by dense matrices."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax.linalg import Exponential, eigh, matfn, modes
from entropax.method.states import DenseState
from entropax.model import FermionNetwork


def dense_states(
    network: FermionNetwork,
) -> tuple[DenseState, Callable[[Float[Array, ""]], DenseState]]:
    r"""The initial state, and the state at any time: $C(t) = U^* C(0)\, U^T$, $U = e^{-iht}$.

    Cost: one eigenproblem of h, then O(sites^3) a time. Differentiable twice in h, the start and
    time, at degenerate spectra too.
    """
    h = network.hamiltonian
    spectrum = eigh(h)
    initial = network.initial_correlation
    parts = [jnp.array(sites) for sites in (network.system, *network.baths)]
    # a bath's eigenmodes, once for all times
    vectors = [modes(h[bath[:, None], bath[None, :]])[1] for bath in parts[1:]]

    def view(correlation: Inexact[Array, "sites sites"]) -> DenseState:
        def block(sites: Array) -> Array:
            return correlation[sites[:, None], sites[None, :]]

        # <c_i^dag c_j> h_ij, so energies are sums of elementwise products
        flow = (h * correlation).real
        own = [jnp.sum(flow[sites[:, None], sites[None, :]]) for sites in parts]
        # mode k of a bath: sum_ij v_ik^* C*_ij v_jk, as C is the transpose of <c_j^dag c_i>
        occupations = tuple(
            jnp.sum(v * (block(bath) @ v.conj()), axis=0).real
            for bath, v in zip(parts[1:], vectors, strict=True)
        )
        return DenseState(
            system=block(parts[0]),
            occupations=occupations,
            system_energy=own[0],
            interaction_energy=jnp.sum(flow) - sum(own),
            correlation=correlation,
            baths=network.baths,
        )

    def at(time: Float[Array, ""]) -> DenseState:
        u = matfn(Exponential(-1j * time), h, spectrum=spectrum)
        return view(u.conj() @ initial @ u.T)

    return view(initial), at
