//! Whole models, bit for bit: one of every kind, on every instruction set and
//! engine that this machine has, hashed and compared with `tests/models.txt`.
//!
//! A change that is meant to leave results alone leaves that file alone. One
//! that is meant to change them writes it anew with `KENTRO_BLESS=1` and says
//! why in its commit.

use kentro::{Init, KMeans, Points, Quality, RunOptions};
use ndarray::{Array2, ArrayView2, s};
use std::fmt::Write;
use std::process::Command;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models.txt");
const IN_CHILD: &str = "KENTRO_TEST_MODELS_CHILD";

/// FNV-1a over 64-bit words.
struct Hash(u64);

impl Hash {
    fn add(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// Overlapping clusters, with some rows twice; the same on any machine.
fn data(rows: usize, dims: usize, centres: u64) -> Array2<f32> {
    let mut state = 7 + rows as u64 * 31 + dims as u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        state >> 33
    };
    let mut data = Array2::from_shape_fn((rows, dims), |(i, t)| {
        let centre = (i as u64 * 2654435761 % centres).wrapping_mul(t as u64 * 40503 + 977) >> 5;
        let noise = (next() % 1000 + next() % 1000 + next() % 1000) as f32 - 1500.0;
        (centre % 17) as f32 + noise * 0.002
    });
    for i in (40..rows).step_by(97) {
        let row = data.row(i - 40).to_owned();
        data.row_mut(i).assign(&row);
    }
    data
}

fn hash(kmeans: &KMeans, data: ArrayView2<'_, f32>) -> u64 {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    let centroids = kmeans.centroids().unwrap();
    centroids.iter().for_each(|v| hash.add(v.to_bits().into()));
    let labels = kmeans.labels().unwrap();
    labels.iter().for_each(|&j| hash.add(j.into()));
    hash.add(kmeans.inertia().unwrap().to_bits());
    hash.add(kmeans.n_iter().unwrap() as u64);
    for &row in kmeans.medoid_indices().unwrap_or_default() {
        hash.add(row as u64);
    }
    let few = Points::from(data.slice(s![..data.nrows().min(300), ..]));
    let count = 3.min(kmeans.n_clusters());
    for count in [1, count] {
        let mut labels = vec![0; few.rows() * count];
        let mut distances = vec![0.0; few.rows() * count];
        let options = RunOptions::default();
        kmeans
            .predict_top(&few, count, &mut labels, Some(&mut distances), options)
            .unwrap();
        labels.iter().for_each(|&j| hash.add(j.into()));
        distances.iter().for_each(|d| hash.add(d.to_bits()));
    }
    if kmeans.is_balanced() {
        let mut labels = vec![0; few.rows()];
        kmeans
            .predict_balanced(&few, &mut labels, None, RunOptions::default())
            .unwrap();
        labels.iter().for_each(|&j| hash.add(j.into()));
    }
    hash.0
}

/// A line for each model: its name and its hash.
fn models() -> String {
    let mut out = String::new();
    let mut train = |name: &str, data: &Array2<f32>, kmeans: KMeans| {
        for euclidean in [true, false] {
            let mut kmeans = kmeans.clone().with_euclidean(euclidean);
            kmeans.train(data.view(), Some(2)).unwrap();
            let metric = if euclidean { "euclidean" } else { "cosine" };
            let hash = hash(&kmeans, data.view());
            writeln!(out, "{name} {metric} {hash:016x}").unwrap();
        }
    };
    let (plane, low) = (data(9000, 2, 60), data(4000, 7, 40));
    let (middle, coded) = (data(2500, 40, 30), data(6000, 64, 150));
    let wide = data(1200, 300, 80);
    let small = data(700, 12, 11);
    let first = |data: &Array2<f32>, k: usize| data.slice(s![..k, ..]).to_owned();

    train("plane", &plane, KMeans::new(120));
    train("low", &low, KMeans::new(30));
    train("middle", &middle, KMeans::new(12));
    train("coded", &coded, KMeans::new(150));
    train("wide", &wide, KMeans::new(70));
    train("many", &middle, KMeans::new(900).with_iterations(6));
    train("single", &small, KMeans::new(1));
    train("every", &small, KMeans::new(690));
    for (name, quality) in [("fast", Quality::Fast), ("best", Quality::Best)] {
        let with = |k: usize| KMeans::new(k).with_quality(quality);
        train(&format!("{name} low"), &low, with(25));
        train(&format!("{name} middle"), &middle, with(50));
        train(&format!("{name} coded"), &coded, with(60));
    }
    for (name, init) in [
        ("k-means++", Init::KMeansPlusPlus),
        ("k-means||", Init::KMeansParallel),
        ("random", Init::Random),
        ("given", Init::Centroids(first(&middle, 64))),
    ] {
        train(name, &middle, KMeans::new(64).with_init(init).with_seed(5));
    }
    let tree = KMeans::new(150).with_init(Init::Tree).with_iterations(3);
    train("tree", &coded, tree);
    train("starts", &low, KMeans::new(20).with_n_init(3).with_seed(9));
    train("tolerance", &coded, KMeans::new(64).with_tolerance(1e-3));
    let far = Array2::from_shape_fn((40, 12), |(i, _)| if i < 3 { 4.0 } else { 1e4 + i as f32 });
    train(
        "empty",
        &small,
        KMeans::new(40).with_init(Init::Centroids(far)),
    );
    let balanced = |k: usize| KMeans::new(k).with_balanced(true);
    train("balanced low", &low, balanced(40).with_max_balance_diff(4));
    train("balanced coded", &coded, balanced(64));
    train(
        "balanced plane",
        &plane,
        balanced(30).with_max_balance_diff(1),
    );
    train(
        "balanced best",
        &small,
        balanced(9).with_quality(Quality::Best),
    );
    train(
        "balanced medoids",
        &small,
        balanced(9).with_use_medoids(true),
    );
    train(
        "balanced loose",
        &small,
        balanced(9).with_max_balance_diff(9999),
    );
    let medoids = |k: usize| KMeans::new(k).with_use_medoids(true);
    train(
        "medoids",
        &low.slice(s![..2000, ..]).to_owned(),
        medoids(15),
    );
    train(
        "medoids given",
        &small,
        medoids(20).with_init(Init::Centroids(first(&small, 20))),
    );
    train(
        "medoids sampled",
        &plane,
        medoids(12).with_memory_limit(1 << 20),
    );
    out
}

#[test]
fn models_have_the_same_bits_as_ever() {
    if std::env::var_os(IN_CHILD).is_some() {
        println!("\n{}", models());
        return;
    }
    let mut expected = std::fs::read_to_string(FILE).unwrap_or_default();
    let run = |variable: &str, value: &str| {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "models_have_the_same_bits_as_ever",
                "--nocapture",
            ])
            .env(IN_CHILD, "1")
            .env(variable, value)
            .output()
            .unwrap();
        let text = String::from_utf8(child.stdout).unwrap();
        assert!(child.status.success(), "{text}");
        let lines = text.lines().filter(|line| is_model(line));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    if std::env::var_os("KENTRO_BLESS").is_some() {
        expected = run("KENTRO_ISA", "");
        std::fs::write(FILE, &expected).unwrap();
    }
    // What the CPU lacks is ignored: such a run repeats the best one.
    for isa in [
        "",
        "portable",
        "avx2",
        "avxvnni",
        "avx512",
        "vnni",
        "amx",
        "amx-emulated",
        "neon",
    ] {
        assert_same(&expected, &run("KENTRO_ISA", isa), isa);
    }
}

/// A name, a metric and sixteen hexadecimal digits.
fn is_model(line: &str) -> bool {
    let hash = line.rsplit(' ').next().unwrap_or_default();
    hash.len() == 16 && u64::from_str_radix(hash, 16).is_ok()
}

fn assert_same(expected: &str, actual: &str, forced: &str) {
    let different: Vec<_> = expected
        .lines()
        .zip(actual.lines())
        .filter(|(expected, actual)| expected != actual)
        .collect();
    assert!(different.is_empty(), "{forced}: {different:#?}");
    assert_eq!(expected.lines().count(), actual.lines().count());
}
