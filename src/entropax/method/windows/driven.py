r"""Exact dynamics in steps: exponentials of the Hamiltonian, applied by Chebyshev's expansion.

Of order 2 a step is $e^{-ihH(t+h/2)}$, of order 4 the commutator-free product (Blanes, Moan 2006)

$$ e^{-i\frac h2 H(u_-)}\,e^{-i\frac h2 H(u_+)}, \qquad
   u_\pm = (\tfrac12 \pm \tfrac{1}{\sqrt3})\,u(t_1) + (\tfrac12 \mp \tfrac{1}{\sqrt3})\,u(t_2) $$

at the Gauss nodes $t_{1,2}$: H is linear in its controls u. Unitary, and exact where nothing is
driven.
"""

from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._checks import Faults
from entropax.equilibrium import expectation
from entropax.linalg.chebyshev import (
    chebyshev_coefficients,
    chebyshev_sum,
    largest_angle,
    terms_needed,
)
from entropax.method.compositions import GAUSS_NODES
from entropax.method.stepping import AbstractPropagator, Steps
from entropax.method.windows.everything import Everything
from entropax.method.windows.hamiltonian import Controls, switched_couplings
from entropax.model.driven import AbstractControlled
from entropax.model.views import WindowSystem
from entropax.protocol import AbstractProtocol

_NEAR, _FAR = 0.5 + 3.0**-0.5, 0.5 - 3.0**-0.5


class DrivenWindows(AbstractControlled):
    """A model whose controls are its energies, then its drives, then the strengths that move."""

    model: WindowSystem

    @property
    def protocols(self) -> dict[str, AbstractProtocol]:
        return self.model.protocols

    @property
    def switched(self) -> tuple[int, ...]:
        """The couplings that are driven."""
        return switched_couplings(self.model)

    @property
    def _energies(self) -> tuple[Float[Array, ""] | AbstractProtocol, ...]:
        """Those of the system, where any of them is driven."""
        energies = self.model.energies
        return energies if isinstance(energies, tuple) else ()

    @property
    def given_controls(self) -> tuple[Float[Array, ""] | AbstractProtocol, ...]:
        drives = tuple(drive.protocol for drive in self.model.drives)
        strengths = tuple(self.model.couplings[index].size for index in self.switched)
        return (*self._energies, *drives, *strengths)

    def with_controls(self, controls: Float[Array, " controls"]) -> Self:
        model, first = self.model, len(self._energies)
        last = controls.shape[0] - len(self.switched)
        if first:
            model = eqx.tree_at(lambda m: m.energies, model, controls[:first])
        if model.drives:
            pushed = zip(controls[first:last], model.drives, strict=True)
            total = sum(f * drive.operator for f, drive in pushed)
            if model.interaction is not None:
                total = total + model.interaction
            where: Any = lambda m: (m.interaction, m.drives)  # noqa: E731
            model = eqx.tree_at(where, model, (total, ()), is_leaf=lambda x: x is None)
        for index, strength in zip(self.switched, controls[last:], strict=True):
            where = lambda m, index=index: m.couplings[index].strength  # noqa: E731
            model = eqx.tree_at(where, model, strength)
        return type(self)(model)

    def apart(self, controls: Float[Array, " controls"]) -> Controls:
        """What the controls make of H."""
        return Controls.of(self.with_controls(controls).model, self.switched)


class Amplitudes(NamedTuple):
    """X; and the largest angle of an expansion by now."""

    x: Float[Array, "*levels d 2 columns"]
    angle: Float[Array, ""]


class Expansions(NamedTuple):
    """The exponentials of steps: controls, the middle and the reach of their spectra, angles."""

    controls: Float[Array, "steps stages controls"]
    middle: Float[Array, "steps stages"]
    reach: Float[Array, "steps stages"]
    duration: Float[Array, "steps stages"]


class ChebyshevSteps(AbstractPropagator):
    """Amplitudes of a model, carried by exponentials of so many `terms`, or, where these are not
    known beforehand (`is_traced`), of as many of them as each needs.
    """

    driven: DrivenWindows
    everything: Everything
    order: int = eqx.field(static=True)
    terms: int = eqx.field(static=True)
    is_traced: bool = eqx.field(static=True)

    @property
    def block(self) -> int:
        return 1

    def begin(self) -> Amplitudes:
        return Amplitudes(self.everything.begin(), jnp.zeros(()))

    def forces(self, x: Amplitudes) -> Float[Array, " controls"]:
        model = self.driven.model
        system, couplings = self.everything.forces(x.x)
        count = len(model.energies) if isinstance(model.energies, tuple) else 0
        populations = jnp.diagonal(system).real[:count]
        operators = [model.in_eigenbasis(drive.operator) for drive in model.drives]
        pushed = [expectation(operator, system) for operator in operators]
        return jnp.concatenate([populations, jnp.array(pushed), couplings])

    def coefficients(self, steps: Steps) -> Expansions:
        if self.order == 2:
            controls = steps.controls(self.driven, [0.5])
        else:
            first, second = jnp.moveaxis(steps.controls(self.driven, GAUSS_NODES), 1, 0)
            stages = [_NEAR * first + _FAR * second, _FAR * first + _NEAR * second]
            controls = jnp.stack(stages, axis=1)
        span = jax.vmap(jax.vmap(lambda u: self.everything.span(self.driven.apart(u))))
        middle, reach = span(controls)
        share = steps.length / controls.shape[1]
        duration = jnp.broadcast_to(share[:, None], middle.shape)
        return Expansions(controls, middle, reach, duration)

    def advance(
        self, x: Amplitudes, coefficients: Expansions
    ) -> tuple[Amplitudes, Float[Array, "steps controls"]]:
        @jax.checkpoint
        def exponential(x: Amplitudes, stage: Expansions) -> tuple[Amplitudes, None]:
            return self._turned(x, stage), None

        def one(x: Amplitudes, step: Expansions) -> tuple[Amplitudes, Array]:
            x, _ = jax.lax.scan(exponential, x, step)
            return x, self.forces(x)

        return jax.lax.scan(one, x, coefficients)

    def _turned(self, x: Amplitudes, stage: Expansions) -> Amplitudes:
        controls = self.driven.apart(stage.controls)
        reach = jnp.where(stage.reach > 0, stage.reach, 1.0)
        angle = reach * stage.duration

        def scaled(y: Array) -> Array:
            return self.everything.times(controls, y, stage.middle) / reach

        coefficients = chebyshev_coefficients(angle, self.terms)
        needed = None
        if self.is_traced:
            needed = terms_needed(jax.lax.stop_gradient(angle), self.terms)
        y = chebyshev_sum(scaled, x.x, coefficients, needed)
        # the phase of the middle is that of all columns, and no part of a density matrix
        return Amplitudes(y, jnp.maximum(x.angle, jax.lax.stop_gradient(angle)))

    def faults(self, x: Amplitudes) -> Faults:
        """Whether the steps so far were longer than their terms allow."""
        message = (
            "`steps` must be more: in one of them phases turn by more than "
            f"{largest_angle(self.terms):.2g}, up to which its {self.terms} terms are enough."
        )
        return Faults((x.angle > largest_angle(self.terms)).reshape(1), (message,))

    def state(
        self, x: Amplitudes, time: Float[Array, ""], work: Float[Array, ""]
    ) -> tuple[Amplitudes, Controls, Float[Array, ""]]:
        return x, self.driven.apart(self.driven.controls_at(time)), work
