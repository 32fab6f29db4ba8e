//! Seeding and local minima: known optima, determinism, duplicates.

use kentro::{Init, KMeans, Points, Quality, RunOptions};
use ndarray::{Array2, ArrayView2};
use std::collections::HashSet;

/// Numbers in [0, 1), the same in every run.
fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// `side` × `side` round clusters of `size` points on a grid of spacing 10.
fn grid(side: usize, size: usize, seed: u64) -> (Array2<f32>, Array2<f32>) {
    let mut unit = noise(seed);
    let centres = Array2::from_shape_fn((side * side, 2), |(j, t)| {
        10.0 * [j % side, j / side][t] as f32
    });
    let points = Array2::from_shape_fn((side * side * size, 2), |(i, t)| {
        let spread: f32 = (0..6).map(|_| unit() - 0.5).sum();
        centres[[i % (side * side), t]] + spread
    });
    (points, centres)
}

fn fit(data: &Array2<f32>, model: KMeans, num_threads: usize) -> KMeans {
    let mut model = model;
    let options = RunOptions {
        num_threads: Some(num_threads),
        ..Default::default()
    };
    model.fit(&Points::from(data.view()), options).unwrap();
    model
}

/// How many true centres no centroid has as its nearest, or how many
/// centroids no true centre has, whichever is more (Fränti, Rezaei & Zhao,
/// 2014). 0: every true cluster is found.
fn centroid_index(centroids: ArrayView2<f32>, truth: ArrayView2<f32>) -> usize {
    let orphans = |from: ArrayView2<f32>, to: ArrayView2<f32>| {
        let nearest = from.outer_iter().map(|a| {
            let distances = to
                .outer_iter()
                .map(|b| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>());
            let least = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
            least.unwrap().0
        });
        to.nrows() - nearest.collect::<HashSet<_>>().len()
    };
    orphans(centroids, truth).max(orphans(truth, centroids))
}

#[test]
fn best_finds_every_cluster_from_any_start() {
    let (data, truth) = grid(6, 60, 1);
    for init in [
        Init::Auto,
        Init::KMeansPlusPlus,
        Init::KMeansParallel,
        Init::Random,
        Init::Tree,
        Init::Centroids(Array2::from_shape_fn((36, 2), |(j, t)| {
            [j as f32 * 0.1, -(j as f32)][t] // all in one corner
        })),
    ] {
        for seed in 0..5 {
            let model = KMeans::new(36)
                .with_euclidean(true)
                .with_seed(seed)
                .with_init(init.clone())
                .with_quality(Quality::Best);
            let model = fit(&data, model, 1);
            let found = centroid_index(model.centroids().unwrap().view(), truth.view());
            assert_eq!(found, 0, "seed {seed}, {init:?}");
        }
    }
}

#[test]
fn quality_pays() {
    let (data, _) = grid(10, 30, 2);
    let inertia = |quality, seed| {
        let model = KMeans::new(100).with_euclidean(true).with_seed(seed);
        let model = model.with_init(Init::Random).with_quality(quality);
        fit(&data, model, 1).inertia().unwrap()
    };
    for seed in 0..5 {
        let fast = inertia(Quality::Fast, seed);
        let default = inertia(Quality::Default, seed);
        let best = inertia(Quality::Best, seed);
        assert!(fast > 1.2 * default, "{fast} {default}");
        assert!(default >= best, "{default} {best}");
    }
}

/// The row that would save most by going to another cluster, and how much of
/// the inertia that is, by what both means are before and after.
fn best_exchange(data: &Array2<f32>, model: &KMeans) -> f64 {
    let (rows, dims) = data.dim();
    let labels = model.labels().unwrap();
    let sizes = model.cluster_sizes().unwrap();
    let mut means = Array2::<f64>::zeros((sizes.len(), dims));
    for (row, &label) in data.outer_iter().zip(labels) {
        for (mean, &x) in means.row_mut(label as usize).iter_mut().zip(row) {
            *mean += f64::from(x) / sizes[label as usize] as f64;
        }
    }
    let distance = |i: usize, j: usize| -> f64 {
        let pairs = data.row(i).into_iter().zip(means.row(j));
        pairs.map(|(&x, m)| (f64::from(x) - m).powi(2)).sum()
    };
    let saved = (0..rows).flat_map(|i| {
        let from = labels[i] as usize;
        let size = sizes[from] as f64;
        let now = size / (size - 1.0) * distance(i, from);
        let distance = &distance;
        let sizes = &sizes;
        let others = (0..sizes.len()).filter(move |&j| j != from);
        others.map(move |j| {
            let size = sizes[j] as f64;
            now - size / (size + 1.0) * distance(i, j)
        })
    });
    saved.fold(f64::NEG_INFINITY, f64::max) / model.inertia().unwrap()
}

#[test]
fn best_leaves_no_single_row_that_had_better_move() {
    let mut unit = noise(6);
    let data = Array2::from_shape_fn((600, 3), |_| unit());
    let mut left = 0;
    for seed in 0..5 {
        let model = KMeans::new(12).with_euclidean(true).with_seed(seed);
        let model = model.with_iterations(300);
        let default = fit(&data, model.clone(), 1);
        left += usize::from(best_exchange(&data, &default) > 1e-5);
        let best = fit(&data, model.with_quality(Quality::Best), 1);
        assert!(best_exchange(&data, &best) < 1e-6, "seed {seed}");
    }
    assert!(left > 2, "the data must tell the two apart: {left}");
}

#[test]
fn many_seeds_of_k_means_parallel_are_picked_by_groups() {
    let mut unit = noise(12);
    let centres = Array2::from_shape_fn((300, 8), |_| 20.0 * unit());
    let data = Array2::from_shape_fn((6000, 8), |(i, t)| centres[[i % 300, t]] + unit() - 0.5);
    for euclidean in [true, false] {
        let start = |init: Init, seed, num_threads| {
            let model = KMeans::new(300).with_euclidean(euclidean).with_seed(seed);
            let model = model.with_init(init).with_iterations(1);
            fit(&data, model.with_quality(Quality::Fast), num_threads)
        };
        for seed in 0..3 {
            let random = start(Init::Random, seed, 1);
            let parallel = start(Init::KMeansParallel, seed, 1);
            let (random, inertia) = (random.inertia().unwrap(), parallel.inertia().unwrap());
            assert!(2.0 * inertia < random, "{inertia} {random}");
            let again = start(Init::KMeansParallel, seed, 2);
            assert_eq!(again.centroids().unwrap(), parallel.centroids().unwrap());
        }
    }
}

#[test]
fn more_runs_are_never_worse() {
    let (data, _) = grid(8, 20, 3);
    let mut last = f64::INFINITY;
    for n_init in [1, 2, 5, 10] {
        let model = KMeans::new(64).with_euclidean(true).with_n_init(n_init);
        let model = fit(&data, model.with_quality(Quality::Fast), 1);
        assert!(model.inertia().unwrap() <= last);
        last = model.inertia().unwrap();
    }
}

#[test]
fn greedy_plus_plus_starts_better_than_random_rows() {
    let (data, _) = grid(7, 40, 4);
    let start = |init: Init| {
        let inertias = (0..9).map(|seed| {
            let model = KMeans::new(49).with_euclidean(true).with_seed(seed);
            let model = model.with_init(init.clone()).with_iterations(1);
            fit(&data, model, 1).inertia().unwrap()
        });
        let mut inertias: Vec<f64> = inertias.collect();
        inertias.sort_by(f64::total_cmp);
        inertias[4]
    };
    let [random, auto, plus_plus, parallel] = [
        Init::Random,
        Init::Auto,
        Init::KMeansPlusPlus,
        Init::KMeansParallel,
    ]
    .map(start);
    for seeded in [auto, plus_plus, parallel] {
        assert!(2.0 * seeded < random, "{seeded} {random}");
    }
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let mut unit = noise(5);
    let data = Array2::from_shape_fn((9000, 24), |_| unit() - 0.4);
    for euclidean in [true, false] {
        for init in [
            Init::Auto,
            Init::KMeansPlusPlus,
            Init::KMeansParallel,
            Init::Tree,
        ] {
            let model = KMeans::new(30)
                .with_euclidean(euclidean)
                .with_init(init)
                .with_iterations(8)
                .with_quality(Quality::Best);
            let one = fit(&data, model.clone(), 1);
            let two = fit(&data, model, 2);
            assert_eq!(one.centroids(), two.centroids());
            assert_eq!(one.labels(), two.labels());
        }
    }
}

#[test]
fn distinct_rows_become_distinct_clusters_among_duplicates() {
    let mut unit = noise(6);
    let distinct = Array2::from_shape_fn((20, 3), |_| unit() - 0.5);
    // Row 0 comes 400 times, the others twice.
    let data = Array2::from_shape_fn((438, 3), |(i, t)| {
        distinct[[if i < 400 { 0 } else { 1 + (i - 400) / 2 }, t]]
    });
    for init in [
        Init::Auto,
        Init::KMeansPlusPlus,
        Init::KMeansParallel,
        Init::Random,
        Init::Tree,
    ] {
        for euclidean in [true, false] {
            for k in [2, 19, 20] {
                let model = KMeans::new(k)
                    .with_euclidean(euclidean)
                    .with_init(init.clone());
                let model = fit(&data, model, 1);
                let sizes = model.cluster_sizes().unwrap();
                assert!(sizes.iter().all(|&size| size > 0), "{init:?}: {sizes:?}");
                assert!(k < 20 || model.inertia().unwrap() < 1e-5);
            }
            // More clusters than distinct rows.
            let model = KMeans::new(25).with_euclidean(euclidean);
            let model = fit(&data, model.with_init(init.clone()), 1);
            let sizes = model.cluster_sizes().unwrap();
            assert_eq!(sizes.iter().filter(|&&size| size > 0).count(), 20);
        }
    }
}

#[test]
fn every_row_a_cluster_and_all_rows_one() {
    let mut unit = noise(7);
    let data = Array2::from_shape_fn((40, 5), |_| unit());
    for quality in [Quality::Fast, Quality::Default, Quality::Best] {
        for init in [Init::Auto, Init::KMeansParallel, Init::Random, Init::Tree] {
            for k in [1, 2, 39, 40] {
                let model = KMeans::new(k).with_quality(quality).with_init(init.clone());
                let model = fit(&data, model, 1);
                let sizes = model.cluster_sizes().unwrap();
                assert!(sizes.iter().all(|&size| size > 0));
            }
        }
    }
}

#[test]
fn zero_rows_are_no_seeds_under_cosine() {
    let mut unit = noise(8);
    let mut data = Array2::from_shape_fn((300, 4), |_| unit() - 0.5);
    data.slice_mut(ndarray::s![..250, ..]).fill(0.0);
    for quality in [Quality::Fast, Quality::Best] {
        let model = KMeans::new(10).with_init(Init::KMeansPlusPlus);
        let model = fit(&data, model.with_quality(quality), 1);
        let norms = model
            .centroids()
            .unwrap()
            .map_axis(ndarray::Axis(1), |c| c.dot(&c));
        assert!(
            norms.iter().all(|norm| (norm - 1.0).abs() < 1e-5),
            "{norms}"
        );
    }
}

#[test]
fn huge_and_tiny_values_are_seeded_like_others() {
    let (data, truth) = grid(5, 30, 9);
    for scale in [1e-20, 1e18] {
        let data = &data * scale;
        let model = KMeans::new(25).with_euclidean(true);
        let model = fit(&data, model.with_quality(Quality::Best), 1);
        let centroids = model.centroids().unwrap() / scale;
        assert_eq!(centroid_index(centroids.view(), truth.view()), 0);
    }
}

/// Rows about `many` centres, which lie about `few`.
fn nested(rows: usize, few: usize, many: usize, dims: usize) -> Array2<f32> {
    let mut unit = noise(10);
    let mut around = |count: usize, centres: Option<&Array2<f32>>, spread: f32| {
        Array2::from_shape_fn((count, dims), |(i, t)| {
            let centre = centres.map_or(0.0, |centres| centres[[i % centres.nrows(), t]]);
            centre + spread * (unit() + unit() - 1.0)
        })
    };
    let coarse = around(few, None, 10.0);
    let fine = around(many, Some(&coarse), 3.0);
    around(rows, Some(&fine), 1.0)
}

#[test]
fn a_tree_starts_low_whether_rows_are_many_or_few() {
    // Ten rows a cluster go by cells, fifty by neighbours.
    for (rows, k) in [(4000, 400), (10_000, 200)] {
        let data = nested(rows, 12, k, 10);
        for euclidean in [true, false] {
            let model = KMeans::new(k)
                .with_euclidean(euclidean)
                .with_quality(Quality::Fast)
                .with_iterations(1);
            let model = |init| fit(&data, model.clone().with_init(init), 1);
            let tree = model(Init::Tree);
            let random = model(Init::Random);
            let (low, high) = (tree.inertia().unwrap(), random.inertia().unwrap());
            assert!(low < 0.8 * high, "{rows} rows: {low} {high}");
            assert!(random.cluster_parents().is_none());

            // Whatever the hints were, the labels are exact.
            let (points, mut found) = (Points::from(data.view()), vec![0; rows]);
            let options = RunOptions::default();
            tree.predict(&points, &mut found, None, options).unwrap();
            assert_eq!(found, tree.labels().unwrap());
        }
    }
}

#[test]
fn a_tree_gives_the_same_bits_at_any_number_of_threads() {
    let data = nested(6000, 12, 300, 40);
    for k in [90, 500] {
        for euclidean in [true, false] {
            let model = KMeans::new(k)
                .with_euclidean(euclidean)
                .with_init(Init::Tree)
                .with_iterations(2)
                .with_quality(Quality::Fast);
            let fits = [1, 2, 5].map(|threads| fit(&data, model.clone(), threads));
            for other in &fits[1..] {
                assert_eq!(fits[0].centroids(), other.centroids());
                assert_eq!(fits[0].labels(), other.labels());
                assert_eq!(fits[0].cluster_parents(), other.cluster_parents());
            }
        }
    }
}

#[test]
fn a_tree_of_very_many_clusters_goes_by_finer_cells() {
    let (k, data) = (8192, nested(16_000, 30, 4000, 16));
    let model = KMeans::new(k).with_euclidean(true).with_iterations(1);
    let tree = model.clone().with_init(Init::Tree);
    let fits = [1, 3].map(|threads| fit(&data, tree.clone(), threads));
    assert_eq!(fits[0].centroids(), fits[1].centroids());
    assert_eq!(fits[0].labels(), fits[1].labels());
    let parents = fits[0].cluster_parents().unwrap();
    assert_eq!(parents.len(), k);
    // More exchanges than with quality "fast" have stood for swaps.
    let fast = fit(&data, tree.with_quality(Quality::Fast), 1);
    assert!(fits[0].inertia().unwrap() < fast.inertia().unwrap());
}

#[test]
fn parents_part_the_clusters_as_the_data_are_parted() {
    let data = nested(9000, 5, 100, 6);
    let model = KMeans::new(100).with_euclidean(true).with_init(Init::Tree);
    let model = fit(&data, model, 1);
    let parents = model.cluster_parents().unwrap();
    let count = *parents.iter().max().unwrap() as usize + 1;
    assert!((5..=15).contains(&count), "{count}");
    let used: HashSet<u32> = parents.iter().copied().collect();
    assert_eq!(used.len(), count);
    // Clusters of one parent lie nearer to each other than to those of others.
    let centroids = model.centroids().unwrap();
    let distance = |a: usize, b: usize| {
        let pairs = centroids.row(a).into_iter().zip(centroids.row(b));
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>()
    };
    let mean = |alike: bool| {
        let pairs = (0..100).flat_map(|a| (0..a).map(move |b| (a, b)));
        let pairs = pairs.filter(|&(a, b)| (parents[a] == parents[b]) == alike);
        let distances: Vec<f32> = pairs.map(|(a, b)| distance(a, b)).collect();
        distances.iter().sum::<f32>() / distances.len() as f32
    };
    assert!(2.0 * mean(true) < mean(false));
}
