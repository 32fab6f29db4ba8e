//! Lloyd's algorithm (Lloyd, 1957/1982; spherical form: Dhillon & Modha, 2001).

use crate::allocate::try_vec;
use crate::config::Config;
use crate::error::Result;
use crate::fit::Fit;
use crate::nearest::{Centroids, Nearest, Row};
use crate::partition::Partition;
use crate::threads::{Iteration, Threads};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::time::Instant;

/// Iterates from the given centroids until no assignment changes, the
/// relative gain falls below the tolerance, or `config.iterations` are done.
/// In the end every label is that of the nearest of the final centroids, and
/// these are the means of what the last iteration assigned to them, summed
/// from scratch.
///
/// O(n·k·d) an iteration; memory O(n + k·d) beside the data.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    mut centroids: Vec<f32>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let mut partition = Partition::new(nearest, &centroids, threads)?;
    let mut last_inertia = f64::INFINITY;
    let mut n_iter = 0;
    let mut last = false;
    let mut settled = false;
    while !last {
        n_iter += 1;
        let changed =
            partition.assign(nearest, &centroids, threads, n_iter == config.iterations)?;
        last = changed == 0 || n_iter == config.iterations;
        if threads.observed() || config.tolerance > 0.0 {
            let inertia = partition.inertia(nearest, &centroids, threads)?;
            let iteration = Iteration {
                number: n_iter,
                inertia,
                changed,
                seconds: start.elapsed().as_secs_f64(),
            };
            config.report(threads, iteration)?;
            last |= n_iter > 1 && last_inertia - inertia < config.tolerance * last_inertia;
            last_inertia = inertia;
        }
        if last {
            partition.sum_anew(nearest, threads)?;
        }
        if changed > 0 && partition.totals().counts.contains(&0) {
            let moves =
                rows_for_empty_clusters(nearest, &centroids, partition.labels(nearest), threads)?;
            partition.move_rows(nearest, &moves, threads)?;
        }
        let moved = partition.totals().write_centroids(&mut centroids);
        settled = changed == 0 && !moved;
    }
    let inertia = match settled {
        true => partition.exact_inertia(nearest, &centroids, threads)?,
        false => partition.label(nearest, &centroids, threads)?,
    };
    let (labels, inertia) =
        fill_empty_clusters(nearest, partition, &mut centroids, inertia, threads)?;

    Ok(Fit {
        inertia,
        n_iter,
        ..Fit::new(centroids, labels, config.n_clusters)
    })
}

/// Puts the centroids of empty clusters on rows, which they then win, and
/// assigns again, as long as that lowers the inertia. Returns the labels and
/// the inertia.
fn fill_empty_clusters(
    nearest: &mut Nearest<'_>,
    mut partition: Partition,
    centroids: &mut [f32],
    mut inertia: f64,
    threads: &Threads<'_>,
) -> Result<(Vec<u32>, f64)> {
    let dims = nearest.points().cols();
    loop {
        let moves =
            rows_for_empty_clusters(nearest, centroids, partition.labels(nearest), threads)?;
        if moves.is_empty() {
            break;
        }
        for (row, cluster) in moves {
            let centroid = &mut centroids[cluster as usize * dims..][..dims];
            copy_row(nearest, row, centroid)?;
        }
        let before = inertia;
        inertia = partition.label(nearest, centroids, threads)?;
        if inertia >= before {
            break;
        }
    }
    Ok((partition.into_labels(nearest), inertia))
}

/// A row for every empty cluster, as (row, cluster): those that lie farthest
/// from their centroids, equals by index, out of clusters of more than one.
/// Each would be nearer to a centroid in its own place than to any other;
/// there may be too few such rows.
fn rows_for_empty_clusters(
    nearest: &Nearest<'_>,
    centroids: &[f32],
    labels: &[u32],
    threads: &Threads<'_>,
) -> Result<Vec<(u32, u32)>> {
    let (points, metric) = (nearest.points(), nearest.metric());
    let centroids = Centroids::new(centroids, points.cols());
    let mut sizes = try_vec(0usize, centroids.len(), "cluster sizes")?;
    for &label in labels {
        sizes[label as usize] += 1;
    }
    if !sizes.contains(&0) {
        return Ok(Vec::new());
    }
    let mut distances = try_vec(0.0f64, labels.len(), "distances")?;
    nearest.distances(centroids, threads, labels, &mut distances)?;
    let mut farthest: Vec<(u64, Reverse<u32>)> = Vec::new();
    let mut empty: Vec<u32> = (0..sizes.len() as u32)
        .filter(|&j| sizes[j as usize] == 0)
        .collect();
    empty.reverse();
    farthest.extend(
        (0u32..)
            .zip(&distances)
            .filter(|&(_, &distance)| distance > 0.0)
            .map(|(row, distance)| (distance.to_bits(), Reverse(row))),
    );
    let mut farthest = BinaryHeap::from(farthest);

    let mut moves: Vec<(u32, u32)> = Vec::new();
    let mut seen = HashSet::new();
    let mut places: Vec<Vec<f32>> = Vec::new();
    let mut scratch = Vec::new();
    let mut other = Vec::new();
    while let Some(&cluster) = empty.last()
        && let Some((_, Reverse(row))) = farthest.pop()
    {
        let label = labels[row as usize] as usize;
        let values = points.row(row as usize, &mut scratch)?;
        let bits: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
        if sizes[label] <= 1 || !seen.insert(bits) {
            continue;
        }
        let mut place = values.to_vec();
        metric.normalize(&mut place);
        let distance = Row::new(values, metric).distance(&place);
        let mut distinct = distance < distances[row as usize];
        for (there, &(taken, _)) in places.iter().zip(&moves) {
            let taken = Row::new(points.row(taken as usize, &mut other)?, metric);
            distinct = distinct
                && distance < Row::new(values, metric).distance(there)
                && taken.distance(there) < taken.distance(&place);
            if !distinct {
                break;
            }
        }
        if distinct {
            sizes[label] -= 1;
            empty.pop();
            moves.push((row, cluster));
            places.push(place);
        }
    }
    Ok(moves)
}

/// A row as a centroid.
fn copy_row(nearest: &Nearest<'_>, row: u32, centroid: &mut [f32]) -> Result<()> {
    let mut scratch = Vec::new();
    centroid.copy_from_slice(nearest.points().row(row as usize, &mut scratch)?);
    nearest.metric().normalize(centroid);
    Ok(())
}

#[cfg(test)]
mod tests;
