"""The textbook master equation: baths frozen in their reference state."""

import jax.numpy as jnp
from jaxtyping import Array

from entropax.method.windows.master_equation import AbstractMasterEquation
from entropax.model import OpenSystem


class BornMarkovSecular(AbstractMasterEquation):
    r"""The Born-Markov-secular equation with the baths of the start (Riera Eq. 3).

    Rates are those of `EMME` averaged over the start's windows,
    $\sum_E p_E\,\gamma(E+\omega,E)/V_E$; nothing acts back on the baths, so `joint` is
    $p(\epsilon_k, t)\,p(E, 0)$ (correlations of a `Joint` start are dropped), and what only baths
    that evolve have, observational entropy and its production, is None. `energy` and `heat` count
    what the jumps hand over. Microcanonical or canonical is a matter of the start.

    **Arguments:** as for `EMME`.
    """

    @property
    def frozen(self) -> bool:
        return True

    def project(self, model: OpenSystem, conditional: Array) -> Array:
        windows = range(conditional.ndim - len(model.baths), conditional.ndim)
        return jnp.sum(conditional, axis=tuple(windows), keepdims=True)

    def conditional(self, model: OpenSystem, state: Array) -> Array:
        for number in range(len(model.baths)):
            shape = [1] * state.ndim
            shape[state.ndim - len(model.baths) + number] = -1
            state = state * self._reference(model, number).reshape(shape)
        return state

    def gain(self, model: OpenSystem, number: int, kernel: Array) -> Array:
        return jnp.sum(self.loss(model, number, kernel), axis=-2, keepdims=True)

    def loss(self, model: OpenSystem, number: int, kernel: Array) -> Array:
        return (kernel @ self._reference(model, number))[..., None]

    def energy_gain(self, model: OpenSystem, number: int, gain: Array) -> Array:
        if self.coherences:  # only what ends on the diagonal has energy
            gain = jnp.einsum("kkqpEF->kqpEF", gain)
        centers = model.baths[number].centers
        gained = centers[:, None] - centers[None, :]
        return jnp.sum(gain * gained * self._reference(model, number), axis=(0, -2, -1))

    def _reference(self, model: OpenSystem, number: int) -> Array:
        """The start's distribution over the windows of one bath."""
        joint = model.joint_start.on_windows(model)
        if not model.joint_start.is_diagonal:
            joint = jnp.moveaxis(jnp.diagonal(joint, axis1=0, axis2=1), -1, 0).real
        others = [axis for axis in range(joint.ndim) if axis != 1 + number]
        return jnp.sum(joint, axis=tuple(others))
