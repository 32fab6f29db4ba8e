//! K-medoids against exhaustive search, a plain PAM, and what it promises.

use kentro::{Init, KMeans, Points, RunOptions};
use ndarray::{Array2, ArrayView1, array};

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

fn blobs(rows: usize, dims: usize, centres: usize, seed: u64) -> Array2<f32> {
    let mut random = Random(seed);
    let centre = Array2::from_shape_simple_fn((centres, dims), || 4.0 * random.normal());
    Array2::from_shape_fn((rows, dims), |(i, t)| {
        (centre[[i % centres, t]] + random.normal()) as f32
    })
}

fn digits() -> Array2<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let values: Vec<f32> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split(',').take(64).map(|v| v.parse::<f32>().unwrap()))
        .collect();
    Array2::from_shape_vec((values.len() / 64, 64), values).unwrap()
}

fn distance(x: ArrayView1<f32>, y: ArrayView1<f32>, euclidean: bool) -> f64 {
    let dot = |a: ArrayView1<f32>, b: ArrayView1<f32>| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum()
    };
    if euclidean {
        let squares = x
            .iter()
            .zip(y)
            .map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2));
        squares.sum::<f64>().sqrt()
    } else {
        let norms = (dot(x, x) * dot(y, y)).sqrt();
        if norms > 0.0 {
            1.0 - dot(x, y) / norms
        } else {
            1.0
        }
    }
}

fn matrix(data: &Array2<f32>, euclidean: bool) -> Array2<f64> {
    Array2::from_shape_fn((data.nrows(), data.nrows()), |(i, j)| {
        distance(data.row(i), data.row(j), euclidean)
    })
}

fn loss(distances: &Array2<f64>, medoids: &[usize]) -> f64 {
    distances
        .rows()
        .into_iter()
        .map(|row| {
            medoids
                .iter()
                .map(|&m| row[m])
                .fold(f64::INFINITY, f64::min)
        })
        .sum()
}

/// PAM (Kaufman & Rousseeuw, 1987) by its definition: the best of all swaps,
/// until none lowers the loss.
fn plain_pam(distances: &Array2<f64>, mut medoids: Vec<usize>) -> f64 {
    let mut least = loss(distances, &medoids);
    loop {
        let mut best = (least, 0, 0);
        for slot in 0..medoids.len() {
            let mut trial = medoids.clone();
            for candidate in 0..distances.nrows() {
                trial[slot] = candidate;
                let loss = loss(distances, &trial);
                if loss < best.0 {
                    best = (loss, slot, candidate);
                }
            }
        }
        if best.0 >= least - 1e-9 {
            return least;
        }
        medoids[best.1] = best.2;
        least = best.0;
    }
}

fn optimum(distances: &Array2<f64>, k: usize) -> f64 {
    fn choose(distances: &Array2<f64>, k: usize, medoids: &mut Vec<usize>) -> f64 {
        if medoids.len() == k {
            return loss(distances, medoids);
        }
        let first = medoids.last().map_or(0, |&m| m + 1);
        let mut best = f64::INFINITY;
        for candidate in first..distances.nrows() {
            medoids.push(candidate);
            best = best.min(choose(distances, k, medoids));
            medoids.pop();
        }
        best
    }
    choose(distances, k, &mut Vec::new())
}

fn model(k: usize, euclidean: bool) -> KMeans {
    KMeans::new(k)
        .with_use_medoids(true)
        .with_euclidean(euclidean)
        .with_iterations(100)
}

/// Trains, and checks what always holds.
fn trained(model: KMeans, data: &Array2<f32>) -> KMeans {
    let mut kmeans = model;
    let clusters = kmeans.train(data.view(), None).unwrap();
    let euclidean = kmeans.is_euclidean();
    let medoids = kmeans.medoid_indices().unwrap();
    let mut distinct = medoids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), kmeans.n_clusters());
    let mut inertia = 0.0;
    for (label, row) in kmeans.labels().unwrap().iter().zip(data.rows()) {
        let to = |m: usize| distance(row, data.row(m), euclidean);
        let nearest = medoids.iter().map(|&m| to(m)).fold(f64::INFINITY, f64::min);
        assert!(to(medoids[*label as usize]) <= nearest + 1e-6);
        inertia += nearest;
    }
    let error = (kmeans.inertia().unwrap() - inertia).abs();
    assert!(error <= 1e-6 * inertia + 1e-5, "off by {error}");
    for (centroid, &medoid) in kmeans.centroids().unwrap().rows().into_iter().zip(medoids) {
        let row = data.row(medoid);
        if euclidean {
            assert_eq!(centroid, row);
        } else {
            let norm = row
                .iter()
                .map(|&v| f64::from(v).powi(2))
                .sum::<f64>()
                .sqrt();
            for (&c, &x) in centroid.iter().zip(row) {
                assert!((f64::from(c) * norm - f64::from(x)).abs() <= 1e-6 * norm);
            }
        }
    }
    assert_eq!(kmeans.assign(data.view(), 1).unwrap(), clusters);
    kmeans
}

#[test]
fn small_cases_reach_the_optimum() {
    for seed in 0..20 {
        let data = blobs(14, 2, 3, seed);
        for euclidean in [true, false] {
            let distances = matrix(&data, euclidean);
            for k in [1, 2, 3, 13, 14] {
                let kmeans = trained(model(k, euclidean).with_n_init(5), &data);
                let best = optimum(&distances, k);
                let found = kmeans.inertia().unwrap();
                assert!(
                    found <= best * (1.0 + 1e-6) + 1e-5,
                    "k={k}: {found} > {best}"
                );
            }
        }
    }
}

#[test]
fn as_good_as_plain_pam_from_the_same_medoids() {
    let (mut ours, mut theirs) = (0.0, 0.0);
    for seed in 0..10 {
        let data = blobs(120, 3, 9, seed);
        for euclidean in [true, false] {
            let first: Vec<usize> = (0..8).map(|j| j * 11 + seed as usize).collect();
            let init = data.select(ndarray::Axis(0), &first);
            let kmeans = trained(model(8, euclidean).with_init(Init::Centroids(init)), &data);
            ours += kmeans.inertia().unwrap();
            theirs += plain_pam(&matrix(&data, euclidean), first);
        }
    }
    assert!(ours <= 1.01 * theirs, "{ours} > {theirs}");
}

#[test]
fn as_good_as_the_best_of_twenty_runs_on_the_digits() {
    // Measured with the kmedoids package 0.5.5: FasterPAM from 20 random
    // starts, on float64 distances, until no swap was left.
    let best_of_20 = [
        (10, true, 51_194.699_8),
        (50, true, 39_241.353_1),
        (10, false, 188.399_580),
        (50, false, 115.047_035),
    ];
    let data = digits();
    for (k, euclidean, best) in best_of_20 {
        let kmeans = trained(model(k, euclidean), &data);
        let found = kmeans.inertia().unwrap();
        assert!(found <= 1.01 * best, "k={k}: {found} > {best}");
    }
}

#[test]
fn every_pass_lowers_the_loss() {
    let data = blobs(600, 4, 20, 5);
    let mut losses = Vec::new();
    let mut observer = |event: kentro::Event<'_>| {
        if let kentro::Event::Progress(progress) = event
            && progress.iteration > losses.len()
        {
            losses.push(progress.inertia);
        }
        std::ops::ControlFlow::Continue(())
    };
    let mut kmeans = model(30, true).with_init(Init::Random);
    let options = RunOptions {
        observer: Some(&mut observer),
        ..Default::default()
    };
    kmeans.fit(&Points::from(data.view()), options).unwrap();
    assert_eq!(losses.len(), kmeans.n_iter().unwrap());
    assert!(losses.len() > 1);
    assert!(losses.is_sorted_by(|before, after| after <= before));
    let last = losses.last().unwrap();
    assert!((last / kmeans.inertia().unwrap() - 1.0).abs() < 1e-5);
}

#[test]
fn equal_rows_are_one_medoid() {
    let values = blobs(10, 3, 10, 1);
    let data = Array2::from_shape_fn((200, 3), |(i, t)| values[[i * i % 10, t]]);
    let distinct = 6; // squares modulo 10
    for init in [Init::Auto, Init::Random] {
        let exact = trained(model(distinct, true).with_init(init.clone()), &data);
        assert_eq!(exact.inertia(), Some(0.0));
        assert!(exact.cluster_sizes().unwrap().iter().all(|&size| size > 0));
        assert!(exact.warnings().is_empty());

        let surplus = trained(model(distinct + 3, true).with_init(init), &data);
        let sizes = surplus.cluster_sizes().unwrap();
        assert_eq!(sizes.iter().filter(|&&size| size == 0).count(), 3);
        assert_eq!(surplus.warnings().len(), 1);
    }
}

#[test]
fn given_centroids_become_the_nearest_distinct_rows() {
    let data = array![
        [0.0_f32, 0.0],
        [0.1, 0.0],
        [9.0, 9.0],
        [9.0, 9.1],
        [5.0, 0.0]
    ];
    let init = Init::Centroids(array![[0.0, 0.0], [0.0, 0.0], [9.0, 9.04]]);
    let kmeans = trained(model(3, true).with_init(init), &data);
    let mut medoids = kmeans.medoid_indices().unwrap().to_vec();
    medoids.sort_unstable();
    assert!(
        (kmeans.inertia().unwrap() - 0.2).abs() < 1e-5,
        "{medoids:?}"
    );
}

#[test]
fn rows_without_direction_do_no_harm() {
    let mut data = blobs(60, 3, 4, 2);
    data.row_mut(0).fill(0.0);
    data.row_mut(7).fill(0.0);
    let kmeans = trained(model(4, false), &data);
    assert_eq!(kmeans.labels().unwrap()[0], 0);
    assert_eq!(kmeans.labels().unwrap()[7], 0);
    assert!(kmeans.cluster_sizes().unwrap().iter().all(|&size| size > 0));

    // Where distances are computed in more than one tile.
    let mut data = blobs(900, 3, 4, 2);
    let zeros = [3, 500, 890];
    for row in zeros {
        data.row_mut(row).fill(0.0);
    }
    let kmeans = trained(model(4, false), &data);
    let medoids = kmeans.medoid_indices().unwrap();
    assert!(
        zeros.iter().all(|zero| !medoids.contains(zero)),
        "{medoids:?}"
    );
    let labels = kmeans.labels().unwrap();
    assert!(zeros.iter().all(|&zero| labels[zero] == 0));

    let zeros = trained(model(3, false), &Array2::zeros((5, 2)));
    assert_eq!(zeros.cluster_sizes().unwrap(), [5, 0, 0]);
    assert_eq!(zeros.inertia(), Some(5.0));
}

#[test]
fn scale_and_offset_do_not_change_the_medoids() {
    let data = blobs(300, 5, 12, 3);
    let medoids = |data: &Array2<f32>| {
        let mut kmeans = model(12, true);
        kmeans.train(data.view(), None).unwrap();
        kmeans.medoid_indices().unwrap().to_vec()
    };
    let expected = medoids(&data);
    for scale in [
        2f32.powi(-120),
        2f32.powi(-40),
        2f32.powi(40),
        2f32.powi(120),
    ] {
        assert_eq!(medoids(&data.mapv(|v| v * scale)), expected);
    }
    // Coarse enough to survive the offset unrounded.
    let coarse = data.mapv(|v| (v * 64.0).round() / 64.0);
    assert_eq!(medoids(&coarse.mapv(|v| v + 1e4)), medoids(&coarse));
}

#[test]
fn a_small_memory_limit_costs_hardly_any_quality() {
    let data = blobs(3000, 8, 60, 7);
    for euclidean in [true, false] {
        for k in [1, 40] {
            // Local minima differ by a percent: of a few starts the mean.
            let (mut whole, mut sampled, mut tight) = (0.0, 0.0, 0.0);
            for seed in 0..4 {
                let model = model(k, euclidean).with_seed(seed);
                let kmeans = trained(model.clone(), &data);
                assert!(kmeans.info().unwrap().contains("all 3000 x 3000 distances"));
                whole += kmeans.inertia().unwrap();
                let kmeans = trained(model.clone().with_memory_limit(16_000_000), &data);
                assert!(kmeans.info().unwrap().contains("OneBatchPAM"));
                sampled += kmeans.inertia().unwrap();
                // Too little even for the distances of a window of candidates.
                let kmeans = trained(model.with_memory_limit(1_000_000), &data);
                tight += kmeans.inertia().unwrap();
            }
            let (sampled, tight) = (sampled / whole, tight / whole);
            assert!(sampled <= 1.005, "k={k}: {sampled}");
            assert!(tight <= 1.1, "k={k}: {tight}");
        }
    }
}

#[test]
fn medoids_are_always_different_rows_and_empty_only_for_want_of_them() {
    let alike = array![[1.0_f32, 1.0], [1.0, 1.0]];
    let directions = array![
        [1.0_f32, 0.0],
        [2.0, 0.0],
        [0.0, 1.0],
        [3.0, 0.0],
        [0.0, 0.0],
        [0.0, 0.0]
    ];
    let mut many = blobs(300, 2, 9, 3).mapv(f32::round);
    many.row_mut(17).fill(0.0);
    for (data, different, ways) in [
        (&alike, 1, 1),
        (&directions, 5, 3),
        (&many, different(&many), usize::MAX),
    ] {
        let rows = data.nrows();
        for k in [2, 3, 4, 5, 6, 9, 200, 299, 300]
            .into_iter()
            .filter(|&k| k <= rows)
        {
            let coinciding = Array2::from_shape_fn((k, 2), |(j, _)| (j % 2) as f32);
            let first = data.slice(ndarray::s![..k, ..]).to_owned();
            for init in [
                Init::Auto,
                Init::Random,
                Init::Centroids(first),
                Init::Centroids(coinciding),
            ] {
                for euclidean in [true, false] {
                    let model = model(k, euclidean).with_init(init.clone());
                    let possible = if euclidean { different } else { ways };
                    for model in [model.clone(), model.with_memory_limit(0)] {
                        let kmeans = trained(model, data);
                        let sizes = kmeans.cluster_sizes().unwrap();
                        let empty = sizes.iter().filter(|&&size| size == 0).count();
                        if euclidean || possible < usize::MAX || k < 10 {
                            assert_eq!(empty, k - k.min(possible), "k={k} of {rows}");
                        }
                    }
                }
            }
        }
    }
}

fn different(data: &Array2<f32>) -> usize {
    let mut rows: Vec<Vec<u32>> = data
        .rows()
        .into_iter()
        .map(|row| row.iter().map(|v| (v + 0.0).to_bits()).collect())
        .collect();
    rows.sort();
    rows.dedup();
    rows.len()
}

#[test]
fn repeating_every_row_changes_nothing() {
    let data = blobs(400, 3, 12, 11);
    for euclidean in [true, false] {
        for limit in [u64::MAX, 100_000] {
            for init in [Init::Auto, Init::Random] {
                let model = model(7, euclidean)
                    .with_memory_limit(limit)
                    .with_init(init.clone());
                let once = trained(model.clone(), &data);
                for times in [2, 3] {
                    let repeated =
                        Array2::from_shape_fn((400 * times, 3), |(i, t)| data[[i / times, t]]);
                    let many = trained(model.clone(), &repeated);
                    let labels = many.labels().unwrap().iter().step_by(times);
                    assert!(labels.eq(once.labels().unwrap()));
                    let rows = many.medoid_indices().unwrap().iter();
                    let rows: Vec<usize> = rows.map(|row| row / times).collect();
                    assert_eq!(rows, once.medoid_indices().unwrap());
                }
            }
        }
    }
}

#[test]
fn a_sample_keeps_every_promise() {
    let limit = 400_000;
    // Rare values, which a sample is likely to miss.
    let rare = Array2::from_shape_fn((2000, 2), |(i, t)| {
        if i % 100 == 7 {
            (i * (t + 1)) as f32
        } else {
            0.0
        }
    });
    let kmeans = trained(model(21, true).with_memory_limit(limit), &rare);
    assert_eq!(kmeans.inertia(), Some(0.0));
    assert!(kmeans.cluster_sizes().unwrap().iter().all(|&size| size > 0));
    let kmeans = trained(model(23, true).with_memory_limit(limit), &rare);
    let sizes = kmeans.cluster_sizes().unwrap();
    assert_eq!(sizes.iter().filter(|&&size| size == 0).count(), 2);

    // Nearly all rows without direction, and all of them.
    let mut sparse = Array2::zeros((2000, 3));
    sparse
        .slice_mut(ndarray::s![..5, ..])
        .assign(&blobs(5, 3, 5, 9));
    trained(model(8, false).with_memory_limit(limit), &sparse);
    trained(
        model(3, false).with_memory_limit(limit),
        &Array2::zeros((2000, 3)),
    );

    // As many clusters as rows, and given centroids.
    let data = blobs(1000, 3, 10, 8);
    let all = trained(model(1000, true).with_memory_limit(limit), &data);
    assert_eq!(all.inertia(), Some(0.0));
    let given = data.slice(ndarray::s![..10, ..]).to_owned();
    let init = Init::Centroids(given);
    trained(
        model(10, true).with_init(init).with_memory_limit(limit),
        &data,
    );
    let random = model(10, true).with_init(Init::Random).with_n_init(3);
    trained(random.with_memory_limit(limit), &data);
}

#[test]
fn threads_and_strides_do_not_change_a_bit() {
    let data = blobs(1500, 20, 30, 4);
    let mut wide = Array2::zeros((1500, 40));
    wide.slice_mut(ndarray::s![.., ..;2]).assign(&data);
    for euclidean in [true, false] {
        for limit in [100_000_000, 4_000_000, 400_000] {
            let fit = |view, num_threads| {
                let mut kmeans = model(25, euclidean).with_memory_limit(limit);
                kmeans.train(view, Some(num_threads)).unwrap();
                kmeans
            };
            let expected = fit(data.view(), 1);
            assert_eq!(fit(data.view(), 2), expected);
            assert_eq!(fit(data.view(), 8), expected);
            assert_eq!(fit(wide.slice(ndarray::s![.., ..;2]), 2), expected);
        }
    }
}

#[test]
fn can_be_cancelled() {
    let data = blobs(3000, 50, 10, 6);
    let mut observer = |event: kentro::Event<'_>| match event {
        kentro::Event::Progress(_) => std::ops::ControlFlow::Break(kentro::End::Cancel),
        _ => std::ops::ControlFlow::Continue(()),
    };
    let mut kmeans = model(10, true);
    let options = RunOptions {
        num_threads: Some(2),
        observer: Some(&mut observer),
        ..Default::default()
    };
    let result = kmeans.fit(&Points::from(data.view()), options);
    assert_eq!(result, Err(kentro::KMeansError::Cancelled));
    assert!(!kmeans.is_trained());
}

/// Trains on rows of the given weights.
fn weighted(model: KMeans, data: &Array2<f32>, weights: &[f64]) -> KMeans {
    let mut kmeans = model;
    let points = Points::from(data.view()).with_weights(weights).unwrap();
    kmeans.fit(&points, RunOptions::default()).unwrap();
    kmeans
}

/// A few different rows, many times each, on a grid that has a zero row.
fn grid(rows: usize, side: u64, random: &mut Random) -> Array2<f32> {
    let mut value = || (random.unit() * side as f64).floor() as f32 - 1.0;
    Array2::from_shape_simple_fn((rows, 2), &mut value)
}

/// Rows as often as they weigh, and which each was.
fn repeated(data: &Array2<f32>, weights: &[f64]) -> (Array2<f32>, Vec<usize>) {
    let each = weights.iter().enumerate();
    let rows: Vec<usize> = each
        .flat_map(|(row, &weight)| std::iter::repeat_n(row, weight as usize))
        .collect();
    (data.select(ndarray::Axis(0), &rows), rows)
}

/// That weights and repeated rows come to the same.
fn check_weights(model: &KMeans, data: &Array2<f32>, weights: &[f64]) {
    let (many, rows) = repeated(data, weights);
    let mut by_rows = model.clone();
    by_rows.train(many.view(), None).unwrap();
    let by_weights = weighted(model.clone(), data, weights);
    let labels = by_weights.labels().unwrap();
    let case = format!("{model:?} of {data} by {weights:?}");
    for (&row, label) in rows.iter().zip(by_rows.labels().unwrap()) {
        assert_eq!(labels[row], *label, "{case}");
    }
    assert_eq!(by_weights.centroids(), by_rows.centroids(), "{case}");
    assert_eq!(by_weights.inertia(), by_rows.inertia(), "{case}");
    let medoids = by_weights.medoid_indices().unwrap();
    assert!(medoids.iter().all(|&row| weights[row] > 0.0));
    if different(&many) >= model.n_clusters() {
        let by_rows = by_rows.medoid_indices().unwrap().iter();
        assert!(by_rows.map(|&row| &rows[row]).eq(medoids), "{case}");
    }
    for (row, &label) in labels.iter().enumerate() {
        let to = |m: usize| distance(data.row(row), data.row(m), model.is_euclidean());
        let least = medoids.iter().map(|&m| to(m)).fold(f64::INFINITY, f64::min);
        assert!(to(medoids[label as usize]) <= least + 1e-6);
    }
    // Doubling all weights again and again changes nothing either.
    let scaled: Vec<f64> = weights.iter().map(|w| w * 2f64.powi(-30)).collect();
    let model = model.clone();
    let enough = weights.iter().filter(|&&w| w > 0.0).count() >= model.n_clusters();
    if enough {
        assert_eq!(weighted(model, data, &scaled).labels().unwrap(), labels);
    }
}

#[test]
fn weights_are_repeated_rows() {
    let mut random = Random(5);
    for round in 0..60 {
        let rows = 5 + (random.unit() * 40.0) as usize;
        let data = grid(rows, 3 + round % 5, &mut random);
        let weights: Vec<f64> = (0..rows).map(|_| (random.unit() * 4.0).floor()).collect();
        let total = weights.iter().sum::<f64>() as usize;
        for k in [1, 2, 4, 7, total / 2, total] {
            if k == 0 || k > total {
                continue;
            }
            let mut given = grid(k, 3, &mut random);
            given.mapv_inplace(|v| v + 0.25);
            for init in [Init::Auto, Init::Random, Init::Centroids(given)] {
                for euclidean in [true, false] {
                    for limit in [None, Some(0)] {
                        let mut model =
                            model(k, euclidean).with_init(init.clone()).with_seed(round);
                        if let Some(limit) = limit {
                            model = model.with_memory_limit(limit);
                        }
                        check_weights(&model, &data, &weights);
                    }
                }
            }
        }
    }
}

#[test]
fn weights_are_repeated_rows_in_samples() {
    let mut random = Random(6);
    let blobs = blobs(700, 2, 9, 12).mapv(|v| (v * 4.0).round() / 4.0);
    let weights: Vec<f64> = (0..700)
        .map(|_| (random.unit() * 3.0).floor() + if random.unit() < 0.02 { 50.0 } else { 0.0 })
        .collect();
    for limit in [u64::MAX, 1 << 20, 400_000, 10_000] {
        for k in [1, 5, 20] {
            for euclidean in [true, false] {
                let model = model(k, euclidean).with_memory_limit(limit);
                check_weights(&model, &blobs, &weights);
                let random = model.with_init(Init::Random).with_n_init(2);
                check_weights(&random, &blobs, &weights);
            }
        }
    }
}

#[test]
fn the_weighted_sum_is_minimised() {
    for seed in 0..10 {
        let data = blobs(14, 2, 3, seed);
        let mut random = Random(seed);
        let weights: Vec<f64> = (0..14)
            .map(|_| (6.0 * random.unit() - 2.0).max(0.0))
            .collect();
        for euclidean in [true, false] {
            // As medoids rows of no weight are out; as points they cost nothing.
            let mut distances = matrix(&data, euclidean);
            for (row, &weight) in weights.iter().enumerate() {
                distances.row_mut(row).mapv_inplace(|d| d * weight);
                if weight == 0.0 {
                    distances.column_mut(row).fill(1e9);
                }
            }
            for k in [1, 2, 3] {
                let best = optimum(&distances, k);
                let kmeans = weighted(model(k, euclidean).with_n_init(30), &data, &weights);
                let found = kmeans.inertia().unwrap();
                assert!(
                    found <= best * (1.0 + 1e-6) + 1e-5,
                    "k={k}: {found} > {best}"
                );
                assert!((loss(&distances, kmeans.medoid_indices().unwrap()) - found).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn a_sample_finds_the_heavy_rows() {
    // Ten rows weigh more than all others together.
    let data = blobs(5000, 4, 10, 13);
    let mut weights = vec![1.0; 5000];
    for heavy in 0..10 {
        weights[heavy * 501] = 1e6;
    }
    for limit in [1 << 20, 16 << 20] {
        let kmeans = weighted(model(10, true).with_memory_limit(limit), &data, &weights);
        assert!(kmeans.info().unwrap().contains("OneBatchPAM"));
        let mut medoids = kmeans.medoid_indices().unwrap().to_vec();
        medoids.sort_unstable();
        let heavy: Vec<usize> = (0..10).map(|row| row * 501).collect();
        assert_eq!(medoids, heavy);
    }
}
