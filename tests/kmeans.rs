//! K-means: the documented behaviour and independent references.

use kentro::{KMeans, KMeansError, Points, RunOptions};
use ndarray::{Array2, array};

fn blobs(rows: usize, dims: usize, centres: usize) -> Array2<f32> {
    let mut state = 1u64;
    let mut unit = move || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    Array2::from_shape_fn((rows, dims), |(i, t)| {
        let corner = if (i % centres) >> (t % 4) & 1 == 1 {
            5.0
        } else {
            -5.0
        };
        corner + unit()
    })
}

#[test]
fn finds_separate_blobs_at_any_number_of_threads() {
    let data = blobs(4000, 6, 4);
    let mut reference = None;
    for num_threads in [1, 2, 8] {
        let mut kmeans = KMeans::new(4).with_euclidean(true);
        let clusters = kmeans.train(data.view(), Some(num_threads)).unwrap();
        assert_eq!(clusters.iter().map(Vec::len).collect::<Vec<_>>(), [1000; 4]);
        assert_eq!(kmeans.assign(data.view(), 1).unwrap(), clusters);
        let centroids = kmeans.centroids().unwrap().clone();
        assert_eq!(&centroids, reference.get_or_insert(centroids.clone()));
    }
}

#[test]
fn documented_errors() {
    let data = array![[1.0_f32, 2.0], [3.0, 4.0]];
    let text = |result: Result<_, KMeansError>| {
        result.map(|_: Vec<Vec<usize>>| ()).unwrap_err().to_string()
    };
    assert_eq!(
        text(KMeans::new(0).train(data.view(), None)),
        "Number of clusters must be positive"
    );
    assert_eq!(
        text(KMeans::new(3).train(data.view(), None)),
        "Number of points (2) must be at least as large as number of clusters (3)"
    );
    assert_eq!(
        text(KMeans::new(3).assign(data.view(), 1)),
        "Clustering has not been trained yet"
    );
    let mut kmeans = KMeans::new(1);
    kmeans.train(data.view(), None).unwrap();
    assert_eq!(
        text(kmeans.train(data.view(), None)),
        "Clustering has already been trained"
    );
    assert_eq!(
        text(kmeans.assign(data.view(), 0)),
        "Invalid parameter: k must be positive"
    );
    assert_eq!(
        text(kmeans.assign(Array2::zeros((1, 5)).view(), 1)),
        "Dimension mismatch: expected 2, got 5"
    );
}

#[test]
fn predictions_use_what_training_used() {
    let data = blobs(300, 5, 3);
    let points = Points::from(data.view());
    let mut kmeans = KMeans::new(4).with_euclidean(true).with_balanced(true);
    kmeans.train(data.view(), None).unwrap();
    let predict = |kmeans: &KMeans| {
        let (mut labels, mut distances) = (vec![0; 300], vec![0.0; 300]);
        let run = RunOptions::default;
        let mut balanced = labels.clone();
        kmeans
            .predict(&points, &mut labels, Some(&mut distances), run())
            .unwrap();
        kmeans
            .predict_balanced(&points, &mut balanced, None, run())
            .unwrap();
        (labels, distances, balanced)
    };
    let before = predict(&kmeans);
    let kmeans = kmeans.with_euclidean(false).with_balanced(false);
    assert!(!kmeans.is_euclidean());
    assert_eq!(predict(&kmeans), before);
}
