"""The Davies generator: weak coupling, with the secular step."""

import dataclasses

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax._checks import Faults, is_traced, refuse, whole
from entropax._crossovers import ALL_COHERENCES
from entropax._tolerances import ROUNDED, ROUNDED_ONCE
from entropax.method.ideal.dissipators import given_jumps, lamb_shift, secular_dissipators
from entropax.method.ideal.equation import (
    AbstractEquation,
    AbstractGlobalEquation,
    require_global,
)
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator, SecularGenerator
from entropax.method.ideal.master_equation import AbstractIdealBathEquation
from entropax.method.ideal.populations import populations_of
from entropax.method.ideal.rates import Transitions, faults_among, transitions
from entropax.method.sampling import certainly_apart, samples
from entropax.model.transition_frequencies import alike, total_spectrum
from entropax.model.views import IdealSystem, ideal_links, jumps

Pairs = tuple[tuple[int, int], ...]


class DaviesEquation(AbstractGlobalEquation):
    """Davies' generators. `pairs`: of eigenstates, whose elements of the state are followed; None:
    all are.
    """

    has_rate_equation = True

    lamb_shift: bool = eqx.field(static=True)
    pairs: Pairs | None = eqx.field(static=True)

    def is_secular(self, model: IdealSystem) -> bool:
        return not jumps(model)

    def make(self, model: IdealSystem, *, with_populations: bool) -> AbstractGenerator:
        spectrum = total_spectrum(model)
        energies, vectors = spectrum
        parts = transitions(model, spectrum, lamb_shift=self.lamb_shift)
        populations = populations_of(model, spectrum, parts) if with_populations else None
        if self.pairs is not None:
            energies, faults = _require_closed(parts, energies, self.pairs)
            closed = energies, vectors
            return SecularGenerator(
                parts, closed, self.pairs, populations, faults, baths=len(model.baths)
            )
        total = model.total_hamiltonian()
        shifted = total
        if self.lamb_shift:
            shift = lamb_shift(parts, energies)
            shifted = total + vectors @ shift @ vectors.conj().T
        return MatrixGenerator(
            hamiltonian=shifted,
            dissipators=(*secular_dissipators(parts, spectrum), *given_jumps(model)),
            heat_operator=total,
            boundary_operator=None,
            populations=populations,
            faults=faults_among(parts),
            baths=len(model.baths),
        )


class Davies(AbstractIdealBathEquation):
    r"""The Davies (global, secular) master equation (Textbook; Davies 1974).

    $$ D_\alpha(\rho) = \sum_\omega \gamma_\alpha(\omega) \big(A_\omega \rho A_\omega^\dagger
       - \tfrac12\{A_\omega^\dagger A_\omega, \rho\}\big), \qquad
       A_\omega = \sum_{\epsilon_j-\epsilon_i=\omega} |i\rangle\langle i|A|j\rangle\langle j| $$

    between eigenstates of $H_S(t)$, those of the moment where it is driven (slow driving:
    Albash et al. 2012). Frequencies that agree to rounding are one, so levels and transitions may
    be degenerate; nearly degenerate ones are what the secular step is wrong for (`audit` names
    them).

    **Arguments:**

    - `coherences`: follow coherences between all levels; None for: only where the start has some,
      or where the energies are traced (by `jit` or `grad`), so that nothing is known. False:
      populations alone, of levels no two of which have one energy.
    - `lamb_shift`: add $\sum_\omega S(\omega) A_\omega^\dagger A_\omega$ to the commutator alone,
      $S(\omega) = P\!\int d\nu\,\gamma(\nu)/(\omega-\nu)/2\pi$; for spectra with a cutoff.
    - `housekeeping`: find the steady state of the moment at every time, to part the entropy
      production; None for: up to 16 levels.
    - `solver`, `rtol`, `atol`, `max_steps`, `adjoint`: as in diffrax; a `solver` of None is
      the exponential of a generator that is constant (between jumps) and acts on up to 64 numbers,
      else Dopri8.

    Raises `ValueError` for rates that are negative, unbalanced or undefined.
    Cost: O(d^4) a step and bath with coherences; O(n^2) for n pairs of levels of one energy.
    """

    _: dataclasses.KW_ONLY
    coherences: bool | None = eqx.field(default=None, static=True)
    lamb_shift: bool = eqx.field(default=False, static=True)
    housekeeping: bool | None = eqx.field(default=None, static=True)
    solver: diffrax.AbstractSolver | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_steps: int = eqx.field(default=100_000, static=True, converter=whole)
    adjoint: diffrax.AbstractAdjoint = diffrax.RecursiveCheckpointAdjoint()

    def equation(self, model: IdealSystem, ts: Float[Array, " times"]) -> AbstractEquation:
        require_global("Davies", model, lamb_shift=self.lamb_shift)
        fixed = model.hamiltonian is None and model.interaction is None and not model.drives
        if self.coherences is False:
            if model.is_driven and not fixed:
                raise ValueError(
                    "`coherences` must be True or None where a drive mixes levels: with False "
                    "nothing but `energies` and strengths may be driven."
                )
            return self._of_populations(model)
        if jumps(model) or self.coherences:
            return self._of_all(model)
        if model.is_driven:
            start = model.start.system_state(model.before())
            alone = fixed and _is_diagonal(start)
            alone = alone and (_feeds_none(model) or certainly_apart(samples(model, ts)))
            return self._of_populations(model) if alone else self._of_all(model)
        pairs = _pairs_of(model)
        if pairs is not None and _inside(model, pairs):
            return DaviesEquation(self.lamb_shift, pairs)
        return self._of_all(model)

    def steady_equation(self, model: IdealSystem) -> AbstractEquation:
        require_global("Davies", model, lamb_shift=self.lamb_shift)
        if self.coherences is False:
            return self._of_populations(model)
        if jumps(model) or self.coherences:
            return self._of_all(model)
        pairs = _pairs_of(model)
        if pairs is None and model.levels > ALL_COHERENCES.here:
            return self._of_populations(model)
        return DaviesEquation(self.lamb_shift, pairs)

    def _of_populations(self, model: IdealSystem) -> AbstractEquation:
        if jumps(model):
            raise ValueError("`coherences` must be True or None for a model with a Jump.")
        return DaviesEquation(self.lamb_shift, tuple((k, k) for k in range(model.levels)))

    def _of_all(self, model: IdealSystem) -> AbstractEquation:
        if model.levels > ALL_COHERENCES.here:
            raise ValueError(
                f"`coherences` must be False above {ALL_COHERENCES.here} levels, or the start "
                f"diagonal in the energies and known before the program is compiled; levels are "
                f"{model.levels}."
            )
        return DaviesEquation(self.lamb_shift, None)


@jax.ensure_compile_time_eval()
def _feeds_none(model: IdealSystem) -> bool:
    """Whether no jump can make a coherence of populations, whatever the energies."""
    for link in ideal_links(model):
        if is_traced(link.coupling.operator):
            return False
        for channel in link.bath.channels(link.coupling.operator):
            present = (np.abs(np.asarray(channel.operator)) > 0).astype(float)
            if np.any(_off_diagonal(present @ present.T)) or np.any(
                _off_diagonal(present.T @ present)
            ):
                return False
    return True


def _off_diagonal(matrix: np.ndarray) -> np.ndarray:
    return matrix - np.diag(np.diagonal(matrix))


@jax.ensure_compile_time_eval()
def _pairs_of(model: IdealSystem) -> Pairs | None:
    """Pairs of eigenstates of one energy, ordered as in `total_spectrum`; None where unknown."""
    total = model.total_hamiltonian()
    if is_traced(total):
        return None
    energies = total_spectrum(model)[0]
    return tuple((int(i), int(j)) for i, j in np.argwhere(np.asarray(alike(energies))))


@jax.ensure_compile_time_eval()
def _inside(model: IdealSystem, pairs: Pairs) -> bool:
    """Whether the start has no elements outside the pairs, as far as known beforehand."""
    state = model.start.system_state(model)
    if is_traced(state):
        return False
    vectors = np.asarray(total_spectrum(model)[1])
    inside = vectors.conj().T @ np.asarray(state) @ vectors
    inside[tuple(np.array(pairs).T)] = 0.0
    return bool(np.all(np.abs(inside) < ROUNDED_ONCE))


def _is_diagonal(state: Array) -> bool:
    if is_traced(state):
        return False
    return not np.any(_off_diagonal(np.asarray(state)))


def _require_closed(
    parts: list[Transitions], energies: Float[Array, " d"], pairs: Pairs
) -> tuple[Float[Array, " d"], Faults]:
    """Jumps between the pairs must not feed coherences, within a level, that are not among them."""
    followed = np.zeros((energies.shape[0],) * 2, bool)
    followed[tuple(np.array(pairs).T)] = True
    fed = jnp.zeros(followed.shape)
    for part in parts:
        size = jnp.where(part.rate > 0, jnp.abs(part.operator), 0.0)
        fed = fed + size @ size.T + size.T @ size
    small = ROUNDED * jnp.max(fed)
    message = "`coherences` must be True or None where jumps reach several levels of one energy."
    return refuse(energies, jnp.any(alike(energies) & ~followed & (fed > small)), message)
