//! Files of the past, one of each kind, in `tests/files/kept`. They load for
//! ever: `KENTRO_BLESS=1` writes what is not there, and leaves alone what is.

use crate::{models, predictions};
use kentro::{KMeans, SaveOptions};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/kept");

/// All that a model tells, and what it predicts.
fn summary(model: &KMeans) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Debug| {
        writeln!(text, "{name}: {value:?}").unwrap();
    };
    line("n_clusters", &model.n_clusters());
    line("iterations", &model.iterations());
    line("euclidean", &model.is_euclidean());
    line("balanced", &model.is_balanced());
    line("max_balance_diff", &model.max_balance_diff());
    line("use_medoids", &model.is_use_medoids());
    line("verbose", &model.is_verbose());
    line("trained", &model.is_trained());
    line("inertia", &model.inertia());
    line("n_iter", &model.n_iter());
    line("balance_gap", &model.balance_gap());
    line("info", &model.info());
    line("warnings", &model.warnings());
    line("cluster_sizes", &model.cluster_sizes());
    line("medoid_indices", &model.medoid_indices());
    line("labels", &model.labels());
    if let Some(centroids) = model.centroids() {
        if let Some(offset) = model.offset() {
            line("offset", &offset);
        }
        line("centroids", &centroids.as_slice());
        let (labels, distances, balanced) = predictions(model);
        line("nearest two", &labels);
        line("distances", &distances);
        line("balanced", &balanced);
    }
    text
}

#[test]
fn files_of_the_past_load() {
    if std::env::var_os("KENTRO_BLESS").is_some() {
        for (name, model) in models() {
            let file = Path::new(FOLDER).join(format!("v1-{name}.safetensors"));
            if !file.exists() {
                model.save(&file, SaveOptions::default()).unwrap();
                fs::write(file.with_extension("txt"), summary(&model)).unwrap();
            }
        }
    }
    let mut files = 0;
    for entry in fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "safetensors") {
            files += 1;
            let model = KMeans::load(&path).unwrap();
            let expected = fs::read_to_string(path.with_extension("txt")).unwrap();
            assert_eq!(summary(&model), expected, "{}", path.display());
        }
    }
    assert!(files >= models().len());
}
