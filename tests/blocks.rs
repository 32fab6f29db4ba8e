//! Blocks and partials against training on all rows together: the same bits,
//! however rows are cut and in whatever order partials merge.

use kentro::{
    Block, BlockOptions, Init, KMeans, Metric, Partial, Points, Quality, RunOptions, Seeding,
};
use ndarray::{Array2, ArrayView2, array, s};
use std::ops::Range;

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
fn cuts(random: &mut Random, rows: usize) -> Vec<Range<usize>> {
    let mut places: Vec<usize> = (0..random.below(6)).map(|_| random.below(rows)).collect();
    places.extend([0, rows]);
    places.sort_unstable();
    places.dedup();
    places.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// Rows of one of the number types.
enum Data {
    F32(Array2<f32>),
    F64(Array2<f64>),
    I64(Array2<i64>),
    U64(Array2<u64>),
}

impl Data {
    /// Wide numbers are such that float32 would lose what tells them apart.
    fn new(values: Array2<f32>, of: usize) -> Data {
        let whole = |v: f32| v.clamp(-1e12, 1e12) as i64;
        match of {
            0 => Data::F32(values),
            1 => Data::F64(values.mapv(|v| 3e9 + f64::from(v) / 64.0)),
            2 => Data::I64(values.mapv(|v| whole(v) - (1 << 60))),
            _ => Data::U64(values.mapv(|v| (1u64 << 63).wrapping_add_signed(whole(v)))),
        }
    }

    fn points<'a>(&'a self, range: Range<usize>, weights: Option<&'a [f64]>) -> Points<'a> {
        let points = match self {
            Data::F32(data) => Points::from(data.slice(s![range.clone(), ..])),
            Data::F64(data) => Points::from(data.slice(s![range.clone(), ..])),
            Data::I64(data) => Points::from(data.slice(s![range.clone(), ..])),
            Data::U64(data) => Points::from(data.slice(s![range.clone(), ..])),
        };
        match weights {
            Some(weights) => points.with_weights(&weights[range]).unwrap(),
            None => points,
        }
    }

    fn in_f64(&self) -> Array2<f64> {
        match self {
            Data::F32(data) => data.mapv(f64::from),
            Data::F64(data) => data.clone(),
            Data::I64(data) => data.mapv(|v| v as f64),
            Data::U64(data) => data.mapv(|v| v as f64),
        }
    }
}

fn train(
    points: &Points<'_>,
    init: &Array2<f64>,
    metric: Metric,
    iterations: usize,
) -> Option<KMeans> {
    let mut kmeans = KMeans::new(init.nrows())
        .with_euclidean(metric == Metric::Euclidean)
        .with_init(Init::CentroidsF64(init.clone()))
        .with_quality(Quality::Fast)
        .with_iterations(iterations);
    kmeans.fit(points, options()).ok()?;
    Some(kmeans)
}

/// The ranges of all blocks, which these get.
fn agree(blocks: &mut [Block<'_>], random: &mut Random) {
    let mut ranges: Vec<Array2<f64>> = blocks
        .iter_mut()
        .map(|block| block.ranges(options()).unwrap())
        .collect();
    random.shuffle(&mut ranges);
    let mut all = ranges.remove(0);
    for one in ranges {
        for (column, (mut all, one)) in all.columns_mut().into_iter().zip(one.columns()).enumerate()
        {
            assert!(one[0] <= one[1] || one[0] == f64::INFINITY, "{column}");
            all[0] = all[0].min(one[0]);
            all[1] = all[1].max(one[1]);
        }
    }
    for block in blocks {
        block.set_ranges(all.view()).unwrap();
    }
}

/// What all blocks come to, merged in some order; now and then one has lost its
/// state.
fn partial(blocks: &mut [Block<'_>], centroids: &Array2<f32>, random: &mut Random) -> Partial {
    if random.below(4) == 0 {
        let lost = random.below(blocks.len());
        blocks[lost].forget();
    }
    let partials = blocks
        .iter_mut()
        .map(|block| block.partial(centroids.view(), options()).unwrap())
        .collect();
    merged(partials, random)
}

/// What training does after the last iteration.
fn settled(
    blocks: &mut [Block<'_>],
    mut centroids: Array2<f32>,
    random: &mut Random,
) -> Array2<f32> {
    let mut before = f64::INFINITY;
    loop {
        let all = partial(blocks, &centroids, random);
        if all.inertia() >= before {
            return centroids;
        }
        before = all.inertia();
        match all.place_empty(centroids.view()).unwrap() {
            Some(placed) => centroids = placed,
            None => return centroids,
        }
    }
}

/// Centroids where they are among the rows as they came.
fn place(centroids: &Array2<f32>, offset: Option<&[f64]>) -> Array2<f64> {
    let lost = |column: usize| offset.map_or(0.0, |offset| offset[column]);
    Array2::from_shape_fn(centroids.dim(), |(row, column)| {
        f64::from(centroids[[row, column]]) + lost(column)
    })
}

/// First centroids of blocks that lose now and then what they know.
fn seeded(blocks: &mut [Block<'_>], mut seeding: Seeding, random: &mut Random) -> Array2<f32> {
    while seeding.centroids().is_none() {
        let mut answers = Vec::new();
        for (number, block) in blocks.iter_mut().enumerate() {
            if random.below(5) == 0 {
                block.forget();
            }
            let question = seeding.question(number).unwrap();
            let answer = block.seed(seeding.candidates(), &question, options());
            answers.push(answer.unwrap());
        }
        seeding.take(&answers, options()).unwrap();
    }
    seeding.centroids().unwrap().to_owned()
}

/// k-means|| over blocks, and in memory, each with an iteration.
fn seeds_as_memory_does(
    random: &mut Random,
    metric: Metric,
    (weighted, of): (bool, usize),
    [n, dims, clusters]: [usize; 3],
) {
    let kind = random.below(4);
    let mut data = rows(random, n, dims, kind);
    for row in 1..n {
        if random.below(3) == 0 {
            let before = data.row(row - 1).to_owned();
            data.row_mut(row).assign(&before);
        }
    }
    let data = Data::new(data, of);
    let fraction = [0.1, 1.0][random.below(2)];
    let weights: Vec<f64> = (0..n).map(|_| random.below(5) as f64 * fraction).collect();
    let weights = weighted.then_some(&weights[..]);
    let block = |range| Block::new(&data.points(range, weights), BlockOptions::new(metric));
    let cuts = cuts(random, n);
    let mut blocks: Vec<Block<'_>> = cuts.into_iter().map(|cut| block(cut).unwrap()).collect();
    if of > 0 {
        agree(&mut blocks, random);
    }
    let seed = random.below(1000) as u64;
    let mut memory = KMeans::new(clusters)
        .with_euclidean(metric == Metric::Euclidean)
        .with_init(Init::KMeansParallel)
        .with_seed(seed)
        .with_quality(Quality::Fast)
        .with_iterations(1);
    if memory.fit(&data.points(0..n, weights), options()).is_err() {
        return; // too few rows weigh anything
    }
    let seeding = Seeding::new(clusters, metric, seed).unwrap();
    let seeds = seeded(&mut blocks, seeding, random);
    let update = partial(&mut blocks, &seeds, random);
    let update = update.finalize(seeds.view()).unwrap();
    let ours = settled(&mut blocks, update.centroids, random);
    assert_eq!(
        place(&ours, memory.offset()),
        memory.centroids_f64().unwrap(),
        "{metric:?} {n} x {dims}, {clusters}, {seed}, {weighted} {of}"
    );
}

#[test]
fn seeds_over_blocks_are_those_of_memory() {
    let mut random = Random(19);
    for metric in [Metric::Euclidean, Metric::Cosine] {
        for weighted in [false, true] {
            for case in 0..60 {
                let (n, dims) = (20 + random.below(400), 1 + random.below(9));
                let clusters = 1 + random.below(n.min(25));
                let kind = (weighted, case % 4);
                seeds_as_memory_does(&mut random, metric, kind, [n, dims, clusters]);
            }
            for clusters in [40, 140, 200] {
                seeds_as_memory_does(&mut random, metric, (weighted, 0), [3000, 4, clusters]);
            }
        }
    }
}

#[test]
fn answers_that_do_not_belong_are_errors() {
    let mut random = Random(5);
    let data = rows(&mut random, 60, 3, 1);
    let points = [
        Points::from(data.slice(s![..20, ..])),
        Points::from(data.slice(s![20.., ..])),
    ];
    let block = |points, metric| Block::new(points, BlockOptions::new(metric)).unwrap();
    let mut blocks = [&points[0], &points[1]].map(|points| block(points, Metric::Cosine));
    let mut seeding = Seeding::new(3, Metric::Cosine, 7).unwrap();
    let ask = |seeding: &Seeding, blocks: &mut [Block<'_>]| -> Vec<Vec<u8>> {
        let answer = |(number, block): (usize, &mut Block<'_>)| {
            let question = seeding.question(number).unwrap();
            let answer = block.seed(seeding.candidates(), &question, options());
            answer.unwrap()
        };
        blocks.iter_mut().enumerate().map(answer).collect()
    };
    let first = ask(&seeding, &mut blocks);
    assert!(seeding.take::<Vec<u8>>(&[], options()).is_err());
    seeding.take(&first, options()).unwrap();
    assert!(seeding.question(2).is_err());
    assert!(
        seeding.take(&first, options()).is_err(),
        "of another question"
    );
    assert!(seeding.take(&first[..1], options()).is_err());
    let mut other = block(&points[0], Metric::Euclidean);
    let question = seeding.question(0).unwrap();
    assert!(
        other
            .seed(seeding.candidates(), &question, options())
            .is_err()
    );
    assert!(
        other
            .seed(seeding.candidates(), b"nothing", options())
            .is_err()
    );
    let mut broken = ask(&seeding, &mut blocks);
    broken[1][40] ^= 1;
    assert!(seeding.take(&broken, options()).is_err());
    while seeding.centroids().is_none() {
        let answers = ask(&seeding, &mut blocks);
        seeding.take(&answers, options()).unwrap();
    }
    assert!(seeding.take(&first, options()).is_err());
    assert!(Seeding::new(0, Metric::Cosine, 7).is_err());
    let mut many = Seeding::new(61, Metric::Cosine, 7).unwrap();
    let answers = ask(&many, &mut blocks);
    assert!(many.take(&answers, options()).is_err(), "too few rows");
}

/// Iterates over blocks, and compares with training after as many iterations.
///
/// Returns how many were compared, and whether there was an offset.
fn follows_training(
    random: &mut Random,
    metric: Metric,
    weighted: bool,
    of: usize,
) -> (usize, bool) {
    let (n, dims) = (20 + random.below(300), 1 + random.below(9));
    let kind = random.below(4);
    let data = Data::new(rows(random, n, dims, kind), of);
    let weights: Vec<f64> = (0..n).map(|_| random.below(5) as f64 / 4.0).collect();
    let present = weights.iter().filter(|&&weight| weight > 0.0).count();
    let clusters = 1 + random.below(n.min(25));
    // Many of the first centroids are far from all rows: their clusters are empty.
    let mut init = data.in_f64().slice(s![..clusters, ..]).to_owned();
    if random.below(2) == 0 {
        init = init + rows(random, clusters, dims, 1).mapv(f64::from) * 30.0 - 500.0;
    }
    let weights = weighted.then_some(&weights[..]);
    let mut blocks: Vec<Block<'_>> = cuts(random, n)
        .into_iter()
        .map(|range| Block::new(&data.points(range, weights), BlockOptions::new(metric)).unwrap())
        .collect();
    let whole = data.points(0..n, weights);
    if of > 0 {
        agree(&mut blocks, random);
    }
    let offset = blocks[0].offset().map(<[f64]>::to_vec);
    let lost = |column: usize| offset.as_ref().map_or(0.0, |offset| offset[column]);
    let place = |centroids: &Array2<f32>| place(centroids, offset.as_deref());
    let mut centroids = Array2::from_shape_fn(init.dim(), |(row, column)| {
        (init[[row, column]] - lost(column)) as f32
    });

    let mut compared = 0;
    let mut all = partial(&mut blocks, &centroids, random);
    for iteration in 1..=6 {
        let update = all.finalize(centroids.view()).unwrap();
        let sizes = all.cluster_sizes().iter().sum::<u64>();
        assert_eq!(sizes, if weighted { present } else { n } as u64);
        let Some(trained) = train(&whole, &init, metric, iteration) else {
            break;
        };
        assert_eq!(trained.offset(), offset.as_deref());
        let ours = settled(&mut blocks, update.centroids.clone(), random);
        all = partial(&mut blocks, &update.centroids, random);
        let expected = |model: &KMeans| model.centroids_f64().unwrap();
        if trained.n_iter() == Some(iteration) {
            compared += 1;
            assert_eq!(
                place(&ours),
                expected(&trained),
                "{metric:?} {n} x {dims}, {clusters} {iteration}"
            );
            if let Some(offset) = &offset {
                let given = KMeans::from_centroids_less(ours.view(), offset).unwrap();
                let labels = |model: &KMeans| {
                    let mut labels = vec![0; n];
                    model.predict(&whole, &mut labels, None, options()).unwrap();
                    labels
                };
                assert_eq!(labels(&given), labels(&trained));
            }
        }
        if update.converged {
            let trained = train(&whole, &init, metric, 50).unwrap();
            assert_eq!(place(&ours), expected(&trained));
            break;
        }
        centroids = update.centroids;
    }
    (compared, offset.is_some())
}

#[test]
fn the_loop_gives_the_bits_of_training() {
    let mut random = Random(7);
    for metric in [Metric::Euclidean, Metric::Cosine] {
        for weighted in [false, true] {
            let mut follow = |of| follows_training(&mut random, metric, weighted, of).0;
            let compared = (0..200).map(|_| follow(0));
            assert!(compared.sum::<usize>() > 350, "too few comparisons");
        }
    }
}

/// Blocks that know the ranges of all lose the offset that training subtracts.
#[test]
fn wide_numbers_give_the_bits_of_training() {
    let mut random = Random(9);
    for weighted in [false, true] {
        let (mut compared, mut with_offset) = (0, 0);
        for case in 0..240 {
            let of = 1 + case % 3;
            let (count, is_offset) = follows_training(&mut random, Metric::Euclidean, weighted, of);
            compared += count;
            with_offset += usize::from(is_offset);
        }
        assert!(
            compared > 400 && with_offset > 200,
            "{compared} {with_offset}"
        );
    }
}

#[test]
fn ranges_that_rows_cannot_have_are_an_error() {
    let data = Array2::from_shape_fn((30, 3), |(i, j)| 1e9 + (i * 7 % 11 + j) as f64);
    let points = Points::from(data.view());
    let mut block = Block::new(&points, BlockOptions::new(Metric::Euclidean)).unwrap();
    let ranges = block.ranges(options()).unwrap();
    assert_eq!(
        ranges,
        array![
            [1e9, 1e9 + 1.0, 1e9 + 2.0],
            [1e9 + 10.0, 1e9 + 11.0, 1e9 + 12.0]
        ]
    );
    for (bad, word) in [
        (ranges.slice(s![.., ..2]).to_owned(), "2 x 3"),
        (ranges.slice(s![..;-1, ..]).to_owned(), "column 0"),
        (ranges.mapv(|end| end * f64::INFINITY), "column 0"),
        (ranges.mapv(|_| f64::NAN), "column 0"),
    ] {
        let error = block.set_ranges(bad.view()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
        assert_eq!(block.offset(), None);
    }
    let first = array![[0.0_f32, 0.0, 0.0], [1.0, 1.0, 1.0]];
    let mut without = block.partial(first.view(), options()).unwrap();
    assert!(block.labels().is_ok());
    block.set_ranges(ranges.view()).unwrap();
    assert!(block.labels().is_err());
    assert_eq!(block.offset(), Some(&[1e9 + 5.0, 1e9 + 6.0, 1e9 + 7.0][..]));
    let with = block.partial(first.view(), options()).unwrap();
    let error = without.merge(&with).unwrap_err().to_string();
    assert!(error.contains("different offsets"), "{error}");
    let mut sent = Partial::from_bytes(&with.to_bytes().unwrap()).unwrap();
    assert_eq!(sent, with);
    sent.merge(&with).unwrap();
    // Nothing is subtracted of narrow numbers, nor with cosine.
    let narrow = data.mapv(|value| value as f32);
    let narrow = Points::from(narrow.view());
    for (points, metric) in [(&narrow, Metric::Euclidean), (&points, Metric::Cosine)] {
        let mut block = Block::new(points, BlockOptions::new(metric)).unwrap();
        block.set_ranges(ranges.view()).unwrap();
        assert_eq!(block.offset(), None);
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
        &data.slice(s![..3, ..]).mapv(f64::from),
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
