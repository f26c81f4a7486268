"""Protocols and couplings that produce least entropy, found by gradient."""

from entropax.figures.optimal import (
    coupling_design,
    dot,
    erasure,
    finite_bath_dot,
    finite_engine,
    trap,
)

FIGURES = tuple(
    module.FIGURE
    for module in (dot, erasure, trap, finite_bath_dot, coupling_design, finite_engine)
)
