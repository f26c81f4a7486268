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
# # A level between two finite baths
#
# From the model to the picture to the gradient: how much entropy a single electron transistor
# produces, what that entropy is made of, and which couplings it depends on. The parameters are
# those of Usui, Ptaszyński, Esposito, Strasberg (2024), case (a). Units and signs are in
# `docs/conventions.md`; nothing here assumes that you know JAX.
#
# At the published size (1000 modes a bath) all of it takes a few minutes on a laptop. Set
# `ENTROPAX_SMALL=1` in the environment for 40 modes and a quick look.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import entropax as ex

SMALL = bool(os.environ.get("ENTROPAX_SMALL"))
MODES = 40 if SMALL else 1000

plt.rcParams |= {
    "figure.figsize": (7.0, 4.2),
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
}

# %% [markdown]
# ## The model
#
# Each lead is a flat band of equally spaced modes, coupled to the level at the rate Γ: the left one
# cold and rich in particles, the right one warmer and poor. `jax.numpy` is NumPy with derivatives;
# otherwise these are plain numbers in a frozen object, checked when it is built.


# %%
def make_junction(gamma):
    left = ex.Lead.flat(modes=MODES, width=10.0, coupling=gamma, beta=10.0, mu=1.0)
    right = ex.Lead.flat(modes=MODES, width=10.0, coupling=gamma, beta=2.0, mu=-1.0)
    return ex.Junction(level=0.0, occupation=0.0, leads=(left, right))


GAMMA = 3.0
junction = make_junction(GAMMA)
spacing = 10.0 / (MODES - 1)
print(f"{junction.mode_energies.shape[0]} modes, level spacing {spacing:.4f}")
print(f"the discrete spectrum shows after t = 2π/Δε = {2 * jnp.pi / spacing:.0f}")

# %% [markdown]
# ## All times at once
#
# The dynamics is exact at any time, without time steps, so times may be spread over seven decades.
# The first call takes longer, because `jit` compiles: JAX translates the program once for these
# array shapes into machine code, and every later call with other numbers reuses it.

# %%
ts = jnp.logspace(-1, 6, 22 if SMALL else 43) / GAMMA
solution = ex.solve(junction, ts)
ledger = solution.ledger

print("       Γt        Σ        σ   beta_L   beta_R")
for row in range(0, len(ts), 3):
    print(
        f"{GAMMA * ts[row]:9.1e} {ledger.entropy_production[row]:8.3f} "
        f"{ledger.entropy_production_fixed[row]:8.3f} "
        f"{ledger.beta[row, 0]:8.4f} {ledger.beta[row, 1]:8.4f}"
    )

# %% [markdown]
# ## Entropy production, and what it is made of
#
# Σ takes each bath at its *running* temperature, σ at its *initial* one; their difference is what
# the finite baths have changed. Σ is the sum of four kinds of terms: correlations of the system
# with the baths, between the baths, inside each bath, and the athermality of each mode.

# %%
terms = ledger.terms
curves = {
    "σ, initial temperatures": (ledger.entropy_production_fixed, "k--"),
    "Σ, running temperatures": (ledger.entropy_production, "k-"),
    "inter-bath": (terms.inter_bath, "C0-"),
    "intra-bath, left + right": (terms.intra_bath.sum(axis=1), "C1-"),
    "athermality": (terms.athermality, "C2-"),
    "system-bath": (terms.system_bath, "C3-"),
}
figure, axes = plt.subplots()
for name, (curve, style) in curves.items():
    axes.loglog(GAMMA * ts, curve, style, label=name)
axes.set(xlabel="Γt", ylabel="entropy (nats)", ylim=(1e-3, None))
axes.legend(fontsize="small")
plt.show()

# %% [markdown]
# The sum closes to rounding at every time, which checks everything that enters it: the dynamics,
# four kinds of entropies, and the effective temperatures.

# %%
figure, axes = plt.subplots(figsize=(7.0, 2.4))
axes.semilogx(GAMMA * ts, ledger.residual, "o", ms=3)
axes.set(xlabel="Γt", ylabel="Σ − sum of terms")
plt.show()
worst, largest = jnp.abs(ledger.residual).max(), ledger.entropy_production.max()
print(f"largest residual: {worst:.1e}, beside a Σ of up to {largest:.0f}")

# %% [markdown]
# ## Temperatures that run
#
# A bath's effective β and μ are those of the grand canonical state with its energy and particle
# number. Both baths drift (regime II) to a common value (regime III): that of one grand canonical
# state of the whole, interaction included, dashed.

# %%
common = ex.global_equilibrium(junction)
figure, rows = plt.subplots(2, 1, sharex=True, figsize=(7.0, 5.0))
for axes, running, reference, name in (
    (rows[0], ledger.beta, common.beta, "β"),
    (rows[1], ledger.mu, common.mu, "μ"),
):
    axes.semilogx(GAMMA * ts, running[:, 0], "C0-", label="left")
    axes.semilogx(GAMMA * ts, running[:, 1], "C3-", label="right")
    axes.axhline(reference, color="0.5", ls="--", label="global equilibrium")
    axes.set(ylabel=name)
rows[0].legend(fontsize="small")
rows[1].set(xlabel="Γt")
plt.show()

# %% [markdown]
# ## A pure state does the same
#
# Fill each mode at random, with the probability of its thermal occupation: one pure product state
# that looks the same from afar. The random numbers come from an explicit key, so the draw is
# reproducible. A single state has no temperature, so its initial β and μ are effective ones too,
# and its initial athermality is subtracted from Σ.

# %%
pure = ex.pure_start(junction, jax.random.key(0))
pure_ledger = ex.solve(pure, ts).ledger

figure, axes = plt.subplots()
axes.loglog(GAMMA * ts, ledger.entropy_production, "0.7", lw=5, label="Σ, mixed start")
axes.loglog(GAMMA * ts, pure_ledger.entropy_production, "k-", lw=1.2, label="Σ, pure start")
axes.loglog(GAMMA * ts, terms.inter_bath, "C0", lw=5, alpha=0.35, label="inter-bath, mixed")
axes.loglog(GAMMA * ts, pure_ledger.terms.inter_bath, "C0-", lw=1.2, label="inter-bath, pure")
axes.set(xlabel="Γt", ylabel="entropy (nats)", ylim=(1e-3, None))
axes.legend(fontsize="small")
plt.show()
print(f"initial athermality of the pure start: {pure_ledger.terms.athermality_initial:.1f}")

# %% [markdown]
# ## Many couplings in one call
#
# `vmap` turns a function of one number into a function of many: no loop, one compilation.


# %%
TIME = 10.0


def sigma_of_rate(gamma):
    """Σ at `TIME`, as a function of the rate."""
    return ex.solve(make_junction(gamma), [TIME]).ledger.entropy_production[0]


rates = jnp.linspace(1.0, 7.0, 7)
sigmas = jax.jit(jax.vmap(sigma_of_rate))(rates)

# %% [markdown]
# ## How Σ depends on the rate
#
# `grad` turns a function that returns a number into the function that returns its derivative,
# exact to rounding (it differentiates the program, not a difference quotient).
# `value_and_grad` gives both.

# %%
slope_of_rate = jax.jit(jax.value_and_grad(sigma_of_rate))
sigma, slope = slope_of_rate(GAMMA)

step = 1e-4
quotient = (slope_of_rate(GAMMA + step)[0] - slope_of_rate(GAMMA - step)[0]) / (2 * step)
print(f"Σ = {sigma:.6f}   dΣ/dΓ = {slope:.8f}   central difference {quotient:.8f}")
print(f"relative difference {abs(quotient / slope - 1):.1e}")

figure, axes = plt.subplots()
axes.plot(rates, sigmas, "ko", label="vmap")
near = GAMMA + jnp.array([-1.5, 1.5])
axes.plot(near, sigma + slope * (near - GAMMA), "C1-", lw=2, label="grad at Γ = 3")
axes.set(xlabel="Γ", ylabel=f"Σ(t = {TIME:.0f})")
axes.legend()
plt.show()

# %% [markdown]
# ## How Σ depends on every single coupling
#
# Nothing asks the couplings to be equal. The derivative by all of them at once costs one to two
# times the value, however many there are: that is reverse-mode differentiation. The picture says
# which modes dissipate at this time: where the curve is high, a stronger coupling would add most to
# Σ. These are the modes between the two chemical potentials, filled left and empty right.


# %%
def sigma_of_couplings(couplings):
    """Σ at `TIME`, as a function of the couplings, one row a lead."""
    left, right = (
        ex.Lead(lead.energies, t, lead.beta, lead.mu)
        for lead, t in zip(junction.leads, couplings, strict=True)
    )
    changed = ex.Junction(level=0.0, occupation=0.0, leads=(left, right))
    return ex.solve(changed, [TIME]).ledger.entropy_production[0]


couplings = jnp.stack([lead.couplings for lead in junction.leads])
slope_of_couplings = jax.jit(jax.value_and_grad(sigma_of_couplings))
_, gradient = slope_of_couplings(couplings)
print(f"{gradient.size} derivatives in one call")

# %%
figure, rows = plt.subplots(2, 1, sharex=True, sharey=True, figsize=(7.0, 5.0))
for axes, lead, slopes, name, color in zip(
    rows, junction.leads, gradient, ("left", "right"), ("C0", "C3"), strict=True
):
    axes.fill_between(lead.energies, slopes, color=color, alpha=0.3, lw=0)
    axes.plot(lead.energies, slopes, color=color, lw=1)
    axes.axvline(lead.mu, color="0.5", ls=":")
    axes.axhline(0.0, color="k", lw=0.6)
    axes.set(ylabel=rf"$\partial\Sigma/\partial t_k$, {name}")
rows[1].set(xlabel=r"mode energy $\epsilon_k$ (dotted: chemical potential at the start)")
plt.show()

# %% [markdown]
# Two checks of that gradient. In a flat band every coupling is √(ΓΔε/2π), so the chain rule must
# give back dΣ/dΓ; and one coupling moved by hand must move Σ as its derivative says.

# %%
chain = jnp.sum(gradient * couplings) / (2 * GAMMA)
print(f"chain rule {chain:.10f}   dΣ/dΓ {slope:.10f}")

mode = MODES // 2
step = 1e-3 * couplings[0, mode]
above, _ = slope_of_couplings(couplings.at[0, mode].add(step))
below, _ = slope_of_couplings(couplings.at[0, mode].add(-step))
print(
    f"one coupling {gradient[0, mode]:.8f}   central difference {(above - below) / (2 * step):.8f}"
)

# %% [markdown]
# ## When something fails
#
# Misuse raises a `ValueError` when the model is built. It names the argument, the rule, and what it
# was instead.

# %%
try:
    ex.Lead(energies=jnp.linspace(-5, 5, 10), couplings=jnp.ones(9), beta=1.0, mu=0.0)
except ValueError as error:
    print(error)

try:
    ex.Junction(level=0.0, occupation=1.2, leads=junction.leads)
except ValueError as error:
    print(error)

# %% [markdown]
# What only the numbers can tell is in `solution.result`, one entry a time. A bath that starts at
# zero temperature, say, has no finite β at that moment: `beta` is infinite, and the result says so.
# Here σ is infinite as soon as an empty mode of that bath fills, and Σ is as finite as ever.

# %%
hot = junction.leads[1]
cold = ex.Lead.flat(modes=MODES, width=10.0, coupling=GAMMA, beta=jnp.inf, mu=1.0)
frozen = ex.solve(ex.Junction(level=0.0, occupation=0.0, leads=(cold, hot)), ts.at[0].set(0.0))
undetermined = frozen.result == ex.RESULTS.undetermined_temperature
print(f"at times {frozen.ts[undetermined]}: {ex.RESULTS[ex.RESULTS.undetermined_temperature]}")
print(f"beta at t = 0: {frozen.ledger.beta[0]}; must not be used: {int(frozen.failed.sum())} times")
print(
    f"Σ, σ at the end: {frozen.ledger.entropy_production[-1]:.3f}, "
    f"{frozen.ledger.entropy_production_fixed[-1]}"
)

# %% [markdown]
# Trouble that would make a number wrong raises an error; in a batch, `ex.solve(..., throw=False)`
# returns instead, and `solution.failed` is a mask of the entries not to use.
