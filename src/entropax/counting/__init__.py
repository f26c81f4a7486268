"""Fluctuations: what is counted as a random variable, by generating functions."""

from entropax.counting.door import counting as counting
from entropax.counting.fermions import FermionCounting as FermionCounting
from entropax.counting.law import AbstractCounting as AbstractCounting, Law as Law
