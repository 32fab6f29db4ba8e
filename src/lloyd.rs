//! Lloyd's algorithm (Lloyd, 1957/1982; spherical form: Dhillon & Modha, 2001).

use crate::clusters::Clusters;
use crate::config::Config;
use crate::error::{Result, try_vec};
use crate::fit::Fit;
use crate::nearest::{Centroids, Nearest, UNASSIGNED};
use crate::threads::{Iteration, Threads};
use crate::update::update_centroids;
use ndarray::Array2;
use std::collections::HashSet;
use std::time::Instant;

/// Iterates from the given centroids until no assignment changes, the
/// relative gain falls below the tolerance, or `config.iterations` are done;
/// then labels every row by the final centroids.
///
/// O(n·k·d) an iteration; memory O(n + k·d) beside the data.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    mut centroids: Vec<f32>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let (rows, dims) = (nearest.points().rows(), nearest.points().cols());
    let mut labels = try_vec(UNASSIGNED, rows, "labels")?;
    let mut distances = try_vec(0.0f64, rows, "distances")?;
    let mut last_inertia = f64::INFINITY;
    let mut n_iter = 0;
    let mut converged = false;
    while n_iter < config.iterations && !converged {
        n_iter += 1;
        let current = Centroids::new(&centroids, dims);
        let changed = nearest.assign(current, threads, &mut labels, Some(&mut distances))?;
        let inertia = sum(&distances);
        config.report(
            threads,
            Iteration {
                number: n_iter,
                inertia,
                changed,
                seconds: start.elapsed().as_secs_f64(),
            },
        )?;
        let gain = last_inertia - inertia;
        converged = changed == 0 || (n_iter > 1 && gain < config.tolerance * last_inertia);
        last_inertia = inertia;
        if changed > 0 {
            fill_empty_clusters(nearest, &centroids, &mut labels, &distances)?;
            let clusters = Clusters::from_labels(&labels, 1, config.n_clusters)?;
            update_centroids(
                nearest.points(),
                nearest.metric(),
                &clusters,
                threads,
                &mut centroids,
            )?;
        }
    }
    let current = Centroids::new(&centroids, dims);
    nearest.assign(current, threads, &mut labels, Some(&mut distances))?;
    let mut inertia = sum(&distances);
    // A centroid on a row of its own takes at least that row, so every round
    // lowers the inertia; rounds end when nothing more can be gained.
    loop {
        let before = inertia;
        let moved = fill_empty_clusters(nearest, &centroids, &mut labels, &distances)?;
        if moved.is_empty() {
            break;
        }
        for (cluster, row) in moved {
            let mut scratch = Vec::new();
            let centroid = &mut centroids[cluster * dims..][..dims];
            centroid.copy_from_slice(nearest.points().row(row as usize, &mut scratch));
            nearest.metric().normalize(centroid);
        }
        let current = Centroids::new(&centroids, dims);
        nearest.assign(current, threads, &mut labels, Some(&mut distances))?;
        inertia = sum(&distances);
        if inertia >= before {
            break;
        }
    }
    let mut fit = Fit {
        centroids: Array2::from_shape_vec((config.n_clusters, dims), centroids)
            .expect("n_clusters x dims values"),
        labels,
        inertia,
        n_iter,
        medoids: None,
        info: None,
        warnings: Vec::new(),
    };
    let empty = fit
        .cluster_sizes()
        .iter()
        .filter(|&&size| size == 0)
        .count();
    if empty > 0 {
        fit.warnings.push(format!(
            "{empty} of {} clusters are empty: the data has fewer distinct points than clusters; use fewer clusters",
            config.n_clusters
        ));
    }
    Ok(fit)
}

/// Gives every empty cluster the row that lies farthest from its centroid,
/// out of a cluster of more than one; equals by index, no row value twice.
/// Rows at distance 0 stay. Returns (cluster, row) of each move.
fn fill_empty_clusters(
    nearest: &Nearest<'_>,
    centroids: &[f32],
    labels: &mut [u32],
    distances: &[f64],
) -> Result<Vec<(usize, u32)>> {
    let mut sizes = try_vec(0usize, centroids.len() / nearest.points().cols(), "sizes")?;
    for &label in labels.iter() {
        sizes[label as usize] += 1;
    }
    let mut empty = (0..sizes.len())
        .filter(|&j| sizes[j] == 0)
        .collect::<Vec<_>>();
    if empty.is_empty() {
        return Ok(Vec::new());
    }
    empty.reverse();
    let mut farthest: Vec<u32> = (0..labels.len() as u32)
        .filter(|&i| distances[i as usize] > 0.0)
        .collect();
    farthest.sort_unstable_by(|&a, &b| {
        distances[b as usize]
            .total_cmp(&distances[a as usize])
            .then(a.cmp(&b))
    });
    let mut taken = HashSet::new();
    let mut scratch = Vec::new();
    let mut moved = Vec::new();
    for row in farthest {
        let Some(&cluster) = empty.last() else { break };
        let label = &mut labels[row as usize];
        if sizes[*label as usize] <= 1 {
            continue;
        }
        let values = nearest.points().row(row as usize, &mut scratch);
        let bits: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
        if taken.insert(bits) {
            sizes[*label as usize] -= 1;
            *label = cluster as u32;
            sizes[cluster] = 1;
            empty.pop();
            moved.push((cluster, row));
        }
    }
    Ok(moved)
}

/// In order, so that the bits do not depend on the number of threads.
pub(crate) fn sum(distances: &[f64]) -> f64 {
    distances.iter().sum()
}
