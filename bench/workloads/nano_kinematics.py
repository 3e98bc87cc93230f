"""Four-momenta (px, py, pz, E in GeV) in arrays; decays and clustering for generated events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def direction(x: Array, y: Array) -> Array:
    """Azimuth of a vector in (-π, π]."""
    return np.arctan2(y, x)


def four_momentum(pt: Array, rapidity: Array, phi: Array, mass: Array) -> Array:
    """(…, 4) from transverse momentum, rapidity, azimuth and mass."""
    transverse = np.sqrt(pt**2 + mass**2)
    return np.stack(
        [pt * np.cos(phi), pt * np.sin(phi), transverse * np.sinh(rapidity), transverse * np.cosh(rapidity)], axis=-1
    )


def pt_eta_phi(momentum: Array) -> tuple[Array, Array, Array]:
    """Transverse momentum, pseudorapidity and azimuth."""
    pt = np.hypot(momentum[..., 0], momentum[..., 1])
    eta = np.arcsinh(momentum[..., 2] / np.maximum(pt, 1e-6))
    return pt, eta, direction(momentum[..., 0], momentum[..., 1])


def mass_of(momentum: Array) -> Array:
    """Invariant mass; 0 where rounding makes its square negative."""
    squared = momentum[..., 3] ** 2 - (momentum[..., :3] ** 2).sum(axis=-1)
    return np.sqrt(np.maximum(squared, 0))


def two_body(rng: np.random.Generator, parent: Array, first_mass: Array, second_mass: Array) -> tuple[Array, Array]:
    """Isotropic decay in the rest frame of the parent.

    Parameters
    ----------
    parent : array (…, 4)
        A parent too light to decay so (the unused second one of a signal event) gives products at rest.
    """
    mass = np.maximum(mass_of(parent), 1e-6)
    low, high = mass**2 - (first_mass + second_mass) ** 2, mass**2 - (first_mass - second_mass) ** 2
    size = np.sqrt(np.maximum(low * high, 0)) / (2 * mass)
    cosine, phi = rng.uniform(-1, 1, mass.shape), rng.uniform(-np.pi, np.pi, mass.shape)
    sine = np.sqrt(1 - cosine**2)
    axis = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=-1)
    products: list[Any] = []
    for sign, own_mass in ((1, first_mass), (-1, second_mass)):
        at_rest = sign * size[..., None] * axis
        products.append(boosted(at_rest, np.sqrt(size**2 + own_mass**2), parent, mass))
    return products[0], products[1]


def boosted(vector: Array, energy: Array, parent: Array, mass: Array) -> Array:
    """From the rest frame of the parent to that in which it has its momentum."""
    along = (vector * parent[..., :3]).sum(axis=-1)
    moved = vector + (along / (parent[..., 3] + mass) + energy)[..., None] * parent[..., :3] / mass[..., None]
    return np.concatenate([moved, ((parent[..., 3] * energy + along) / mass)[..., None]], axis=-1)


def cluster(momentum: Array, valid: Mask, radius: float) -> tuple[Array, Mask, NDArray[np.int64]]:
    """Merge what lies within a radius (in pseudorapidity and azimuth) of something harder.

    Parameters
    ----------
    momentum : array (events, slots, 4)
    valid : array (events, slots)

    Returns
    -------
    tuple
        Momenta and validity of the same slots after merging, and for each slot the bits of the slots merged in it.
    """
    n_slots = momentum.shape[1]
    order = np.argsort(np.where(valid, -pt_eta_phi(momentum)[0], np.inf), axis=1, kind="stable")
    merged = np.take_along_axis(momentum, order[:, :, None], axis=1)
    left = np.take_along_axis(valid, order, axis=1)
    members = np.where(left, np.int64(1) << order, 0)
    _, eta, phi = pt_eta_phi(merged)
    for i in range(n_slots):
        for j in range(i + 1, n_slots):
            difference = np.abs(phi[:, i] - phi[:, j])
            across = np.minimum(difference, 2 * np.pi - difference)
            joins = left[:, i] & left[:, j] & (np.hypot(eta[:, i] - eta[:, j], across) < radius)
            merged[:, i] += np.where(joins[:, None], merged[:, j], 0)
            members[:, i] |= np.where(joins, members[:, j], 0)
            left[:, j] &= ~joins
    return merged, left, members
