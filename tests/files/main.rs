//! Models in files: nothing is lost, the public readers of safetensors open
//! them, those of the past load, whatever else a file may be is an error, and
//! saving leaves the old file or the new one.

mod hostile;
mod kept;
mod places;
mod round_trips;

use kentro::{Init, KMeans, Points, Quality, RunOptions, SaveOptions};
use ndarray::{Array2, ArrayView1, s};

/// Overlapping clusters; the same on any machine.
fn data(rows: usize, dims: usize) -> Array2<f32> {
    let mut random = Random(rows as u64);
    Array2::from_shape_fn((rows, dims), |(i, t)| {
        let centre = (i % 5 * (t + 2) % 7) as f32;
        centre + (random.below(1000) as f32 - 500.0) * 0.001
    })
}

/// A model of every kind, trained on `data(80, 3)`, and one that is not trained.
fn models() -> Vec<(&'static str, KMeans)> {
    let data = data(80, 3);
    let start = data.slice(s![..5, ..]).to_owned();
    let new = || KMeans::new(5).with_euclidean(true).with_seed(3);
    let mut models = vec![
        ("euclidean", new()),
        ("cosine", new().with_euclidean(false)),
        (
            "balanced",
            new().with_balanced(true).with_max_balance_diff(2),
        ),
        ("size-bounds", new().with_size_bounds(10, 20)),
        ("medoids", new().with_use_medoids(true)),
        (
            "cosine-medoids",
            new().with_use_medoids(true).with_euclidean(false),
        ),
        (
            "balanced-medoids",
            new().with_use_medoids(true).with_balanced(true),
        ),
        ("tree", new().with_init(Init::Tree)),
        ("given", new().with_init(Init::Centroids(start.clone()))),
        (
            "settings",
            KMeans::new(4)
                .with_iterations(7)
                .with_max_balance_diff(9)
                .with_verbose(false)
                .with_seed(u64::MAX)
                .with_tolerance(1.0 / 3.0 * 1e-7)
                .with_init(Init::KMeansParallel)
                .with_n_init(2)
                .with_quality(Quality::Best)
                .with_memory_limit(123_456_789),
        ),
    ];
    for (_, model) in &mut models {
        model.train(data.view(), Some(1)).unwrap();
    }
    // What float32 can't tell apart, from first centroids that it can't, too.
    let wide = data.mapv(|value| 1e9 + f64::from(value));
    let first = wide.slice(s![..5, ..]).to_owned();
    let mut offset = new().with_init(Init::CentroidsF64(first));
    let points = Points::from(wide.view());
    offset.fit(&points, RunOptions::default()).unwrap();
    assert!(offset.offset().is_some());
    models.push(("offset", offset));
    let few = Array2::from_shape_fn((6, 2), |(i, _)| (i % 2) as f32);
    let mut empty = new();
    empty.train(few.view(), Some(1)).unwrap();
    assert!(!empty.warnings().is_empty());
    models.push(("empty-clusters", empty));
    let untrained = new().with_verbose(true).with_init(Init::Centroids(start));
    models.push(("untrained", untrained));
    models
}

/// What a model does with points that it has not seen.
fn predictions(model: &KMeans) -> (Vec<u32>, Vec<f64>, Option<Vec<u32>>) {
    let centroids = model.centroids().unwrap();
    let mut data = data(30, centroids.ncols()).mapv(f64::from);
    if let Some(offset) = model.offset() {
        data += &ArrayView1::from(offset);
    }
    let points = Points::from(data.view());
    let k = 2;
    let (mut labels, mut distances) = (vec![0; 30 * k], vec![0.0; 30 * k]);
    let run = RunOptions::default;
    model
        .predict_top(&points, k, &mut labels, Some(&mut distances), run())
        .unwrap();
    let mut balanced = vec![0; 30];
    let balanced = model
        .predict_balanced(&points, &mut balanced, None, run())
        .is_ok()
        .then_some(balanced);
    (labels, distances, balanced)
}

fn bytes(model: &KMeans) -> Vec<u8> {
    model.to_bytes(SaveOptions::default()).unwrap()
}

/// A linear congruential generator.
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

/// CRC-32, a bit at a time.
fn crc32(parts: &[&[u8]]) -> u32 {
    let mut state = !0u32;
    for &byte in parts.iter().copied().flatten() {
        state ^= u32::from(byte);
        for _ in 0..8 {
            state = (state >> 1) ^ if state & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !state
}

/// Gives a file the checksum of its bytes, if it has a place for one.
fn sign(file: &mut [u8]) {
    let key = b"\"checksum\":\"";
    let Some(at) = file.windows(key.len()).position(|part| part == key) else {
        return;
    };
    let (before, rest) = file.split_at_mut(at + key.len());
    let Some((digits, after)) = rest.split_at_mut_checked(8) else {
        return;
    };
    if after.first() != Some(&b'"') {
        return;
    }
    let checksum = crc32(&[before, b"00000000", after]);
    digits.copy_from_slice(format!("{checksum:08x}").as_bytes());
}
