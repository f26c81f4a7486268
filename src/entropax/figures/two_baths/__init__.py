"""Two finite baths at once: heat that flows between them, and a refrigerator between them."""

from entropax.figures.two_baths import heat_flow, refrigerator

FIGURES = (heat_flow.FIGURE, refrigerator.FIGURE)
