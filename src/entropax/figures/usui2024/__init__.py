"""The figures of Usui, Ptaszynski, Esposito and Strasberg (2024)."""

from entropax.figures.usui2024 import fig3, fig4, fig5, fig6, fig7, fig8, fig9

FIGURES = tuple(module.FIGURE for module in (fig3, fig4, fig5, fig6, fig7, fig8, fig9))
