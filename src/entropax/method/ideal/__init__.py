"""A small system and ideal baths: equations of GKLS form, and Redfield's."""

from entropax.method.ideal.davies import Davies as Davies
from entropax.method.ideal.local import Lindblad as Lindblad, Local as Local
from entropax.method.ideal.master_equation import (
    AbstractIdealBathEquation as AbstractIdealBathEquation,
)
from entropax.method.ideal.redfield import Redfield as Redfield
