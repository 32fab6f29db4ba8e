//! Numbers of more digits than float32: what tells points apart is kept.

use kentro::{Element, Init, KMeans, KMeansError, Points, RunOptions, SaveOptions, Swapped};
use ndarray::{Array1, Array2, ArrayView2, Axis, array, s};

fn fit<T: Element>(data: ArrayView2<'_, T>, mut model: KMeans, num_threads: usize) -> KMeans {
    let options = RunOptions {
        num_threads: Some(num_threads),
        ..Default::default()
    };
    model.fit(&Points::from(data), options).unwrap();
    model
}

fn euclidean(n_clusters: usize) -> KMeans {
    KMeans::new(n_clusters).with_euclidean(true)
}

fn predict<T: Element>(model: &KMeans, data: ArrayView2<'_, T>) -> (Vec<u32>, Vec<f64>) {
    let mut labels = vec![0; data.nrows()];
    let mut distances = vec![0.0; data.nrows()];
    let options = RunOptions::default();
    model
        .predict(&data.into(), &mut labels, Some(&mut distances), options)
        .unwrap();
    (labels, distances)
}

/// `from` + 0, .., `from` + 7, each three times.
fn eight<T: Copy>(from: impl Fn(i64) -> T) -> Array2<T> {
    Array2::from_shape_fn((24, 1), |(i, _)| from(i as i64 * 5 % 8))
}

/// Every value has a cluster of its own.
fn check_eight<T: Element + PartialEq>(data: &Array2<T>) {
    for model in [euclidean(8), euclidean(8).with_use_medoids(true)] {
        let model = fit(data.view(), model, 1);
        assert_eq!(model.cluster_sizes().unwrap(), [3; 8]);
        assert_eq!(model.inertia(), Some(0.0));
        assert_eq!(model.warnings(), &[] as &[String]);
        let labels = model.labels().unwrap();
        for (i, a) in data.iter().enumerate() {
            for (j, b) in data.iter().enumerate() {
                assert_eq!(a == b, labels[i] == labels[j]);
            }
        }
        let (predicted, distances) = predict(&model, data.view());
        assert_eq!((&*predicted, &*distances), (labels, &[0.0; 24][..]));
    }
}

#[test]
fn neighbouring_numbers_are_told_apart_at_the_ends_of_every_type() {
    check_eight(&eight(|i| 1e9 + i as f64));
    check_eight(&eight(|i| -1e9 - i as f64 * 0.125));
    check_eight(&eight(|i| 1_000_000_000 + i as i32));
    check_eight(&eight(|i| i32::MIN + i as i32));
    check_eight(&eight(|i| u32::MAX - i as u32));
    check_eight(&eight(|i| 1_700_000_000_000 + i));
    check_eight(&eight(|i| i64::MAX - i));
    check_eight(&eight(|i| i64::MIN + i));
    check_eight(&eight(|i| u64::MAX - i as u64));
    check_eight(&eight(|i| i64::MAX as u64 + i as u64));
    let swapped = |i| f64::from_bits((1e9 + i as f64).to_bits().swap_bytes());
    let data = eight(|i| Swapped(swapped(i)));
    let model = fit(data.view(), euclidean(8), 1);
    assert_eq!(model.cluster_sizes().unwrap(), [3; 8]);
}

/// Rows around centres, with an offset in each column.
fn places(offset: [f64; 3]) -> Array2<f64> {
    let mut state = 1u64;
    let mut unit = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        // Of few digits, so that adding an offset rounds nothing away.
        (state >> 54) as f64 / 1024.0
    };
    Array2::from_shape_fn((3000, 3), |(i, t)| {
        offset[t] + (i * (t + 3) % 7) as f64 * 4.0 + unit()
    })
}

#[test]
fn an_offset_moves_the_result_and_changes_nothing_else() {
    let offset = [1e9, -3e6, 0.0];
    let (plain, far) = (places([0.0; 3]), places(offset));
    for model in [
        euclidean(20),
        euclidean(20).with_n_init(2),
        euclidean(20).with_balanced(true),
        euclidean(20).with_use_medoids(true),
    ] {
        let here = fit(plain.view(), model.clone(), 1);
        let there = fit(far.view(), model, 2);
        assert_eq!(here.offset(), None);
        let lost = there.offset().unwrap();
        assert!((lost[0] - 1e9).abs() < 30.0 && (lost[1] + 3e6).abs() < 30.0);
        assert_eq!(lost[2], 0.0);
        // Differences are the same numbers, and exact in float32.
        assert!((here.inertia().unwrap() / there.inertia().unwrap() - 1.0).abs() < 0.05);
        let truth = brute_force(&far, &there.centroids_f64().unwrap());
        let (labels, distances) = predict(&there, far.view());
        for (row, &(label, distance)) in truth.iter().enumerate() {
            assert!((distances[row] - distance).abs() <= 1e-5 * distance.max(1.0));
            let own = distances[row];
            assert!(labels[row] == label || (own - distance).abs() <= 1e-5 * distance.max(1.0));
        }
        if !there.is_balanced() {
            assert_eq!(labels, there.labels().unwrap());
        }
    }
}

/// The nearest centroid of every row and its squared distance.
fn brute_force(rows: &Array2<f64>, centroids: &Array2<f64>) -> Vec<(u32, f64)> {
    let nearest = |row: ndarray::ArrayView1<f64>| {
        let distances = centroids.outer_iter().map(|c| {
            let difference: Array1<f64> = &row - &c;
            difference.dot(&difference)
        });
        let least = (0u32..).zip(distances).min_by(|a, b| a.1.total_cmp(&b.1));
        least.unwrap()
    };
    rows.outer_iter().map(nearest).collect()
}

#[test]
fn the_offset_depends_on_ranges_alone() {
    let far = places([1e9, -3e6, 7.0]);
    let expected = fit(far.view(), euclidean(5), 1);
    let mut other = far.clone();
    other.invert_axis(Axis(0));
    for threads in [1, 2] {
        let model = fit(other.view(), euclidean(5), threads);
        assert_eq!(model.offset(), expected.offset());
    }
    // As a part of a wider array, and column by column.
    let wide = Array2::from_shape_fn((3000, 6), |(i, t)| far[[i, t / 2]]);
    let model = fit(wide.slice(s![.., ..;2]), euclidean(5), 2);
    assert_eq!(model, expected);
    let columns = far.t().as_standard_layout().into_owned();
    assert_eq!(fit(columns.t(), euclidean(5), 1), expected);
}

#[test]
fn all_other_data_keep_the_bits_of_their_float32_copy() {
    // Ranges of a quarter of the largest magnitude; zeros; narrow types; cosine.
    let mut quarter = places([55.0; 3]).mapv(|v| v.clamp(63.0, 84.0));
    quarter.row_mut(0).fill(63.0);
    quarter.row_mut(1).fill(84.0);
    let mut zero = places([1e6; 3]);
    zero.row_mut(2999).fill(0.0);
    let far = places([1e6; 3]);
    for (data, model) in [
        (&quarter, euclidean(9)),
        (&zero, euclidean(9)),
        (&far, KMeans::new(9)),
    ] {
        let copy = data.mapv(|v| v as f32);
        let wide = fit(data.view(), model.clone(), 1);
        assert_eq!(wide.offset(), None);
        assert_eq!(wide, fit(copy.view(), model, 1));
        let centroids = wide.centroids().unwrap().mapv(f64::from);
        assert_eq!(wide.centroids_f64().unwrap(), centroids);
    }
    let narrow = far.mapv(|v| (v - 1e6) as i16 + 20_000);
    let copy = narrow.mapv(f32::from);
    let wide = fit(narrow.view(), euclidean(9), 1);
    assert_eq!(wide, fit(copy.view(), euclidean(9), 1));
}

#[test]
fn a_model_with_an_offset_takes_points_of_any_type() {
    let data = eight(|i| 16_777_000 + i);
    let model = fit(data.view(), euclidean(8), 1);
    let expected = model.labels().unwrap();
    let numbers = data.mapv(|v| v as f64);
    assert_eq!(predict(&model, numbers.view()).0, expected);
    assert_eq!(predict(&model, data.mapv(|v| v as f32).view()).0, expected);
    assert_eq!(predict(&model, data.mapv(|v| v as i32).view()).0, expected);
    // A model of float64 numbers that are no integers.
    let halves = fit(numbers.mapv(|v| v + 0.25).view(), euclidean(8), 1);
    assert_eq!(predict(&halves, data.view()).1, [0.0625; 24]);
    // So far off that the difference is beyond float32.
    let model = fit(
        array![[-3e38], [-2.9e38], [-2.8e38]].view(),
        euclidean(2),
        1,
    );
    let error = model
        .predict(
            &array![[3e38f32]].view().into(),
            &mut [0],
            None,
            RunOptions::default(),
        )
        .unwrap_err();
    assert!(error.to_string().contains("which is too large for float32"));
}

#[test]
fn centroids_of_many_digits_go_out_and_in() {
    let data = eight(|i| 1e9 + i as f64);
    let start = Array2::from_shape_fn((8, 1), |(j, _)| 1e9 + (7 - j) as f64);
    let model = euclidean(8).with_init(Init::CentroidsF64(start.clone()));
    let model = fit(data.view(), model, 1);
    assert_eq!(model.centroids_f64().unwrap(), start);
    assert_eq!(*model.centroids().unwrap(), start.mapv(|v| v as f32));
    // float32 centroids all lie in one place.
    let model = euclidean(8).with_init(Init::Centroids(start.mapv(|v| v as f32)));
    assert_eq!(fit(data.view(), model, 1).inertia(), Some(0.0));
    // Data without an offset.
    let few = data.mapv(|v| (v - 1e9) as f32);
    let start = start.mapv(|v| v - 1e9);
    let model = euclidean(8).with_init(Init::CentroidsF64(start.clone()));
    assert_eq!(fit(few.view(), model, 1).centroids_f64().unwrap(), start);
    let error = euclidean(1)
        .with_init(Init::CentroidsF64(array![[1e39]]))
        .validate()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("init at row 0, column 0 is 1e39, which is too large")
    );
}

#[test]
fn what_rounding_merges_is_named() {
    // A zero keeps the column from losing an offset.
    let mut data = eight(|i| 1e9 + i as f64);
    data[[0, 0]] = 0.0;
    let model = fit(data.view(), euclidean(8), 1);
    let [warning] = model.warnings() else {
        panic!("{:?}", model.warnings());
    };
    assert!(
        warning.contains("differ as float64 but not as float32"),
        "{warning}"
    );
    let few = fit(data.mapv(|v| v as f32).view(), euclidean(8), 1);
    assert!(few.warnings()[0].contains("fewer distinct points"));
    let lengths = array![[1.0f32, 0.0], [2.0, 0.0], [3.0, 0.0]];
    let directions = fit(lengths.view(), KMeans::new(2), 1);
    assert!(directions.warnings()[0].contains("fewer distinct directions"));
}

#[test]
fn numbers_beyond_float32_are_said_to_be_too_large() {
    let error = |data: Array2<f64>| {
        let mut model = euclidean(1);
        model
            .fit(&data.view().into(), RunOptions::default())
            .unwrap_err()
    };
    let large = error(array![[1.0, 2.0], [3.0, -1e39]]);
    let expected = KMeansError::NotFinite {
        row: 1,
        column: 1,
        value: -1e39,
    };
    assert_eq!(large, expected);
    assert!(
        large
            .to_string()
            .contains("row 1, column 1 is -1e39, which is too large for float32")
    );
    let infinite = error(array![[1.0, f64::INFINITY]]).to_string();
    assert!(infinite.contains("row 0, column 1 is inf; every value must be a finite float32"));
}

#[test]
fn predictions_use_what_training_used() {
    let data = array![[1.0f32, 0.0], [8.0, 0.5], [0.0, 1.0], [0.5, 9.0]];
    let model = fit(data.view(), euclidean(2), 1);
    let expected = predict(&model, data.view());
    let changed = model
        .clone()
        .with_euclidean(false)
        .with_use_medoids(true)
        .with_balanced(true);
    assert_eq!(predict(&changed, data.view()), expected);
    assert_eq!(changed.medoid_indices(), None);
    let labels = &mut [0; 4];
    let options = RunOptions::default;
    assert!(
        changed
            .predict_balanced(&data.view().into(), labels, None, options())
            .is_err()
    );
}

#[test]
fn files_keep_the_offset_and_the_digits_of_centroids() {
    let far = places([1e9, -3e6, 0.0]);
    let start = far.slice(s![..6, ..]).to_owned();
    let init = Init::CentroidsF64(start);
    let model = fit(far.view(), euclidean(6).with_init(init), 1);
    let bytes = model.to_bytes(SaveOptions::default()).unwrap();
    let loaded = KMeans::from_bytes(&bytes).unwrap();
    assert_eq!(loaded.offset(), model.offset());
    assert_eq!(loaded.centroids_f64(), model.centroids_f64());
    assert_eq!(predict(&loaded, far.view()), predict(&model, far.view()));
    assert_eq!(loaded.to_bytes(SaveOptions::default()).unwrap(), bytes);
}
