r"""The ledger of free fermions between finite baths (Usui, section II).

A state is measured first (`measure`: what one time needs, nothing of other times), and the
measurements of all times and of the start make the ledger (`settle`).
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from entropax._batching import vmap_by_shape
from entropax._checks import Faults
from entropax._precision import EPS
from entropax.entropy import binary_entropy, binary_relative_entropy
from entropax.equilibrium import Equilibrium, match, match_occupations, thermal
from entropax.ledger.base import Verdict, in_words, judge, measure, reference, settle
from entropax.linalg import arrowhead_eigenvalues, blocked_sum, masked_inverse, modes
from entropax.model import FermionNetwork, Junction
from entropax.state import AbstractFermionState

FermionModel = Junction | FermionNetwork

_NEGLIGIBLE = 1e-6
"""A first law that is off by this much of the energies that moved does not close."""

_ROUNDING = 1e-11
"""What rounding and long times may do to an energy, of what all modes together may hold."""


class EntropyTerms(eqx.Module):
    r"""What entropy production is made of (Usui Eqs. 8-11, 14, 23).

    `entropy_production` = `system_bath` + `inter_bath` + sum of `intra_bath` + `athermality`
    - `athermality_initial` - `correlation_initial`; and `entropy_production_fixed` exceeds it by
    `finite_bath`.
    """

    system_bath: Float[Array, " times"]
    """Mutual information $I_{S-B}$ of system and baths."""
    inter_bath: Float[Array, " times"]
    r"""Total correlation of the baths, $\sum_\nu S_\nu - S_B$ ($I_{L-R}$ for two)."""
    intra_bath: Float[Array, "times baths"]
    r"""Total correlation of a bath's modes, $\sum_k s(n_{\nu k}) - S_\nu$."""
    athermality: Float[Array, " times"]
    r"""$D^* = \sum_{\nu k} D[n_{\nu k} \| n^*_{\nu k}]$, modes against their effective state."""
    athermality_initial: Float[Array, ""]
    """The same at the start: zero for thermal baths."""
    correlation_initial: Float[Array, ""]
    """All correlations at the start: zero for product states."""
    finite_bath: Float[Array, " times"]
    r"""$\sum_{\nu k} D[\pi_{\nu k}(t) \| \pi_{\nu k}(0)]$: how far the effective states moved."""


class FermionLedger(eqx.Module):
    r"""Energies, entropies and entropy production, one entry a time and one column a bath.

    Signs and units: `docs/conventions.md`. Where an effective temperature is infinite or not
    unique (a zero-temperature start, an empty or filled bath, modes all at one energy or filled
    alike) `beta` is +-inf, NaN or 0, `mu` may be NaN, and everything else that has a limit is that
    limit; `determined` says where.
    """

    entropy_production: Float[Array, " times"]
    r"""$\Sigma$ with running temperatures (Usui Eq. 7)."""
    entropy_production_fixed: Float[Array, " times"]
    r"""$\sigma$ with the baths' initial temperatures (Usui Eq. 13); +inf from a zero one."""
    terms: EntropyTerms
    residual: Float[Array, " times"]
    r"""What is left of $\Sigma$ minus the sum of its terms."""
    beta: Float[Array, "times baths"]
    mu: Float[Array, "times baths"]
    energy: Float[Array, "times baths"]
    r"""$E_\nu$ of the baths."""
    particles: Float[Array, "times baths"]
    r"""$N_\nu$ of the baths."""
    heat: Float[Array, "times baths"]
    r"""$Q_\nu = -(\Delta E_\nu - \mu_\nu(0) \Delta N_\nu)$, out of the bath into the system."""
    work: Float[Array, " times"]
    r"""$\int \sum_i \dot u_i \langle\partial H/\partial u_i\rangle\,dt$ over all that is driven,
    jumps included; 0 where nothing is."""
    chemical_work: Float[Array, " times"]
    r"""$-\sum_\nu \mu_\nu(0) \Delta N_\nu$, done on the system by particles that enter it."""
    system_entropy: Float[Array, " times"]
    system_occupation: Float[Array, " times"]
    system_energy: Float[Array, " times"]
    interaction_energy: Float[Array, " times"]
    bath_entropy: Float[Array, "times baths"]
    r"""Von Neumann entropies $S_\nu$ of the baths."""
    thermal_entropy: Float[Array, "times baths"]
    r"""Entropies $S^*_\nu$ of their effective grand canonical states."""
    environment_entropy: Float[Array, " times"]
    """Von Neumann entropy of all baths together."""
    determined: Bool[Array, "times baths"]
    """Whether `beta` and `mu` are finite numbers."""

    @property
    def total_energy(self) -> Float[Array, " times"]:
        """Energy of everything: grows by `work`."""
        return self.system_energy + self.interaction_energy + jnp.sum(self.energy, axis=-1)

    @property
    def total_particles(self) -> Float[Array, " times"]:
        """Particles of everything: conserved."""
        return self.system_occupation + jnp.sum(self.particles, axis=-1)

    @property
    def distance_from_thermality(self) -> Float[Array, "times baths"]:
        r"""$D[\rho_\nu \| \pi_\nu] / S^*_\nu \in [0, 1]$ (Usui, Fig. 4, bottom row).

        0 where the effective state is pure to rounding, and the bath in it.
        """
        mixed = self.thermal_entropy > 1e-10
        distance = self.thermal_entropy - self.bath_entropy
        return distance * masked_inverse(self.thermal_entropy, mixed)


class Measurement(eqx.Module):
    """All that one state contributes to the ledger, baths along the last axis."""

    system_entropy: Array
    system_occupation: Array
    system_energy: Array
    interaction_energy: Array
    work: Array
    rounding: Array
    environment_entropy: Array
    bath_entropy: Array
    mode_entropy: Array
    energy: Array
    particles: Array
    beta: Array
    mu: Array
    thermal_entropy: Array
    athermality: Array
    moved: Array
    determined: Array
    converged: Array


class Reference(eqx.Module):
    """The start, as the ledger of later times needs it."""

    energies: tuple[Float[Array, " _"], ...]
    equilibria: tuple[Equilibrium, ...]
    start: Measurement
    joint_entropy: Float[Array, ""]
    size: Float[Array, ""]
    """What all that is conserved may add up to: what energies are rounded to."""


@reference.register
def _reference(initial: AbstractFermionState, model: FermionModel) -> Reference:
    """Measure the start: thermal baths keep their own temperatures, others get effective ones."""
    if isinstance(model, Junction):
        energies = tuple(lead.energies for lead in model.leads)
        size = sum(jnp.sum(jnp.abs(x.energies) + jnp.abs(x.couplings)) for x in model.leads)
        given = [lead.thermal for lead in model.leads]
    else:
        h = model.hamiltonian
        size = jnp.sqrt(h.shape[0]) * jnp.linalg.norm(h)
        parts = [jnp.array(bath) for bath in model.baths]
        energies = tuple(modes(h[p[:, None], p[None, :]])[0] for p in parts)
        given = [None] * len(parts)
        if model.beta is not None and model.mu is not None:
            given = list(zip(model.beta, model.mu, strict=True))
    own = initial.bath_energies(energies)
    given_n = list(map(_with_energy, initial.occupations, energies, own))

    def bath(
        energies: Array, n: Array, same: Array, energy: Array, given: tuple[Array, Array] | None
    ) -> tuple[Equilibrium, dict[str, Array]]:
        now = match_occupations(energies, same) if given is None else thermal(energies, *given)
        return now, _of_a_bath(n, same, energy, now, now.log_odds)

    found = vmap_by_shape(bath, energies, initial.occupations, given_n, own, given)
    equilibria = tuple(now for now, _ in found)
    start = _measure(initial, [measured for _, measured in found])
    return Reference(energies, equilibria, start, initial.joint_entropy(), jnp.asarray(size))


@measure.register
def _measure_state(reference: Reference, state: AbstractFermionState) -> Measurement:
    def bath(energies: Array, n: Array, energy: Array, odds_before: Array) -> dict[str, Array]:
        given = _with_energy(n, energies, energy)
        now = match_occupations(energies, given)
        return _of_a_bath(n, given, energy, now, odds_before)

    before = [equilibrium.log_odds for equilibrium in reference.equilibria]
    own = state.bath_energies(reference.energies)
    return _measure(state, vmap_by_shape(bath, reference.energies, state.occupations, own, before))


def _with_energy(
    n: Float[Array, " k"], energies: Float[Array, " k"], energy: Float[Array, ""]
) -> Float[Array, " k"]:
    """The same occupations, whose derivatives have those of `energy`, and of the number."""
    away = jax.lax.stop_gradient(energies - jnp.mean(energies))
    size = jnp.sum(away**2)
    # modes all of one energy, to rounding: nothing that they do moves it
    size = jnp.where(jnp.max(jnp.abs(away)) > 64 * EPS * jnp.max(jnp.abs(energies)), size, 0.0)
    missing = energy - energies @ n
    missing = missing - jax.lax.stop_gradient(missing)
    return n + away * jnp.where(size > 0, missing / jnp.where(size > 0, size, 1.0), 0.0)


def _measure(state: AbstractFermionState, baths: Sequence[dict[str, Array]]) -> Measurement:
    return Measurement(
        system_entropy=state.system_entropy(),
        system_occupation=jnp.trace(state.system).real,
        system_energy=state.system_energy,
        interaction_energy=state.interaction_energy,
        work=state.work,
        rounding=state.rounding,
        environment_entropy=state.environment_entropy(),
        bath_entropy=jnp.stack(state.bath_entropies()),
        **{name: jnp.stack([bath[name] for bath in baths]) for name in baths[0]},
    )


def _of_a_bath(
    n: Array, given: Array, energy: Array, now: Equilibrium, odds_before: Array
) -> dict[str, Array]:
    """What a `Measurement` holds of one bath with occupations n; `given`: those with its energy."""
    odds = jax.lax.stop_gradient(now.log_odds)
    beside = jnp.where(jnp.isfinite(odds), odds, 0.0) @ (given - n)
    return {
        "mode_entropy": jnp.sum(binary_entropy(n)),
        "energy": energy,
        "particles": blocked_sum(n),
        "beta": now.beta,
        "mu": now.mu,
        "thermal_entropy": now.entropy,
        "athermality": jnp.sum(binary_relative_entropy(n, now.log_odds)) + beside,
        "moved": jnp.sum(binary_relative_entropy(now.occupations, odds_before)),
        "determined": now.determined,
        "converged": now.converged,
    }


@settle.register
def _settle(reference: Reference, state: Measurement) -> FermionLedger:
    start = reference.start
    system_gain = state.system_entropy - start.system_entropy
    sigma = system_gain + jnp.sum(state.thermal_entropy - start.thermal_entropy, axis=-1)

    system_bath, inter_bath, intra_bath = _correlations(state, reference.joint_entropy)
    at_start = _correlations(start, reference.joint_entropy)
    terms = EntropyTerms(
        system_bath=system_bath,
        inter_bath=inter_bath,
        intra_bath=intra_bath,
        athermality=jnp.sum(state.athermality, axis=-1),
        athermality_initial=jnp.sum(start.athermality),
        correlation_initial=at_start[0] + at_start[1] + jnp.sum(at_start[2]),
        finite_bath=jnp.sum(state.moved, axis=-1),
    )
    grown = terms.athermality - terms.athermality_initial - terms.correlation_initial
    parts = system_bath + inter_bath + jnp.sum(intra_bath, axis=-1) + grown

    energy_gain, particle_gain = state.energy - start.energy, state.particles - start.particles
    # NaN without a chemical potential, put in last: a zero slope times NaN would spoil gradients
    level = jnp.isfinite(start.mu)
    exchanged = jnp.where(level, start.mu, 0.0) * particle_gain
    heat = jnp.where(level, exchanged - energy_gain, jnp.nan)
    chemical_work = jnp.where(jnp.all(level), -jnp.sum(exchanged, axis=-1), jnp.nan)
    known = start.determined
    clausius = jnp.sum(jnp.where(known, start.beta, 0.0) * jnp.where(known, heat, 0.0), axis=-1)
    fixed = jnp.where(jnp.all(known), system_gain - clausius, sigma + terms.finite_bath)
    return FermionLedger(
        entropy_production=sigma,
        entropy_production_fixed=fixed,
        terms=terms,
        residual=sigma - parts,
        beta=state.beta,
        mu=state.mu,
        energy=state.energy,
        particles=state.particles,
        heat=heat,
        work=state.work,
        chemical_work=chemical_work,
        system_entropy=state.system_entropy,
        system_occupation=state.system_occupation,
        system_energy=state.system_energy,
        interaction_energy=state.interaction_energy,
        bath_entropy=state.bath_entropy,
        thermal_entropy=state.thermal_entropy,
        environment_entropy=state.environment_entropy,
        determined=state.determined,
    )


def _correlations(state: Measurement, joint: Array) -> tuple[Array, Array, Array]:
    """I_{S-B}, the baths' total correlation and I_nu; `joint` is the conserved entropy of all."""
    return (
        state.system_entropy + state.environment_entropy - joint,
        jnp.sum(state.bath_entropy, axis=-1) - state.environment_entropy,
        state.mode_entropy - state.bath_entropy,
    )


@judge.register
def _judge(reference: Reference, state: Measurement, ledger: FermionLedger) -> Verdict:
    # not of entropies of blocks, which are finite with the state: a program that is asked for the
    # entropy production alone then solves no eigenproblem
    sound = jnp.all(jnp.isfinite(state.energy + state.particles), axis=-1)
    sound &= jnp.isfinite(state.system_entropy + state.interaction_energy)
    good, start = jnp.ones_like(sound), reference.start
    before = start.system_energy + start.interaction_energy + jnp.sum(start.energy)
    gap = ledger.total_energy - before - ledger.work
    # of what has moved, not of what lies in large baths; that decides rounding alone
    moved = jnp.sum(jnp.abs(ledger.energy - start.energy), axis=-1) + jnp.abs(ledger.work)
    moved += jnp.abs(ledger.system_energy) + jnp.abs(start.system_energy)
    rounding = _ROUNDING * reference.size
    closed = ~(jnp.abs(gap) > _NEGLIGIBLE * moved + rounding) & (state.rounding < _NEGLIGIBLE)
    return Verdict(
        good,
        sound,
        good,
        closed,
        jnp.all(state.converged & reference.start.converged, axis=-1),
        jnp.all(state.determined, axis=-1),
        Faults.none(),
    )


@in_words.register
def _in_words(ledger: FermionLedger, index: int) -> str:
    total, work = ledger.total_energy[index], ledger.work[index]
    return f"There `total_energy` is {float(total):.6g} and `work` {float(work):.6g}."


@eqx.filter_jit
def global_equilibrium(model: FermionModel) -> Equilibrium:
    r"""The grand canonical state of the whole h with the model's energy and number (Usui, App. B).

    h includes system and interaction; `.beta` and `.mu` are the values that all baths approach
    where the whole thermalises. Of a `FermionNetwork` it is differentiable, of a `Junction` not.
    """
    if not isinstance(model, Junction | FermionNetwork):
        found = type(model).__name__
        raise ValueError(f"`model` must be a Junction or a FermionNetwork, but is {found}.")
    if model.is_driven:
        raise ValueError("`model` must not be driven; ask for `model.before()`.")
    if isinstance(model, Junction):
        e, n = model.mode_energies, model.mode_occupations
        spectrum = arrowhead_eigenvalues(model.fixed_level, e, model.mode_couplings)
        return match(
            spectrum,
            model.fixed_level * model.occupation + blocked_sum(e * n),
            model.occupation + blocked_sum(n),
        )
    h, c = model.hamiltonian, model.initial_correlation
    return match(modes(h)[0], jnp.sum((h * c).real), jnp.trace(c).real)
