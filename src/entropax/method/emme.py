"""The extended microcanonical master equation: finite baths that evolve."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax.linalg import Exponential, eigh, matfn_times
from entropax.method.base import scan_times
from entropax.method.master import AbstractMasterEquation, Integrated
from entropax.model import OpenSystem
from entropax.model.driven import BEFORE
from entropax.model.open_system import joint_volumes
from entropax.protocol import Interval

SMALL, SMALL_OF_ONE = 48, 256
"""Up to this many populations the exponential of the generator is used instead of a solver; of one
coupling to more, as a batch over strengths shares its eigenproblem."""


class EMME(AbstractMasterEquation):
    r"""The extended microcanonical master equation (Riera Eqs. 5, 71, 75).

    $$ \dot\rho_S(E) = -i[H'_S(E), \rho_S(E)] + \sum_\omega \Big( \frac{\gamma(E,E-\omega)}
       {V_{E-\omega}} S_\omega \rho_S(E-\omega) S_\omega^\dagger - \frac{\gamma(E+\omega,E)}{2V_E}
       \{\rho_S(E), S_\omega^\dagger S_\omega\} \Big) $$

    for every bath, with rates $\gamma$ from the coupling's matrix: Riera Eq. 27 for ensembles, 25
    for a given matrix, 29 for eigenstate thermalisation. Off-resonant windows share a jump
    linearly (Eq. B12), so everything is continuous in the system's energies.

    **Arguments:**

    - `memory`: "infinite" (Markov), or "finite": rates grow from zero with the memory integral
      up to t (Eqs. 14, 44, 45), and may be negative off resonance.
    - `secular`: keep only pairs of transitions of one frequency; False keeps all (Redfield), and
      populations may become negative, which `Solution.result` tells.
    - `lamb_shift`, `first_order`: whether $H'_S(E)$ holds the shifts of Eqs. 21 and 17.
    - `coherences`: follow full density matrices; None for: only where they can appear, and
      wherever the energies are traced (by `jit` or `grad`), so that nothing is known: pass False
      there for populations alone.
    - `solver`: any explicit diffrax solver; None for Dopri8, or, for few populations (48; 256
      where there is one coupling) and infinite memory, the exponential of the generator.
    - `rtol`, `atol`, `max_steps`, `adjoint`: as in diffrax; forward-mode derivatives through a
      solver need `diffrax.ForwardMode()`.

    Rates bend where a driven energy comes into resonance with the windows: a derivative through
    such a moment is right to about 1e-6, by the solver's steps.

    The exponential takes rates below rounding of the fastest one for zero: name a `solver` where
    rates differ by 13 orders.

    Raises `ValueError` for a model that is no `OpenSystem`, and for negative times.
    Cost: O(d^2 W^2) a step for populations of d levels and W windows, O(d^4 W^2) with coherences.
    """

    @property
    def frozen(self) -> bool:
        return False

    def project(self, model: OpenSystem, conditional: Array) -> Array:
        del model
        return conditional

    def conditional(self, model: OpenSystem, state: Array) -> Array:
        del model
        return state

    def gain(self, model: OpenSystem, number: int, kernel: Array) -> Array:
        del model, number
        return kernel

    def loss(self, model: OpenSystem, number: int, kernel: Array) -> Array:
        del model, number
        return kernel

    def energy_gain(self, model: OpenSystem, number: int, gain: Array) -> Array | None:
        del model, number, gain
        return None

    def _stretch(
        self,
        model: OpenSystem,
        y: Integrated,
        stretch: Interval,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> tuple[Integrated, PyTree[Array]]:
        constant = self.memory == "infinite" and not self.coherences and self.solver is None
        constant &= model.is_piecewise_constant
        alone = len(model.couplings) == 1
        if not constant or model.sites > (SMALL_OF_ONE if alone else SMALL):
            return super()._stretch(model, y, stretch, ts, reduce, meter)
        now, scale = model.within(stretch[0], stretch), jnp.ones(())
        field = self.field(model, stretch)
        unscaled = now
        if alone:
            scale = now.couplings[0].strength ** 2
            unscaled = eqx.tree_at(lambda m: m.couplings[0].strength, now, jnp.ones(()))
        generator, root = self._symmetric_generator(unscaled)
        values, vectors = eigh(generator)
        # what is conserved must be so at any time: rates at rounding level are zero
        rounding = y.state.size * 2.0**-52 * jnp.max(jnp.abs(values))
        spectrum = jnp.where(jnp.abs(values) <= rounding, 0.0, values), vectors
        scaled = (y.state / root).ravel()

        def at(time: Array) -> Integrated:
            since = time - stretch[0]
            flow = Exponential(scale * since)
            state = matfn_times(flow, generator, scaled, spectrum=spectrum).reshape(root.shape)
            return y._replace(state=state * root)

        def save(time: Array) -> PyTree[Array]:
            later = at(time)
            return reduce(self._state(now, later, field(time, later, None), time))

        return at(stretch[1]), scan_times(save, ts, meter)

    def _symmetric_generator(self, model: OpenSystem) -> tuple[Array, Array]:
        r"""$V^{-1/2} G\, V^{1/2}$, symmetric by local detailed balance (Riera Eq. 33)."""
        root = jnp.broadcast_to(
            jnp.sqrt(joint_volumes(model)), (model.levels, *joint_volumes(model).shape)
        )
        field, size = self.field(model, BEFORE), root.size
        nothing = jnp.zeros(len(model.baths))
        units = jnp.eye(size).reshape(size, *root.shape)
        columns = jax.vmap(lambda u: field(0.0, Integrated(u * root, nothing), None).state / root)(
            units
        )
        return columns.reshape(size, size).T, root


def microcanonical_master_equation(**options: Any) -> EMME:
    r"""The microcanonical master equation (Strasberg Eq. 43), populations of the `EMME` alone.

    $$ \partial_t p_{sE} = \sum_{\alpha\gamma s'} \frac{2\pi}{\delta V_E} \mathrm{Re}\{
       S_\alpha^{ss'} S_\gamma^{s's} f_{\alpha\gamma}(E,E')\}
       \Big[\frac{V_E}{V_{E'}} p_{s'E'} - p_{sE}\Big], \qquad E' = E + \epsilon_s-\epsilon_{s'} $$

    with $f_{\alpha\gamma}(E,E') = \mathrm{tr}\,\Pi_E B_\alpha \Pi_{E'} B_\gamma$, the
    couplings explicit matrices; the paper leaves out $1/\delta$, the density of states. Off
    resonance neighbouring windows share a jump. Its limit of a bath that stays canonical, the Pauli
    equation (46), is `BornMarkovSecular` from a canonical start. `options`: as of `EMME`.
    """
    return EMME(coherences=False, lamb_shift=False, first_order=False, **options)
