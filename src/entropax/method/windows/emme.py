"""The extended microcanonical master equation: finite baths that evolve."""

import dataclasses
from collections.abc import Callable
from typing import Any, Self

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from entropax._precision import EPS
from entropax.linalg import Exponential, held_spectrum, matfn_times, with_slope_of
from entropax.method.base import open_system
from entropax.method.windows.assumptions import reached
from entropax.method.windows.master_equation import AbstractMasterEquation, Integrated
from entropax.model import OpenSystem
from entropax.model.driven import before_start
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
    rates differ by 13 orders. It follows the populations that rates lead to from the start, which
    `prepare` fills in (`reached`) where all numbers but the strength are known, not traced.

    Raises `ValueError` for a model that is no `OpenSystem`, and for negative times.
    Cost: O(d^2 W^2) a step for populations of d levels and W windows, O(d^4 W^2) with coherences.
    """

    reached: tuple[int, ...] | None = eqx.field(default=None, static=True)

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

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        """Find the populations that rates lead to, while numbers can still be looked at."""
        method, known = super().prepare(model, ts), open_system(self, model)
        if known.is_driven or not method._is_exponential(known):
            return method
        return dataclasses.replace(method, reached=reached(known))

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        known = open_system(self, model)
        if known.is_driven or not self._is_exponential(known):
            return super().run(known, ts, reduce, meter)
        begin = self._begin(known, self._start(known))
        # in any order, which a solver cannot take
        return self._stretch(known, begin, (jnp.zeros(()), jnp.zeros(())), ts, reduce, meter)[1]

    def _is_exponential(self, model: OpenSystem) -> bool:
        constant = self.memory == "infinite" and not self.coherences and self.solver is None
        few = SMALL_OF_ONE if len(model.couplings) == 1 else SMALL
        return constant and model.is_piecewise_constant and model.sites <= few

    def _stretch(
        self,
        model: OpenSystem,
        y: Integrated,
        stretch: Interval,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> tuple[Integrated | None, PyTree[Array]]:
        if not self._is_exponential(model):
            return super()._stretch(model, y, stretch, ts, reduce, meter)
        now, scale = model.within(stretch[0], stretch), jnp.ones(())
        field = self.field(model, stretch)
        unscaled = now
        if len(model.couplings) == 1:
            scale = now.couplings[0].strength ** 2
            unscaled = eqx.tree_at(lambda m: m.couplings[0].strength, now, jnp.ones(()))
        everything = tuple(range(model.sites))
        own = np.array(everything if self.reached is None else self.reached)
        generator, root = self._symmetric_generator(unscaled, own)
        # the state that never changes is known: apart from all others it mixes with none of them,
        # and probability is kept however slow they are
        still = root / jnp.linalg.norm(root)
        fastest = jnp.max(jnp.abs(jax.lax.stop_gradient(generator)))
        generator = generator - fastest * still[:, None] * still[None, :]
        values, vectors = held_spectrum(generator)
        # what is conserved must be so at any time: rates at rounding level are zero
        rounding = own.size * EPS * jnp.max(jnp.abs(values))
        spectrum = jnp.where(jnp.abs(values) <= rounding, 0.0, values), vectors
        scaled = y.state.ravel()[own] / root
        kept = still * (still @ scaled)
        scaled = scaled - kept

        def at(time: Array) -> Integrated:
            flow = Exponential(scale * (time - stretch[0]))
            state = root * (kept + matfn_times(flow, generator, scaled, spectrum=spectrum))
            # at the start what is zero is so, not rounding whose logarithm rates would ask for
            begun = with_slope_of(y.state.ravel()[own], state)
            state = jnp.asarray(jnp.where(time == stretch[0], begun, state))
            whole = jnp.zeros(model.sites).at[own].set(state, unique_indices=True)
            return y._replace(state=whole.reshape(y.state.shape))

        def save(time: Array) -> PyTree[Array]:
            later = at(time)
            return reduce(self._state(now, later, field(time, later, None), time))

        found = jax.vmap(save)(ts)
        meter.close(meter.step(meter.init(), jnp.ones(())))
        return at(stretch[1]), found

    def _symmetric_generator(self, model: OpenSystem, own: np.ndarray) -> tuple[Array, Array]:
        r"""$V^{-1/2} G\, V^{1/2}$ of some populations, symmetric by local detailed balance (Riera
        Eq. 33); and their roots of V.
        """
        shape = (model.levels, *joint_volumes(model).shape)
        root = jnp.broadcast_to(jnp.sqrt(joint_volumes(model)), shape).ravel()[own]
        field, nothing = self.field(model, before_start()), jnp.zeros(len(model.baths))

        def column(number: Array, root: Array) -> Array:
            unit = jnp.zeros(model.sites).at[number].set(root).reshape(shape)
            return field(jnp.zeros(()), Integrated(unit, nothing), None).state.ravel()[own]

        return jax.vmap(column, out_axes=1)(jnp.asarray(own), root) / root[:, None], root


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
