//! Clusters handwritten digits with each kind of model.
//!
//! `cargo run --release --example quickstart [DIGITS.csv]`

use kentro::KMeans;
use ndarray::Array2;
use std::error::Error;

const N_CLUSTERS: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    let path = path.as_deref().unwrap_or("examples/data/digits.csv");
    let (pixels, digits) = read_digits(path)?;
    let (rows, cols) = pixels.dim();
    println!("{rows} handwritten digits, {cols} pixels each, {N_CLUSTERS} clusters\n");

    let kmeans = KMeans::new(N_CLUSTERS);
    let euclidean = kmeans.clone().with_euclidean(true);
    cluster("cosine", kmeans, &pixels, &digits)?;
    cluster("euclidean", euclidean.clone(), &pixels, &digits)?;
    cluster(
        "balanced",
        euclidean.clone().with_balanced(true),
        &pixels,
        &digits,
    )?;
    cluster(
        "medoids",
        euclidean.with_use_medoids(true),
        &pixels,
        &digits,
    )
}

fn cluster(
    name: &str,
    mut kmeans: KMeans,
    pixels: &Array2<f32>,
    digits: &[u8],
) -> Result<(), Box<dyn Error>> {
    let clusters = kmeans.train(pixels.view(), None)?;
    println!(
        "{name:<10} inertia {:12.1}  iterations {:2}  purity {:.2}",
        kmeans.inertia().unwrap_or_default(),
        kmeans.n_iter().unwrap_or_default(),
        purity(&clusters, digits),
    );
    let sizes = clusters.iter().map(|members| format!(" {}", members.len()));
    println!("  sizes   {}", sizes.collect::<String>());
    if let Some(medoids) = kmeans.medoid_indices() {
        let medoids = medoids
            .iter()
            .map(|&row| format!(" row {row} is a {}", digits[row]));
        println!("  medoids {}", medoids.collect::<Vec<_>>().join(","));
    }
    Ok(())
}

/// The share of points that show the digit most frequent in their cluster.
fn purity(clusters: &[Vec<usize>], digits: &[u8]) -> f64 {
    let most_frequent = |members: &Vec<usize>| {
        let mut counts = [0; 10];
        for &row in members {
            counts[usize::from(digits[row])] += 1;
        }
        counts.into_iter().max().unwrap_or(0)
    };
    clusters.iter().map(most_frequent).sum::<usize>() as f64 / digits.len() as f64
}

/// Each line is the 64 pixels of a digit, then the digit.
fn read_digits(path: &str) -> Result<(Array2<f32>, Vec<u8>), Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut pixels = Vec::new();
    let mut digits = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (row, digit) = line.rsplit_once(',').ok_or("a line without a comma")?;
        for pixel in row.split(',') {
            pixels.push(pixel.parse::<f32>()?);
        }
        digits.push(digit.parse()?);
    }
    let cols = pixels.len() / digits.len().max(1);
    Ok((
        Array2::from_shape_vec((digits.len(), cols), pixels)?,
        digits,
    ))
}
