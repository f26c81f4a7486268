"""Identities of Strasberg (2020), which has no figures."""

from entropax.figures.strasberg2020 import identities

FIGURES = (identities.FIGURE,)
