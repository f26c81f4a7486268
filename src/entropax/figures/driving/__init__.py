"""Driven systems: cycles, switched couplings, and the second law under a drive."""

from entropax.figures.driving import coupling_pulse, driven_canonical, limit_cycles

FIGURES = (driven_canonical.FIGURE, limit_cycles.FIGURE, coupling_pulse.FIGURE)
