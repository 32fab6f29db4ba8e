"""What a notebook shows of a model."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Sequence

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._kmeans import KMeans

_WIDTH, _HEIGHT = 260, 72
_MOST_BARS = 65
"""Clusters that get a bar each; of more, bars are quantiles of sizes."""

# Colours are those of the text around, so that the card is at home on light and dark
# pages; no style leaks out of it.
_FRAME = (
    "font-family:system-ui,sans-serif;font-size:13px;line-height:1.5;display:inline-block;"
    "border:1px solid color-mix(in srgb,currentColor 25%,transparent);border-radius:6px;"
    "padding:8px 12px"
)
_FAINT = "opacity:.7"


def card(model: KMeans, curve: Sequence[float]) -> str:
    """The model in HTML: what it is, sizes, and how the inertia fell."""
    parts = [f"<b>KMeans</b> <span style='{_FAINT}'>{escape(_kind(model))}</span>"]
    if not model.is_trained:
        parts.append(f"<div style='{_FAINT}'>not trained</div>")
    else:
        parts.append(f"<div>{_facts(model)}</div>")
        sizes = model.cluster_sizes
        figures = []
        if sizes is not None and len(sizes):
            text = f"sizes {sizes.min():,} to {sizes.max():,}, median {np.median(sizes):,.0f}"
            figures.append(_figure(_bars(sizes), text))
        if len(curve) > 1:
            text = f"inertia {curve[0]:.4g} to {curve[-1]:.4g}"
            figures.append(_figure(_line(curve), text))
        parts.append(f"<div style='display:flex;gap:16px'>{''.join(figures)}</div>")
    return f"<div style='{_FRAME}'>{''.join(parts)}</div>"


def _kind(model: KMeans) -> str:
    words = [f"{model.n_clusters:,} clusters", "Euclidean" if model.is_euclidean else "cosine"]
    if model.is_balanced:
        bounds = model.size_bounds
        limit = f"within {model.max_balance_diff}" if bounds is None else f"{bounds}"
        words.append(f"balanced {limit}")
    if model.is_use_medoids:
        words.append("medoids")
    return ", ".join(words)


def _facts(model: KMeans) -> str:
    facts = []
    if model.n_points is not None:
        facts.append(f"{model.n_points:,} points x {model.n_dimensions:,} dimensions")
    else:
        facts.append(f"{model.n_dimensions:,} dimensions")
    if model.inertia is not None:
        facts.append(f"inertia {model.inertia:.6g}")
        facts.append(f"{model.n_iter} iterations")
    if model.balance_gap is not None:
        facts.append(f"gap at most {model.balance_gap:.2g}")
    return escape(", ".join(facts))


def _figure(shapes: str, text: str) -> str:
    label = escape(text, quote=True)
    return (
        f"<div><svg role='img' aria-label='{label}' width='{_WIDTH}' height='{_HEIGHT}' "
        f"viewBox='0 0 {_WIDTH} {_HEIGHT}' fill='currentColor'>{shapes}</svg>"
        f"<div style='{_FAINT}'>{label}</div></div>"
    )


def _bars(sizes: NDArray[np.int64]) -> str:
    """A bar for each cluster, the largest first; quantiles where they are many."""
    falling = np.sort(sizes)[::-1]
    if len(falling) > _MOST_BARS:
        falling = falling[np.linspace(0, len(falling) - 1, _MOST_BARS).round().astype(int)]
    step = _WIDTH / len(falling)
    heights = falling / max(int(falling[0]), 1) * (_HEIGHT - 2)
    return "".join(
        f"<rect x='{i * step:.1f}' y='{_HEIGHT - height:.1f}' width='{step * 0.8:.1f}' "
        f"height='{height:.1f}' opacity='.6'/>"
        for i, height in enumerate(heights.tolist())
    )


def _line(curve: Sequence[float]) -> str:
    """The inertia after each iteration."""
    values = np.asarray(curve, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    x = np.linspace(2, _WIDTH - 2, len(values))
    y = _HEIGHT - 4 - (values - low) / ((high - low) or 1.0) * (_HEIGHT - 8)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist()))
    return f"<polyline points='{points}' fill='none' stroke='currentColor' stroke-width='1.5'/>"
