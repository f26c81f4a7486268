"""Identities of Strasberg (2020), which has no figures."""

from entropax.studies.strasberg2020 import identities

STUDIES = (identities.STUDY,)
