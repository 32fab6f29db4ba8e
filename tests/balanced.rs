//! Balanced K-means: the size bound, optimality, invariance, determinism.

use kentro::{Init, KMeans, Points, Quality, RunOptions};
use ndarray::{Array2, Axis};

/// A small deterministic stream of numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Data of the kinds that make balancing hard.
fn generate(random: &mut Random, rows: usize, dims: usize) -> Array2<f32> {
    let kind = random.below(6);
    let centres = 1 + random.below(6);
    Array2::from_shape_fn((rows, dims), |(i, t)| match kind {
        0 => random.unit(),
        // Blobs of unequal size.
        1 => ((i * i) % centres) as f32 * 8.0 + random.unit(),
        // Outliers.
        2 if i % 17 == 3 => 1e6 * random.unit(),
        // Few distinct rows.
        3 => (i % centres) as f32,
        // All rows equal.
        4 => 3.0,
        // A grid full of ties.
        5 => ((i / (1 + t)) % 4) as f32,
        _ => random.unit() * random.unit(),
    })
}

fn train(data: &Array2<f32>, model: KMeans) -> KMeans {
    let mut model = model.with_balanced(true);
    model
        .fit(&data.view().into(), RunOptions::default())
        .unwrap();
    model
}

fn spread(model: &KMeans) -> usize {
    let sizes = model.cluster_sizes().unwrap();
    sizes.iter().max().unwrap() - sizes.iter().min().unwrap()
}

#[test]
fn sizes_are_within_the_bound_in_a_thousand_cases() {
    let mut random = Random(0x9e3779b97f4a7c15);
    for case in 0..1000u64 {
        let clusters = 1 + random.below(24);
        let rows = match case % 5 {
            0 => clusters,
            1 => clusters * (1 + random.below(8)),
            _ => clusters + random.below(160),
        };
        let dims = 1 + random.below(5);
        let bound = match case % 3 {
            0 => 1,
            _ => 1 + random.below(20),
        };
        let data = generate(&mut random, rows, dims);
        let model = train(
            &data,
            KMeans::new(clusters)
                .with_euclidean(case % 2 == 0)
                .with_use_medoids(bound < rows && case % 7 == 0)
                .with_iterations(1 + random.below(12))
                .with_max_balance_diff(bound)
                .with_seed(case),
        );
        assert!(spread(&model) <= bound, "case {case}");
        assert_eq!(model.labels().unwrap().len(), rows);
        let gap = model.balance_gap().unwrap();
        assert!((0.0..=1e-6).contains(&gap), "case {case}: gap {gap}");
        if bound < rows {
            assert!(model.cluster_sizes().unwrap().iter().all(|&size| size > 0));
        }
    }
}

/// The least cost of rows × clusters `costs` with `low..=high` rows in each
/// cluster, by Bellman-Ford augmentation on a dense network, in float64.
fn least_cost(costs: &[Vec<f64>], low: usize, high: usize) -> f64 {
    let (rows, clusters) = (costs.len(), costs[0].len());
    let mut labels = vec![usize::MAX; rows];
    let mut sizes = vec![0usize; clusters];
    // The first `low` places of a cluster are worth more than any move costs.
    let worth = 1.0 + costs.iter().flatten().fold(0.0, |a: f64, &b| a.max(b)) * rows as f64;
    for row in 0..rows {
        let mut distance: Vec<f64> = costs[row].clone();
        let mut via: Vec<Option<(usize, usize)>> = vec![None; clusters];
        for _ in 0..clusters {
            for other in (0..rows).filter(|&other| labels[other] != usize::MAX) {
                let from = labels[other];
                for to in 0..clusters {
                    let there = distance[from] + costs[other][to] - costs[other][from];
                    if there < distance[to] - 1e-12 * worth.min(1.0) {
                        distance[to] = there;
                        via[to] = Some((from, other));
                    }
                }
            }
        }
        let ends = (0..clusters).filter(|&j| sizes[j] < high);
        let value = |j: usize| distance[j] - if sizes[j] < low { worth } else { 0.0 };
        let mut end = ends.min_by(|&a, &b| value(a).total_cmp(&value(b))).unwrap();
        sizes[end] += 1;
        while let Some((from, moved)) = via[end] {
            labels[moved] = end;
            end = from;
        }
        labels[row] = end;
    }
    (0..rows).map(|row| costs[row][labels[row]]).sum()
}

#[test]
fn the_assignment_is_the_best_for_its_centroids() {
    let mut random = Random(42);
    for case in 0..60u64 {
        let clusters = 2 + random.below(6);
        let rows = clusters + random.below(40);
        let bound = 1 + random.below(4);
        let mut data = Array2::from_shape_fn((rows, 2), |(i, _)| {
            random.unit() + if i % 3 == 0 { 2.0 } else { 0.0 }
        });
        if case % 3 == 0 {
            // Two rows in three are copies of two.
            let copied = [data.row(0).to_owned(), data.row(rows - 1).to_owned()];
            for (i, mut row) in data.outer_iter_mut().enumerate().filter(|(i, _)| i % 3 > 0) {
                row.assign(&copied[i % 3 - 1]);
            }
        }
        let model = train(
            &data,
            KMeans::new(clusters)
                .with_euclidean(true)
                .with_use_medoids(case % 4 == 0)
                .with_max_balance_diff(bound),
        );
        let mut costs = squares(&data, &model);
        if case % 4 == 0 {
            costs
                .iter_mut()
                .flatten()
                .for_each(|cost| *cost = cost.sqrt());
        }
        let first = rows.div_ceil(clusters).saturating_sub(bound).max(1);
        let best = (first..=rows / clusters)
            .map(|low| least_cost(&costs, low, low + bound))
            .fold(f64::INFINITY, f64::min);
        let inertia = model.inertia().unwrap();
        assert!(
            (inertia - best).abs() <= 1e-9 * best,
            "case {case}: {inertia} instead of {best}"
        );
    }
}

fn weighted(data: &Array2<f32>, weights: &[f64], model: &KMeans, threads: usize) -> KMeans {
    let mut model = model.clone();
    let points = Points::from(data.view()).with_weights(weights).unwrap();
    let options = RunOptions {
        num_threads: Some(threads),
        ..Default::default()
    };
    model.fit(&points, options).unwrap();
    model
}

/// Bounds count rows, and weights multiply costs.
#[test]
fn weighted_assignments_are_the_best_for_their_centroids() {
    let mut random = Random(43);
    for case in 0..60u64 {
        let clusters = 2 + random.below(6);
        let rows = 2 * clusters + random.below(40);
        let bound = 1 + random.below(4);
        let mut data = Array2::from_shape_fn((rows, 2), |(i, _)| {
            random.unit() + if i % 3 == 0 { 2.0 } else { 0.0 }
        });
        if case % 5 == 0 {
            let copied = data.row(0).to_owned();
            let copies = data.outer_iter_mut().filter(|row| row[0] > 0.5);
            copies.for_each(|mut row| row.assign(&copied));
        }
        let weights: Vec<f64> = (0..rows)
            .map(|row| match (case % 4, row % 3) {
                (0, _) => random.below(3) as f64 + f64::from(row < 2 * clusters),
                (1, _) => 2f64.powf(f64::from(random.unit()) * 20.0 - 10.0),
                (2, 0) => 0.0,
                _ => 0.5 + f64::from(random.unit()),
            })
            .collect();
        let medoids = case % 7 == 0;
        let model = KMeans::new(clusters)
            .with_euclidean(true)
            .with_use_medoids(medoids)
            .with_balanced(true)
            .with_max_balance_diff(bound)
            .with_quality([Quality::Default, Quality::Best][usize::from(case % 10 == 3)]);
        let trained = weighted(&data, &weights, &model, 1);
        let mut costs = squares(&data, &trained);
        for (costs, weight) in costs.iter_mut().zip(&weights) {
            for cost in costs {
                *cost = weight * if medoids { cost.sqrt() } else { *cost };
            }
        }
        let first = rows.div_ceil(clusters).saturating_sub(bound).max(1);
        let best = (first..=rows / clusters)
            .map(|low| least_cost(&costs, low, low + bound))
            .fold(f64::INFINITY, f64::min);
        let inertia = trained.inertia().unwrap();
        assert!(
            (inertia - best).abs() <= 1e-9 * best,
            "case {case}: {inertia} instead of {best}"
        );
        assert!((0.0..=1e-6).contains(&trained.balance_gap().unwrap()));
        assert!(spread(&trained) <= bound);
        let labels = trained.labels().unwrap();
        let paid = labels
            .iter()
            .zip(&costs)
            .map(|(&j, costs)| costs[j as usize]);
        assert!((paid.sum::<f64>() - inertia).abs() <= 1e-9 * inertia);
        let scaled: Vec<f64> = weights.iter().map(|w| w * 2f64.powi(-9)).collect();
        let scaled = weighted(&data, &scaled, &model, 1);
        assert_eq!(scaled.labels(), trained.labels(), "case {case}");
        assert_eq!(scaled.prices(), trained.prices(), "case {case}");
    }
}

#[test]
fn weighted_clusters_are_balanced_in_larger_data() {
    let mut random = Random(5);
    let data = Array2::from_shape_fn((3000, 6), |(i, _)| {
        (i % 7) as f32 * 0.7 + random.unit() + random.unit()
    });
    let weights: Vec<f64> = (0..3000)
        .map(|row| match row % 10 {
            0 => 0.0,
            1 => 1.0,
            _ => f64::from(random.unit()).powi(4) * 100.0,
        })
        .collect();
    for euclidean in [true, false] {
        let model = KMeans::new(25)
            .with_euclidean(euclidean)
            .with_iterations(5)
            .with_balanced(true);
        let [one, two] = [1, 2].map(|threads| weighted(&data, &weights, &model, threads));
        assert!(one == two);
        assert!(spread(&one) <= 16);
        assert!(one.balance_gap().unwrap() <= 1e-6);
        // All the same weight is no weight.
        let plain = train(&data, model.clone());
        let same = weighted(&data, &[4.0; 3000], &model, 1);
        assert!(same.balance_gap().unwrap() <= 1e-6);
        let ratio = same.inertia().unwrap() / (4.0 * plain.inertia().unwrap());
        assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
    }
}

/// Rows × clusters of squared distances.
fn squares(data: &Array2<f32>, model: &KMeans) -> Vec<Vec<f64>> {
    let centroids = model.centroids().unwrap();
    let of_row = |row: ndarray::ArrayView1<'_, f32>| {
        let squares = centroids.outer_iter().map(|centroid| {
            let pairs = row.iter().zip(centroid);
            let difference = |(&x, &c): (&f32, &f32)| f64::from(x) - f64::from(c);
            pairs.map(|pair| difference(pair).powi(2)).sum()
        });
        squares.collect()
    };
    data.outer_iter().map(of_row).collect()
}

#[test]
fn sizes_lie_between_given_bounds_at_the_least_cost() {
    let mut random = Random(77);
    for case in 0..80u64 {
        let clusters = 1 + random.below(7);
        let mean = 1 + random.below(12);
        let rows = match case % 4 {
            0 => clusters * mean, // all sizes may have to be the same
            _ => clusters * mean + random.below(clusters),
        };
        let min = random.below(mean + 1);
        let max = match case % 4 {
            0 => mean + random.below(2) * random.below(4),
            1 => usize::MAX,
            _ => mean + 1 + random.below(9),
        };
        let min = if case % 8 == 0 { mean } else { min };
        let medoids = case % 5 == 0;
        let data = Array2::from_shape_fn((rows, 2), |(i, _)| {
            random.unit() + if i % 3 == 0 { 2.0 } else { 0.0 }
        });
        let mut model = KMeans::new(clusters)
            .with_euclidean(true)
            .with_use_medoids(medoids)
            .with_size_bounds(min, max);
        model.train(data.view(), None).unwrap();
        let sizes = model.cluster_sizes().unwrap();
        let (low, high) = (min.max(1), max.min(rows));
        let within = |size: &usize| (low..=high).contains(size);
        assert!(sizes.iter().all(within), "case {case}: {sizes:?}");
        let mut costs = squares(&data, &model);
        if medoids {
            costs
                .iter_mut()
                .flatten()
                .for_each(|cost| *cost = cost.sqrt());
        }
        let (best, inertia) = (least_cost(&costs, low, high), model.inertia().unwrap());
        assert!(
            (inertia - best).abs() <= 1e-9 * best,
            "case {case}: {inertia} instead of {best}"
        );
        assert!((0.0..=1e-6).contains(&model.balance_gap().unwrap()));
    }
}

#[test]
fn given_bounds_hold_where_balancing_is_hard() {
    let mut random = Random(0x51ce);
    for case in 0..200u64 {
        let clusters = 2 + random.below(20);
        let (min, max) = (random.below(9), 9 + random.below(30));
        let rows = clusters * min + random.below(clusters * (max - min) + 1);
        let rows = rows.max(clusters);
        let dims = 1 + random.below(4);
        let data = generate(&mut random, rows, dims);
        let mut model = KMeans::new(clusters)
            .with_euclidean(case % 2 == 0)
            .with_iterations(1 + random.below(10))
            .with_quality(if case % 9 == 0 {
                Quality::Best
            } else {
                Quality::Default
            })
            .with_size_bounds(min, max);
        model.train(data.view(), None).unwrap();
        let sizes = model.cluster_sizes().unwrap();
        let within = |size: &usize| (min.max(1)..=max).contains(size);
        assert!(sizes.iter().all(within), "case {case}: {sizes:?}");
        assert!(
            (0.0..=1e-6).contains(&model.balance_gap().unwrap()),
            "case {case}"
        );
    }
}

#[test]
fn bounds_that_no_sizes_meet_are_named() {
    let data = Array2::from_shape_fn((150, 2), |(i, t)| (i * (t + 1) % 31) as f32);
    let error = |model: KMeans| {
        model
            .clone()
            .train(data.view(), None)
            .unwrap_err()
            .to_string()
    };
    for (min, max, text) in [
        (
            7,
            5,
            "min_size 7 is greater than max_size 5; give the smaller first",
        ),
        (
            10,
            30,
            "min_size 10 in each of 20 clusters takes 200 points, but there are 150; \
             lower min_size or use fewer clusters",
        ),
        (
            1,
            7,
            "max_size 7 in each of 20 clusters has room for 140 points, but there are 150; \
             raise max_size or use more clusters",
        ),
        (
            0,
            0,
            "max_size 0 in each of 20 clusters has room for 0 points, but there are 150",
        ),
    ] {
        let text_of = error(KMeans::new(20).with_size_bounds(min, max));
        assert!(text_of.starts_with(text), "{text_of}");
    }
    let huge = KMeans::new(20).with_size_bounds(usize::MAX / 2, usize::MAX);
    assert!(error(huge).contains("lower min_size"));
    // What isn't balanced has no bounds.
    let mut free = KMeans::new(20)
        .with_size_bounds(100, 100)
        .with_balanced(false);
    free.train(data.view(), None).unwrap();
}

#[test]
fn of_two_kinds_of_bounds_the_last_counts() {
    let mut random = Random(15);
    // Nine rows in ten are near 0.
    let data = Array2::from_shape_fn((300, 2), |(i, _)| {
        random.unit() + if i % 10 == 0 { 10.0 } else { 0.0 }
    });
    let model = KMeans::new(3).with_euclidean(true);
    let bounds = model
        .clone()
        .with_max_balance_diff(1)
        .with_size_bounds(20, 200);
    assert!(bounds.is_balanced() && bounds.size_bounds() == Some((20, 200)));
    let diff = bounds.clone().with_max_balance_diff(1);
    assert!(diff.is_balanced() && diff.size_bounds().is_none());
    let sizes = |model: KMeans| {
        let mut model = model;
        model.train(data.view(), None).unwrap();
        let mut sizes = model.cluster_sizes().unwrap().to_vec();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes(diff), [100, 100, 100]);
    let sizes = sizes(bounds);
    assert!(
        sizes[0] >= 20 && sizes[2] <= 200 && sizes[2] > sizes[0] + 1,
        "{sizes:?}"
    );
}

/// The handwritten digits of the examples: 1,797 rows of 64 pixels.
fn digits() -> Array2<f32> {
    let text = include_str!("../examples/data/digits.csv");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values: Vec<f32> = lines
        .flat_map(|line| line.split(',').take(64))
        .map(|value| value.parse().unwrap())
        .collect();
    Array2::from_shape_vec((values.len() / 64, 64), values).unwrap()
}

#[test]
fn digits_are_clustered_as_well_as_by_min_cost_flow() {
    let data = digits();
    let mut inertias: Vec<f64> = (0..5)
        .map(|seed| {
            let model = KMeans::new(10)
                .with_euclidean(true)
                .with_iterations(100)
                .with_seed(seed);
            let model = train(&data, model);
            assert!(spread(&model) <= 16);
            model.inertia().unwrap()
        })
        .collect();
    inertias.sort_by(f64::total_cmp);
    // k-means-constrained 0.9.1, sizes 171..=187, the best of three random
    // starts: 1,176,525; the median 1,176,636.
    assert!(inertias[0] <= 1.005 * 1_176_525.0, "{inertias:?}");
    assert!(inertias[2] <= 1.005 * 1_176_636.0, "{inertias:?}");
}

#[test]
fn scale_and_offset_do_not_matter() {
    let mut random = Random(7);
    // Multiples of 1/1024, so that neither scaling nor shifting rounds.
    let data = Array2::from_shape_fn((300, 3), |(i, t)| {
        ((i % 4 * (t + 1)) as f32) + (random.unit() * 1024.0).floor() / 1024.0
    });
    for (medoids, quality) in [
        (false, Quality::Default),
        (false, Quality::Best),
        (true, Quality::Default),
        (true, Quality::Best),
    ] {
        let labels = |data: &Array2<f32>| {
            let model = KMeans::new(7)
                .with_euclidean(true)
                .with_use_medoids(medoids)
                .with_quality(quality)
                .with_max_balance_diff(2);
            train(data, model).labels().unwrap().to_vec()
        };
        let reference = labels(&data);
        for power in [-20, -7, 6, 20] {
            assert_eq!(labels(&data.mapv(|v| v * 2f32.powi(power))), reference);
        }
        for factor in [1e-6, 1e6] {
            assert_eq!(labels(&data.mapv(|v| v * factor)), reference);
        }
        assert_eq!(labels(&data.mapv(|v| v + 512.0)), reference);
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let mut random = Random(3);
    let data = Array2::from_shape_fn((6000, 8), |(i, t)| {
        random.unit() + ((i * i) % 11 * (t % 3)) as f32
    });
    for (euclidean, quality) in [
        (false, Quality::Default),
        (true, Quality::Default),
        (true, Quality::Best),
    ] {
        let fits = [1, 2, 8].map(|num_threads| {
            let mut model = KMeans::new(20)
                .with_balanced(true)
                .with_quality(quality)
                .with_max_balance_diff(3)
                .with_euclidean(euclidean);
            model.train(data.view(), Some(num_threads)).unwrap();
            model
        });
        assert!(spread(&fits[0]) <= 3);
        assert_eq!(fits[0], fits[1]);
        assert_eq!(fits[0], fits[2]);
    }
}

/// Blobs far apart, of which some have no centroid to start with and others
/// several: prices span the gaps, and rows must learn of far clusters.
#[test]
fn gaps_between_blobs_are_bridged() {
    let mut random = Random(7);
    let (rows, dims, clusters) = (24_000, 16, 120);
    let centres = Array2::from_shape_fn((clusters, dims), |_| 10.0 * random.unit());
    let data = Array2::from_shape_fn((rows, dims), |(i, t)| {
        // The sum of a few uniform numbers is about normal.
        let noise: f32 = (0..4).map(|_| random.unit() - 0.5).sum();
        centres[[(i * i + i / 7) % clusters, t]] + noise
    });
    let mut random = Random(11);
    let start = Array2::from_shape_fn((clusters, dims), |_| 10.0 * random.unit());
    let model = train(
        &data,
        KMeans::new(clusters)
            .with_euclidean(true)
            .with_iterations(8)
            .with_init(Init::Centroids(start)),
    );
    assert!(spread(&model) <= 16);
    assert!(model.balance_gap().unwrap() <= 1e-9);
}

/// What needs shortcuts to end at all: one row stored thousands of times, and
/// heavy tails, where surplus and shortage are far apart.
#[test]
fn copies_and_heavy_tails_are_balanced() {
    let mut random = Random(23);
    let copies = Array2::from_shape_fn((20_000, 12), |(i, _)| match i % 10 {
        0..3 => 0.25,
        _ => random.unit(),
    });
    let heavy = Array2::from_shape_fn((20_000, 3), |_| 1.0 / (1e-4 + random.unit()));
    for data in [copies, heavy] {
        let fit = |threads| {
            let mut model = KMeans::new(100)
                .with_euclidean(true)
                .with_balanced(true)
                .with_iterations(4);
            let options = RunOptions {
                num_threads: Some(threads),
                ..Default::default()
            };
            model.fit(&data.view().into(), options).unwrap();
            model
        };
        let model = fit(1);
        assert!(spread(&model) <= 16);
        assert!(model.balance_gap().unwrap() <= 1e-9);
        assert_eq!(model.labels(), fit(2).labels());
    }
}

#[test]
fn a_bound_of_n_is_plain_kmeans() {
    let mut random = Random(5);
    let data = Array2::from_shape_fn((500, 4), |(i, _)| random.unit() + (i % 3) as f32);
    let model = || KMeans::new(6).with_euclidean(true);
    let balanced = train(&data, model().with_max_balance_diff(500));
    let mut plain = model();
    plain.train(data.view(), None).unwrap();
    assert_eq!(balanced.labels(), plain.labels());
    assert_eq!(balanced.centroids(), plain.centroids());
}

#[test]
fn more_effort_is_never_worse() {
    let mut random = Random(29);
    let data = Array2::from_shape_fn((600, 3), |_| random.unit());
    let inertia = |model: KMeans| {
        let model = model.with_euclidean(true).with_max_balance_diff(1);
        let model = train(&data, model.with_iterations(5));
        assert!(spread(&model) <= 1);
        model.inertia().unwrap()
    };
    let (mut gains, mut gains_of_best) = (0, 0);
    for seed in 0..4 {
        let model = || KMeans::new(12).with_seed(seed);
        let random = model().with_init(Init::Random);
        let once = inertia(random.clone());
        let of_four = inertia(random.with_n_init(4));
        assert!(of_four <= once);
        gains += usize::from(of_four < once);
        // All from one side.
        let mut rows: Vec<usize> = (0..600).collect();
        rows.sort_by(|&a, &b| data[[a, 0]].total_cmp(&data[[b, 0]]));
        let start = Init::Centroids(data.select(Axis(0), &rows[..12]));
        let given = model().with_init(start);
        let once = inertia(given.clone());
        let best = inertia(given.with_quality(Quality::Best));
        assert!(best <= once);
        gains_of_best += usize::from(best < once);
    }
    assert!(gains > 0 && gains_of_best > 0);
}

#[test]
fn medoids_are_distinct_rows() {
    let mut random = Random(11);
    let data = Array2::from_shape_fn((200, 3), |_| random.unit());
    for euclidean in [false, true] {
        let model = train(
            &data,
            KMeans::new(9)
                .with_use_medoids(true)
                .with_euclidean(euclidean)
                .with_max_balance_diff(1),
        );
        let mut medoids = model.medoid_indices().unwrap().to_vec();
        if euclidean {
            let centroids = model.centroids().unwrap();
            for (centroid, &row) in centroids.outer_iter().zip(&medoids) {
                assert_eq!(centroid, data.row(row));
            }
        }
        medoids.sort_unstable();
        medoids.dedup();
        assert_eq!(medoids.len(), 9);
    }
}

#[test]
fn new_rows_are_assigned_by_the_learnt_prices() {
    let mut random = Random(13);
    // Nine rows in ten are near 0, the others near 10.
    let mut draw = |rows: usize| {
        Array2::from_shape_fn((rows, 2), |(i, _)| {
            random.unit() + if i % 10 == 0 { 10.0 } else { 0.0 }
        })
    };
    let (data, new) = (draw(2000), draw(2000));
    let model = train(&data, KMeans::new(4).with_euclidean(true));
    let sizes = |data: &Array2<f32>, priced: bool| {
        let points: Points<'_> = data.view().into();
        let mut labels = vec![0; data.nrows()];
        let options = RunOptions::default();
        match priced {
            true => model.predict_balanced(&points, &mut labels, None, options),
            false => model.predict(&points, &mut labels, None, options),
        }
        .unwrap();
        let mut sizes = vec![0i64; 4];
        labels.iter().for_each(|&label| sizes[label as usize] += 1);
        sizes
    };
    let spread = |sizes: &[i64]| sizes.iter().max().unwrap() - sizes.iter().min().unwrap();
    assert!(spread(&sizes(&data, true)) <= 16 + 4);
    assert!(spread(&sizes(&new, true)) < 120);
    assert!(spread(&sizes(&new, false)) > 400);

    let mut plain = KMeans::new(4);
    plain.train(data.view(), None).unwrap();
    let mut labels = vec![0; 2000];
    let error = plain
        .predict_balanced(&new.view().into(), &mut labels, None, RunOptions::default())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a model trained with balanced clusters"),
        "{error}"
    );
}
