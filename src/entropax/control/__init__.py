"""Optimal protocols and couplings: gradient descent on any function of a solution."""

from entropax.control.constraint import (
    Constrained as Constrained,
    optimise_with_constraint as optimise_with_constraint,
)
from entropax.control.optimise import (
    OptimisationError as OptimisationError,
    Optimised as Optimised,
    optimise as optimise,
    trainable as trainable,
)
