"""What a method sees of an `OpenSystem`: one with window baths, or one with ideal baths."""

from typing import Any, NamedTuple, cast

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import is_traced
from entropax.model.coupling import Coupling, Jump
from entropax.model.ideal.bath import ThermalBath
from entropax.model.open_system import OpenSystem
from entropax.model.starts import AbstractJointStart, AbstractSystemStart
from entropax.model.windows.bath import WindowBath
from entropax.model.windows.coupling_matrices import AbstractCouplingMatrix

WindowSystem = OpenSystem[WindowBath, AbstractJointStart]
"""A small system whose baths are made of energy windows, as methods see it."""
IdealSystem = OpenSystem[ThermalBath, AbstractSystemStart]
"""A small system between ideal baths, as methods see it."""


class WindowLink(NamedTuple):
    """A coupling to a window bath: $S$, $B$, and the number of the bath."""

    operator: Inexact[Array, "d d"]
    strength: Float[Array, ""]
    matrix: AbstractCouplingMatrix
    number: int
    bath: WindowBath


class IdealLink(NamedTuple):
    """A coupling to an ideal bath, its place in `couplings`, and the number of the bath."""

    place: int
    coupling: Coupling
    number: int
    bath: ThermalBath


def window_links(model: WindowSystem) -> list[WindowLink]:
    """Every coupling of a system with its window bath."""
    both = zip(cast(tuple[Coupling, ...], model.couplings), model.bath_of_coupling, strict=True)
    return [
        WindowLink(
            c.operator,
            cast(Array, c.strength),
            cast(AbstractCouplingMatrix, c.matrix),
            number,
            model.baths[number],
        )
        for c, number in both
    ]


def ideal_links(model: IdealSystem) -> list[IdealLink]:
    """Every coupling of a system with its ideal bath; not its jumps."""
    both = zip(model.couplings, model.bath_of_coupling, strict=True)
    return [
        IdealLink(place, coupling, number, model.baths[number])
        for place, (coupling, number) in enumerate(both)
        if isinstance(coupling, Coupling)
    ]


def jumps(model: IdealSystem) -> list[tuple[int, Jump]]:
    """The hand-written jumps, each with the number of its bath."""
    both = zip(model.bath_of_coupling, model.couplings, strict=True)
    return [(number, jump) for number, jump in both if isinstance(jump, Jump)]


def temperatures(model: IdealSystem) -> tuple[Float[Array, " baths"], Float[Array, " baths"]]:
    """Inverse temperatures and chemical potentials of ideal baths."""
    if not model.baths:
        return jnp.zeros(0), jnp.zeros(0)
    beta, mu = zip(*((bath.beta, bath.mu) for bath in model.baths), strict=True)
    return jnp.stack(beta), jnp.stack(mu)


def as_windows(model: object, method: str) -> WindowSystem:
    """The model, for a method of window baths; `ValueError` for any other."""
    return cast(WindowSystem, _of_kind(model, method, is_ideal=False))


def as_ideal(model: object, method: str) -> IdealSystem:
    """The model, for a method of ideal baths; `ValueError` for any other."""
    return cast(IdealSystem, _of_kind(model, method, is_ideal=True))


def _of_kind(model: object, method: str, *, is_ideal: bool) -> OpenSystem[Any, Any]:
    if not isinstance(model, OpenSystem):
        raise ValueError(
            f"`model` must be an OpenSystem for the method {method}, but is {type(model).__name__}."
        )
    if model.is_ideal != is_ideal:
        wanted, present = ("ideal", "window") if is_ideal else ("window", "ideal")
        raise ValueError(
            f"`model` must have {wanted} baths for the method {method}, but has {present} ones."
        )
    return model


def connected(model: OpenSystem[Any, Any], operator: Inexact[Array, "d d"]) -> np.ndarray:
    """Which energy eigenstates an operator connects, as far as known beforehand."""
    if model.hamiltonian is not None or is_traced(operator):
        return np.ones((model.levels, model.levels), bool)
    return np.asarray(operator) != 0


def joint_volumes(model: WindowSystem) -> np.ndarray:
    """V_E = V_E1 V_E2 ..., one axis a bath."""
    total = np.ones(())
    for bath in model.baths:
        total = np.multiply.outer(total, bath.volume)
    return total
