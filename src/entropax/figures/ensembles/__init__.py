"""Studies of many draws: what is typical, and where a master equation holds."""

from entropax.figures.ensembles import gorm, typicality, validity

FIGURES = tuple(module.FIGURE for module in (typicality, gorm, validity))
