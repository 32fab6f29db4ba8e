//! Weights of points: what they do, and what is refused.

use kentro::{Init, KMeans, KMeansError, Points, Quality, RunOptions, Weights};
use ndarray::{Array2, Axis, array};

/// A small generator of its own, the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005);
        self.0 = self.0.wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }
}

/// Overlapping clusters; `levels` numbers a column at most, so that rows repeat.
fn blobs(rows: usize, dims: usize, levels: u64, random: &mut Random) -> Array2<f32> {
    Array2::from_shape_fn((rows, dims), |(i, t)| {
        let centre = (i % 7) as u64 * (t as u64 + 3) % 5 * levels / 4;
        (centre + random.below(levels)) as f32 * 0.37 - 1.0
    })
}

fn trained(model: &KMeans, points: &Points<'_>, threads: usize) -> KMeans {
    let mut model = model.clone();
    let options = RunOptions {
        num_threads: Some(threads),
        ..Default::default()
    };
    model.fit(points, options).unwrap();
    model
}

/// That weights and repeated rows come to the same.
fn check(model: &KMeans, data: &Array2<f32>, weights: &[f64], threads: [usize; 2]) {
    let each = (0..data.nrows()).flat_map(|row| std::iter::repeat_n(row, weights[row] as usize));
    let rows: Vec<usize> = each.collect();
    let many = data.select(Axis(0), &rows);
    let by_rows = trained(model, &many.view().into(), threads[0]);
    let points = Points::from(data.view()).with_weights(weights).unwrap();
    let by_weight = trained(model, &points, threads[1]);
    let case = format!("{model:?} of {:?} {:?}", data.dim(), &weights[..5]);
    let labels = by_weight.labels().unwrap();
    let repeated: Vec<u32> = rows.iter().map(|&row| labels[row]).collect();
    assert_eq!(repeated, by_rows.labels().unwrap(), "{case}");
    assert_eq!(by_weight.centroids(), by_rows.centroids(), "{case}");
    assert_eq!(by_weight.inertia(), by_rows.inertia(), "{case}");
    assert_eq!(by_weight.cluster_weights(), by_rows.cluster_weights());
    let mut sizes = vec![0; model.n_clusters()];
    labels.iter().for_each(|&label| sizes[label as usize] += 1);
    assert_eq!(by_weight.cluster_sizes().unwrap(), sizes);
    let loaded = KMeans::from_bytes(&by_weight.to_bytes(Default::default()).unwrap()).unwrap();
    assert!(loaded == by_weight);
    assert_eq!(by_weight.n_iter(), by_rows.n_iter(), "{case}");
    let mut nearest = vec![0; data.nrows()];
    by_weight
        .predict(&points, &mut nearest, None, RunOptions::default())
        .unwrap();
    for (row, label) in nearest.into_iter().enumerate() {
        assert!(weights[row] > 0.0 || labels[row] == label, "{case}");
    }
    // Doubling all weights again and again changes nothing either.
    if weights.iter().filter(|&&w| w > 0.0).count() >= model.n_clusters() {
        let scaled: Vec<f64> = weights.iter().map(|w| w * 2f64.powi(-30)).collect();
        let points = Points::from(data.view()).with_weights(&scaled[..]).unwrap();
        let scaled = trained(model, &points, 1);
        assert_eq!(scaled.labels(), by_weight.labels(), "{case}");
        assert_eq!(scaled.centroids(), by_weight.centroids(), "{case}");
    }
}

fn inits(data: &Array2<f32>, k: usize) -> [Init; 6] {
    let given = data.slice(ndarray::s![..k, ..]).to_owned();
    [
        Init::Auto,
        Init::Random,
        Init::KMeansPlusPlus,
        Init::KMeansParallel,
        Init::Tree,
        Init::Centroids(given),
    ]
}

#[test]
fn weights_are_repeated_rows() {
    let mut random = Random(1);
    for (rows, dims, k, levels) in [
        (40, 1, 3, 9),
        (90, 3, 6, 4),
        (150, 5, 12, 1000),
        (60, 2, 30, 3),
    ] {
        for most in [2, 4, 50] {
            let data = blobs(rows, dims, levels, &mut random);
            let weights: Vec<f64> = (0..rows).map(|_| random.below(most) as f64).collect();
            if weights.iter().sum::<f64>() < k as f64 {
                continue;
            }
            for euclidean in [true, false] {
                for init in inits(&data, k) {
                    for quality in [Quality::Fast, Quality::Default, Quality::Best] {
                        let model = KMeans::new(k)
                            .with_euclidean(euclidean)
                            .with_init(init.clone())
                            .with_quality(quality)
                            .with_n_init(1 + random.below(2) as usize)
                            .with_tolerance([0.0, 1e-2][random.below(2) as usize])
                            .with_seed(random.below(9));
                        check(&model, &data, &weights, [1, 1]);
                    }
                }
            }
        }
    }
}

/// Shapes that take what small ones don't: samples, trees, groups of seeds,
/// 8-bit codes, totals cluster by cluster, several tasks and threads.
#[test]
fn weights_are_repeated_rows_in_large_data() {
    let mut random = Random(2);
    for (rows, dims, k, levels, init) in [
        (9000, 2, 8, 40, Init::Auto),
        (1900, 4, 150, 90, Init::KMeansParallel),
        (2500, 12, 150, 400, Init::Tree),
        (2500, 12, 40, 400, Init::Tree),
        (1500, 33, 520, 1000, Init::Auto),
        (3000, 40, 60, 1000, Init::KMeansPlusPlus),
    ] {
        let data = blobs(rows, dims, levels, &mut random);
        let weights: Vec<f64> = (0..rows).map(|_| random.below(4) as f64).collect();
        for euclidean in [true, false] {
            let quality = [Quality::Default, Quality::Best][usize::from(k < 10)];
            let model = KMeans::new(k)
                .with_euclidean(euclidean)
                .with_init(init.clone())
                .with_quality(quality)
                .with_iterations(9);
            check(&model, &data, &weights, [2, 2]);
        }
    }
}

/// Columns of very different sizes, whose sums take several whole numbers.
#[test]
fn weights_are_repeated_rows_whatever_the_numbers() {
    let mut random = Random(3);
    let data = Array2::from_shape_fn((120, 4), |(_, t)| {
        let scale = 10f32.powi([0, 12, -20, 30][t] - random.below(8) as i32);
        (random.below(2000) as f32 - 1000.0) * scale
    });
    let weights: Vec<f64> = (0..120).map(|_| random.below(5) as f64).collect();
    for euclidean in [true, false] {
        for quality in [Quality::Default, Quality::Best] {
            let model = KMeans::new(9)
                .with_euclidean(euclidean)
                .with_quality(quality)
                .with_tolerance(1e-6);
            check(&model, &data, &weights, [1, 2]);
        }
    }
}

#[test]
fn rows_of_no_weight_move_no_offset() {
    let column = |row: usize| 1e9 + (row % 10) as f64 * 0.25;
    let data = Array2::from_shape_fn((60, 2), |(row, _)| match row {
        17 => -1e9,
        row => column(row),
    });
    let mut weights = vec![1.0; 60];
    weights[17] = 0.0;
    let model = KMeans::new(4).with_euclidean(true);
    let points = Points::from(data.view());
    let points = points.with_weights(&weights[..]).unwrap();
    let by_weight = trained(&model, &points, 1);
    let rows: Vec<usize> = (0..60).filter(|&row| row != 17).collect();
    let others = data.select(Axis(0), &rows);
    let expected = trained(&model, &others.view().into(), 1);
    assert!(expected.offset().is_some());
    assert_eq!(by_weight.offset(), expected.offset());
    assert_eq!(
        by_weight.centroids_f64().unwrap(),
        expected.centroids_f64().unwrap()
    );
}

/// Sparse rows too, as if they were dense.
#[test]
fn sparse_rows_have_weights() {
    let mut random = Random(5);
    let data = Array2::from_shape_fn((200, 6), |_| match random.below(3) {
        0 => random.below(50) as f64 * 0.1,
        _ => 0.0,
    });
    let weights: Vec<f64> = (0..200).map(|_| random.below(4) as f64).collect();
    let (mut numbers, mut columns, mut starts) = (Vec::new(), Vec::new(), vec![0u32]);
    for row in data.outer_iter() {
        for (column, &number) in row.iter().enumerate().filter(|(_, number)| **number != 0.0) {
            numbers.push(number);
            columns.push(column as u32);
        }
        starts.push(numbers.len() as u32);
    }
    for euclidean in [true, false] {
        let model = KMeans::new(7).with_euclidean(euclidean);
        let sparse = Points::csr(&numbers, &columns[..], &starts[..], 6).unwrap();
        let [by_dense, by_sparse] = [Points::from(data.view()), sparse].map(|points| {
            let points = points.with_weights(&weights[..]).unwrap();
            trained(&model, &points, 1)
        });
        assert_eq!(by_sparse.labels(), by_dense.labels());
        assert_eq!(by_sparse.centroids(), by_dense.centroids());
        assert_eq!(by_sparse.cluster_weights(), by_dense.cluster_weights());
    }
}

/// Against Lloyd's iteration written down, in float64.
#[test]
fn centroids_are_weighted_means() {
    let mut random = Random(4);
    let data = blobs(300, 3, 1000, &mut random);
    let weights: Vec<f64> = (0..300)
        .map(|_| random.below(1000) as f64 * 0.013)
        .collect();
    let first = data.slice(ndarray::s![..5, ..]).to_owned();
    let model = KMeans::new(5)
        .with_euclidean(true)
        .with_init(Init::Centroids(first.clone()))
        .with_iterations(100);
    let points = Points::from(data.view());
    let found = trained(&model, &points.with_weights(&weights[..]).unwrap(), 1);
    let mut centroids = first.mapv(f64::from);
    let distance = |row: usize, centroid: ndarray::ArrayView1<'_, f64>| -> f64 {
        let pairs = data.row(row).into_iter().zip(centroid);
        pairs.map(|(&x, c)| (f64::from(x) - c).powi(2)).sum()
    };
    let (mut labels, mut inertia) = (vec![0; 300], 0.0);
    for _ in 0..100 {
        inertia = 0.0;
        for row in 0..300 {
            let all = centroids.outer_iter().map(|c| distance(row, c));
            let least = all.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            labels[row] = least.0;
            inertia += weights[row] * least.1;
        }
        for (j, mut centroid) in centroids.outer_iter_mut().enumerate() {
            let own = || (0..300).filter(|&row| labels[row] == j);
            let total: f64 = own().map(|row| weights[row]).sum();
            for (t, value) in centroid.iter_mut().enumerate() {
                let sum: f64 = own()
                    .map(|row| weights[row] * f64::from(data[(row, t)]))
                    .sum();
                *value = sum / total;
            }
        }
    }
    let expected: Vec<u32> = labels.iter().map(|&label| label as u32).collect();
    assert_eq!(found.labels().unwrap(), expected);
    for (found, expected) in found.centroids().unwrap().iter().zip(&centroids) {
        assert!((f64::from(*found) - expected).abs() < 1e-6 * (1.0 + expected.abs()));
    }
    assert!((found.inertia().unwrap() - inertia).abs() < 1e-6 * inertia);
}

fn train(clusters: usize, weights: Weights<'_>) -> Result<(), KMeansError> {
    let by_means = fit(false, clusters, weights);
    let by_medoids = fit(true, clusters, weights);
    assert_eq!(format!("{by_means:?}"), format!("{by_medoids:?}"));
    by_means
}

fn fit(medoids: bool, clusters: usize, weights: Weights<'_>) -> Result<(), KMeansError> {
    let data = array![[0.0f32, 1.0], [1.0, 0.0], [5.0, 5.0], [6.0, 5.0]];
    let points = Points::from(data.view()).with_weights(weights)?;
    KMeans::new(clusters)
        .with_use_medoids(medoids)
        .with_euclidean(true)
        .fit(&points, RunOptions::default())
}

#[test]
fn weights_are_one_a_row_finite_and_not_negative() {
    let text = |weights: &[f64]| train(2, weights.into()).unwrap_err().to_string();
    assert_eq!(
        text(&[1.0; 3]),
        "Invalid data: there are 3 weights for 4 rows; give one for each"
    );
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let error = train(2, Weights::F64(&[1.0, 2.0, bad, -7.0])).unwrap_err();
        assert_eq!(error.row(), Some(2));
        let start = format!("Invalid data: the weight of row 2 is {bad}; weights must be finite");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
    assert!(text(&[0.0; 4]).contains("the weights of all rows, 0 to 3, are zero"));
    assert!(text(&[1e200, 1e200, 1.0, 1.0]).contains("scale them down"));
    assert!(text(&[1.0, 1.0, 1e-201, 1.0]).contains("the weight of row 2 is 1e-201"));
    assert_eq!(train(2, Weights::F32(&[1.0f32, 0.5, 0.25, 0.0])), Ok(()));
}

#[test]
fn too_few_is_when_rows_and_weight_are_both_below_the_clusters() {
    assert_eq!(
        train(3, Weights::F64(&[1.0, 0.0, 1.5, 0.0])),
        Err(KMeansError::InsufficientPoints(2, 3))
    );
    // As many as if the rows were repeated, or rows of little weight.
    assert_eq!(train(3, Weights::F64(&[2.0, 0.0, 1.0, 0.0])), Ok(()));
    assert_eq!(train(3, Weights::F64(&[1e-3, 1e-3, 1e-3, 0.0])), Ok(()));
}

#[test]
fn points_lend_their_weights() {
    let data = array![[0.0f32], [1.0]];
    let points = Points::from(data.view());
    assert!(!points.is_weighted());
    assert_eq!(points.weight(1), 1.0);
    let weights = [0.5f32, 3.0];
    let points = points.with_weights(&weights[..]).unwrap();
    assert!(points.is_weighted());
    assert_eq!([points.weight(0), points.weight(1)], [0.5, 3.0]);
    assert!(!points.without_weights().is_weighted());
}
