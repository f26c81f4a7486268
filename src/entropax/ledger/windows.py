"""The ledger of a small system and its window baths (Riera, sections III and V)."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax.entropy import mutual_information, shannon
from entropax.ledger.base import Verdict, judge, measure, reference, settle
from entropax.method.states import WindowState
from entropax.model import OpenSystem
from entropax.model.open_system import joint_volumes

_NEGLIGIBLE = 1e-6
"""Probabilities below minus this, or whose sum is off by it, are none."""


class WindowLedger(eqx.Module):
    r"""One entry a time; baths along the last axis of what belongs to one.

    Signs and units: `docs/conventions.md`. What a description cannot know is None.
    """

    joint: Float[Array, "times ..."]
    r"""$p(\epsilon_k, E_1, E_2, \dots)$: level, then the window of each bath."""
    entropy_production: Float[Array, " times"] | None
    r"""$\Delta S_{obs} = S_{obs}(t) - S_{obs}(0)$ (Riera Eq. 54); None of frozen baths."""
    observational_entropy: Float[Array, " times"] | None
    r"""$S_{obs} = \sum p\,(-\ln p + \ln V_E)$ (Riera Eqs. 51, 73); None of frozen baths."""
    coarse_mutual_information: Float[Array, " times"]
    r"""$I_{CG}$ of level and windows of all baths (Riera Eq. 41)."""
    mutual_information: Float[Array, " times"] | None
    r"""$S_S + S_B - S$ (Riera Eq. 40); known to `Schrodinger(mutual_information=True)`."""
    system_state: Inexact[Array, "times d d"]
    """Reduced density matrix between energy eigenstates."""
    system_energy: Float[Array, " times"]
    energy: Float[Array, "times baths"]
    r"""$\langle H_\nu\rangle$; in the master equations $\sum E\,p(E)$."""
    window_energy: Float[Array, "times baths"]
    r"""$\sum E\,p(E)$, in every description."""
    heat: Float[Array, "times baths"]
    r"""$Q_\nu = -\Delta\langle H_\nu\rangle$, out of the bath into the system (Riera Eq. 50)."""
    work: Float[Array, " times"]
    """Work done by a driving agent: zero, as nothing here is driven."""
    interaction_energy: Float[Array, " times"] | None
    """Known to `Schrodinger`."""

    @property
    def total_energy(self) -> Float[Array, " times"]:
        """Energy of everything; of system and baths alone where the interaction is not known."""
        known = self.system_energy + jnp.sum(self.energy, axis=-1)
        return known if self.interaction_energy is None else known + self.interaction_energy


class WindowMeasurement(eqx.Module):
    """All that one state contributes to the ledger."""

    state: WindowState
    observational_entropy: Float[Array, ""]
    coarse_mutual_information: Float[Array, ""]
    system_energy: Float[Array, ""]
    window_energy: Float[Array, " baths"]


class WindowReference(eqx.Module):
    """The model and its start, as the ledger of later times needs them."""

    model: OpenSystem
    start: WindowMeasurement


@reference.register
def _reference(model: OpenSystem, initial: WindowState) -> WindowReference:
    return WindowReference(model, _measure(model, initial))


@measure.register
def _measure_state(reference: WindowReference, state: WindowState) -> WindowMeasurement:
    return _measure(reference.model, state)


def _measure(model: OpenSystem, state: WindowState) -> WindowMeasurement:
    p = state.joint
    marginals = [
        jnp.sum(p, axis=tuple(a for a in range(p.ndim) if a != 1 + number))
        for number in range(len(model.baths))
    ]
    populations = jnp.diagonal(state.system).real
    return WindowMeasurement(
        state=state,
        observational_entropy=shannon(p) + jnp.sum(p * jnp.log(joint_volumes(model))),
        coarse_mutual_information=mutual_information(p.reshape(p.shape[0], -1)),
        system_energy=jnp.sum(populations * model.spectrum()[0]),
        window_energy=jnp.stack(
            [m @ bath.centers for m, bath in zip(marginals, model.baths, strict=True)]
        ),
    )


@judge.register
def _judge(reference: WindowReference, found: WindowMeasurement) -> Verdict:
    del reference
    joint, others = found.state.joint, (found.state.energy, found.state.system)
    axes = tuple(range(1, joint.ndim))
    sound = jnp.all(jnp.isfinite(joint), axis=axes)
    for numbers in others:
        sound &= jnp.all(jnp.isfinite(numbers), axis=tuple(range(1, numbers.ndim)))
    total, lowest = jnp.sum(joint, axis=axes), jnp.min(joint, axis=axes)
    physical = (lowest > -_NEGLIGIBLE) & (jnp.abs(total - 1.0) < _NEGLIGIBLE)
    good = jnp.ones_like(sound)
    return Verdict(sound, physical, good, good)


@settle.register
def _settle(reference: WindowReference, found: WindowMeasurement) -> WindowLedger:
    start, state = reference.start, found.state
    gained = found.observational_entropy - start.observational_entropy
    return WindowLedger(
        joint=state.joint,
        entropy_production=None if state.frozen else gained,
        observational_entropy=None if state.frozen else found.observational_entropy,
        coarse_mutual_information=found.coarse_mutual_information,
        mutual_information=state.mutual_information,
        system_state=state.system,
        system_energy=found.system_energy,
        energy=state.energy,
        window_energy=found.window_energy,
        heat=start.state.energy - state.energy,
        work=jnp.zeros_like(found.system_energy),
        interaction_energy=state.interaction_energy,
    )
