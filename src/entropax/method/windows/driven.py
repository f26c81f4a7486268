r"""Smoothly driven energies: $U = \prod_j e^{-ia_jhH_0}\, e^{-ib_jh\,\delta\epsilon(t_j)}$.

$H_0$ is the Hamiltonian at energies in the middle, $\delta\epsilon$ what the energies are away from
them; time runs with the resting part. Unitary at any step, and exact where nothing is driven.
"""

from typing import Any, Self, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax.linalg import Spectrum
from entropax.method.compositions import SPLITTINGS
from entropax.method.stepping import AbstractPropagator, Steps
from entropax.method.windows.propagation import Segment
from entropax.model.driven import AbstractControlled
from entropax.model.views import WindowSystem
from entropax.protocol import AbstractProtocol

Amplitudes = tuple[Array, ...]


def middle_energies(model: WindowSystem, ts: Float[Array, " times"]) -> Float[Array, " d"]:
    """The system's energies at half the time."""
    return model.at(0.5 * ts[-1]).spectrum()[0]


class DrivenEnergies(AbstractControlled):
    """A model whose energies are its controls."""

    model: WindowSystem

    @property
    def protocols(self) -> dict[str, AbstractProtocol]:
        return self.model.protocols

    @property
    def given_controls(self) -> tuple[Float[Array, ""] | AbstractProtocol, ...]:
        return tuple(cast(Any, self.model.energies))

    def with_controls(self, controls: Float[Array, " controls"]) -> Self:
        return type(self)(eqx.tree_at(lambda m: m.energies, self.model, controls))


class Splitting(AbstractPropagator):
    """Amplitudes of a driven model; `resting`: what it is split into, and its `spectra`."""

    driven: DrivenEnergies
    resting: Segment
    spectra: list[Spectrum]
    order: int = eqx.field(static=True)

    def __init__(self, driven: DrivenEnergies, resting: Segment, order: int):
        self.driven, self.resting, self.order = driven, resting, order
        self.spectra = resting.spectra()

    @property
    def block(self) -> int:
        return 1

    def begin(self) -> Amplitudes:
        return tuple(x + 0j for x in self.resting.amplitudes)

    def forces(self, x: Amplitudes) -> Float[Array, " d"]:
        return self.resting.populations(x)

    def coefficients(self, steps: Steps) -> tuple[Array, Array]:
        """Lengths, and energies less those that rest, at the nodes."""
        outer, inner = SPLITTINGS[self.order]
        nodes = np.cumsum(outer[: len(inner)]).tolist()
        return steps.length, steps.controls(self.driven, nodes) - self.resting.energies

    def advance(
        self, x: Amplitudes, coefficients: tuple[Array, Array]
    ) -> tuple[Amplitudes, Float[Array, "steps d"]]:
        def one(x: Amplitudes, step: tuple[Array, Array]) -> tuple[Amplitudes, Array]:
            x = self._step(x, *step)
            return x, self.forces(x)

        return jax.lax.scan(one, x, coefficients)

    def _step(
        self, x: Amplitudes, h: Float[Array, ""], away: Float[Array, "stages d"]
    ) -> Amplitudes:
        outer, inner = SPLITTINGS[self.order]
        for stage, a in enumerate(outer):
            x = self.resting.evolved(a * h, x, self.spectra)
            if stage < len(inner):
                turned = jnp.exp(-1j * inner[stage] * h * away[stage])
                both = zip(self.resting.setting.sectors, x, strict=True)
                x = tuple(turned[sector.level][:, None] * part for sector, part in both)
        return x

    def state(self, x: Amplitudes, time: Float[Array, ""], work: Float[Array, ""]) -> Segment:
        energies = self.driven.controls_at(time)
        return Segment(self.resting.setting, energies, x, time, work)
