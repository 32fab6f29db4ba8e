//! Weights of points: what is refused.

use kentro::{KMeans, KMeansError, Points, RunOptions, Weights};
use ndarray::array;

fn train(clusters: usize, weights: Weights<'_>) -> Result<(), KMeansError> {
    let data = array![[0.0f32, 1.0], [1.0, 0.0], [5.0, 5.0], [6.0, 5.0]];
    let points = Points::from(data.view()).with_weights(weights)?;
    KMeans::new(clusters)
        .with_use_medoids(true)
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
fn k_means_and_balanced_clusters_refuse_weights() {
    let data = array![[0.0f32, 1.0], [1.0, 0.0], [5.0, 5.0], [6.0, 5.0]];
    for (balanced, medoids) in [(false, false), (true, false), (true, true)] {
        let points = Points::from(data.view()).with_weights(&[1.0, 2.0, 1.0, 1.0][..]);
        let mut model = KMeans::new(2)
            .with_balanced(balanced)
            .with_use_medoids(medoids);
        let error = model
            .fit(&points.unwrap(), RunOptions::default())
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("Invalid data: weights are for K-medoids")
        );
    }
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
