"""Sites in the plane and the spans between them, drawn from the law of `[random]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario.schema_network import SiteKind, SiteSection, SpanSection

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.scenario.schema_random import RandomSection, SpansSection

ROUNDS = 12
"""Passes of k-means; a dozen points come to rest in fewer."""
FARTHEST = 1.4
"""Where a cloud is drawn at most, in radii of the disc."""


@dataclass(frozen=True, slots=True)
class Places:
    """Sites of one network: their sections by name, and where they are."""

    sections: dict[str, SiteSection]
    edges_km: Float[np.ndarray, "edges 2"]
    hubs_km: Float[np.ndarray, "hubs 2"]
    clouds_km: Float[np.ndarray, "clouds 2"]

    def names(self, kind: str) -> list[str]:
        """Names of the sites of a kind, in the order of their places."""
        return [name for name, section in self.sections.items() if section.kind == kind]


def draw_sites(law: RandomSection, rng: np.random.Generator) -> Places:
    """Edge sites uniformly in a disc, hubs in the middle of theirs, clouds at some distance."""
    count = {kind: draw_count(rng, getattr(law, f"{kind}s")) for kind in ("edge", "hub", "cloud")}
    radius = log_uniform(rng, law.radius_km)
    edges = radius * np.sqrt(rng.uniform(size=(count["edge"], 1))) * _directions(rng, count["edge"])
    hubs = middles(edges, min(count["hub"], count["edge"]), rng)
    far = np.array([[log_uniform(rng, law.cloud_km)] for _ in range(count["cloud"])])
    clouds = far * _directions(rng, count["cloud"])
    offset = float(rng.integers(law.utc_offset_h[0], law.utc_offset_h[1] + 1))
    scale = draw_scales(law, rng, count["edge"])
    sections: dict[str, SiteSection] = {}
    placed: list[tuple[SiteKind, np.ndarray]] = [("hub", hubs), ("cloud", clouds), ("edge", edges)]
    for kind, points in placed:
        for row, point in enumerate(points / radius):
            x, y = (point * min(1.0, FARTHEST / max(float(np.hypot(*point)), 1e-9))).round(3)
            sections[_name(kind, row, len(points))] = SiteSection(
                kind=kind,
                region="metro",
                utc_offset_h=offset,
                scale=float(scale[row]) if kind == "edge" else 1.0,
                x=float(x),
                y=float(y),
            )
    return Places(sections, edges, hubs, clouds)


def draw_spans(
    law: RandomSection, places: Places, rng: np.random.Generator
) -> tuple[dict[str, SpanSection], dict[str, tuple[float, float]]]:
    """Spans of a capacity of 1 Gbit/s, and the range of the headroom of each."""
    edges, hubs, clouds = (places.names(kind) for kind in ("edge", "hub", "cloud"))
    at = dict(zip([*edges, *hubs, *clouds], np.concatenate(
        [places.edges_km, places.hubs_km, places.clouds_km]), strict=True))  # fmt: skip
    pairs = [(edge, hubs[row], law.spans.access) for edge in edges
             for row in _homes(law, places.hubs_km - at[edge], rng)]  # fmt: skip
    pairs += [(hubs[a], hubs[b], law.spans.metro) for a, b in gabriel(places.hubs_km)]
    for cloud in clouds:
        ramps = min(draw_count(rng, law.on_ramps), len(hubs))
        chosen = np.sort(rng.choice(len(hubs), ramps, replace=False))
        pairs += [(hubs[row], cloud, law.spans.cloud) for row in chosen]
    spans: dict[str, SpanSection] = {}
    headroom: dict[str, tuple[float, float]] = {}
    for one, other, role in pairs:
        name = f"{one}--{other}"
        km = float(np.hypot(*(at[one] - at[other])))
        spans[name] = draw_span(law, role, (one, other), km, rng)
        headroom[name] = role.headroom
    return spans, headroom


def draw_scales(law: RandomSection, rng: np.random.Generator, count: int) -> np.ndarray:
    """Sizes (count,) of edge sites, lognormal, their mean 1."""
    scale = np.exp(law.scale_sd * rng.standard_normal(count))
    return np.round(scale / scale.mean(), 3).clip(1e-3)


def draw_span(
    law: RandomSection,
    role: SpansSection,
    ends: tuple[str, str],
    straight_km: float,
    rng: np.random.Generator,
) -> SpanSection:
    """A span of 1 Gbit/s whose fibre is longer than the straight line between its ends."""
    km = straight_km * log_uniform(rng, law.detour)
    return SpanSection(
        ends=ends,
        group=_group(role, rng),
        capacity_gbps=1.0,
        delay_ms=delay_ms(law, km),
    )


def delay_ms(law: RandomSection, km: float) -> float:
    """Delay of light in so much fibre."""
    return round(km * law.delay_us_per_km / 1000.0, 3)


def most_links(law: RandomSection) -> int:
    """Directed links of the largest network."""
    return 2 * sum(most_spans(law).values())


def most_spans(law: RandomSection) -> dict[str, int]:
    """Spans of the largest network by role; a Gabriel graph is planar: 3 x hubs - 6 at most."""
    hubs = law.hubs[1]
    metro = hubs * (hubs - 1) // 2 if hubs < 3 else 3 * hubs - 6
    homes, ramps = (min(most, hubs) for most in (law.homes[1], law.on_ramps[1]))
    return {"access": law.edges[1] * homes, "metro": metro, "cloud": law.clouds[1] * ramps}


def middles(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Centres (count, 2) of clusters of points: k-means from points far apart.

    Ref: Lloyd, Least squares quantization in PCM, IEEE Trans. Inf. Theory 28 (1982); start by
    Gonzalez, Clustering to minimize the maximum intercluster distance, TCS 38 (1985).
    """
    chosen = [int(rng.integers(len(points)))]
    while len(chosen) < count:
        near = _distances(points, points[chosen]).min(1)
        chosen.append(int(near.argmax()))
    centres = points[chosen].copy()
    for _ in range(ROUNDS):
        nearest = _distances(points, centres).argmin(1)
        for row in np.unique(nearest):
            centres[row] = points[nearest == row].mean(0)
    return centres


def gabriel(points: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of points whose circle (the pair its diameter) holds no third point; connected.

    Ref: Gabriel & Sokal, A new statistical approach to geographic variation analysis (1969).
    """
    square = _distances(points, points) ** 2
    pairs = [(a, b) for a in range(len(points)) for b in range(a + 1, len(points))]
    return [
        (a, b)
        for a, b in pairs
        if all(
            square[a, c] + square[b, c] >= square[a, b]
            for c in range(len(points))
            if c not in (a, b)
        )
    ]


def draw_count(rng: np.random.Generator, ends: tuple[int, int]) -> int:
    """A whole number, both ends included."""
    return int(rng.integers(ends[0], ends[1] + 1))


def log_uniform(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(*np.log(ends))))


def _homes(law: RandomSection, away_km: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of the hubs that an edge site has spans to, nearest first."""
    count = min(draw_count(rng, law.homes), len(away_km))
    return np.argsort(np.hypot(*away_km.T), kind="stable")[:count]


def _group(role: SpansSection, rng: np.random.Generator) -> str:
    weights = np.array(list(role.groups.values()))
    return list(role.groups)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _directions(rng: np.random.Generator, count: int) -> np.ndarray:
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.hypot(*(points[:, None] - others[None]).transpose(2, 0, 1))


def _name(kind: SiteKind, row: int, count: int) -> str:
    return f"{kind}-{row + 1:0{len(str(count))}d}"
