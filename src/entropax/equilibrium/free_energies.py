"""Gibbs states, free energies and ergotropy: what a state is worth beside one bath."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Inexact

from entropax.entropy import von_neumann
from entropax.linalg import Exponential, eigenvalues, matfn, modes


def gibbs_state(
    hamiltonian: Inexact[Array, "d d"], beta: Float[Array, ""]
) -> Inexact[Array, "d d"]:
    r"""$e^{-\beta H}/Z$ for finite beta; derivatives are exact at degenerate energies too."""
    energies = eigenvalues(hamiltonian)
    shift = jnp.where(beta > 0, energies[0], energies[-1])  # no weight overflows
    weight = matfn(Exponential(-beta), hamiltonian - shift * jnp.eye(hamiltonian.shape[0]))
    return weight / jnp.trace(weight).real


def free_energy(
    state: Inexact[Array, "d d"], hamiltonian: Inexact[Array, "d d"], beta: Float[Array, ""]
) -> Float[Array, ""]:
    r"""$F = \mathrm{tr}\rho H - S[\rho]/\beta$, for a temperature that need not be the state's.

    $S(\rho\|\rho_\beta) = \beta\,(F(\rho) - F(\rho_\beta))$ with $\rho_\beta = e^{-\beta H}/Z$.
    """
    return expectation(hamiltonian, state) - per_beta(von_neumann(state), beta)


def equilibrium_free_energy(
    energies: Float[Array, " d"], beta: Float[Array, ""]
) -> Float[Array, ""]:
    r"""$-\ln(\mathrm{tr}\,e^{-\beta H}/d)/\beta$ of levels: its differences are those of F.

    At beta = 0 their mean, at +-infinity the lowest or highest.
    """
    middle = jnp.mean(energies)
    spread = jnp.max(energies) - jnp.min(energies)
    is_flat = jnp.abs(beta) * spread < 1.0
    is_limit = ~jnp.isfinite(beta) | (beta == 0)
    by = jnp.where(is_limit, 1.0, beta)
    x = -by * (energies - middle)
    # of small x the logarithm of a mean near 1, of large x one that does not overflow
    flat = jnp.log1p(jnp.mean(jnp.expm1(jnp.where(is_flat, x, 0.0))))
    steep = jax.nn.logsumexp(x) - jnp.log(energies.shape[0])
    value = middle - jnp.where(is_flat, flat, steep) / by
    edge = jnp.where(beta > 0, jnp.min(energies), jnp.max(energies))
    return jnp.where(is_limit, jnp.where(beta == 0, middle, edge), value)


def per_beta(entropy: Float[Array, "..."], beta: Float[Array, "..."]) -> Float[Array, "..."]:
    """S/beta, elementwise; 0 where S is 0 at infinite temperature too."""
    open_ended = (entropy == 0) & (beta == 0)
    return entropy / jnp.where(open_ended, 1.0, beta)


def over_temperature(
    beta: Float[Array, "..."], energy: Float[Array, "*shape"], rounding: ArrayLike
) -> Float[Array, "*shape"]:
    """beta E elementwise; at zero temperature 0 where at most `rounding` flows, else infinite."""
    cold = jnp.isinf(beta)
    still = jnp.abs(energy) <= rounding
    frozen = jnp.where(still, 0.0, beta * jnp.sign(energy))
    return jnp.where(cold, frozen, jnp.where(cold, 0.0, beta) * energy)


def ergotropy(state: Inexact[Array, "d d"], hamiltonian: Inexact[Array, "d d"]) -> Float[Array, ""]:
    r"""The most work that unitaries can draw from a state (Allahverdyan et al. 2004).

    $\mathrm{tr}\rho H - \sum_k r_k \epsilon_k$ with populations r descending and energies
    ascending: $\rho$ less its passive state. Where eigenvalues meet, a derivative is that of the
    eigenvectors found there, one of several.
    """
    populations, energies = modes(state)[0], modes(hamiltonian)[0]
    return expectation(hamiltonian, state) - populations[::-1] @ energies


def expectation(operator: Inexact[Array, "d d"], state: Inexact[Array, "d d"]) -> Float[Array, ""]:
    r"""$\mathrm{Re}\,\mathrm{tr}\,A\rho$."""
    return jnp.sum(operator * state.T).real
