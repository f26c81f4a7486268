"""What a master equation does with the windows of its baths: follow them, or hold them still."""

import abc
from typing import ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax.model.views import WindowSystem


class AbstractBathClosure(eqx.Module):
    """How kernels over windows act on what is integrated.

    A state has one axis of the system (populations) or two (density matrices), then one axis a
    bath, of length 1 where windows are not followed.
    """

    is_frozen: ClassVar[bool]
    """Whether the baths stay as they start."""

    @classmethod
    @abc.abstractmethod
    def of(cls, model: WindowSystem) -> Self:
        """That of a model's baths."""

    @abc.abstractmethod
    def project(self, conditional: Array) -> Array:
        """What is integrated, from the conditional states of all windows."""

    @abc.abstractmethod
    def conditional(self, state: Array) -> Array:
        """The conditional states of all windows, from what is integrated."""

    @abc.abstractmethod
    def gain(self, number: int, kernel: Array) -> Array:
        """A gain (..., E, F) of one bath over the windows that are integrated."""

    @abc.abstractmethod
    def loss(self, number: int, kernel: Array) -> Array:
        """A loss (..., F) of one bath over the windows that are integrated."""

    @abc.abstractmethod
    def energy_gain(self, number: int, gain: Array) -> Array | None:
        """What one bath's energy gains per state, from its gain (..., E, F); None where windows
        tell.
        """


class EvolvingBaths(AbstractBathClosure):
    """Every window is followed (EMME)."""

    is_frozen = False

    @classmethod
    def of(cls, model: WindowSystem) -> Self:
        del model
        return cls()

    def project(self, conditional: Array) -> Array:
        return conditional

    def conditional(self, state: Array) -> Array:
        return state

    def gain(self, number: int, kernel: Array) -> Array:
        del number
        return kernel

    def loss(self, number: int, kernel: Array) -> Array:
        del number
        return kernel

    def energy_gain(self, number: int, gain: Array) -> Array | None:
        del number, gain
        return None


class FrozenBaths(AbstractBathClosure):
    """Kernels averaged over the windows that each bath starts in (Riera Eq. 3)."""

    is_frozen = True

    references: tuple[Float[Array, " _"], ...]
    centers: tuple[Float[Array, " _"], ...]

    @classmethod
    def of(cls, model: WindowSystem) -> Self:
        joint = model.start.on_windows(model)
        if not model.start.is_diagonal:
            joint = jnp.moveaxis(jnp.diagonal(joint, axis1=0, axis2=1), -1, 0).real
        axes = range(joint.ndim)
        references = tuple(
            jnp.sum(joint, axis=tuple(axis for axis in axes if axis != kept)) for kept in axes[1:]
        )
        return cls(references, tuple(bath.centers for bath in model.baths))

    def project(self, conditional: Array) -> Array:
        windows = range(conditional.ndim - len(self.references), conditional.ndim)
        return jnp.sum(conditional, axis=tuple(windows), keepdims=True)

    def conditional(self, state: Array) -> Array:
        first = state.ndim - len(self.references)
        for number, reference in enumerate(self.references):
            shape = [1] * state.ndim
            shape[first + number] = -1
            state = state * reference.reshape(shape)
        return state

    def gain(self, number: int, kernel: Array) -> Array:
        return jnp.sum(self.loss(number, kernel), axis=-2, keepdims=True)

    def loss(self, number: int, kernel: Array) -> Array:
        return (kernel @ self.references[number])[..., None]

    def energy_gain(self, number: int, gain: Array) -> Array:
        if gain.ndim > 4:  # of density matrices only what ends on the diagonal has energy
            gain = jnp.einsum("kkqpEF->kqpEF", gain)
        centers = self.centers[number]
        gained = centers[:, None] - centers[None, :]
        return jnp.sum(gain * gained * self.references[number], axis=(0, -2, -1))
