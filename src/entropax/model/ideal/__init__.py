"""Ideal baths and their spectra."""

from entropax.model.ideal.bath import ThermalBath as ThermalBath
from entropax.model.ideal.spectral_densities import (
    CustomSpectrum as CustomSpectrum,
    DrudeLorentzSpectrum as DrudeLorentzSpectrum,
    FlatSpectrum as FlatSpectrum,
    OhmicSpectrum as OhmicSpectrum,
    PowerSpectrum as PowerSpectrum,
    SuperOhmicSpectrum as SuperOhmicSpectrum,
    TabulatedSpectrum as TabulatedSpectrum,
)
