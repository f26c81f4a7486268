# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A spin and a finite bath, described in four ways
#
# A bath that is known only by windows of energy, and a spin that flips against it: solved exactly,
# by the extended microcanonical master equation (EMME) of Riera-Campeny, Sanpera and Strasberg,
# PRX Quantum 2, 010340 (2021), with and without memory, and by the textbook equation with a frozen
# bath. One model, four methods, the same ledger: you see where the cheap descriptions hold.
#
# At the published size this takes about a minute. Set `ENTROPAX_SMALL=1` in the environment for a
# quick look.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import entropax as ex

SMALL = bool(os.environ.get("ENTROPAX_SMALL"))
VOLUMES = (40, 60) if SMALL else (400, 600)
STRENGTH = 1e-2 if SMALL else 3e-3

# %% [markdown]
# ## The model
#
# Two windows of width 0.5 at the energies 0 and 1, which hold 400 and 600 levels, and a random
# coupling between them. The spin starts up, the bath evenly in its lower window.

# %%
flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])


def make_model(strength):
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=VOLUMES, width=0.5, levels="even")
    link = ex.Coupling(flip, bath, strength, matrix=ex.RandomBands(variance=1.0))
    start = ex.Product(system=1, windows=(0,))
    return ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)


model = make_model(STRENGTH)
ts = jnp.linspace(0.0, 60.0, 61)

# %% [markdown]
# ## Four methods
#
# `Schrodinger` draws the matrix from a key and diagonalises; the others know only the windows.

# %%
methods = {
    "exact": ex.Schrodinger(key=jax.random.key(0)),
    "EMME": ex.EMME(),
    "EMME, finite time": ex.EMME(memory="finite"),
    "frozen bath": ex.BornMarkovSecular(),
}
ledgers = {name: ex.solve(model, ts, method).ledger for name, method in methods.items()}

# %%
figure, ax = plt.subplots()
for (name, led), line in zip(ledgers.items(), ("-", "--", "-.", ":"), strict=True):
    ax.plot(ts, led.joint[:, 1, 0], line, label=name)
ax.set(xlabel="time", ylabel="spin up, bath in its lower window", ylim=(0, 1))
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# The EMME ends where phase space says, at V0/(V0+V1): a frozen bath cannot know that the windows
# are finite. Memory matters at times below the inverse of the window's width.

# %%
volume = VOLUMES[0] / sum(VOLUMES)
print(f"steady state by volumes {volume:.3f}")
for name, led in ledgers.items():
    print(f"{name:18} ends at {led.joint[-1, 1, 0]:.3f}, heat {led.heat[-1, 0]:+.3f}")

# %% [markdown]
# ## Entropy
#
# The ledger's `entropy_production` is the change of observational entropy. Under the EMME it only
# grows; exactly it stays positive.

# %%
figure, ax = plt.subplots()
for name in ("exact", "EMME", "EMME, finite time"):
    ax.plot(ts, ledgers[name].entropy_production, label=name)
ax.set(xlabel="time", ylabel="change of observational entropy")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## A gradient
#
# How fast does the final population react to the strength of the coupling? Any number of the model
# can be asked for in the same way.


# %%
def final(strength):
    return ex.solve(make_model(strength), ts[20:21], ex.EMME(memory="finite")).ledger.joint[0, 1, 0]


print(f"d p / d strength at t = {ts[20]:.0f}: {jax.grad(final)(STRENGTH):.2f}")
