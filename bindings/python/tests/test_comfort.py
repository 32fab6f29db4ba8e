"""Bars of progress, and what a notebook shows."""

import re
import sys
import threading
import xml.etree.ElementTree

import numpy as np
import pytest
from conftest import make_blobs

import kentro
from kentro import KMeans


def test_a_bar_names_phases(blobs, capsys):
    pytest.importorskip("tqdm")
    kmeans = KMeans(12).with_progress("bar").with_quality("fast").with_iterations(9)
    assert kmeans.progress == "bar"
    kmeans.train(blobs)
    text = capsys.readouterr().err
    assert "iterating" in text
    assert "inertia" in text
    assert f"{kmeans.n_iter}/9" in text
    silent = KMeans(12).with_quality("fast").with_iterations(9)
    silent.train(blobs)
    assert (silent.labels == kmeans.labels).all()
    assert capsys.readouterr().err == ""


def test_a_bar_of_several_runs(blobs, capsys):
    pytest.importorskip("tqdm")
    KMeans(12).with_progress("bar").with_n_init(3).train(blobs)
    assert "run 3, " in capsys.readouterr().err
    kentro.sweep(blobs, [2, 3], KMeans(1).with_progress("bar"))
    assert "run 2, " in capsys.readouterr().err
    KMeans(3).with_progress("bar").partial_fit(blobs).partial_fit(blobs)


def test_without_tqdm_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match="pip install tqdm"):
        KMeans(2).with_progress("bar")


def test_what_cannot_watch():
    for wrong in ("line", 3, True):
        with pytest.raises(TypeError, match='progress must be callable, "bar" or None'):
            KMeans(2).with_progress(wrong)


def parsed(model):
    """The card as XML: every tag is closed and every attribute quoted."""
    return xml.etree.ElementTree.fromstring(model._repr_html_())


def lines(card):
    return [shape.get("points").split() for shape in card.iter("polyline")]


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_the_card_of_a_trained_model(blobs, quality):
    kmeans = KMeans(6).with_euclidean(True).with_quality(quality).with_seed(2)
    assert "not trained" in kmeans._repr_html_()
    inertias = []

    def watch(progress):
        if progress.total > len(inertias):
            inertias.append(progress.inertia)

    kmeans = kmeans.with_progress(watch)
    kmeans.train(blobs)
    card = parsed(kmeans)
    text = "".join(card.itertext())
    sizes = kmeans.cluster_sizes
    assert "6 clusters, Euclidean" in text
    assert "600 points x 8 dimensions" in text
    assert f"sizes {sizes.min()} to {sizes.max()}" in text
    assert f"inertia {kmeans.inertia:.6g}" in text
    assert len(list(card.iter("rect"))) == 6
    [curve] = lines(card)
    assert len(curve) == len(inertias)
    heights = [float(point.split(",")[1]) for point in curve]
    assert np.argmin(heights) == np.argmax(inertias)
    # At home on light and dark pages: no colour but that of the text.
    assert not re.search(r"#[0-9a-f]{3}|rgb\(|black|white", kmeans._repr_html_())


def test_the_card_of_other_models(blobs):
    many = KMeans(300).with_balanced(True).with_quality("fast")
    many.train(blobs)
    card = parsed(many)
    assert len(list(card.iter("rect"))) == 65
    assert "balanced within 16" in "".join(card.itertext())
    medoids = KMeans(3).with_use_medoids(True)
    medoids.train(blobs)
    assert "medoids" in "".join(parsed(medoids).itertext())
    given = KMeans.from_centroids(blobs[:4])
    assert "4 clusters, cosine" in "".join(parsed(given).itertext())
    assert not lines(parsed(given))
    loaded = KMeans.from_bytes(many.to_bytes())
    assert len(list(parsed(loaded).iter("rect"))) == 65
    assert not lines(parsed(loaded)), "a file has no curve"
    step = kentro.sweep(blobs, [2, 3])[1]
    assert len(lines(parsed(step.model))) == 1


def test_the_curve_is_of_the_best_run():
    data = make_blobs(rows=300, clusters=9)
    kmeans = KMeans(9).with_n_init(4).with_init("random").with_quality("fast")
    last = {}
    kmeans = kmeans.with_progress(lambda p: last.update({p.run: p.inertia}))
    kmeans.train(data)
    assert kmeans._curve[-1] == min(last.values())


def test_other_threads_are_not_made_to_wait(blobs):
    kmeans = KMeans(3)
    thread = threading.Thread(target=kmeans.train, args=(blobs,))
    thread.start()
    thread.join()
    assert kmeans.is_trained
    assert not lines(parsed(kmeans))
