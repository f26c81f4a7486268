"""The account of free fermions between finite baths (Usui, section II)."""

from collections.abc import Sequence
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._batching import vmap_by_shape
from entropax._checks import Faults
from entropax._precision import EPS
from entropax._tolerances import VERDICT
from entropax.entropy import binary_entropy, binary_relative_entropy
from entropax.equilibrium import Equilibrium, match, match_occupations, thermal
from entropax.ledger.base import AbstractAccount, Verdict
from entropax.ledger.fermions.quantities import EntropyTerms, FermionLedger
from entropax.linalg import arrowhead_eigenvalues, blocked_sum, modes
from entropax.model import FermionNetwork, Junction
from entropax.state import AbstractFermionState

FermionModel = Junction | FermionNetwork

_ROUNDING = 1e-11
"""What rounding and long times may do to an energy, of what all modes together may hold."""


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
    finite_bath: Array
    determined: Array
    converged: Array


class FermionAccount(AbstractAccount[AbstractFermionState, Measurement, FermionLedger]):
    """The modes of each bath, its first effective state, and the measured start."""

    energies: tuple[Float[Array, " _"], ...]
    equilibria: tuple[Equilibrium, ...]
    start: Measurement
    joint_entropy: Float[Array, ""]
    size: Float[Array, ""]
    """What all that is conserved may add up to: what energies are rounded to."""

    @classmethod
    def open(cls, initial: AbstractFermionState, model: FermionModel) -> Self:
        """Thermal baths keep their own temperatures, others get effective ones."""
        energies = model.bath_mode_energies
        means = initial.bath_energies(energies)
        occupations = list(map(_with_energy, initial.occupations, energies, means))

        def bath(
            energies: Array,
            n: Array,
            same: Array,
            energy: Array,
            temperature: tuple[Array, Array] | None,
        ) -> tuple[Equilibrium, dict[str, Array]]:
            if temperature is None:
                effective = match_occupations(energies, same)
            else:
                effective = thermal(energies, *temperature)
            return effective, _of_a_bath(n, same, energy, effective, effective.log_odds)

        baths = vmap_by_shape(
            bath, energies, initial.occupations, occupations, means, model.bath_temperatures
        )
        equilibria = tuple(effective for effective, _ in baths)
        start = _measurement(initial, [measured for _, measured in baths])
        return cls(energies, equilibria, start, initial.joint_entropy(), model.energy_bound)

    def measure(self, state: AbstractFermionState) -> Measurement:
        def bath(energies: Array, n: Array, energy: Array, odds_before: Array) -> dict[str, Array]:
            same = _with_energy(n, energies, energy)
            effective = match_occupations(energies, same)
            return _of_a_bath(n, same, energy, effective, odds_before)

        before = [equilibrium.log_odds for equilibrium in self.equilibria]
        means = state.bath_energies(self.energies)
        return _measurement(
            state, vmap_by_shape(bath, self.energies, state.occupations, means, before)
        )

    def settle(self, measured: Measurement) -> FermionLedger:
        start, state = self.start, measured
        system_gain = state.system_entropy - start.system_entropy
        sigma = system_gain + jnp.sum(state.thermal_entropy - start.thermal_entropy, axis=-1)

        system_bath, inter_bath, intra_bath = _correlations(state, self.joint_entropy)
        at_start = _correlations(start, self.joint_entropy)
        terms = EntropyTerms(
            system_bath=system_bath,
            inter_bath=inter_bath,
            intra_bath=intra_bath,
            athermality=jnp.sum(state.athermality, axis=-1),
            athermality_initial=jnp.sum(start.athermality),
            correlation_initial=at_start[0] + at_start[1] + jnp.sum(at_start[2]),
            finite_bath=jnp.sum(state.finite_bath, axis=-1),
        )
        grown = terms.athermality - terms.athermality_initial - terms.correlation_initial
        parts = system_bath + inter_bath + jnp.sum(intra_bath, axis=-1) + grown

        energy_gain, particle_gain = state.energy - start.energy, state.particles - start.particles
        # NaN without a chemical potential, put in last: zero slope times NaN would spoil gradients
        has_mu = jnp.isfinite(start.mu)
        exchanged = jnp.where(has_mu, start.mu, 0.0) * particle_gain
        heat = jnp.where(has_mu, exchanged - energy_gain, jnp.nan)
        chemical_work = jnp.where(jnp.all(has_mu), -jnp.sum(exchanged, axis=-1), jnp.nan)
        is_thermal = start.determined
        beta, carried = (jnp.where(is_thermal, x, 0.0) for x in (start.beta, heat))
        clausius = jnp.sum(beta * carried, axis=-1)
        fixed = jnp.where(jnp.all(is_thermal), system_gain - clausius, sigma + terms.finite_bath)
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

    def judge(self, measured: Measurement, ledger: FermionLedger) -> Verdict:
        # not of entropies of blocks, which are finite with the state: a program that is asked for
        # the entropy production alone then solves no eigenproblem
        state, start = measured, self.start
        sound = jnp.all(jnp.isfinite(state.energy + state.particles), axis=-1)
        sound &= jnp.isfinite(state.system_entropy + state.interaction_energy)
        good = jnp.ones_like(sound)
        before = start.system_energy + start.interaction_energy + jnp.sum(start.energy)
        gap = ledger.total_energy - before - ledger.work
        # of what has moved, not of what lies in large baths; that decides rounding alone
        moved = jnp.sum(jnp.abs(ledger.energy - start.energy), axis=-1) + jnp.abs(ledger.work)
        moved += jnp.abs(ledger.system_energy) + jnp.abs(start.system_energy)
        rounding = _ROUNDING * self.size
        closed = ~(jnp.abs(gap) > VERDICT * moved + rounding) & (state.rounding < VERDICT)
        return Verdict(
            good,
            sound,
            good,
            closed,
            jnp.all(state.converged & start.converged, axis=-1),
            jnp.all(state.determined, axis=-1),
            Faults.none(),
        )


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


def _measurement(state: AbstractFermionState, baths: Sequence[dict[str, Array]]) -> Measurement:
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
    n: Array, same: Array, energy: Array, effective: Equilibrium, odds_before: Array
) -> dict[str, Array]:
    """What a `Measurement` holds of one bath with occupations n; `same`: n, with the slopes of its
    energy; `effective`: its grand canonical state.
    """
    odds = jax.lax.stop_gradient(effective.log_odds)
    beside = jnp.where(jnp.isfinite(odds), odds, 0.0) @ (same - n)
    return {
        "mode_entropy": jnp.sum(binary_entropy(n)),
        "energy": energy,
        "particles": blocked_sum(n),
        "beta": effective.beta,
        "mu": effective.mu,
        "thermal_entropy": effective.entropy,
        "athermality": jnp.sum(binary_relative_entropy(n, effective.log_odds)) + beside,
        "finite_bath": jnp.sum(binary_relative_entropy(effective.occupations, odds_before)),
        "determined": effective.determined,
        "converged": effective.converged,
    }


def _correlations(state: Measurement, joint: Array) -> tuple[Array, Array, Array]:
    """I_{S-B}, the baths' total correlation and I_nu; `joint` is the conserved entropy of all."""
    return (
        state.system_entropy + state.environment_entropy - joint,
        jnp.sum(state.bath_entropy, axis=-1) - state.environment_entropy,
        state.mode_entropy - state.bath_entropy,
    )


@eqx.filter_jit
def global_equilibrium(model: FermionModel) -> Equilibrium:
    r"""The grand canonical state of the whole h with the model's energy and number (Usui, App. B).

    h includes system and interaction; `.beta` and `.mu` are the values that all baths approach
    where the whole thermalises. Of a `FermionNetwork` it is differentiable, of a `Junction` not.
    """
    if not isinstance(model, Junction | FermionNetwork):
        kind = type(model).__name__
        raise ValueError(f"`model` must be a Junction or a FermionNetwork, but is {kind}.")
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
