//! Rows that are asked for one by one, or a few at a time, get the bits that they
//! get among many, whoever else asks the model at the same time.

use kentro::{Element, Init, KMeans, Points, RunOptions};
use ndarray::{Array2, ArrayView2, s};

/// Rows around `k` centres, `away` from the origin; at the origin, the last has
/// only zeros.
fn blobs(rows: usize, dims: usize, k: usize, away: f64) -> Array2<f64> {
    let mut state = 7u64;
    let mut unit = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    let centres = Array2::from_shape_simple_fn((k, dims), || 4.0 * unit());
    let mut data = Array2::from_shape_fn((rows, dims), |(i, t)| {
        away + centres[[i * 7 % k, t]] + 2.0 * unit()
    });
    if away == 0.0 {
        data.row_mut(rows - 1).fill(0.0);
    }
    data
}

/// Labels and distances of the `k` nearest centroids, or by prices.
fn ask<T: Element>(
    model: &KMeans,
    data: ArrayView2<'_, T>,
    (k, balanced, threads): (usize, bool, usize),
) -> (Vec<u32>, Vec<u64>) {
    let k = k.min(model.n_clusters());
    let mut labels = vec![0; data.nrows() * k];
    let mut distances = vec![0.0; labels.len()];
    let mut only = labels.clone();
    for (labels, distances) in [(&mut labels, Some(&mut distances[..])), (&mut only, None)] {
        let options = RunOptions {
            num_threads: Some(threads),
            ..Default::default()
        };
        let points = Points::from(data);
        match balanced {
            true => model.predict_balanced(&points, labels, distances, options),
            false => model.predict_top(&points, k, labels, distances, options),
        }
        .unwrap();
    }
    assert_eq!(labels, only);
    let bits = distances.iter().map(|distance| distance.to_bits());
    (labels, bits.collect())
}

/// Asks for the rows in batches of each size, and compares with one batch.
fn check<T: Element>(name: &str, model: &KMeans, data: ArrayView2<'_, T>, balanced: bool) {
    let counts: &[usize] = if balanced { &[1] } else { &[1, 2, 8, 40] };
    for &k in counts {
        let expected = ask(model, data, (k, balanced, 1));
        for (size, threads) in [(1, 1), (1, 2), (3, 1), (4, 2), (21, 1), (64, 2), (129, 1)] {
            let mut found = (Vec::new(), Vec::new());
            for first in (0..data.nrows()).step_by(size) {
                let batch = data.slice(s![first..data.nrows().min(first + size), ..]);
                let (labels, distances) = ask(model, batch, (k, balanced, threads));
                found.0.extend(labels);
                found.1.extend(distances);
            }
            assert!(found == expected, "{name}, top {k}, {size} rows at a time");
        }
    }
}

fn trained<T: Element>(model: KMeans, data: ArrayView2<'_, T>) -> KMeans {
    let mut model = model.with_iterations(3);
    model
        .fit(&Points::from(data), RunOptions::default())
        .unwrap();
    model
}

#[test]
fn rows_get_the_same_alone_and_among_many() {
    for (dims, k) in [(3, 5), (40, 60), (131, 70)] {
        for euclidean in [true, false] {
            let name = format!("{dims} dimensions, {k} clusters, euclidean: {euclidean}");
            let model = KMeans::new(k).with_euclidean(euclidean);
            let data = blobs(500, dims, k, 0.0);
            let floats = data.mapv(|value| value as f32);
            let means = trained(model.clone(), floats.view());
            check(&format!("{name}, means"), &means, floats.view(), false);
            let medoids = trained(model.clone().with_use_medoids(true), floats.view());
            check(&format!("{name}, medoids"), &medoids, floats.view(), false);
            let priced = trained(model.clone().with_balanced(true), floats.view());
            check(&format!("{name}, prices"), &priced, floats.view(), true);
            check(&format!("{name}, no prices"), &priced, floats.view(), false);
            // Columns that lose an offset, float64, strides.
            let far = blobs(500, dims, k, 1e6);
            let offset = trained(model, far.view());
            assert_eq!(offset.offset().is_some(), euclidean);
            check(&format!("{name}, offset"), &offset, far.view(), false);
            let turned = far.slice(s![..;-1, ..;-1]);
            check(&format!("{name}, strides"), &offset, turned, false);
        }
    }
}

/// Of any length, also none; equal ones; more than lanes can hold.
#[test]
fn given_centroids_of_all_kinds_are_found_alike() {
    let mut data = blobs(300, 24, 90, -1.0).mapv(|value| value as f32);
    for i in 0..data.nrows() {
        let factor = 10f32.powi(i as i32 % 40 - 20);
        data.row_mut(i).mapv_inplace(|value| value * factor);
    }
    let mut centroids = data.slice(s![..90;1, ..]).to_owned();
    let copy = centroids.row(3).to_owned();
    centroids.row_mut(60).assign(&copy);
    centroids.row_mut(61).fill(0.0);
    for euclidean in [true, false] {
        let points = Points::from(centroids.view());
        let model = KMeans::from_centroids(&points, euclidean, None).unwrap();
        check("given", &model, data.view(), false);
        let prices: Vec<f64> = (0..90).map(|j| f64::from(j) * 0.01).collect();
        let model = KMeans::from_centroids(&points, euclidean, Some(&prices)).unwrap();
        check("given with prices", &model, data.view(), true);
    }
    let init = Init::Centroids(centroids);
    let model = KMeans::new(90).with_use_medoids(true).with_init(init);
    check("medoids", &trained(model, data.view()), data.view(), false);
}

#[test]
fn many_threads_may_ask_one_model_from_its_first_moment() {
    let data = blobs(400, 33, 70, 0.0).mapv(|value| value as f32);
    for euclidean in [true, false] {
        for turn in 0..4 {
            let points = Points::from(data.slice(s![..70, ..]));
            let model = KMeans::from_centroids(&points, euclidean, None).unwrap();
            let other = KMeans::from_centroids(&points, euclidean, None).unwrap();
            let k = [1, 8][turn % 2];
            let expected = ask(&other, data.view(), (k, false, 1));
            std::thread::scope(|scope| {
                for thread in 0..6 {
                    let (model, data, expected) = (&model, data.view(), &expected);
                    scope.spawn(move || {
                        let size = [1, 5, 70, 100][(thread + turn) % 4];
                        for first in (0..400).step_by(size) {
                            let rows = first..400.min(first + size);
                            let batch = data.slice(s![rows.clone(), ..]);
                            let found = ask(model, batch, (k, false, 1 + thread % 2));
                            let places = rows.start * k..rows.end * k;
                            assert_eq!(found.0, expected.0[places.clone()]);
                            assert_eq!(found.1, expected.1[places]);
                        }
                    });
                }
            });
        }
    }
}
