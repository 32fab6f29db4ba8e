//! Blocks and partials against training on all rows together: the same bits,
//! however rows are cut and in whatever order partials merge.

use kentro::{
    Block, BlockOptions, Init, KMeans, Metric, Partial, Points, Quality, RunOptions, Update,
};
use ndarray::{Array2, ArrayView2, s};

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

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Rows with ties, duplicates, wide ranges and far outliers.
fn rows(random: &mut Random, rows: usize, dims: usize, kind: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, dims), |(row, _)| match kind {
        0 => random.below(4) as f32,
        1 => random.below(1000) as f32 / 7.0 - 60.0,
        2 => (random.below(1000) as f32 - 500.0) * 10f32.powi((row % 40) as i32 - 20),
        _ => (1 + random.below(3) + 10 * (row % 3)) as f32,
    })
}

fn options() -> RunOptions<'static> {
    RunOptions {
        num_threads: Some(1),
        ..Default::default()
    }
}

/// The partials of blocks, merged in a random order through bytes now and then.
fn merged(partials: Vec<Partial>, random: &mut Random) -> Partial {
    let mut partials = partials;
    random.shuffle(&mut partials);
    while partials.len() > 1 {
        let one = partials.swap_remove(random.below(partials.len()));
        let at = random.below(partials.len());
        let one = match random.below(2) {
            0 => Partial::from_bytes(&one.to_bytes().unwrap()).unwrap(),
            _ => one,
        };
        partials[at].merge(&one).unwrap();
    }
    partials.remove(0)
}

/// Cuts rows at random places.
fn cuts(random: &mut Random, rows: usize) -> Vec<std::ops::Range<usize>> {
    let mut places: Vec<usize> = (0..random.below(6)).map(|_| random.below(rows)).collect();
    places.extend([0, rows]);
    places.sort_unstable();
    places.dedup();
    places.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

fn train(
    points: &Points<'_>,
    init: &Array2<f32>,
    metric: Metric,
    iterations: usize,
) -> Option<KMeans> {
    let mut kmeans = KMeans::new(init.nrows())
        .with_euclidean(metric == Metric::Euclidean)
        .with_init(Init::Centroids(init.clone()))
        .with_quality(Quality::Fast)
        .with_iterations(iterations);
    kmeans.fit(points, options()).ok()?;
    Some(kmeans)
}

fn leave_none_empty(update: &Update, points: &Points<'_>, metric: Metric) -> bool {
    let centroids = update.centroids.view();
    let euclidean = metric == Metric::Euclidean;
    let model = KMeans::from_centroids(&centroids.into(), euclidean, None).unwrap();
    let mut labels = vec![0; points.rows()];
    model.predict(points, &mut labels, None, options()).unwrap();
    let weighing = |cluster| {
        let mut rows = (0..points.rows()).filter(|&row| points.weight(row) > 0.0);
        rows.any(|row| labels[row] == cluster)
    };
    (0..centroids.nrows() as u32).all(weighing)
}

/// Iterates over blocks, and compares with training after as many iterations.
///
/// Returns how many were compared.
fn follows_training(random: &mut Random, metric: Metric, weighted: bool) -> usize {
    let (n, dims) = (20 + random.below(300), 1 + random.below(9));
    let kind = random.below(4);
    let data = rows(random, n, dims, kind);
    let weights: Vec<f64> = (0..n).map(|_| random.below(5) as f64 / 4.0).collect();
    let present = weights.iter().filter(|&&weight| weight > 0.0).count();
    let clusters = 1 + random.below(n.min(25));
    // Many of the first centroids are far from all rows: their clusters are empty.
    let init = match random.below(2) {
        0 => data.slice(s![..clusters, ..]).to_owned(),
        _ => rows(random, clusters, dims, 1) * 30.0 - 500.0,
    };
    let ranges = cuts(random, n);
    let points: Vec<Points<'_>> = ranges
        .iter()
        .map(|range| {
            let points = Points::from(data.slice(s![range.clone(), ..]));
            match weighted {
                true => points.with_weights(&weights[range.clone()]).unwrap(),
                false => points,
            }
        })
        .collect();
    let mut blocks: Vec<Block<'_>> = points
        .iter()
        .map(|points| Block::new(points, BlockOptions::new(metric)).unwrap())
        .collect();
    let whole = match weighted {
        true => Points::from(data.view())
            .with_weights(&weights[..])
            .unwrap(),
        false => Points::from(data.view()),
    };

    let (mut centroids, mut compared) = (init.clone(), 0);
    for iteration in 1..=6 {
        if random.below(4) == 0 {
            let lost = random.below(blocks.len());
            blocks[lost].forget();
        }
        let partials = blocks
            .iter_mut()
            .map(|block| block.partial(centroids.view(), options()).unwrap())
            .collect();
        let all = merged(partials, random);
        let update = all.finalize(centroids.view()).unwrap();
        let Some(trained) = train(&whole, &init, metric, iteration) else {
            return compared;
        };
        // Where the last centroids leave clusters empty, training goes on.
        if trained.n_iter() == Some(iteration) && leave_none_empty(&update, &whole, metric) {
            let expected = trained.centroids().unwrap();
            compared += 1;
            assert_eq!(
                update.centroids, expected,
                "{metric:?} {n} x {dims}, {clusters} {iteration}"
            );
        }
        let sizes = all.cluster_sizes().iter().sum::<u64>();
        assert_eq!(sizes, if weighted { present } else { n } as u64);
        if update.converged && leave_none_empty(&update, &whole, metric) {
            let settled = train(&whole, &init, metric, 50).unwrap();
            assert_eq!(update.centroids, settled.centroids().unwrap());
            break;
        }
        centroids = update.centroids;
    }
    compared
}

#[test]
fn the_loop_gives_the_bits_of_training() {
    let mut random = Random(7);
    for metric in [Metric::Euclidean, Metric::Cosine] {
        for weighted in [false, true] {
            let compared = (0..200).map(|_| follows_training(&mut random, metric, weighted));
            assert!(compared.sum::<usize>() > 350, "too few comparisons");
        }
    }
}

/// One partial of all rows: its labels and its inertia are those of a model.
#[test]
fn tells_what_predictions_tell() {
    let mut random = Random(3);
    for metric in [Metric::Euclidean, Metric::Cosine] {
        let data = rows(&mut random, 500, 6, 1);
        let centroids = data.slice(s![..20, ..]).to_owned();
        let points = Points::from(data.view());
        let mut block = Block::new(&points, BlockOptions::new(metric)).unwrap();
        assert!(block.labels().is_err());
        let partial = block.partial(centroids.view(), options()).unwrap();
        let euclidean = metric == Metric::Euclidean;
        let model = KMeans::from_centroids(&centroids.view().into(), euclidean, None).unwrap();
        let (mut labels, mut distances) = (vec![0; 500], vec![0.0; 500]);
        model
            .predict(&points, &mut labels, Some(&mut distances), options())
            .unwrap();
        assert_eq!(block.labels().unwrap(), labels);
        let sum: f64 = distances.iter().sum();
        assert!((partial.inertia() - sum).abs() <= 1e-12 * sum);
        assert_eq!(partial.changed(), None);
        let again = block.partial(centroids.view(), options()).unwrap();
        assert_eq!(again.changed(), Some(0));
    }
}

#[test]
fn refuses_what_does_not_belong_together() {
    let data = Array2::from_shape_fn((30, 3), |(i, j)| (i * 7 % 11 + j) as f32);
    let points = Points::from(data.view());
    let partial = |metric, centroids: ArrayView2<'_, f32>| {
        let mut block = Block::new(&points, BlockOptions::new(metric)).unwrap();
        block.partial(centroids, options())
    };
    let centroids = data.slice(s![..4, ..]);
    let mut one = partial(Metric::Euclidean, centroids).unwrap();
    let before = one.clone();
    for (other, word) in [
        (partial(Metric::Cosine, centroids), "distance"),
        (partial(Metric::Euclidean, data.slice(s![..5, ..])), "5 x 3"),
        (
            partial(Metric::Euclidean, data.slice(s![1..5, ..])),
            "different centroids",
        ),
    ] {
        let text = one.merge(&other.unwrap()).unwrap_err().to_string();
        assert!(text.contains(word), "{text}");
        assert_eq!(one, before);
    }
    assert!(one.finalize(data.slice(s![1..5, ..])).is_err());
    assert!(one.finalize(centroids).is_ok());
    let narrow = data.slice(s![..4, ..2]);
    assert!(partial(Metric::Euclidean, narrow).is_err());
    let mut bad = centroids.to_owned();
    bad[[2, 1]] = f32::NAN;
    let text = partial(Metric::Euclidean, bad.view())
        .unwrap_err()
        .to_string();
    assert!(text.contains("row 2, column 1"), "{text}");
}

/// Whatever bytes say, reading them is an error or gives what can be used.
#[test]
fn hostile_bytes_are_an_error() {
    let mut random = Random(11);
    let data = rows(&mut random, 60, 3, 3);
    let points = Points::from(data.view());
    let mut block = Block::new(&points, BlockOptions::new(Metric::Euclidean)).unwrap();
    let centroids = rows(&mut random, 12, 3, 1) * 100.0;
    let bytes = block
        .partial(centroids.view(), options())
        .unwrap()
        .to_bytes()
        .unwrap();
    let whole = Partial::from_bytes(&bytes).unwrap();
    assert_eq!(whole.to_bytes().unwrap(), bytes);
    for len in (0..bytes.len()).step_by(7) {
        assert!(Partial::from_bytes(&bytes[..len]).is_err());
    }
    for _ in 0..3000 {
        let mut broken = bytes.clone();
        let at = random.below(broken.len());
        broken[at] ^= 1 << random.below(8);
        assert!(Partial::from_bytes(&broken).is_err(), "byte {at}");
    }
    let model = train(
        &points,
        &data.slice(s![..3, ..]).to_owned(),
        Metric::Euclidean,
        2,
    )
    .unwrap();
    let model = model.to_bytes(Default::default()).unwrap();
    assert!(
        Partial::from_bytes(&model)
            .unwrap_err()
            .to_string()
            .contains("model")
    );
    assert!(
        KMeans::from_bytes(&bytes)
            .unwrap_err()
            .to_string()
            .contains("partial")
    );
}
