"""Figure of Esposito, Lindenberg, Van den Broeck (2010)."""

from entropax.studies.esposito2010 import fig1

STUDIES = (fig1.STUDY,)
