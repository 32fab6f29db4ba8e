//! Training on sources against training on all rows at once: the same bits,
//! however rows are cut into blocks.

use kentro::{
    End, Event, Init, KMeans, KMeansError, Observer, Points, Quality, RunOptions, Source,
};
use ndarray::{Array2, s};
use std::ops::{ControlFlow, Range};

/// A stream of numbers (Knuth's MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((self.0 >> 33) % limit as u64) as usize
    }
}

/// Rows in one of the ways that points can be made of them.
enum Data {
    F32(Array2<f32>),
    F64(Array2<f64>),
    I64(Array2<i64>),
    /// Values, columns and starts.
    Csr(Vec<f32>, Vec<i32>, Vec<i64>, usize),
}

impl Data {
    fn rows(&self) -> usize {
        match self {
            Data::F32(data) => data.nrows(),
            Data::F64(data) => data.nrows(),
            Data::I64(data) => data.nrows(),
            Data::Csr(_, _, starts, _) => starts.len() - 1,
        }
    }

    fn sparse(data: &Array2<f32>) -> Data {
        let (mut values, mut columns, mut starts) = (Vec::new(), Vec::new(), vec![0]);
        for row in data.outer_iter() {
            for (column, &value) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                values.push(value);
                columns.push(column as i32);
            }
            starts.push(values.len() as i64);
        }
        Data::Csr(values, columns, starts, data.ncols())
    }

    /// Some of the rows; `starts` is room for those of sparse ones.
    fn points<'a>(&'a self, range: Range<usize>, room: &'a mut Vec<i64>) -> Points<'a> {
        match self {
            Data::F32(data) => Points::from(data.slice(s![range, ..])),
            Data::F64(data) => Points::from(data.slice(s![range, ..])),
            Data::I64(data) => Points::from(data.slice(s![range, ..])),
            Data::Csr(values, columns, starts, cols) => {
                let base = starts[range.start];
                let end = starts[range.end];
                room.clear();
                room.extend(starts[range.start..=range.end].iter().map(|at| at - base));
                let places = base as usize..end as usize;
                Points::csr(&values[places.clone()], &columns[places], &room[..], *cols).unwrap()
            }
        }
    }
}

/// Blocks of the data, cut elsewhere in every pass.
struct Cuts<'a> {
    data: &'a Data,
    weights: Option<&'a [f64]>,
    random: Random,
    next: usize,
    most: usize,
    passes: usize,
    room: Vec<i64>,
    /// In which pass, and from which row on, it fails.
    fails: Option<(usize, usize)>,
    /// How many rows a pass has.
    rows: fn(usize, usize) -> usize,
    moves: bool,
}

impl<'a> Cuts<'a> {
    fn new(data: &'a Data, weights: Option<&'a [f64]>, seed: u64) -> Self {
        let mut random = Random(seed);
        Cuts {
            most: 1 + random.below(data.rows()),
            data,
            weights,
            moves: random.below(2) == 0,
            random,
            next: 0,
            passes: 0,
            room: Vec::new(),
            fails: None,
            rows: |_, rows| rows,
        }
    }
}

impl Source for Cuts<'_> {
    fn rewind(&mut self) -> Result<(), KMeansError> {
        self.next = 0;
        self.passes += 1;
        Ok(())
    }

    fn next_block(&mut self) -> Result<Option<Points<'_>>, KMeansError> {
        let rows = (self.rows)(self.passes, self.data.rows());
        if self.next >= rows {
            return Ok(None);
        }
        if let Some((pass, row)) = self.fails
            && pass == self.passes
            && self.next >= row
        {
            return Err(KMeansError::Source("the disk is gone".into()));
        }
        let count = match self.moves {
            true => self.random.below(self.most + 1), // none too
            false => self.most,
        };
        let range = self.next..rows.min(self.next + count);
        self.next = range.end;
        let points = self.data.points(range.clone(), &mut self.room);
        match self.weights {
            Some(weights) => points.with_weights(&weights[range]).map(Some),
            None => Ok(Some(points)),
        }
    }
}

fn options(threads: usize) -> RunOptions<'static> {
    RunOptions {
        num_threads: Some(threads),
        ..Default::default()
    }
}

/// Some data, with ties, repetitions, and rows far from all others.
fn draw(random: &mut Random, kind: usize) -> Data {
    let (rows, dims) = (30 + random.below(500), 1 + random.below(12));
    let mut data = Array2::from_shape_fn((rows, dims), |(row, _)| match kind % 3 {
        0 => random.below(4) as f32,
        1 => random.below(1000) as f32 / 7.0 - 60.0,
        _ => (random.below(1000) as f32 - 500.0) * 10f32.powi((row % 30) as i32 - 20),
    });
    for row in 1..rows {
        if random.below(6) == 0 {
            let before = data.row(row - 1).to_owned();
            data.row_mut(row).assign(&before);
        }
    }
    match kind / 3 {
        0 => Data::F32(data),
        1 => Data::sparse(&data),
        // Offsets that float32 would lose.
        2 => Data::F64(data.mapv(|v| 3e9 + f64::from(v) / 64.0)),
        _ => Data::I64(data.mapv(|v| (1 << 60) + v as i64)),
    }
}

fn assert_same(streamed: &KMeans, together: &KMeans, exactly: bool, what: &str) {
    assert_eq!(streamed.labels(), together.labels(), "{what}");
    let bits = |model: &KMeans| -> Vec<u64> {
        let centroids = model.centroids_f64().unwrap();
        centroids.iter().map(|value| value.to_bits()).collect()
    };
    assert_eq!(bits(streamed), bits(together), "{what}");
    assert_eq!(streamed.n_iter(), together.n_iter(), "{what}");
    assert_eq!(
        streamed.cluster_weights(),
        together.cluster_weights(),
        "{what}"
    );
    assert_eq!(streamed.cluster_sizes(), together.cluster_sizes(), "{what}");
    assert_eq!(streamed.warnings(), together.warnings(), "{what}");
    let (a, b) = (streamed.inertia().unwrap(), together.inertia().unwrap());
    match exactly {
        true => assert_eq!(a.to_bits(), b.to_bits(), "{what}"),
        false => assert!((a - b).abs() <= 1e-9 * b, "{what}: {a} {b}"),
    }
}

#[test]
fn a_source_trains_to_the_bits_of_the_array() {
    let mut random = Random(1);
    let (mut trained, mut with_empty) = (0, 0);
    for case in 0..600 {
        let kind = random.below(12);
        let data = draw(&mut random, kind);
        let rows = data.rows();
        let euclidean = random.below(2) == 0;
        let clusters = 1 + random.below(rows.min(40));
        let weights: Option<Vec<f64>> = (random.below(3) == 0)
            .then(|| (0..rows).map(|_| random.below(5) as f64 / 4.0).collect());
        let (mut room, mut all_room) = (Vec::new(), Vec::new());
        let mut model = KMeans::new(clusters)
            .with_euclidean(euclidean)
            .with_seed(case)
            .with_quality([Quality::Fast, Quality::Default][random.below(2)])
            .with_iterations(1 + random.below(20));
        model = match random.below(6) {
            0 => model
                .with_init(Init::Random)
                .with_n_init(1 + random.below(3)),
            1 => model.with_init(Init::KMeansParallel),
            2 => model.with_init(Init::KMeansPlusPlus).with_tolerance(0.01),
            3 => {
                // Given ones, of which many are far from all rows.
                let first = data.points(0..clusters, &mut room);
                let mut given = KMeans::from_centroids(&first, true, None)
                    .unwrap()
                    .centroids_f64()
                    .unwrap();
                for mut row in given.outer_iter_mut().skip(clusters / 3) {
                    row.mapv_inplace(|value| 2.0 * value + 1e4);
                }
                model.with_init(Init::CentroidsF64(given))
            }
            _ => model,
        };
        if random.below(2) == 0 {
            model = model.with_memory_limit(1 << random.below(31));
        }
        let all = data.points(0..rows, &mut all_room);
        let all = match &weights {
            Some(weights) => all.with_weights(&weights[..]).unwrap(),
            None => all,
        };
        let what = format!(
            "case {case}: kind {kind}, {rows} x {}, {model:?}, weighted {}",
            all.cols(),
            weights.is_some()
        );
        let mut together = model.clone();
        let mut streamed = model;
        let mut source = Cuts::new(&data, weights.as_deref(), case);
        let expected = together.fit(&all, options(1));
        let result = streamed.fit_source(&mut source, options(1 + random.below(3)));
        match (expected, result) {
            (Ok(()), Ok(())) => {
                trained += 1;
                with_empty += usize::from(together.cluster_sizes().unwrap().contains(&0));
                let is_sparse = (3..6).contains(&kind);
                assert_same(&streamed, &together, !is_sparse, &what);
            }
            (_, Err(error)) if error.to_string().contains("again and again") => {}
            (Err(expected), Err(error)) => assert_eq!(expected, error, "{what}"),
            (expected, result) => panic!("{what}: {expected:?} {result:?}"),
        }
    }
    assert!(trained > 450 && with_empty > 30, "{trained} {with_empty}");
}

/// Wide enough for codes, many enough for bounds, several blocks.
#[test]
fn what_is_kept_of_blocks_changes_nothing() {
    let mut random = Random(5);
    let data = Array2::from_shape_fn((9000, 64), |(row, column)| {
        let centre = ((row % 97) * (column + 3) * 7919 % 101) as f32;
        centre + random.below(1000) as f32 / 40.0
    });
    for euclidean in [true, false] {
        for clusters in [40, 200] {
            let model = KMeans::new(clusters)
                .with_euclidean(euclidean)
                .with_quality(Quality::Fast)
                .with_iterations(30);
            let mut together = model.clone();
            together.fit(&data.view().into(), options(1)).unwrap();
            for limit in [None, Some(1), Some(20 << 20)] {
                let mut streamed = match limit {
                    Some(limit) => model.clone().with_memory_limit(limit),
                    None => model.clone(),
                };
                let data = Data::F32(data.clone());
                let mut source = Cuts::new(&data, None, 3);
                (source.most, source.moves) = (2500, false);
                streamed.fit_source(&mut source, options(2)).unwrap();
                assert_same(&streamed, &together, true, &format!("{clusters} {limit:?}"));
            }
        }
    }
}

fn small() -> Data {
    let mut random = Random(8);
    Data::F32(Array2::from_shape_fn((300, 4), |_| {
        random.below(900) as f32
    }))
}

fn model() -> KMeans {
    KMeans::new(7)
        .with_euclidean(true)
        .with_quality(Quality::Fast)
        .with_iterations(6)
}

#[test]
fn predicts_block_by_block() {
    let data = small();
    let (mut room, mut expected) = (Vec::new(), vec![0; 300]);
    let points = data.points(0..300, &mut room);
    let mut trained = model();
    trained.fit(&points, options(1)).unwrap();
    trained
        .predict(&points, &mut expected, None, options(1))
        .unwrap();
    let mut source = Cuts::new(&data, None, 2);
    let mut found = Vec::new();
    let mut see = |labels: &[u32]| {
        found.extend_from_slice(labels);
        Ok(())
    };
    trained
        .predict_source(&mut source, &mut see, options(1))
        .unwrap();
    assert_eq!(found, expected);
    let mut stop = |_: &[u32]| Err(KMeansError::Source("no room".into()));
    let result = trained.predict_source(&mut source, &mut stop, options(1));
    assert_eq!(result, Err(KMeansError::Source("no room".into())));
}

#[test]
fn a_source_that_fails_leaves_the_model() {
    let data = small();
    let mut failed = 0;
    for pass in 1..=9 {
        let mut source = Cuts::new(&data, None, 4);
        (source.most, source.moves, source.fails) = (40, false, Some((pass, 100)));
        let mut model = model();
        if let Err(error) = model.fit_source(&mut source, options(1)) {
            assert_eq!(error.to_string(), "The source failed: the disk is gone");
            assert!(model.centroids().is_none());
            failed += 1;
            source.fails = None;
            model.fit_source(&mut source, options(1)).unwrap();
        }
    }
    assert!(failed >= 7, "{failed}");
}

#[test]
fn a_source_that_changes_is_an_error() {
    let data = small();
    for (rows, word) in [
        (
            (|pass, rows| if pass > 2 { rows - 1 } else { rows }) as fn(usize, usize) -> usize,
            "now has 299 rows",
        ),
        (
            |pass, rows| if pass < 2 { rows - 9 } else { rows },
            "had 291 rows",
        ),
        (|_, _| 0, "no rows"),
    ] {
        let mut source = Cuts::new(&data, None, 4);
        source.rows = rows;
        let mut model = model();
        let error = model.fit_source(&mut source, options(1)).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert!(model.centroids().is_none());
    }
    struct Widens(Array2<f32>, Array2<f64>, usize, usize);
    impl Source for Widens {
        fn rewind(&mut self) -> Result<(), KMeansError> {
            self.2 = 0;
            Ok(())
        }
        fn next_block(&mut self) -> Result<Option<Points<'_>>, KMeansError> {
            self.2 += 1;
            Ok(match (self.2, self.3) {
                (1, _) => Some(self.0.view().into()),
                (2, 0) => Some(self.0.slice(s![.., ..3]).into()),
                (2, 1) => Some(self.1.view().into()),
                _ => None,
            })
        }
    }
    let rows = Array2::from_shape_fn((40, 4), |(i, j)| (i * j % 13) as f32);
    for (kind, word) in [(0, "3 columns"), (1, "float64")] {
        let mut source = Widens(rows.clone(), rows.mapv(f64::from), 0, kind);
        let error = model().fit_source(&mut source, options(1)).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn says_what_a_source_cannot_train() {
    let data = small();
    for (model, word) in [
        (model().with_quality(Quality::Best), "quality \"best\""),
        (model().with_use_medoids(true), "medoids"),
        (model().with_balanced(true), "bounds"),
        (
            model().with_init(Init::KMeansPlusPlus).with_memory_limit(1),
            "init \"k-means++\"",
        ),
        (
            model().with_init(Init::Centroids(Array2::zeros((7, 5)))),
            "expected 4, got 5",
        ),
        (
            KMeans::new(301).with_quality(Quality::Fast),
            "Number of points (300)",
        ),
    ] {
        let mut model = model;
        let mut source = Cuts::new(&data, None, 4);
        let error = model.fit_source(&mut source, options(1)).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    let mut bad = Array2::<f32>::zeros((200, 3));
    bad[(150, 2)] = f32::NAN;
    let data = Data::F32(bad);
    let mut source = Cuts::new(&data, None, 4);
    source.most = 11;
    let error = model().fit_source(&mut source, options(1)).unwrap_err();
    assert_eq!((error.row(), error.column()), (Some(150), Some(2)));
}

fn watched<'a>(observer: &'a mut Observer<'a>) -> RunOptions<'a> {
    RunOptions {
        observer: Some(observer),
        ..options(1)
    }
}

#[test]
fn is_watched_and_can_be_ended() {
    let data = small();
    let (mut room, mut told) = (Vec::new(), [Vec::new(), Vec::new()]);
    let points = data.points(0..300, &mut room);
    let mut watch = |list: usize, event: Event<'_>| {
        if let Event::Progress(progress) = event
            && progress.iteration > told[list].len()
        {
            told[list].push((progress.inertia.to_bits(), progress.changed));
        }
        ControlFlow::Continue(())
    };
    let mut observer = |event: Event<'_>| watch(0, event);
    model().fit(&points, watched(&mut observer)).unwrap();
    let mut observer = |event: Event<'_>| watch(1, event);
    let mut source = Cuts::new(&data, None, 4);
    model()
        .fit_source(&mut source, watched(&mut observer))
        .unwrap();
    assert!(told[0].len() > 2 && told[0] == told[1], "{told:?}");

    for (end, iterations) in [(End::Stop, Some(2)), (End::Cancel, None)] {
        let mut observer = |event: Event<'_>| match event {
            Event::Progress(progress) if progress.iteration == 1 => ControlFlow::Break(end),
            _ => ControlFlow::Continue(()),
        };
        let mut model = model();
        let result = model.fit_source(&mut Cuts::new(&data, None, 4), watched(&mut observer));
        assert_eq!(result.is_ok(), iterations.is_some());
        assert!(model.n_iter() <= iterations, "{:?}", model.n_iter());
    }
}
