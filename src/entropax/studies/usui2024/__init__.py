"""The figures of Usui, Ptaszynski, Esposito and Strasberg (2024)."""

from entropax.studies.usui2024 import fig3, fig4, fig5, fig6, fig7, fig8, fig9

STUDIES = tuple(module.STUDY for module in (fig3, fig4, fig5, fig6, fig7, fig8, fig9))
