//! Against Lloyd's algorithm written out in float64, and on awkward data.

use crate::clusters::Clusters;
use crate::config::{Config, Init};
use crate::fit::Fit;
use crate::kernels::accumulate::Sign;
use crate::kmeans::clustering::Clustering;
use crate::kmeans::lloyd;
use crate::kmeans::partition::Partition;
use crate::metric::Metric;
use crate::nearest::{Centroids, Row, Shared};
use crate::owned::TryArc;
use crate::points::Points;
use crate::rng::Rng;
use crate::seeding;
use crate::threads::{Event, Threads};
use crate::unrepeated::Unrepeated;
use ndarray::Array2;
use std::ops::ControlFlow;
use std::time::Instant;

const METRICS: [Metric; 2] = [Metric::Euclidean, Metric::Cosine];

/// Overlapping blobs of unequal size.
fn blobs(rows: usize, dims: usize, seed: u64) -> Array2<f32> {
    let mut rng = Rng::new(seed);
    let centres: Vec<f64> = (0..12 * dims).map(|_| 4.0 * rng.unit()).collect();
    let mut data = Array2::zeros((rows, dims));
    for mut row in data.outer_iter_mut() {
        let blob = rng.below(12).min(rng.below(12));
        for (t, value) in row.iter_mut().enumerate() {
            *value = (centres[blob * dims + t] + rng.unit() + rng.unit()) as f32;
        }
    }
    data
}

fn first_rows(data: &Array2<f32>, count: usize) -> Array2<f32> {
    data.slice(ndarray::s![..count, ..]).to_owned()
}

fn config(metric: Metric, iterations: usize, init: Array2<f32>) -> Config {
    Config {
        metric,
        iterations,
        init: Some(TryArc::new(Init::Centroids(init.clone()), "init").unwrap()),
        ..Config::new(init.nrows())
    }
}

fn run(data: &Array2<f32>, config: &Config, threads: &Threads<'_>) -> Fit {
    run_on(&Points::from(data.view()), config, threads)
}

fn run_on(points: &Points<'_>, config: &Config, threads: &Threads<'_>) -> Fit {
    let shared = Shared::new(points, config.metric, None).unwrap();
    let mut nearest = shared.nearest(points, 1);
    let mut rng = Rng::new(config.seed);
    let rows = Unrepeated::find(points, threads).unwrap();
    let centroids = seeding::draw(
        &mut seeding::InMemory::new(&mut nearest, &rows),
        config,
        points.is_sparse(),
        &mut rng,
        threads,
    )
    .unwrap();
    lloyd::fit(
        &mut nearest,
        config,
        (centroids, None),
        threads,
        Instant::now(),
    )
    .unwrap()
}

fn fit(data: &Array2<f32>, config: &Config) -> Fit {
    run(data, config, &Threads::exactly(1, None).unwrap())
}

fn numbers(fit: &Fit) -> &Array2<f32> {
    fit.centroids.dense().unwrap()
}

/// Labels and inertia by float64 brute force.
fn assign(data: &Array2<f32>, centroids: &Array2<f64>, metric: Metric) -> (Vec<u32>, f64) {
    let mut inertia = 0.0;
    let labels = data.outer_iter().map(|row| {
        let row = row.mapv(f64::from);
        let norm = row.dot(&row).sqrt();
        let distances = centroids.outer_iter().map(|c| match metric {
            Metric::Euclidean => (&row - &c).mapv(|v| v * v).sum(),
            Metric::Cosine if norm == 0.0 => 1.0,
            Metric::Cosine => 1.0 - row.dot(&c) / (norm * c.dot(&c).sqrt()),
        });
        let (label, least) = distances
            .enumerate()
            .reduce(|best, next| if next.1 < best.1 { next } else { best })
            .unwrap();
        inertia += least;
        label as u32
    });
    (labels.collect(), inertia)
}

/// The centroids that float64 Lloyd reaches, as float32 values, and the
/// inertia before every update.
fn plain_lloyd(data: &Array2<f32>, config: &Config) -> (Array2<f64>, Vec<f64>) {
    let Init::Centroids(init) = config.init() else {
        unreachable!()
    };
    let mut centroids = init.mapv(f64::from);
    let normalize = |centroid: &mut ndarray::ArrayViewMut1<'_, f64>| {
        if config.metric == Metric::Cosine {
            let norm = centroid.dot(centroid).sqrt();
            centroid.mapv_inplace(|v| v / norm);
        }
        centroid.mapv_inplace(|v| f64::from(v as f32));
    };
    centroids
        .outer_iter_mut()
        .for_each(|mut c| normalize(&mut c));
    let mut inertias = Vec::new();
    for _ in 0..config.iterations {
        let (labels, inertia) = assign(data, &centroids, config.metric);
        inertias.push(inertia);
        for (j, mut centroid) in centroids.outer_iter_mut().enumerate() {
            let members = data
                .outer_iter()
                .zip(&labels)
                .filter(|&(_, &l)| l == j as u32);
            let mut sum = ndarray::Array1::<f64>::zeros(data.ncols());
            let mut count = 0.0;
            for (row, _) in members {
                let row = row.mapv(f64::from);
                let norm = row.dot(&row).sqrt();
                sum += &match config.metric {
                    Metric::Euclidean => row,
                    Metric::Cosine if norm == 0.0 => row,
                    Metric::Cosine => row / norm,
                };
                count += 1.0;
            }
            if count > 0.0 {
                centroid.assign(&(sum / count));
                normalize(&mut centroid);
            }
        }
    }
    (centroids, inertias)
}

fn check_sizes(fit: &Fit) {
    assert!(fit.counts.iter().all(|&size| size > 0), "{:?}", fit.counts);
    assert!(fit.warnings.is_empty());
}

#[test]
fn follows_float64_lloyd() {
    for metric in METRICS {
        for (rows, dims, k) in [(3000, 2, 7), (2000, 8, 20), (1500, 33, 12), (500, 1, 5)] {
            for offset in [0.0, 1e4] {
                let data = blobs(rows, dims, 3) + offset;
                let config = config(metric, 12, first_rows(&data, k));
                let (centroids, inertias) = plain_lloyd(&data, &config);
                let (labels, inertia) = assign(&data, &centroids, metric);
                let fit = fit(&data, &config);
                assert!((fit.inertia - inertia).abs() <= 1e-6 * inertia + 1e-12);
                let differ = fit
                    .labels
                    .iter()
                    .zip(&labels)
                    .filter(|(a, b)| a != b)
                    .count();
                assert!(differ <= rows / 500, "{differ} labels differ");
                assert!(fit.n_iter == 12 || inertias[fit.n_iter - 1] == inertias[11]);
            }
        }
    }
}

#[test]
fn reports_the_inertia_of_every_iteration() {
    for metric in METRICS {
        for offset in [0.0, 300.0] {
            let data = blobs(2000, 6, 5) + offset;
            let config = config(metric, 10, first_rows(&data, 9));
            let mut reported = Vec::new();
            let mut observer = |event: Event<'_>| {
                if let Event::Progress(progress) = event
                    && progress.iteration > reported.len()
                {
                    reported.push(progress.inertia);
                }
                ControlFlow::Continue(())
            };
            run(
                &data,
                &config,
                &Threads::exactly(1, Some(&mut observer)).unwrap(),
            );
            let (_, expected) = plain_lloyd(&data, &config);
            for (reported, expected) in reported.iter().zip(&expected) {
                // Float32 unit vectors carry an error of their own.
                let tolerance = if metric == Metric::Cosine {
                    1e-7 * 2000.0
                } else {
                    0.0
                };
                assert!((reported - expected).abs() <= 1e-6 * expected + tolerance);
            }
        }
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    for metric in METRICS {
        for (rows, dims, k) in [(30_000, 3, 5), (9000, 20, 40)] {
            let data = blobs(rows, dims, 11);
            let config = config(metric, 8, first_rows(&data, k));
            let fits = [1, 2, 8].map(|n| run(&data, &config, &Threads::exactly(n, None).unwrap()));
            assert_eq!(fits[0], fits[1]);
            assert_eq!(fits[0], fits[2]);
        }
    }
}

/// Some words of each row are common, and one cluster has most rows: more than a thread
/// adds up alone.
#[test]
fn threads_do_not_change_the_bits_of_sparse_rows() {
    let (rows, dims) = (30_000, 40);
    let mut rng = Rng::new(21);
    let mut data = Array2::<f32>::zeros((rows, dims));
    for (i, mut row) in data.outer_iter_mut().enumerate() {
        let first = if i % 5 == 0 {
            1 + rng.below(dims - 3)
        } else {
            0
        };
        for t in first..first + 3 {
            row[t] = 1.0 + rng.unit() as f32;
        }
    }
    let (mut values, mut columns, mut ends) = (Vec::new(), Vec::new(), vec![0u32]);
    for row in data.outer_iter() {
        for (column, &value) in (0u32..).zip(row).filter(|(_, value)| **value != 0.0) {
            values.push(value);
            columns.push(column);
        }
        ends.push(values.len() as u32);
    }
    let sparse = Points::csr(&values, &columns[..], &ends[..], dims).unwrap();
    for metric in METRICS {
        let init = data.select(ndarray::Axis(0), &[1, 0, 5, 10, 15, 20]);
        let config = config(metric, 6, init);
        let fits = [1, 2, 8].map(|n| {
            let mut reported = Vec::new();
            let mut observer = |event: Event<'_>| {
                if let Event::Progress(progress) = event {
                    reported.push(progress.inertia.to_bits());
                }
                ControlFlow::Continue(())
            };
            let threads = Threads::exactly(n, Some(&mut observer)).unwrap();
            let fit = run_on(&sparse, &config, &threads);
            drop(threads);
            (fit, reported)
        });
        assert!(fits[0].0.counts.iter().any(|&count| count > rows / 2));
        assert_eq!(fits[0], fits[1]);
        assert_eq!(fits[0], fits[2]);
        let dense = fit(&data, &config);
        assert_eq!(fits[0].0.labels, dense.labels);
        assert_eq!(fits[0].0.centroids, dense.centroids);
        let (_, expected) = plain_lloyd(&data, &config);
        for (&reported, expected) in fits[0].1.iter().zip(&expected) {
            let reported = f64::from_bits(reported);
            assert!((reported - expected).abs() <= 1e-6 * expected + 1e-7 * rows as f64);
        }
    }
}

#[test]
fn moving_rows_about_leaves_nothing_behind() {
    let mut data = blobs(600, 9, 2);
    data.row_mut(7).fill(1e30);
    data.row_mut(8).fill(-3e-20);
    let points = Points::from(data.view());
    let threads = Threads::exactly(1, None).unwrap();
    let shared = Shared::new(&points, Metric::Euclidean, None).unwrap();
    let mut nearest = shared.nearest(&points, 1);
    let centroids: Vec<f32> = first_rows(&data, 6).into_iter().collect();
    let centroids = Centroids::new(&centroids, 9);
    let mut partition = Partition::new(&mut nearest, centroids, &threads).unwrap();
    partition.assign(centroids, &threads).unwrap();
    let mut rng = Rng::new(1);
    for _ in 0..300 {
        let mut row = || rng.below(600) as u32;
        let rows = [row(), row(), row(), 7, 8];
        let moves = rows.map(|row| (row, rng.below(6) as u32));
        partition.move_rows(&moves, &threads).unwrap();
        let clusters =
            Clusters::from_labels(partition.labels(&threads).unwrap(), 1, 6, &threads).unwrap();
        let mut fresh = partition.totals().clone();
        fresh.clear();
        fresh.add(&points, &clusters, Sign::Plus, &threads).unwrap();
        assert!(&fresh == partition.totals());
    }
}

#[test]
fn final_centroids_are_the_means_of_their_members_once_settled() {
    let data = blobs(4000, 5, 8);
    let fit = fit(&data, &config(Metric::Euclidean, 500, first_rows(&data, 8)));
    assert!(fit.n_iter < 500);
    for (j, centroid) in numbers(&fit).outer_iter().enumerate() {
        for (t, &value) in centroid.iter().enumerate() {
            let members = fit
                .labels
                .iter()
                .zip(data.column(t))
                .filter(|&(&l, _)| l == j as u32);
            let (count, sum) =
                members.fold((0.0, 0.0), |(n, s), (_, &v)| (n + 1.0, s + f64::from(v)));
            assert!((f64::from(value) - sum / count).abs() <= 6e-8 * value.abs() as f64);
        }
    }
}

#[test]
fn labels_are_the_nearest_of_the_final_centroids() {
    for metric in METRICS {
        for iterations in [1, 3, 100] {
            let data = blobs(3000, 4, 4);
            let fit = fit(&data, &config(metric, iterations, first_rows(&data, 10)));
            for (i, row) in data.outer_iter().enumerate() {
                let row = Row::new(row.to_slice().unwrap(), metric);
                let distance = |j: usize| row.distance(numbers(&fit).row(j).to_slice().unwrap());
                let own = distance(fit.labels[i] as usize);
                for j in 0..10 {
                    assert!(
                        own < distance(j) || (own == distance(j) && fit.labels[i] as usize <= j)
                    );
                }
            }
        }
    }
}

#[test]
fn no_cluster_is_empty_while_there_are_distinct_rows_enough() {
    for metric in METRICS {
        for k in [2, 9, 60] {
            let data = blobs(60, 3, 6);
            let same = Array2::from_shape_fn((k, 3), |(_, t)| data[[0, t]]);
            for iterations in [1, 2, 30] {
                check_sizes(&fit(&data, &config(metric, iterations, same.clone())));
            }
            let far = Array2::from_shape_fn((k, 3), |(j, _)| if j == 0 { 1.0 } else { -1e6 });
            check_sizes(&fit(&data, &config(metric, 5, far)));
        }
    }
    let line = Array2::from_shape_fn((40, 1), |(i, _)| i as f32);
    check_sizes(&fit(
        &line,
        &config(Metric::Euclidean, 25, Array2::zeros((40, 1))),
    ));
}

#[test]
fn fewer_distinct_rows_than_clusters_end_with_a_warning() {
    let corners = [[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]];
    for metric in METRICS {
        // With cosine, parallel rows are copies of one another.
        let scale = |i: usize| {
            if metric == Metric::Cosine {
                1.0 + i as f32
            } else {
                1.0
            }
        };
        let data = Array2::from_shape_fn((90, 2), |(i, t)| corners[i % 3][t] * scale(i));
        let mut fit = fit(&data, &config(metric, 25, first_rows(&data, 7)));
        let sizes = &fit.counts;
        assert_eq!(
            sizes.iter().filter(|&&size| size == 30).count(),
            3,
            "{sizes:?}"
        );
        let points = Points::from(data.view());
        fit.warn_of_empty(&points, metric).unwrap();
        assert!(fit.warnings[0].starts_with("4 of 7 clusters are empty"));
        assert!(fit.inertia < 1e-5);
    }
}

#[test]
fn zero_rows_go_to_cluster_zero_and_move_no_centroid() {
    let data = blobs(500, 4, 9);
    let mut with_zeros = data.clone();
    with_zeros
        .append(ndarray::Axis(0), Array2::zeros((50, 4)).view())
        .unwrap();
    let config = config(Metric::Cosine, 20, first_rows(&data, 6));
    let (plain, zeros) = (fit(&data, &config), fit(&with_zeros, &config));
    assert_eq!(plain.centroids, zeros.centroids);
    assert_eq!(plain.labels[..], zeros.labels[..500]);
    assert!(zeros.labels[500..].iter().all(|&label| label == 0));
}

#[test]
fn the_length_of_a_row_means_nothing_to_cosine() {
    let data = blobs(800, 7, 10);
    let mut scaled = data.clone();
    for (i, mut row) in scaled.outer_iter_mut().enumerate() {
        row *= 2.0f32.powi(i as i32 % 60 - 30);
    }
    let config = config(Metric::Cosine, 20, first_rows(&data, 6));
    assert_eq!(fit(&data, &config), fit(&scaled, &config));
}

#[test]
fn huge_values_do_not_overflow() {
    let mut data = blobs(200, 3, 1);
    data.row_mut(0).fill(1e30);
    data.row_mut(1).fill(-3e38);
    let fit = fit(&data, &config(Metric::Euclidean, 20, first_rows(&data, 5)));
    assert!(numbers(&fit).iter().all(|v| v.is_finite()));
    check_sizes(&fit);
    let near = |j: usize| fit.labels.iter().filter(|&&l| l == fit.labels[j]).count();
    assert_eq!((near(0), near(1)), (1, 1));
}
