//! Sweeps, silhouettes and representatives, against brute force in float64.

use kentro::{KMeans, KMeansError, Metric, Points, RunOptions, silhouette};
use ndarray::{Array2, ArrayView1, s};

fn blobs(rows: usize, cols: usize, groups: usize) -> Array2<f32> {
    let mut state = 7u64;
    let mut unit = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    Array2::from_shape_fn((rows, cols), |(i, t)| {
        let group = i % groups;
        3.0 * ((group * (t + 3) * 7 + group / 2) % 5) as f32 + unit()
    })
}

fn distance(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>, metric: Metric) -> f64 {
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        let pairs = a.iter().zip(&b);
        pairs.map(|(&a, &b)| f(f64::from(a), f64::from(b))).sum()
    };
    match metric {
        Metric::Euclidean => sum(&|a, b| (a - b) * (a - b)).sqrt(),
        Metric::Cosine => {
            let norms = sum(&|a, _| a * a) * sum(&|_, b| b * b);
            1.0 - sum(&|a, b| a * b) / norms.sqrt()
        }
    }
}

fn brute_silhouettes(data: &Array2<f32>, labels: &[u32], metric: Metric) -> Vec<f64> {
    let mut clusters = labels.to_vec();
    clusters.sort();
    clusters.dedup();
    let mean = |row: usize, cluster: u32| {
        let others = (0..data.nrows()).filter(|&i| i != row && labels[i] == cluster);
        let all: Vec<f64> = others
            .map(|i| distance(data.row(row), data.row(i), metric))
            .collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    let of_row = |row: usize| {
        let own = labels[row];
        if labels.iter().filter(|&&label| label == own).count() == 1 {
            return 0.0;
        }
        let others = clusters.iter().filter(|&&cluster| cluster != own);
        let b = others.map(|&c| mean(row, c)).fold(f64::INFINITY, f64::min);
        (b - mean(row, own)) / b.max(mean(row, own))
    };
    (0..data.nrows()).map(of_row).collect()
}

fn threads(count: usize) -> RunOptions<'static> {
    RunOptions {
        num_threads: Some(count),
        ..Default::default()
    }
}

#[test]
fn silhouettes_are_those_of_brute_force() {
    let data = blobs(150, 5, 4);
    // Any labels: some far from good, one of a single row, with gaps between them.
    let labels: Vec<u32> = (0..150)
        .map(|i| match i {
            17 => u32::MAX,
            _ => (i % 4 * 10 + i / 140) as u32,
        })
        .collect();
    for metric in [Metric::Euclidean, Metric::Cosine] {
        let expected = brute_silhouettes(&data, &labels, metric);
        let mean = expected.iter().sum::<f64>() / 150.0;
        let points = Points::from(data.view());
        let found = silhouette(&points, &labels, metric, None, 0, threads(1)).unwrap();
        assert!((found.score - mean).abs() < 1e-9, "{found:?}, not {mean}");
        assert!(found.exact && found.rows == 150);
        // Of a sample each row is compared with all others.
        let sampled =
            |seed| silhouette(&points, &labels, metric, Some(149), seed, threads(1)).unwrap();
        assert!(!sampled(1).exact && sampled(1).rows == 149);
        assert_eq!(sampled(1), sampled(1));
        let left_out = mean * 150.0 - sampled(1).score * 149.0;
        assert!(expected.iter().any(|s| (s - left_out).abs() < 1e-9));
    }
}

#[test]
fn silhouettes_do_not_depend_on_threads_or_on_number_types() {
    let data = blobs(3000, 8, 6);
    let labels: Vec<u32> = (0..3000).map(|i| i % 6).collect();
    let points = Points::from(data.view());
    let metric = Metric::Euclidean;
    let one = silhouette(&points, &labels, metric, Some(1500), 3, threads(1)).unwrap();
    let two = silhouette(&points, &labels, metric, Some(1500), 3, threads(2)).unwrap();
    assert_eq!(one.score.to_bits(), two.score.to_bits());
    // Far from 0 in float64.
    let wide = data.mapv(|value| 1e9 + f64::from(value));
    let points = Points::from(wide.view());
    let far = silhouette(&points, &labels, metric, Some(1500), 3, threads(2)).unwrap();
    assert!((one.score - far.score).abs() < 1e-6);
}

#[test]
fn what_has_no_silhouette_is_an_error() {
    let data = blobs(6, 2, 2);
    let points = Points::from(data.view());
    let text = |labels: &[u32], sample| {
        let metric = Metric::Euclidean;
        let found = silhouette(&points, labels, metric, sample, 0, RunOptions::default());
        found.unwrap_err().to_string()
    };
    assert!(text(&[0; 5], None).contains("5 labels, but 6 points"));
    assert!(text(&[3; 6], None).contains("all rows have the same label"));
    assert!(text(&[0, 1, 0, 1, 0, 1], Some(0)).contains("sample must be positive, got 0"));
    let empty = Array2::<f32>::zeros((0, 2));
    let points = Points::from(empty.view());
    let metric = Metric::Euclidean;
    assert!(silhouette(&points, &[], metric, None, 0, RunOptions::default()).is_err());
}

#[test]
fn representatives_are_the_nearest_distinct_rows() {
    let mut data = blobs(400, 4, 5);
    for row in 0..100 {
        let copy = data.row(row).to_owned();
        data.slice_mut(s![row + 300, ..]).assign(&copy);
    }
    let points = Points::from(data.view());
    for (euclidean, metric) in [(true, Metric::Euclidean), (false, Metric::Cosine)] {
        let mut model = KMeans::new(5).with_euclidean(euclidean);
        model.fit(&points, RunOptions::default()).unwrap();
        let mut labels = vec![0; 400];
        let mut distances = vec![0.0; 400];
        model
            .predict(&points, &mut labels, Some(&mut distances), threads(1))
            .unwrap();
        for m in [1, 3, 1000] {
            let found = model.representatives(&points, m, threads(2)).unwrap();
            for cluster in 0..5 {
                let mut expected: Vec<usize> = (0..300)
                    .filter(|&row| labels[row] as usize == cluster)
                    .collect();
                expected.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
                expected.truncate(m);
                let found: Vec<usize> =
                    found.members(cluster).iter().map(|&r| r as usize).collect();
                assert_eq!(found, expected, "{metric:?}");
            }
        }
    }
    let untrained = KMeans::new(2).representatives(&points, 1, threads(1));
    assert_eq!(untrained, Err(KMeansError::NotTrained));
}

#[test]
fn a_sweep_goes_on_from_step_to_step() {
    let data = blobs(900, 6, 12);
    let points = Points::from(data.view());
    let ks = [1, 2, 5, 6, 12, 20];
    for (euclidean, metric) in [(true, Metric::Euclidean), (false, Metric::Cosine)] {
        let template = KMeans::new(3).with_euclidean(euclidean).with_seed(4);
        let steps = template.sweep(&points, &ks, threads(1)).unwrap();
        let again = template.sweep(&points, &ks, threads(2)).unwrap();
        assert_eq!(steps.len(), ks.len());
        let inertias: Vec<f64> = steps.iter().map(|s| s.model.inertia().unwrap()).collect();
        assert!(inertias.is_sorted_by(|a, b| a >= b), "{inertias:?}");
        for ((step, again), k) in steps.iter().zip(again).zip(ks) {
            assert_eq!(
                (&step.model, step.silhouette),
                (&again.model, again.silhouette)
            );
            assert_eq!(step.model.n_clusters(), k);
            assert!(step.seconds >= 0.0);
            let centroids = step.model.centroids().unwrap();
            let labels = step.model.labels().unwrap();
            if k == 1 {
                assert_eq!(step.silhouette, None);
                continue;
            }
            let mut sum = 0.0;
            for (row, &label) in data.rows().into_iter().zip(labels) {
                let all = (0..k).map(|j| distance(row, centroids.row(j), metric));
                let all: Vec<f64> = all.collect();
                let own = all[label as usize];
                let others = all.iter().enumerate().filter(|(j, _)| *j != label as usize);
                let other = others.map(|(_, &d)| d).fold(f64::INFINITY, f64::min);
                if labels.iter().filter(|&&of| of == label).count() > 1 {
                    sum += (other - own) / other.max(own);
                }
            }
            let silhouette = step.silhouette.unwrap();
            assert!((silhouette - sum / 900.0).abs() < 1e-5);
        }
        // 12 groups are there: a fresh start from best effort is hardly better.
        let mut fresh = KMeans::new(12).with_euclidean(euclidean).with_seed(4);
        fresh.fit(&points, threads(1)).unwrap();
        assert!(inertias[4] <= fresh.inertia().unwrap() * 1.05);
    }
}

#[test]
fn every_kind_of_model_is_swept() {
    let data = blobs(200, 3, 4);
    let points = Points::from(data.view());
    let balanced = KMeans::new(1).with_euclidean(true).with_balanced(true);
    for step in balanced
        .with_max_balance_diff(1)
        .sweep(&points, &[2, 3, 7], RunOptions::default())
        .unwrap()
    {
        let sizes = step.model.cluster_sizes().unwrap();
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        assert!(step.silhouette.unwrap().abs() <= 1.0);
    }
    let medoids = KMeans::new(1).with_euclidean(true).with_use_medoids(true);
    let steps = medoids
        .sweep(&points, &[2, 4], RunOptions::default())
        .unwrap();
    for step in &steps {
        let mut alone = medoids.clone();
        alone = KMeans::new(step.model.n_clusters())
            .with_euclidean(true)
            .with_use_medoids(alone.is_use_medoids());
        alone.fit(&points, RunOptions::default()).unwrap();
        assert_eq!(alone.labels(), step.model.labels());
    }
}

#[test]
fn numbers_that_cannot_be_swept_are_errors() {
    let data = blobs(20, 2, 2);
    let points = Points::from(data.view());
    let text = |ks: &[usize]| {
        let steps = KMeans::new(2).sweep(&points, ks, RunOptions::default());
        steps.unwrap_err().to_string()
    };
    assert!(text(&[]).contains("ks is empty"));
    assert!(text(&[3, 2]).contains("ks must ascend, got 2 after 3"));
    assert!(text(&[2, 2]).contains("ks must ascend, got 2 after 2"));
    assert!(text(&[0, 2]).contains("must be positive"));
    assert!(text(&[2, 21]).contains("Number of points (20)"));
    let given =
        KMeans::new(2).with_init(kentro::Init::Centroids(data.slice(s![..2, ..]).to_owned()));
    let error = given
        .sweep(&points, &[2], RunOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("leave them out"));
}
