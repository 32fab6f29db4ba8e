//! Another start: iterations under a penalty on cluster sizes that grows (after
//! de Maeyer, Sieranoja & Fränti, 2023, *Balanced k-means revisited*). It finds
//! which clusters should give and which take while centroids still move.

use crate::allocate::try_vec;
use crate::config::Config;
use crate::error::Result;
use crate::kmeans::clustering::Clustering;
use crate::kmeans::partition::Partition;
use crate::nearest::{Centroids, Nearest};
use crate::threads::Threads;

const ITERATIONS: usize = 20;

/// The penalty for a row above the mean size, at first and at last, as a part
/// of what makes a cluster of twice the size as dear as a mean distance.
const FIRST: f64 = 0.01;
const LAST: f64 = 1.0;

/// How far prices follow the sizes in an iteration; all the way they swing.
const FOLLOW: f64 = 0.5;

/// Moves first centroids (n_clusters × dimensions) to where clusters are about
/// balanced. Takes as many plain assignments as there are iterations.
pub(crate) fn relax(
    nearest: &mut Nearest<'_>,
    config: &Config,
    mut centroids: Vec<f32>,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let (rows, cols) = (nearest.points().rows(), nearest.points().cols());
    let mean_size = rows as f64 / config.n_clusters as f64;
    let mut partition = Partition::new(nearest, Centroids::new(&centroids, cols), threads)?;
    let mut prices = try_vec(0.0, config.n_clusters, "prices")?;
    let mut unit = 0.0;
    for t in 0..ITERATIONS {
        let priced = Centroids::new(&centroids, cols).with_bias(&prices);
        partition.assign(priced, threads)?;
        if t == 0 {
            let inertia = partition.inertia(Centroids::new(&centroids, cols), threads)?;
            unit = inertia / rows as f64 / mean_size;
        }
        let totals = partition.totals();
        totals.write_centroids(&mut centroids, threads)?;
        let grown = (LAST / FIRST).powf(t as f64 / (ITERATIONS - 1) as f64);
        let penalty = unit * FIRST * grown;
        for (price, &size) in prices.iter_mut().zip(&partition.totals().counts) {
            *price += FOLLOW * (penalty * (size as f64 - mean_size) - *price);
        }
        threads.poll()?;
        if threads.stopping() {
            break;
        }
    }
    Ok(centroids)
}
