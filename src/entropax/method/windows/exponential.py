"""Populations of a finite bath that evolves, by the exponential of their generator."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax._precision import EPS
from entropax.linalg import Exponential, held_spectrum, matfn_times, with_slope_of
from entropax.method.windows.vector_field import Integrated, WindowEquation
from entropax.model.driven import before_start
from entropax.model.views import WindowSystem, joint_volumes
from entropax.protocol import Interval


class Relaxation(eqx.Module):
    """Populations in a stretch without breaks; `reachable`: those that rates lead to, all others
    are and stay zero.
    """

    generator: Float[Array, "n n"]
    spectrum: tuple[Float[Array, " n"], Float[Array, "n n"]]
    scale: Float[Array, ""]
    root: Float[Array, " n"]
    kept: Float[Array, " n"]
    decaying: Float[Array, " n"]
    begin: Integrated
    start: Float[Array, ""]
    reachable: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def of(
        cls,
        equation: WindowEquation,
        model: WindowSystem,
        y: Integrated,
        stretch: Interval,
        reachable: tuple[int, ...],
    ) -> "Relaxation":
        """From `y` at the start of a stretch; `model`: undriven, that of the stretch."""
        scale, unscaled = jnp.ones(()), model
        if len(model.couplings) == 1:
            # a batch over strengths shares the eigenproblem
            scale = jnp.asarray(model.couplings[0].size) ** 2
            unscaled = eqx.tree_at(lambda m: m.couplings[0].strength, model, jnp.ones(()))
        generator, root = _symmetric_generator(equation, unscaled, reachable)
        # the state that never changes is known: apart from all others it mixes with none of them,
        # and probability is kept however slow they are
        still = root / jnp.linalg.norm(root)
        fastest = jnp.max(jnp.abs(jax.lax.stop_gradient(generator)))
        generator = generator - fastest * still[:, None] * still[None, :]
        values, vectors = held_spectrum(generator)
        # what is conserved must be so at any time: rates at rounding level are zero
        rounding = len(reachable) * EPS * jnp.max(jnp.abs(values))
        spectrum = jnp.asarray(jnp.where(jnp.abs(values) <= rounding, 0.0, values)), vectors
        scaled = y.state.ravel()[np.array(reachable)] / root
        kept = still * (still @ scaled)
        start = jnp.asarray(stretch[0])
        return cls(generator, spectrum, scale, root, kept, scaled - kept, y, start, reachable)

    def at(self, time: Array) -> Integrated:
        """What was integrated until `time`."""
        flow = Exponential(self.scale * (time - self.start))
        decayed = matfn_times(flow, self.generator, self.decaying, spectrum=self.spectrum)
        state, shape = self.root * (self.kept + decayed), self.begin.state.shape
        place = np.array(self.reachable)
        # at the start what is zero is so, not rounding whose logarithm rates would ask for
        begun = with_slope_of(self.begin.state.ravel()[place], state)
        state = jnp.asarray(jnp.where(time == self.start, begun, state))
        every = jnp.zeros(self.begin.state.size).at[place].set(state, unique_indices=True)
        return self.begin._replace(state=every.reshape(shape))


def _symmetric_generator(
    equation: WindowEquation, model: WindowSystem, reachable: tuple[int, ...]
) -> tuple[Float[Array, "n n"], Float[Array, " n"]]:
    r"""$V^{-1/2} G\, V^{1/2}$ of some populations, symmetric by local detailed balance (Riera
    Eq. 33); and their roots of V.
    """
    shape, place = (model.levels, *joint_volumes(model).shape), np.array(reachable)
    root = jnp.broadcast_to(jnp.sqrt(joint_volumes(model)), shape).ravel()[place]
    field, nothing = equation.field(model, before_start()), jnp.zeros(len(model.baths))

    def column(number: Array, root: Array) -> Array:
        unit = jnp.zeros(model.dimension).at[number].set(root).reshape(shape)
        change = field(jnp.zeros(()), Integrated(unit, nothing), None).state
        return change.ravel()[place]

    return jax.vmap(column, out_axes=1)(jnp.asarray(place), root) / root[:, None], root
