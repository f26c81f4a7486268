"""Figures of Riera-Campeny, Sanpera, Strasberg (2021)."""

from entropax.figures.riera2021 import fig2, fig3, fig4, fig5, fig6, fig7, fig8, fig9

FIGURES = tuple(module.FIGURE for module in (fig2, fig3, fig4, fig5, fig6, fig7, fig8, fig9))
