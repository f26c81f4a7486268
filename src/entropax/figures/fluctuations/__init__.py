"""Fluctuations: entropy production as a random variable, precision and its cost, work."""

from entropax.figures.fluctuations import entropy_production, uncertainty, work

FIGURES = (entropy_production.FIGURE, uncertainty.FIGURE, work.FIGURE)
