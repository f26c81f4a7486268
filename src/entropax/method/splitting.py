r"""Smoothly driven energies: $U = \prod_j e^{-ia_jhH_0}\, e^{-ib_jh\,\delta\epsilon(t_j)}$.

$H_0$ is the Hamiltonian at energies in the middle, $\delta\epsilon$ what the energies are away from
them; time runs with the resting part. Unitary at any step, and exact where nothing is driven.
"""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax.linalg import Spectrum
from entropax.method.amplitudes import Stretch
from entropax.model import OpenSystem

# symmetric splittings A(a1 h) B(b1 h) A(a2 h) ... : Strang's, and S6 of order 4 of S. Blanes and
# P. C. Moan, J. Comput. Appl. Math. 142, 313 (2002)
_OUTER = (0.0792036964311957, 0.353172906049774, -0.0420650803577195)
_INNER = (0.209515106613362, -0.143851773179818)
SPLITTINGS = {
    2: ((0.5, 0.5), (1.0,)),
    4: (
        (*_OUTER, 1.0 - 2.0 * sum(_OUTER), *_OUTER[::-1]),
        (*_INNER, 0.5 - sum(_INNER), 0.5 - sum(_INNER), *_INNER[::-1]),
    ),
}

Amplitudes = tuple[Array, ...]


def middle_energies(model: OpenSystem, ts: Float[Array, " times"]) -> Float[Array, " d"]:
    """Of half the time."""
    middle = 0.5 * jnp.max(ts)
    return model.within(middle, (middle, middle)).spectrum()[0]


class Splitting(eqx.Module):
    """A driven model, the resting one it is split into, order and steps between times."""

    model: OpenSystem
    resting: Stretch
    order: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    def run(
        self,
        ts: Float[Array, " times"],
        seen: Callable[[Stretch, Amplitudes], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        """`seen` at every time."""
        spectra, order = self.resting.spectra(), jnp.argsort(ts)
        cuts = jnp.concatenate([self.model.breaks, self.model.marks])
        grid = jnp.sort(jnp.concatenate([ts, jnp.clip(cuts, 0.0, jnp.max(ts))]))
        starts = jnp.concatenate([jnp.zeros(1), grid[:-1]])
        afterwards = jnp.concatenate([grid[1:], grid[-1:]])

        def interval(carry, edges):
            here, progress = carry
            index, start, stop, next_stop = edges
            here = here.jump(start, self._energies(start, (start, stop)), here.amplitudes)
            here = self._cross(here, spectra, (start, stop))
            # what is shown at a jump is the state after it
            shown = here.jump(stop, self._energies(stop, (stop, next_stop)), here.amplitudes)
            progress = meter.step(progress, (index + 1) / grid.shape[0])
            return (here, progress), seen(shown, shown.amplitudes)

        first = Stretch(
            self.resting.setting,
            self.model.before().spectrum()[0],
            tuple(x + 0j for x in self.resting.amplitudes),
            jnp.zeros(()),
            jnp.zeros(()),
        )
        indexed = (jnp.arange(grid.shape[0]), starts, grid, afterwards)
        carry, results = jax.lax.scan(jax.checkpoint(interval), (first, meter.init()), indexed)
        meter.close(carry[1])
        place = jnp.searchsorted(grid, ts[order], side="right") - 1
        return jax.tree.map(lambda x: x[place][jnp.argsort(order)], results)

    def _energies(self, time: Array, stretch: tuple[Array, Array]) -> Float[Array, " d"]:
        return self.model.within(time, stretch).spectrum()[0]

    def _cross(
        self, here: Stretch, spectra: list[Spectrum], stretch: tuple[Array, Array]
    ) -> Stretch:
        """From one end of a stretch without breaks to the other."""
        start, stop = stretch
        steps = 2 * -(-self.steps // 2)  # Simpson's rule for the work takes pairs of steps
        h = (stop - start) / steps

        def power(amplitudes: Amplitudes, time: Array) -> Array:
            return self.model.slopes(time, stretch) @ here.populations(amplitudes)

        def substep(carry, j):
            amplitudes, work = carry
            time = start + j * h
            weight = jnp.where(j == 0, 1.0, jnp.where(j % 2 == 1, 4.0, 2.0))
            work = work + weight * h / 3.0 * power(amplitudes, time)
            return (self._step(amplitudes, spectra, time, h, stretch), work), None

        carry = (here.amplitudes, here.work)
        carry, _ = jax.lax.scan(jax.checkpoint(substep), carry, jnp.arange(steps))
        amplitudes, work = carry
        work = work + h / 3.0 * power(amplitudes, stop)
        return Stretch(here.setting, self._energies(stop, stretch), amplitudes, stop, work)

    def _step(
        self,
        amplitudes: Amplitudes,
        spectra: list[Spectrum],
        time: Array,
        h: Array,
        stretch: tuple[Array, Array],
    ) -> Amplitudes:
        outer, inner = SPLITTINGS[self.order]
        for a, b in zip(outer, (*inner, 0.0), strict=True):
            amplitudes = self.resting.evolved(a * h, amplitudes, spectra)
            time = time + a * h
            if b:
                away = self._energies(time, stretch) - self.resting.energies
                amplitudes = tuple(
                    jnp.exp(-1j * b * h * away)[sector.level][:, None] * x
                    for sector, x in zip(self.resting.setting.sectors, amplitudes, strict=True)
                )
        return amplitudes
