"""Clusters handwritten digits with each kind of model and draws the centroids.

    python examples/digits.py [DIGITS.csv [PICTURE.png]]

The picture needs Pillow: pip install kentro[examples]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kentro import KMeans

N_CLUSTERS = 10
DIGITS = Path(__file__).resolve().parents[3] / "examples" / "data" / "digits.csv"


def main():
    source = sys.argv[1] if len(sys.argv) > 1 else DIGITS
    picture = sys.argv[2] if len(sys.argv) > 2 else "digits.png"

    table = np.loadtxt(source, delimiter=",", dtype=np.int64)
    pixels, digits = table[:, :-1].astype(np.float32), table[:, -1]
    rows, cols = pixels.shape
    print(f"{rows} handwritten digits, {cols} pixels each, {N_CLUSTERS} clusters\n")

    cosine = KMeans(N_CLUSTERS)
    euclidean = cosine.with_euclidean(True)
    models = {
        "cosine": cosine,
        "euclidean": euclidean,
        "balanced": euclidean.with_balanced(True),
        "medoids": euclidean.with_use_medoids(True),
    }
    for name, kmeans in models.items():
        clusters = kmeans.train(pixels)
        print(
            f"{name:<10} inertia {kmeans.inertia:12.1f}  iterations {kmeans.n_iter:2}"
            f"  purity {purity(clusters, digits):.2f}"
        )
        print("  sizes   ", *map(len, clusters))
        if kmeans.medoid_indices is not None:
            medoids = [f"row {row} is a {digits[row]}" for row in kmeans.medoid_indices]
            print("  medoids ", ", ".join(medoids))

    draw(models, digits).save(picture)


def most_frequent(labels, digits):
    """The most frequent digit of each cluster and how often it occurs."""
    counts = [np.bincount(digits[labels == cluster]) for cluster in range(N_CLUSTERS)]
    return [(count.argmax(), count.max()) for count in counts]


def purity(clusters, digits):
    """The share of points that show the digit most frequent in their cluster."""
    return sum(np.bincount(digits[members]).max() for members in clusters) / len(digits)


def draw(models, digits):
    """One row of tiles for each model: its centroids, in the order of the digits they show."""
    tile, gap, left, top = 88, 12, 170, 84
    paper, ink, pale = (255, 255, 255), (28, 34, 48), (122, 130, 146)
    row_height = tile + 50
    width = left + N_CLUSTERS * (tile + gap) + 24
    height = top + len(models) * row_height + 4
    image = Image.new("RGB", (width, height), paper)
    canvas = ImageDraw.Draw(image)
    title, name_font, small = (ImageFont.load_default(size) for size in (26, 22, 15))
    canvas.text((28, 24), "Ten clusters of handwritten digits", ink, title)

    for row, (name, kmeans) in enumerate(models.items()):
        y = top + row * row_height
        canvas.text((28, y + tile / 2 - 12), name, ink, name_font, anchor="lm")
        canvas.text((28, y + tile / 2 + 14), f"{kmeans.n_iter} iterations", pale, small, "lm")
        shown = most_frequent(kmeans.labels, digits)
        order = sorted(range(N_CLUSTERS), key=lambda cluster: shown[cluster][0])
        for column, cluster in enumerate(order):
            x = left + column * (tile + gap)
            image.paste(digit_tile(kmeans.centroids[cluster], tile), (x, y))
            digit, count = shown[cluster]
            size = kmeans.cluster_sizes[cluster]
            text = f"{digit}  {100 * count / size:.0f} % of {size}"
            canvas.text((x + tile / 2, y + tile + 14), text, pale, small, "mm")
    return image


def digit_tile(centroid, size):
    """A centroid as an enlarged 8 x 8 picture, dark ink on light paper."""
    ink = np.clip(centroid / centroid.max(), 0, 1).reshape(8, 8, 1)
    light, dark = np.array([236, 240, 247]), np.array([24, 44, 92])
    colours = (light + (dark - light) * ink).astype(np.uint8)
    return Image.fromarray(colours, "RGB").resize((size, size), Image.NEAREST)


if __name__ == "__main__":
    main()
