//! Training block by block.

use kentro::{Init, KMeans, KMeansError, Points, Quality, RunOptions};
use ndarray::{Array2, array, s};

/// Blobs around 8 centres, without any order.
fn blobs(rows: usize, dims: usize) -> Array2<f32> {
    let mut state = 9u64;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let centres: Vec<f32> = (0..8 * dims).map(|_| 20.0 * next()).collect();
    let mut data = Array2::zeros((rows, dims));
    for mut row in data.outer_iter_mut() {
        let blob = (8.0 * next()) as usize;
        for (t, value) in row.iter_mut().enumerate() {
            *value = centres[blob * dims + t] + next() + next();
        }
    }
    data
}

fn fit(model: &mut KMeans, block: ndarray::ArrayView2<'_, f32>) -> Result<(), KMeansError> {
    model.partial_fit(&Points::from(block), 0.0, RunOptions::default())
}

fn euclidean(clusters: usize) -> KMeans {
    KMeans::new(clusters).with_euclidean(true)
}

fn inertia(model: &KMeans, data: &Array2<f32>) -> f64 {
    -model
        .score(&data.view().into(), RunOptions::default())
        .unwrap()
}

#[test]
fn one_pass_is_nearly_as_good_as_training() {
    let data = blobs(20_000, 6);
    let mut whole = euclidean(24).with_quality(Quality::Fast);
    whole.train(data.view(), None).unwrap();
    let mut model = euclidean(24).with_quality(Quality::Fast);
    for block in data.axis_chunks_iter(ndarray::Axis(0), 1000) {
        fit(&mut model, block).unwrap();
    }
    let (found, best) = (inertia(&model, &data), inertia(&whole, &data));
    assert!(found < 1.05 * best, "{found} against {best}");
    assert_eq!(model.n_iter(), Some(20));
    assert_eq!(model.cluster_sizes().unwrap().iter().sum::<usize>(), 20_000);
    assert_eq!((model.labels(), model.inertia()), (None, None));
    assert!(model.clusters().is_err());
}

/// Written out: the mean of what a centroid weighed and of the block's rows.
#[test]
fn centroids_move_to_the_mean_of_all_that_they_got() {
    let centroids = array![[0.0f32, 0.0], [10.0, 0.0]];
    let mut model = euclidean(2)
        .with_init(Init::Centroids(centroids))
        .with_iterations(1)
        .with_quality(Quality::Fast);
    fit(
        &mut model,
        array![[0.0, 2.0], [0.0, -2.0], [10.0, 4.0], [9.0, 0.0]].view(),
    )
    .unwrap();
    let weights = [1.0, 2.0];
    let block = array![[1.0f32, 0.0], [13.0, 2.0]];
    let points = Points::from(block.view())
        .with_weights(&weights[..])
        .unwrap();
    model
        .partial_fit(&points, 0.0, RunOptions::default())
        .unwrap();
    let expected = array![
        [1.0f32 / 3.0, 0.0],
        [(19.0 + 26.0) / 4.0, (4.0 + 4.0) / 4.0]
    ];
    assert_eq!(model.centroids().unwrap(), expected);
    assert_eq!(model.cluster_weights().unwrap(), [3.0, 4.0]);
    assert_eq!(model.cluster_sizes().unwrap(), [3, 3]);
    // All forgotten: only the block counts.
    let block = array![[1.0f32, 1.0]];
    model
        .partial_fit(&block.view().into(), 1.0, RunOptions::default())
        .unwrap();
    assert_eq!(model.centroids().unwrap().row(0), array![1.0f32, 1.0]);
    assert_eq!(model.centroids().unwrap().row(1), array![11.25f32, 2.0]);
    assert_eq!(model.cluster_weights().unwrap(), [1.0, 0.0]);
}

#[test]
fn a_weight_of_two_is_a_row_that_is_there_twice() {
    let data = blobs(600, 4);
    let weights: Vec<f64> = (0..600).map(|row| (row % 3) as f64).collect();
    let repeated: Vec<usize> = (0..600).flat_map(|row| vec![row; row % 3]).collect();
    let twice = data.select(ndarray::Axis(0), &repeated);
    for metric in [true, false] {
        let start = || {
            let mut model = KMeans::new(7).with_euclidean(metric);
            fit(&mut model, data.slice(s![..100, ..])).unwrap();
            model
        };
        let (mut one, mut other) = (start(), start());
        let points = Points::from(data.view())
            .with_weights(&weights[..])
            .unwrap();
        one.partial_fit(&points, 0.25, RunOptions::default())
            .unwrap();
        other
            .partial_fit(&twice.view().into(), 0.25, RunOptions::default())
            .unwrap();
        assert_eq!(one.centroids(), other.centroids());
        assert_eq!(one.cluster_weights(), other.cluster_weights());
    }
}

#[test]
fn rows_are_collected_until_there_are_enough() {
    let data = blobs(50, 3);
    let mut model = euclidean(10);
    for first in (0..9).step_by(3) {
        fit(&mut model, data.slice(s![first..first + 3, ..])).unwrap();
        assert!(!model.is_trained());
    }
    let text = model.to_bytes(Default::default()).unwrap_err().to_string();
    assert!(text.contains("collected 9 rows of the 10"), "{text}");
    assert!(model.untrained().to_bytes(Default::default()).is_ok());
    assert!(matches!(
        fit(&mut model, data.slice(s![..1, ..2])),
        Err(KMeansError::DimensionMismatch {
            expected: 3,
            actual: 2
        })
    ));
    fit(&mut model, data.slice(s![9..20, ..])).unwrap();
    let mut at_once = euclidean(10);
    fit(&mut at_once, data.slice(s![..20, ..])).unwrap();
    assert_eq!(model.centroids(), at_once.centroids());
    // What is saved goes on like what stays.
    let mut loaded = KMeans::from_bytes(&model.to_bytes(Default::default()).unwrap()).unwrap();
    for model in [&mut model, &mut loaded] {
        fit(model, data.slice(s![20.., ..])).unwrap();
    }
    assert_eq!(model, loaded);
}

#[test]
fn goes_on_from_centroids_and_says_what_cannot_be() {
    let data = blobs(40, 2);
    let given = data.slice(s![..3, ..]).to_owned();
    let mut model = KMeans::from_centroids(&given.view().into(), true, None).unwrap();
    fit(&mut model, given.slice(s![1..2, ..])).unwrap();
    assert_eq!(model.centroids().unwrap(), given);
    let before = model.clone();
    for (block, forgetting, word) in [
        (data.slice(s![.., ..1]), 0.0, "Dimension mismatch"),
        (data.view(), -0.5, "forgetting must be a number from 0 to 1"),
        (
            data.view(),
            f64::NAN,
            "forgetting must be a number from 0 to 1",
        ),
        ((&data * f32::NAN).view(), 0.0, "row 0"),
    ] {
        let result = model.partial_fit(&block.into(), forgetting, RunOptions::default());
        let text = result.unwrap_err().to_string();
        assert!(text.contains(word), "{text}");
        assert_eq!(model, before);
    }
    fit(&mut model, data.slice(s![..0, ..])).unwrap();
    assert_eq!(model, before);
    for mut model in [
        euclidean(2).with_balanced(true),
        euclidean(2).with_use_medoids(true),
    ] {
        let text = fit(&mut model, data.view()).unwrap_err().to_string();
        assert!(text.contains("partial_fit is for K-means"), "{text}");
    }
}
