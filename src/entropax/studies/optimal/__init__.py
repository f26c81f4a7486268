"""Protocols and couplings that produce least entropy, found by gradient."""

from entropax.studies.optimal import (
    coupling_design,
    dot,
    erasure,
    finite_bath_dot,
    finite_engine,
    trap,
)

STUDIES = tuple(
    module.STUDY for module in (dot, erasure, trap, finite_bath_dot, coupling_design, finite_engine)
)
