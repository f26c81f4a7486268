"""What acts on a small system: couplings to baths, hand-written jumps, driven operators."""

import operator as operator_module
from collections.abc import Callable
from types import ModuleType
from typing import Any, SupportsIndex

import equinox as eqx
from jaxtyping import Array, Float, Inexact

from entropax._checks import Numbers, check, finite_array, hermitian_matrix, square_matrix
from entropax._tolerances import ROUNDED
from entropax.model.ideal.bath import ThermalBath
from entropax.model.windows.bath import WindowBath
from entropax.model.windows.coupling_matrices import AbstractCouplingMatrix, Explicit
from entropax.protocol import AbstractProtocol, as_protocol

Bath = WindowBath | ThermalBath


class Coupling(eqx.Module):
    r"""$\lambda\, S \otimes B$ between a system and a bath.

    **Arguments:**

    - `operator`: S, Hermitian, shape (d, d), in the basis in which the system is given. With a
      `ThermalBath` of fermions, the d of $d^\dagger c + c^\dagger d$ that takes a particle out of
      the system, all above the diagonal (states in ascending order of particles), or d + d^dag.
    - `bath`: a `WindowBath` or a `ThermalBath`; couplings that are handed the same object share
      one bath. Those to one `ThermalBath` act independently of each other: operators that feel
      the same noise are one coupling, with their sum.
    - `strength`: $\lambda$, a number or a protocol; rates of master equations go as
      $\lambda^2$.
    - `matrix`: B, with a `WindowBath`: an ensemble (`RandomBands`, `GOE`, `GUE`,
      `EigenstateThermalization`) or a Hermitian array over the bath's levels.
    """

    operator: Inexact[Array, "d d"]
    bath: Bath | None
    strength: Float[Array, ""] | AbstractProtocol
    matrix: AbstractCouplingMatrix | None

    def __init__(
        self,
        operator: Numbers,
        bath: Bath,
        strength: Any = 1.0,
        matrix: AbstractCouplingMatrix | Numbers | None = None,
    ):
        if not isinstance(bath, Bath):
            kind = type(bath).__name__
            raise ValueError(f"`bath` must be a WindowBath or a ThermalBath, but is {kind}.")
        self.bath, self.strength = bath, _strength(strength)
        if isinstance(bath, WindowBath):
            self.operator = hermitian_matrix("operator", operator)
            self.matrix = _matrix(matrix, bath)
            return
        if matrix is not None:
            raise ValueError("`matrix` must be None for a ThermalBath, which has a spectrum.")
        if bath.spectrum is None:
            raise ValueError("`bath` must have a spectrum for a Coupling; a Jump needs none.")
        self.matrix = None
        if bath.statistics == "bose":
            self.operator = hermitian_matrix("operator", operator)
        else:
            operator = square_matrix("operator", operator)
            rule = "d, all above the diagonal, or d + d^dag, for a bath of fermions"
            self.operator = check("operator", operator, rule, _moves_particles)

    @property
    def size(self) -> Float[Array, ""] | AbstractProtocol:
        """What may be driven: the strength."""
        return self.strength

    @property
    def size_name(self) -> str:
        """The name of what may be driven."""
        return "strength"


class Jump(eqx.Module):
    r"""A hand-written term $\gamma\,(L \rho L^\dagger - \frac12\{L^\dagger L, \rho\})$.

    **Arguments:**

    - `operator`: L, any square matrix, in the basis in which the system is given.
    - `bath`: the `ThermalBath` whose heat the jumps exchange, at its beta; its spectrum is not
      asked for. Noise without a temperature is that of a bath with `beta=0`.
    - `rate`: $\gamma \ge 0$, a number or a protocol.
    - `particles`: given to the bath with each jump; heat is energy less mu times particles.
    """

    operator: Inexact[Array, "d d"]
    bath: ThermalBath | None
    rate: Float[Array, ""] | AbstractProtocol
    particles: int = eqx.field(static=True)

    def __init__(
        self,
        operator: Numbers,
        bath: ThermalBath,
        rate: Any = 1.0,
        particles: SupportsIndex = 0,
    ):
        self.operator = square_matrix("operator", operator)
        if not isinstance(bath, ThermalBath):
            raise ValueError(f"`bath` must be a ThermalBath, but is {type(bath).__name__}.")
        self.bath = bath
        if callable(rate):
            self.rate = as_protocol("rate", rate)
        else:
            rate = finite_array("rate", rate, ndim=0)
            self.rate = check("rate", rate, "non-negative", lambda xp, g: g >= 0)
        try:
            self.particles = operator_module.index(particles)
        except TypeError:
            raise ValueError(f"`particles` must be an integer, but is {particles!r}.") from None

    @property
    def size(self) -> Float[Array, ""] | AbstractProtocol:
        """What may be driven: the rate."""
        return self.rate

    @property
    def size_name(self) -> str:
        """The name of what may be driven."""
        return "rate"

    @property
    def fixed_rate(self) -> Float[Array, ""]:
        """The rate of an undriven model."""
        assert not isinstance(self.rate, AbstractProtocol), "the rate of one time, by `within`"
        return self.rate


class Drive(eqx.Module):
    """f(t) V: an operator whose strength follows a protocol.

    **Arguments:** `operator`: V, Hermitian, in the basis in which the system is given;
    `protocol`: f, an `AbstractProtocol` or any function of time.
    """

    operator: Inexact[Array, "d d"]
    protocol: AbstractProtocol

    def __init__(self, operator: Numbers, protocol: Callable[[Array], Any]):
        self.operator = hermitian_matrix("operator", operator)
        self.protocol = as_protocol("protocol", protocol)


def _matrix(matrix: Any, bath: WindowBath) -> AbstractCouplingMatrix:
    if matrix is None:
        raise ValueError(
            "`matrix` must be given for a WindowBath: RandomBands, GOE, GUE, "
            "EigenstateThermalization or a Hermitian array over its levels."
        )
    if isinstance(matrix, type):
        raise ValueError(f"`matrix` must be made first: {matrix.__name__}(...).")
    if not isinstance(matrix, AbstractCouplingMatrix):
        matrix = Explicit(matrix)
    matrix.check(bath)
    return matrix


def _strength(strength: Any) -> Float[Array, ""] | AbstractProtocol:
    if callable(strength):
        return as_protocol("strength", strength)
    return finite_array("strength", strength, ndim=0)


def _moves_particles(xp: ModuleType, matrix: Any) -> Any:
    small = ROUNDED * xp.max(xp.abs(matrix), initial=0.0)
    upper = xp.triu(matrix, 1)
    lower = matrix - upper
    alone = xp.all(xp.abs(lower) <= small)
    return alone | xp.all(xp.abs(lower - upper.conj().T) <= small)
