"""Clusters handwritten digits with each kind of model and draws the centroids.

    python examples/digits.py [DIGITS.csv [PICTURE.png]]

The picture needs Pillow: pip install kentro[examples]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

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


def purity(clusters, digits):
    """The share of points that show the digit most frequent in their cluster."""
    return sum(np.bincount(digits[members]).max() for members in clusters) / len(digits)


INK, PALE, PAPER = (24, 38, 78), (112, 122, 144), (255, 255, 255)
TILE, GAP, LEFT, TOP, ROW = 104, 16, 176, 112, 156


def draw(models, digits):
    """A row of tiles for each model: its centroids, in the order of the digits they show."""
    width = LEFT + N_CLUSTERS * (TILE + GAP) + 24
    image = Image.new("RGB", (width, TOP + len(models) * ROW), PAPER)
    canvas = ImageDraw.Draw(image)
    title, text, small = (ImageFont.load_default(size) for size in (30, 22, 15))
    canvas.text((32, 28), "Ten clusters of handwritten digits", INK, title)
    note = "below each: the digit most frequent in its cluster, its share, the cluster's size"
    canvas.text((32, 70), note, PALE, small)

    for row, (name, kmeans) in enumerate(models.items()):
        top = TOP + row * ROW
        counts = [np.bincount(digits[kmeans.labels == j]) for j in range(N_CLUSTERS)]
        hits = sum(count.max() for count in counts)
        canvas.text((32, top + TILE / 2 - 12), name, INK, text, "lm")
        canvas.text(
            (32, top + TILE / 2 + 14), f"purity {hits / len(digits):.2f}", PALE, small, "lm"
        )
        by_digit = np.argsort([count.argmax() for count in counts], kind="stable")
        for column, j in enumerate(by_digit):
            left = LEFT + column * (TILE + GAP)
            image.paste(tile(kmeans.centroids[j]), (left, top))
            size, share = counts[j].sum(), counts[j].max() / counts[j].sum()
            middle = top + TILE + 16
            canvas.text((left + 2, middle), str(counts[j].argmax()), INK, text, "lm")
            canvas.text((left + TILE, middle), f"{share:.0%} of {size}", PALE, small, "rm")
    return image


def tile(centroid):
    """A centroid of 8 x 8 pixels, enlarged, with a margin: dark ink on light paper."""
    ink = np.clip(centroid / centroid.max() * 255, 0, 255).astype(np.uint8).reshape(8, 8)
    enlarged = Image.fromarray(np.pad(ink, 1)).resize((TILE, TILE), Image.BICUBIC)
    return ImageOps.colorize(enlarged, black=(238, 241, 248), white=INK)


if __name__ == "__main__":
    main()
