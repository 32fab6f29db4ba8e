//! A file of rows for the examples, and what training on all of them together tells.

use kentro::{KMeans, Points, Quality, RunOptions};
use ndarray::Array2;
use std::fs;
use std::path::{Path, PathBuf};

/// Columns of the file, and clusters that are asked for.
pub const SHAPE: [&str; 2] = ["3", "4"];

/// Writes the file.
pub fn write(path: &str) -> (PathBuf, Array2<f32>) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(path);
    let value = |i: u32| (i.wrapping_mul(2654435761) >> 20) as f32 + (i % 3) as f32 * 5e3;
    let rows = Array2::from_shape_fn((1000, 3), |(i, j)| value((3 * i + j) as u32));
    let bytes = rows.iter().flat_map(|value| value.to_le_bytes());
    fs::write(&path, bytes.collect::<Vec<u8>>()).unwrap();
    (path, rows)
}

/// What `examples/source.c` and `.cpp` print of a file, whatever block they read it in:
/// `run` gets their arguments.
pub fn check_source(run: impl Fn(&[&str]) -> String) {
    let (path, rows) = write("source.f32");
    let mut model = KMeans::new(4)
        .with_euclidean(true)
        .with_quality(Quality::Fast);
    let points = Points::from(rows.view());
    model.fit(&points, RunOptions::default()).unwrap();
    let mut expected = format!("inertia {:.0}\n", model.inertia().unwrap());
    for (cluster, size) in model.cluster_sizes().unwrap().iter().enumerate() {
        expected += &format!("cluster {cluster}: {size} rows\n");
    }
    for block in ["1", "77", "1000"] {
        let [dims, clusters] = SHAPE;
        let text = run(&[path.to_str().unwrap(), dims, clusters, block]);
        assert_eq!(text, expected, "blocks of {block}");
    }
}
