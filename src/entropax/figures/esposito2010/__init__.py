"""Figure of Esposito, Lindenberg, Van den Broeck (2010)."""

from entropax.figures.esposito2010 import fig1

FIGURES = (fig1.FIGURE,)
