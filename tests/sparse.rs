//! Sparse rows give what their dense copy gives, bit for bit.

use kentro::{
    Clusters, Element, Indices, Init, KMeans, KMeansError, Metric, Points, Quality, RunOptions,
    Silhouette, silhouette,
};
use ndarray::{Array2, ArrayView2};

/// A stream of its own, so that nothing here hangs on the library's.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The same rows twice.
struct Both<T> {
    dense: Array2<T>,
    values: Vec<T>,
    indices: Vec<i32>,
    indptr: Vec<i64>,
}

impl<T: Element> Both<T> {
    fn sparse(&self) -> Points<'_> {
        let cols = self.dense.ncols();
        Points::csr(&self.values, &self.indices[..], &self.indptr[..], cols).unwrap()
    }
}

/// What rows are made of.
#[derive(Clone, Copy)]
struct Kind {
    density: f64,
    /// Small whole numbers, so that distances tie.
    ties: bool,
    /// Columns out of order, and some twice.
    untidy: bool,
}

fn rows(shape: (usize, usize), kind: Kind, rng: &mut Rng) -> Both<f64> {
    let mut both = Both {
        dense: Array2::zeros(shape),
        values: Vec::new(),
        indices: Vec::new(),
        indptr: vec![0],
    };
    for row in 0..shape.0 {
        let repeated = row > 0 && rng.below(8) == 0;
        if repeated {
            // A row that was there before.
            let other = rng.below(row);
            let start = both.indptr[other] as usize;
            for at in start..both.indptr[other + 1] as usize {
                both.values.push(both.values[at]);
                both.indices.push(both.indices[at]);
            }
        } else if rng.below(10) > 0 {
            let mut columns: Vec<usize> =
                (0..shape.1).filter(|_| rng.unit() < kind.density).collect();
            if kind.untidy && !columns.is_empty() {
                let again = columns[rng.below(columns.len())];
                columns.push(again);
                for at in (1..columns.len()).rev() {
                    columns.swap(at, rng.below(at + 1));
                }
            }
            for column in columns {
                both.values.push(match kind.ties {
                    true => rng.below(5) as f64 - 2.0,
                    false => f64::from((rng.unit() * 4.0 - 1.5) as f32),
                });
                both.indices.push(column as i32);
            }
        }
        let start = both.indptr[row] as usize;
        for at in start..both.values.len() {
            both.dense[[row, both.indices[at] as usize]] += both.values[at];
        }
        both.indptr.push(both.values.len() as i64);
    }
    both
}

fn random_kind(rng: &mut Rng) -> Kind {
    Kind {
        density: [0.03, 0.1, 0.4, 1.0][rng.below(4)],
        ties: rng.below(2) == 0,
        untidy: rng.below(2) == 0,
    }
}

fn random_model(clusters: usize, rng: &mut Rng) -> KMeans {
    let model = KMeans::new(clusters)
        .with_euclidean(rng.below(2) == 0)
        .with_iterations(1 + rng.below(9))
        .with_seed(rng.next());
    let model = match rng.below(9) {
        0 => model.with_use_medoids(true),
        8 => model.with_use_medoids(true).with_balanced(true),
        1 => model.with_balanced(true).with_max_balance_diff(2),
        2 => model.with_quality(Quality::Best),
        3 => model.with_quality(Quality::Fast).with_n_init(2),
        4 => model.with_tolerance(1e-3),
        _ => model,
    };
    match rng.below(5) {
        0 => model.with_init(Init::Random),
        1 => model.with_init(Init::KMeansParallel),
        2 => model.with_init(Init::Tree),
        _ => model,
    }
}

fn options() -> RunOptions<'static> {
    RunOptions {
        num_threads: Some(1),
        ..Default::default()
    }
}

/// Whole numbers, or others, some 0; a few of them positive.
fn random_weights(rows: usize, clusters: usize, rng: &mut Rng) -> Vec<f64> {
    let whole = rng.below(2) == 0;
    let weight = |row: usize| match (whole, rng.below(4)) {
        (_, 0) if row >= clusters => 0.0,
        (true, other) => 1.0 + other as f64,
        (false, _) => 0.1 + rng.unit(),
    };
    (0..rows).map(weight).collect()
}

/// What a trained model says of points.
#[derive(Debug)]
struct Answers {
    labels: Vec<u32>,
    distances: Vec<f64>,
    ranked: Vec<u32>,
    all: Vec<f64>,
    score: f64,
    priced: Option<Vec<u32>>,
    representatives: Clusters,
    silhouette: Option<Silhouette>,
}

impl PartialEq for Answers {
    /// To the bit, but for silhouettes, whose distances may be added up in another way.
    fn eq(&self, other: &Self) -> bool {
        let score = |answers: &Answers| answers.silhouette.map_or(0.0, |found| found.score);
        let of_rows = |answers: &Answers| answers.silhouette.map(|found| (found.rows, found.exact));
        self.labels == other.labels
            && self.distances == other.distances
            && self.ranked == other.ranked
            && self.all == other.all
            && self.score == other.score
            && self.priced == other.priced
            && self.representatives == other.representatives
            && (score(self) - score(other)).abs() < 1e-9
            && of_rows(self) == of_rows(other)
    }
}

fn ask(model: &KMeans, points: &Points<'_>) -> Answers {
    let (rows, clusters) = (points.rows(), model.n_clusters());
    let k = clusters.min(3);
    let mut answers = Answers {
        labels: vec![0; rows],
        distances: vec![0.0; rows],
        ranked: vec![0; rows * k],
        all: vec![0.0; rows * clusters],
        score: model.score(points, options()).unwrap(),
        priced: model.prices().map(|_| vec![0; rows]),
        representatives: model.representatives(points, 2, options()).unwrap(),
        silhouette: None,
    };
    let (labels, distances) = (&mut answers.labels, Some(&mut answers.distances[..]));
    model.predict(points, labels, distances, options()).unwrap();
    let ranked = &mut answers.ranked;
    model
        .predict_top(points, k, ranked, None, options())
        .unwrap();
    model
        .transform(points, &mut answers.all, options())
        .unwrap();
    if answers
        .labels
        .iter()
        .any(|&label| label != answers.labels[0])
    {
        let metric = match model.is_euclidean() {
            true => Metric::Euclidean,
            false => Metric::Cosine,
        };
        let labels = &answers.labels;
        let sample = (rows > 8).then_some(8);
        let found = silhouette(points, labels, metric, sample, 1, options());
        answers.silhouette = Some(found.unwrap());
    }
    if let Some(labels) = &mut answers.priced {
        model
            .predict_balanced(points, labels, None, options())
            .unwrap();
    }
    answers
}

fn fit(points: &Points<'_>, mut model: KMeans) -> KMeans {
    model.fit(points, options()).unwrap();
    model
}

/// The same training, to the bit; but for the inertia, whose terms may be added up
/// in another way.
fn check_same(sparse: &KMeans, dense: &KMeans, data: &Array2<f64>, case: &str) {
    let bits = |values: &[f32]| -> Vec<u32> { values.iter().map(|v| v.to_bits()).collect() };
    let numbers = |model: &KMeans| bits(model.centroids().unwrap().as_slice().unwrap());
    assert_eq!(sparse.labels(), dense.labels(), "{case}");
    assert_eq!(numbers(sparse), numbers(dense), "{case}");
    assert_eq!(sparse.n_iter(), dense.n_iter(), "{case}");
    assert_eq!(sparse.cluster_sizes(), dense.cluster_sizes(), "{case}");
    assert_eq!(sparse.medoid_indices(), dense.medoid_indices(), "{case}");
    assert_eq!(sparse.prices(), dense.prices(), "{case}");
    assert_eq!(sparse.warnings(), dense.warnings(), "{case}");
    let squares = data.iter().map(|x| x * x).sum::<f64>();
    let difference = sparse.inertia().unwrap() - dense.inertia().unwrap();
    let heaviest = 4.0;
    assert!(
        difference.abs() <= 1e-12 * heaviest * squares,
        "{case}: {difference}"
    );
}

#[test]
fn a_thousand_random_shapes_give_the_bits_of_their_dense_copies() {
    for case in 0..1000 {
        let rng = &mut Rng(case);
        let shape = (1 + rng.below(60), 1 + rng.below(50));
        let kind = random_kind(rng);
        let train = rows(shape, kind, rng);
        let other = rows((1 + rng.below(20), shape.1), kind, rng);
        let clusters = 1 + rng.below(shape.0.min(12));
        let model = random_model(clusters, rng);
        let (mut plain, mut points) = (train.dense.view().into(), train.sparse());
        let weights = random_weights(shape.0, clusters, rng);
        if rng.below(3) == 0 {
            plain = Points::with_weights(plain, &weights[..]).unwrap();
            points = points.with_weights(&weights[..]).unwrap();
        }
        let dense = fit(&plain, model.clone());
        let sparse = fit(&points, model);
        check_same(&sparse, &dense, &train.dense, &format!("case {case}"));
        let expected = ask(&dense, &other.dense.view().into());
        assert_eq!(ask(&sparse, &other.sparse()), expected, "case {case}");
    }
}

#[test]
fn larger_ones_too_on_two_threads() {
    for case in 0..6 {
        let rng = &mut Rng(case + 5000);
        let kind = Kind {
            density: 0.06,
            ties: case == 3,
            untidy: case == 4,
        };
        let train = rows((3000, 120), kind, rng);
        let model = KMeans::new([3, 20, 70][case as usize % 3])
            .with_euclidean(case < 3)
            .with_iterations(6);
        let dense = fit(&train.dense.view().into(), model.clone());
        let mut sparse = model;
        let two = RunOptions {
            num_threads: Some(2),
            ..Default::default()
        };
        sparse.fit(&train.sparse(), two).unwrap();
        check_same(&sparse, &dense, &train.dense, &format!("case {case}"));
    }
}

/// Where clusters are many and rows long, training keeps bounds.
#[test]
fn many_clusters_of_long_rows_too() {
    for case in 0..6 {
        let rng = &mut Rng(case + 7000);
        let kind = Kind {
            density: 0.9,
            ties: case == 2,
            untidy: case == 3,
        };
        // Enough for bounds to be kept.
        let mut train = rows((900, 300), kind, rng);
        if case % 3 > 0 {
            // Rows that are near each other, and settle one after the other.
            for row in 300..900 {
                let places = train.indptr[row] as usize..train.indptr[row + 1] as usize;
                for at in places {
                    let column = train.indices[at] as usize;
                    let near = f64::from(train.dense[[row % 300, column]] as f32);
                    let change =
                        near + f64::from(0.05 * rng.unit() as f32) - train.dense[[row, column]];
                    train.values[at] += change;
                    train.dense[[row, column]] += change;
                }
            }
        }
        let model = KMeans::new(257 + 13 * case as usize)
            .with_euclidean(case < 4)
            .with_seed(case)
            .with_iterations(9);
        let dense = fit(&train.dense.view().into(), model.clone());
        let sparse = fit(&train.sparse(), model);
        check_same(&sparse, &dense, &train.dense, &format!("case {case}"));
    }
}

#[test]
fn more_columns_than_65536() {
    for (rows_and_columns, density) in [((40, 70_000), 3e-4), ((20, 100_000), 2e-4)] {
        let rng = &mut Rng(1);
        let kind = Kind {
            density,
            ties: false,
            untidy: false,
        };
        let train = rows(rows_and_columns, kind, rng);
        for (euclidean, medoids) in [(false, false), (true, false), (true, true)] {
            let model = KMeans::new(3)
                .with_euclidean(euclidean)
                .with_use_medoids(medoids)
                .with_iterations(3);
            let dense = fit(&train.dense.view().into(), model.clone());
            let case = format!("{rows_and_columns:?}, euclidean: {euclidean}");
            let sparse = fit(&train.sparse(), model);
            check_same(&sparse, &dense, &train.dense, &case);
            let expected = ask(&dense, &train.dense.view().into());
            assert_eq!(ask(&sparse, &train.sparse()), expected, "{case}");
        }
    }
}

/// A million columns: rows of two kinds, told apart by the columns they have.
#[test]
fn a_million_columns() {
    const COLUMNS: u32 = 1_000_000;
    let (mut values, mut indices, mut indptr) = (Vec::new(), Vec::new(), vec![0u32]);
    let rng = &mut Rng(2);
    for row in 0..500u32 {
        let start = row % 2 * 500_000;
        let mut columns: Vec<u32> = (0..20)
            .map(|_| start + rng.below(300) as u32 * 1000)
            .collect();
        columns.sort_unstable();
        columns.dedup();
        values.extend(columns.iter().map(|_| 1.0 + rng.unit() as f32));
        indices.extend(columns);
        indptr.push(values.len() as u32);
    }
    let points = Points::csr(&values, &indices[..], &indptr[..], COLUMNS as usize).unwrap();
    for (euclidean, medoids) in [(false, false), (true, false), (false, true)] {
        let model = KMeans::new(2)
            .with_euclidean(euclidean)
            .with_use_medoids(medoids);
        let model = fit(&points, model);
        let labels = model.labels().unwrap();
        if !euclidean && !medoids {
            assert!((0..500).all(|row| labels[row] == labels[row % 2]) && labels[0] != labels[1]);
        }
        let mut again = vec![0; 500];
        model.predict(&points, &mut again, None, options()).unwrap();
        assert_eq!(again, labels);
        let centroids = model.centroids().unwrap();
        assert!((0..2).all(|j| centroids.row(j).iter().all(|value| value.is_finite())));
    }
}

/// Rows of small whole numbers, which every number type holds.
fn check_type<T: Element + Copy>(of: impl Fn(i32) -> T) {
    let rng = &mut Rng(9);
    let kind = Kind {
        density: 0.3,
        ties: true,
        untidy: true,
    };
    let plain = rows((50, 20), kind, rng);
    let values: Vec<T> = plain.values.iter().map(|&v| of(v as i32 + 2)).collect();
    let mut dense = Array2::<f32>::zeros((50, 20));
    for row in 0..50 {
        for at in plain.indptr[row]..plain.indptr[row + 1] {
            let at = at as usize;
            dense[[row, plain.indices[at] as usize]] += plain.values[at] as f32 + 2.0;
        }
    }
    let model = KMeans::new(4).with_euclidean(true);
    let expected = fit(&dense.view().into(), model.clone());
    let long: Vec<u64> = plain.indices.iter().map(|&i| i as u64).collect();
    let short: Vec<u32> = plain.indptr.iter().map(|&i| i as u32).collect();
    let wide: Vec<i64> = plain.indices.iter().map(|&i| i.into()).collect();
    let narrow: Vec<i32> = plain.indptr.iter().map(|&i| i as i32).collect();
    for (indices, indptr) in [
        (Indices::from(&long[..]), Indices::from(&short[..])),
        (Indices::from(&wide[..]), Indices::from(&narrow[..])),
    ] {
        let points = Points::csr(&values, indices, indptr, 20).unwrap();
        assert!(points.is_sparse() && points.rows() == 50 && points.cols() == 20);
        let data = dense.mapv(f64::from);
        check_same(
            &fit(&points, model.clone()),
            &expected,
            &data,
            "number types",
        );
    }
}

#[test]
fn every_number_type_and_type_of_indices() {
    check_type(|v| v as f32);
    check_type(f64::from);
    check_type(|v| half::f16::from_f32(v as f32));
    check_type(|v| half::bf16::from_f32(v as f32));
    check_type(|v| v as i8);
    check_type(|v| v as u8);
    check_type(|v| v as i16);
    check_type(|v| v as u16);
    check_type(|v| v);
    check_type(|v| v as u32);
    check_type(i64::from);
    check_type(|v| v as u64);
    check_type(|v| kentro::Swapped(f64::from_bits(f64::from(v).to_bits().swap_bytes())));
}

/// A column that no row leaves out may lose an offset; one with a zero doesn't.
#[test]
fn columns_far_from_zero_keep_their_digits() {
    let seconds = |row: usize| 1_700_000_000.0 + (row % 5) as f64;
    let dense = Array2::from_shape_fn((60, 3), |(row, column)| match column {
        0 => seconds(row),
        1 if row == 7 => 0.0,
        1 => 1_000_000_000.0,
        _ => (row % 2) as f64,
    });
    let (mut values, mut indices, mut indptr) = (Vec::new(), Vec::new(), vec![0u32]);
    for row in dense.outer_iter() {
        for (column, &value) in row.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            values.push(value);
            indices.push(column as u32);
        }
        indptr.push(values.len() as u32);
    }
    let points = Points::csr(&values, &indices[..], &indptr[..], 3).unwrap();
    let model = KMeans::new(5).with_euclidean(true);
    let expected = fit(&dense.view().into(), model.clone());
    let sparse = fit(&points, model);
    assert_eq!(sparse, expected);
    assert!(sparse.offset().unwrap()[0] > 1e9 && sparse.offset().unwrap()[1..] == [0.0, 0.0]);
    assert_eq!(ask(&sparse, &points), ask(&expected, &dense.view().into()));
    // An empty row, which training had none of.
    let empty = Points::csr(&values[..0], &indices[..0], &[0u32, 0][..], 3).unwrap();
    let zeros = Array2::<f64>::zeros((1, 3));
    assert_eq!(ask(&sparse, &empty), ask(&expected, &zeros.view().into()));
}

#[test]
fn centroids_and_weights_may_be_sparse_too() {
    let rng = &mut Rng(3);
    let kind = Kind {
        density: 0.3,
        ties: false,
        untidy: true,
    };
    let centroids = rows((4, 9), kind, rng);
    let dense = KMeans::from_centroids(&centroids.dense.view().into(), true, None).unwrap();
    let sparse = KMeans::from_centroids(&centroids.sparse(), true, None).unwrap();
    assert_eq!(dense, sparse);

    let data = rows((40, 9), kind, rng);
    let weights: Vec<f64> = (0..40).map(|row| f64::from(row % 3)).collect();
    let model = KMeans::new(3).with_use_medoids(true);
    let points = data.sparse().with_weights(&weights[..]).unwrap();
    let plain = Points::from(data.dense.view()).with_weights(&weights[..]);
    assert_eq!(fit(&points, model.clone()), fit(&plain.unwrap(), model));
}

#[test]
fn centroids_beyond_the_memory_limit_are_told() {
    let kind = Kind {
        density: 0.3,
        ties: false,
        untidy: false,
    };
    let data = rows((40, 50), kind, &mut Rng(5));
    for (limit, told) in [(799, true), (800, false)] {
        let model = fit(&data.sparse(), KMeans::new(4).with_memory_limit(limit));
        let warning = format!(
            "the centroids, 4 x 50 numbers, take 800 bytes, more than the memory limit of {limit}; \
             use fewer clusters, or leave out rare columns"
        );
        assert_eq!(model.warnings().contains(&warning), told);
    }
}

/// Weights are repetitions, to the bit.
#[test]
fn weights_of_sparse_rows_are_repetitions() {
    for case in 0..40 {
        let rng = &mut Rng(case + 9000);
        let kind = Kind {
            density: [0.05, 0.3][case as usize % 2],
            ties: case % 3 == 0,
            untidy: case % 5 == 0,
        };
        let data = rows((30 + rng.below(200), 20 + rng.below(50)), kind, rng);
        let each: Vec<usize> = data.dense.outer_iter().map(|_| rng.below(4)).collect();
        let mut many = (Vec::new(), Vec::new(), vec![0i64]);
        for (row, &times) in each.iter().enumerate() {
            let places = data.indptr[row] as usize..data.indptr[row + 1] as usize;
            for _ in 0..times {
                many.0.extend_from_slice(&data.values[places.clone()]);
                many.1.extend_from_slice(&data.indices[places.clone()]);
                many.2.push(many.0.len() as i64);
            }
        }
        let weights: Vec<f64> = each.iter().map(|&times| times as f64).collect();
        let weighted = data.sparse().with_weights(&weights[..]).unwrap();
        let cols = data.dense.ncols();
        let repeated = Points::csr(&many.0, &many.1[..], &many.2[..], cols).unwrap();
        let model = KMeans::new(2 + rng.below(6))
            .with_euclidean(case % 2 == 0)
            .with_quality([Quality::Fast, Quality::Best][case as usize / 2 % 2]);
        let (weighted, repeated) = (fit(&weighted, model.clone()), fit(&repeated, model));
        assert_eq!(weighted.centroids(), repeated.centroids(), "case {case}");
        assert_eq!(weighted.inertia(), repeated.inertia(), "case {case}");
        assert_eq!(weighted.n_iter(), repeated.n_iter(), "case {case}");
    }
}

#[test]
fn blocks_of_sparse_rows_are_learnt_like_dense_ones() {
    for case in 0..60 {
        let rng = &mut Rng(case + 11_000);
        let kind = random_kind(rng);
        let (cols, clusters) = (1 + rng.below(40), 5 + rng.below(4));
        let model = KMeans::new(clusters).with_euclidean(case % 2 == 0);
        let (mut dense, mut sparse) = (model.clone(), model);
        for block in 0..8 {
            // The first blocks are too few for the clusters.
            let data = rows((1 + rng.below(1 + 3 * block), cols), kind, rng);
            let weights = random_weights(data.dense.nrows(), 0, rng);
            let mut plain = Points::from(data.dense.view());
            // Now and then a dense block is among the sparse ones.
            let mut points = match case % 3 == 0 && block == 1 {
                true => Points::from(data.dense.view()),
                false => data.sparse(),
            };
            if case % 4 == 0 {
                plain = plain.with_weights(&weights[..]).unwrap();
                points = points.with_weights(&weights[..]).unwrap();
            }
            dense.partial_fit(&plain, 0.1, options()).unwrap();
            sparse.partial_fit(&points, 0.1, options()).unwrap();
        }
        assert_eq!(sparse.centroids(), dense.centroids(), "case {case}");
        assert_eq!(sparse.cluster_weights(), dense.cluster_weights());
    }
}

#[test]
fn sums_are_those_of_the_number_type() {
    let cell = |values: &[i8]| {
        let indices = vec![0i32; values.len()];
        let indptr = [0, values.len() as i32];
        let points = Points::csr(values, &indices[..], &indptr[..], 1);
        let mut model = KMeans::new(1).with_euclidean(true);
        model.fit(&points.unwrap(), options()).unwrap();
        model.centroids().unwrap()[[0, 0]]
    };
    assert_eq!(cell(&[100, 27]), 127.0);
    assert_eq!(cell(&[100, 100]), -56.0); // as NumPy adds
    assert_eq!(cell(&[]), 0.0);
}

#[test]
fn the_first_value_that_is_not_finite_is_named() {
    let values = [1.0f64, 2.0, 1e300, f64::NAN];
    let points = Points::csr(&values, &[4i32, 0, 2, 1][..], &[0i32, 1, 1, 4][..], 5).unwrap();
    for euclidean in [false, true] {
        let model = KMeans::new(1).with_euclidean(euclidean);
        let error = model.clone().fit(&points, options()).unwrap_err();
        let KMeansError::NotFinite { row, column, value } = error else {
            panic!("{error}");
        };
        assert!(row == 2 && column == 1 && value.is_nan());
    }
    let model = fit(&Array2::<f32>::ones((1, 5)).view().into(), KMeans::new(1));
    let error = model.predict(&points, &mut [0; 3], None, options());
    assert!(matches!(
        error,
        Err(KMeansError::NotFinite {
            row: 2,
            column: 1,
            ..
        })
    ));
}

fn error(values: usize, indices: &[i32], indptr: &[i64], cols: usize) -> String {
    let values = vec![1.0f32; values];
    let points = Points::csr(&values, indices, indptr, cols).map(|points| points.rows());
    points.unwrap_err().to_string()
}

#[test]
fn errors_name_the_place() {
    for (found, expected) in [
        (
            error(2, &[0, 1, 2], &[0, 2], 3),
            "there are 3 indices for 2 values; give one for each",
        ),
        (
            error(0, &[], &[], 3),
            "indptr must have one number for each row and one more, and begin with 0; it is empty",
        ),
        (
            error(2, &[0, 1], &[1, 2], 3),
            "indptr must have one number for each row and one more, and begin with 0; \
             it begins with 1",
        ),
        (
            error(2, &[0, 1], &[0, 2, 1], 3),
            "indptr[2] is 1, less than the 2 before it; where a row ends the next one begins",
        ),
        (
            error(2, &[0, 1], &[0, -1], 3),
            "indptr[1] is -1, less than the 0 before it; where a row ends the next one begins",
        ),
        (
            error(2, &[0, 1], &[0, 2, i64::MAX], 3),
            "indptr[2] is 9223372036854775807, but there are 2 values",
        ),
        (
            error(3, &[0, 1, 3], &[0, 2, 3], 3),
            "indices[2], of row 1, is 3, but there are 3 columns",
        ),
        (
            error(1, &[-1], &[0, 1], 3),
            "indices[0], of row 0, is -1, but there are 3 columns",
        ),
        (
            error(0, &[], &[0], 1 << 32),
            "4294967296 columns exceed the limit of 4294967295 for sparse rows",
        ),
    ] {
        assert_eq!(found, format!("Invalid data: {expected}"));
    }
    let points = Points::csr(&[0.0f32; 0], &[0u64; 0][..], &[0u64, 0][..], 0).unwrap();
    let error = KMeans::new(1).fit(&points, options()).unwrap_err();
    assert!(error.to_string().contains("1 x 0"));
}

/// Numbers behind the last row are nobody's.
#[test]
fn what_no_row_has_is_not_looked_at() {
    let values = [1.0f32, 2.0, f32::NAN];
    let points = Points::csr(&values, &[0i32, 1, -7][..], &[0i32, 1, 2][..], 2).unwrap();
    let model = fit(&points, KMeans::new(2).with_euclidean(true));
    assert_eq!(model.inertia(), Some(0.0));
    let view: ArrayView2<'_, f32> = model.centroids().unwrap().view();
    assert_eq!(view.sum(), 3.0);
}
