"""Studies of many draws: what is typical, and where a master equation holds."""

from entropax.studies.ensembles import gorm, typicality, validity

STUDIES = tuple(module.STUDY for module in (typicality, gorm, validity))
