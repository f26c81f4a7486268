"""An equation of a small system between ideal baths: how its generators are made."""

import abc
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array

from entropax.method.ideal.generators import AbstractGenerator
from entropax.method.ideal.rates import require_rates, require_shift
from entropax.model.views import IdealSystem
from entropax.protocol import Interval

Follow = Callable[[Array], AbstractGenerator]
"""The generator at a time."""


class AbstractEquation(eqx.Module):
    """The generator of each undriven model, with what was decided beforehand about them all.

    A generator is a program of its own (`eqx.filter_jit`), which is traced once however often it is
    asked for.
    """

    has_rate_equation: ClassVar[bool]
    """Whether populations may evolve apart from coherences."""

    @abc.abstractmethod
    def make(self, model: IdealSystem, *, with_populations: bool) -> AbstractGenerator:
        """The generator of an undriven model, and its rate equation where there is one."""

    @eqx.filter_jit
    def generator(self, model: IdealSystem) -> AbstractGenerator:
        """The generator of an undriven model."""
        return self.make(model, with_populations=False)

    def generator_with_populations(self, model: IdealSystem) -> AbstractGenerator:
        """The same with its rate equation: what steady states are found by, and solvers need not
        carry along.
        """
        return self._with_populations(model) if self.has_rate_equation else self.generator(model)

    @eqx.filter_jit
    def _with_populations(self, model: IdealSystem) -> AbstractGenerator:
        return self.make(model, with_populations=True)

    @abc.abstractmethod
    def steady_generator(self, model: IdealSystem) -> AbstractGenerator:
        """The generator in the form in which its steady state is looked for."""

    @abc.abstractmethod
    def follow(self, model: IdealSystem, stretch: Interval) -> Follow:
        """The generator at the times of a stretch without breaks."""

    @abc.abstractmethod
    def moves(self, model: IdealSystem) -> bool:
        """Whether dissipators change between breaks."""

    @abc.abstractmethod
    def is_secular(self, model: IdealSystem) -> bool:
        """Whether populations and coherences between different energies evolve apart, so that the
        ledger may part their entropy production.
        """

    @property
    @abc.abstractmethod
    def conserves_nothing(self) -> bool:
        """Whether it is known that no operator commutes with H and all jumps."""


class AbstractGlobalEquation(AbstractEquation):
    """Jumps between eigenstates of the Hamiltonian of the moment, all of it."""

    def steady_generator(self, model: IdealSystem) -> AbstractGenerator:
        return self.generator_with_populations(model)

    def follow(self, model: IdealSystem, stretch: Interval) -> Follow:
        return follow_all(self, model, stretch)

    def moves(self, model: IdealSystem) -> bool:
        return not model.is_piecewise_constant

    @property
    def conserves_nothing(self) -> bool:
        return False


def follow_all(equation: AbstractEquation, model: IdealSystem, stretch: Interval) -> Follow:
    """The generator at the times of a stretch, all of it made anew at each."""
    if model.is_piecewise_constant:
        fixed = equation.generator(model.within(stretch[0], stretch))
        return lambda time: fixed
    return lambda time: equation.generator(model.within(time, stretch))


def require_global(method: str, model: IdealSystem, *, lamb_shift: bool) -> None:
    """`ValueError` where jumps between the eigenstates of all of H_S have no rates."""
    if model.frame is not None:
        raise ValueError(
            f"`frame` must be None for {method}, whose dissipators see the drive; "
            "Local and Lindblad know frames."
        )
    if lamb_shift:
        require_shift(model)
    before = model.before()
    require_rates(before, before.total_hamiltonian())
