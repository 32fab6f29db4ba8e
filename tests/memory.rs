//! A call takes no more memory beside the data than its limit, or than it must
//! have; and with less memory it finds the same.

use kentro::{KMeans, KMeansError, Points, RunOptions, SaveOptions, Source};
use ndarray::{Array2, ArrayView2, s};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator; counts bytes.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn grown(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may be there at the same time.
        grown(size);
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was in use during a call, beyond what was before.
fn most_during<T>(call: impl FnOnce() -> T) -> (usize, T) {
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let result = call();
    (MOST.load(Ordering::Relaxed) - before, result)
}

const THREADS: usize = 2;

/// What training must have, as `with_memory_limit` documents it.
fn floor(rows: usize, per_row: usize, clusters: usize, dims: usize) -> usize {
    let buffers = (6 << 20) + 1024 * dims + 256 * clusters;
    rows * per_row + 64 * clusters * dims + (12 << 20) + THREADS * buffers
}

/// Trains within no limit and within some, and compares.
fn check(name: &str, data: ArrayView2<'_, f32>, model: &KMeans, per_row: usize) {
    let (rows, dims) = data.dim();
    let least = floor(rows, per_row, model.n_clusters(), dims);
    let train = |model: KMeans| {
        let mut model = model;
        let options = RunOptions {
            num_threads: Some(THREADS),
            ..RunOptions::default()
        };
        let (bytes, result) = most_during(|| model.fit(&Points::from(data), options));
        result.unwrap();
        (bytes, model)
    };
    let (free, expected) = train(model.clone());
    for limit in [0, least / 2, least + least / 4, 3 * least] {
        let (bytes, found) = train(model.clone().with_memory_limit(limit as u64));
        println!("{name}: limit {limit}, least {least}: {bytes} bytes, {free} without a limit");
        assert!(bytes <= limit.max(least), "{name}: {bytes} bytes");
        assert_eq!(found.labels(), expected.labels(), "{name}");
        let (found, expected) = (found.inertia().unwrap(), expected.inertia().unwrap());
        assert!((found - expected).abs() <= 1e-12 * expected, "{name}");
    }
}

fn blobs(rows: usize, dims: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, dims), |(i, t)| {
        let bits = (i * dims + t).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        ((i % 61 * (t + 5)) % 23) as f32 + bits as f32 / (1 << 22) as f32
    })
}

/// Blocks of some of the rows.
struct Parts<'a> {
    rows: ArrayView2<'a, f32>,
    next: usize,
}

impl Source for Parts<'_> {
    fn rewind(&mut self) -> Result<(), KMeansError> {
        self.next = 0;
        Ok(())
    }

    fn next_block(&mut self) -> Result<Option<Points<'_>>, KMeansError> {
        let first = self.next;
        self.next = self.rows.nrows().min(first + 9_000);
        let rows = self.rows.slice(s![first..self.next, ..]);
        Ok((first < self.next).then(|| rows.into()))
    }
}

/// 205 MB of rows in a file that is mapped into memory, within 40 MB: as they are, and
/// from a source.
fn check_rows_beyond_the_limit() {
    const LIMIT: usize = 40_000_000;
    let (rows, dims) = (200_000, 256);
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/memory.f32");
    let mut file = BufWriter::new(File::create(path).unwrap());
    for part in 0..20 {
        let part = blobs(rows / 20, dims) + part as f32 / 7.0;
        let values = part.as_slice().unwrap();
        file.write_all(bytemuck::cast_slice(values)).unwrap();
    }
    drop(file);
    let file = File::open(path).unwrap();
    // SAFETY: nobody else writes to the file.
    let map = unsafe { memmap2::Mmap::map(&file) }.unwrap();
    let mapped = ArrayView2::from_shape((rows, dims), bytemuck::cast_slice(&map)).unwrap();
    let options = || RunOptions {
        num_threads: Some(THREADS),
        ..RunOptions::default()
    };
    // Iterations that are expected make codes worth while; there are few.
    let free = KMeans::new(300)
        .with_euclidean(true)
        .with_quality(kentro::Quality::Fast)
        .with_iterations(25)
        .with_tolerance(0.9);
    let model = free.clone().with_memory_limit(LIMIT as u64);
    let (mut together, mut streamed) = (model.clone(), model);
    let mut parts = Parts {
        rows: mapped,
        next: 0,
    };
    let (of_map, result) = most_during(|| together.fit(&Points::from(mapped), options()));
    result.unwrap();
    let (of_source, result) = most_during(|| streamed.fit_source(&mut parts, options()));
    result.unwrap();
    let mut free = free;
    // Codes are kept where there is room, whatever a sample is timed to gain by them.
    // SAFETY: no other thread of this process runs here.
    unsafe { std::env::set_var("KENTRO_ENGINE", "principal") };
    let (of_free, result) = most_during(|| free.fit_source(&mut parts, options()));
    result.unwrap();
    // SAFETY: as above.
    unsafe { std::env::remove_var("KENTRO_ENGINE") };
    println!(
        "beyond the limit: {of_map} bytes mapped, {of_source} from a source, {of_free} from one \
         without a limit"
    );
    assert!(of_map <= LIMIT, "mapped: {of_map} bytes");
    assert!(of_source <= LIMIT, "from a source: {of_source} bytes");
    assert!(of_source < of_free, "without a limit: {of_free} bytes");
    assert_eq!(streamed.labels(), together.labels());
    assert_eq!(streamed.centroids(), together.centroids());
    drop(map);
    std::fs::remove_file(path).unwrap();
}

/// Sparse rows of many columns, by default settings: nothing of rows x columns numbers is
/// made, not of some of the rows either (2,048 of them, a sample, would be 819 MB), nor of
/// clusters x columns, until somebody asks for the centroids.
fn check_sparse() {
    const MOST: usize = 64_000_000;
    let (rows, cols) = (9_000usize, 100_000usize);
    let column = |i: usize, n: usize| (n * 20_011 + i * 7919 % 15_000) as u32;
    let columns: Vec<u32> = (0..rows)
        .flat_map(|i| (0..5).map(move |n| column(i, n)))
        .collect();
    let values: Vec<f32> = (0..columns.len()).map(|at| (at % 17) as f32).collect();
    let starts: Vec<u32> = (0..=rows as u32).map(|i| i * 5).collect();
    let points = || Points::csr(&values, &columns[..], &starts[..], cols).unwrap();
    let options = || RunOptions {
        num_threads: Some(THREADS),
        ..RunOptions::default()
    };
    let weights: Vec<f64> = (0..rows).map(|i| (i % 4) as f64).collect();
    let weighted = points().with_weights(&weights[..]).unwrap();
    for (clusters, points) in [(3, &points()), (500, &points()), (500, &weighted)] {
        for euclidean in [true, false] {
            let mut model = KMeans::new(clusters).with_euclidean(euclidean);
            let (bytes, result) = most_during(|| model.fit(points, options()));
            result.unwrap();
            let mut labels = vec![0; rows];
            let (of_predict, result) = most_during(|| {
                let mut all = vec![0.0; 20 * clusters];
                let some: Vec<usize> = (0..20).collect();
                let starts = &starts[..=some.len()];
                let few = Points::csr(&values[..100], &columns[..100], starts, cols)?;
                model.transform(&few, &mut all, options())?;
                model.predict(points, &mut labels, None, options())?;
                model.score(points, options())
            });
            result.unwrap();
            let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/sparse.safetensors");
            let (of_save, result) = most_during(|| model.save(path, SaveOptions::default()));
            result.unwrap();
            std::fs::remove_file(path).unwrap();
            let (of_getter, all) = most_during(|| model.centroids().unwrap().len());
            println!(
                "sparse, k = {clusters}: {bytes} bytes, {of_predict} to predict, {of_save} to save, \
                 {of_getter} for all numbers of the centroids"
            );
            assert!(bytes <= MOST / 2, "training: {bytes} bytes");
            assert!(of_predict <= MOST / 4, "predict: {of_predict} bytes");
            assert!(of_save <= 1 << 20, "save: {of_save} bytes");
            assert_eq!((all, of_getter), (clusters * cols, 4 * clusters * cols));
        }
    }
}

/// One test, for the counts are of the whole process.
#[test]
fn memory_stays_within_the_limit() {
    let model = |k: usize| KMeans::new(k).with_euclidean(true).with_iterations(6);
    // Codes of all rows and distance bounds.
    let long = model(300).with_iterations(25);
    check("codes", blobs(60_000, 128).view(), &long, 48);
    // Trees over sorted rows.
    check("trees", blobs(600_000, 2).view(), &model(40), 48);
    check("few", blobs(200_000, 20).view(), &model(5), 48);
    check(
        "best",
        blobs(20_000, 32).view(),
        &model(60).with_quality(kentro::Quality::Best),
        48,
    );
    let balanced = model(50).with_balanced(true).with_max_balance_diff(4);
    check("balanced", blobs(20_000, 16).view(), &balanced, 256);

    check_rows_beyond_the_limit();

    check_sparse();

    // Rows as wide as a task of some hundred rows: converted a few at a time.
    let wide = Array2::from_shape_fn((600, 60_000), |(i, t)| ((i * 31 + t * 17) % 97) as f64);
    let options = || RunOptions {
        num_threads: Some(THREADS),
        ..RunOptions::default()
    };
    let points = Points::from(wide.view());
    let mut wide_model = model(4).with_memory_limit(0);
    let (bytes, result) = most_during(|| wide_model.fit(&points, options()));
    result.unwrap();
    let least = floor(600, 48, 4, 60_000);
    println!("wide: least {least}: {bytes} bytes");
    assert!(bytes <= least, "wide: {bytes} bytes");
    let mut labels = vec![0; 600];
    let (bytes, result) = most_during(|| wide_model.predict(&points, &mut labels, None, options()));
    result.unwrap();
    assert!(bytes <= least, "predict: {bytes} bytes");
}
