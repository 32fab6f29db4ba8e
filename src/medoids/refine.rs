//! From medoids of a sample to medoids of all rows.

use super::distances::{Scaled, Scratch, TILE};
use super::streaming;
use crate::allocate::try_vec;
use crate::clusters::Clusters;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, Row, UNASSIGNED};
use crate::rng::Rng;
use crate::seeding::copy_rows;
use crate::threads::Threads;
use crate::update::update_centroids;

/// Rounds at most.
const ROUNDS: usize = 3;

/// Members of each cluster that are tried as its medoid.
const TRIED: usize = 256;

/// Central members that are candidates, of all clusters together, at least.
const FEWEST_CENTRAL: usize = 2_000;

/// Members per task.
const TASK_MEMBERS: usize = 8 * TILE;

/// Rows by medoids, and how far they are.
pub(crate) struct Assignment {
    pub medoids: Vec<usize>,
    /// The medoids' values: n_clusters × dims.
    pub centroids: Vec<f32>,
    pub labels: Vec<u32>,
    /// Canonical distances to the medoids, not squared.
    pub distances: Vec<f64>,
    pub inertia: f64,
}

impl Assignment {
    /// Every row to its nearest medoid.
    pub fn new(
        nearest: &mut Nearest<'_>,
        medoids: Vec<usize>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let points = nearest.points();
        let mut assignment = Assignment {
            centroids: copy_rows(points, nearest.metric(), &medoids)?,
            medoids,
            labels: try_vec(UNASSIGNED, points.rows(), "labels")?,
            distances: try_vec(0.0f64, points.rows(), "distances")?,
            inertia: 0.0,
        };
        let centroids = Centroids::new(&assignment.centroids, points.cols());
        let distances = &mut assignment.distances;
        nearest.assign(centroids, threads, &mut assignment.labels, Some(distances))?;
        for distance in distances.iter_mut() {
            *distance = unsquared(*distance, nearest.metric());
        }
        assignment.inertia = distances.iter().sum();
        Ok(assignment)
    }
}

fn unsquared(distance: f64, metric: Metric) -> f64 {
    match metric {
        Metric::Euclidean => distance.sqrt(),
        Metric::Cosine => distance,
    }
}

/// Swaps on, judged by all rows or many. Candidates are all rows where the
/// work allows it, else the most central members of each cluster, found anew
/// while the inertia falls. Clusters that are empty get a row of their own.
///
/// `cells` bounds the distances that are kept.
pub(crate) fn refine(
    nearest: &mut Nearest<'_>,
    scaled: &Scaled<'_>,
    mut medoids: Vec<usize>,
    cells: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Assignment> {
    let try_all = streaming::can_try_all(scaled, medoids.len(), cells);
    if try_all {
        let candidates = rng.distinct(scaled.rows(), scaled.rows());
        medoids = streaming::swap(scaled, medoids, &candidates, cells, rng, threads)?;
    }
    let mut best = Assignment::new(nearest, medoids, threads)?;
    let filled = fill_empty_clusters(nearest, &best, threads)?;
    if filled != best.medoids {
        best = Assignment::new(nearest, filled, threads)?;
    }
    let rounds = if try_all { 0 } else { ROUNDS };
    for _ in 0..rounds {
        let central = central_members(nearest, scaled, &best, threads)?;
        let mut medoids: Vec<usize> = central.iter().map(|members| members[0]).collect();
        let share = FEWEST_CENTRAL.div_ceil(medoids.len());
        let candidates: Vec<usize> = central
            .iter()
            .flat_map(|members| members.iter().take(share).copied())
            .collect();
        medoids = streaming::swap(scaled, medoids, &candidates, cells, rng, threads)?;
        let next = Assignment::new(nearest, medoids, threads)?;
        let gain = best.inertia - next.inertia;
        if gain > 0.0 {
            best = next;
        }
        if gain <= streaming::WORTHWHILE * best.inertia {
            break;
        }
    }
    Ok(best)
}

/// For each empty cluster the row that is farthest from all medoids, as long
/// as there are rows that equal none.
fn fill_empty_clusters(
    nearest: &Nearest<'_>,
    current: &Assignment,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let (points, metric) = (nearest.points(), nearest.metric());
    let clusters = Clusters::from_labels(&current.labels, 1, current.medoids.len(), threads)?;
    let mut medoids = current.medoids.clone();
    let mut least = current.distances.clone();
    for (cluster, medoid) in medoids.iter_mut().enumerate() {
        if clusters.size(cluster) > 0 {
            continue;
        }
        let order = |a: &(usize, &f64), b: &(usize, &f64)| a.1.total_cmp(b.1).then(b.0.cmp(&a.0));
        let Some((row, &distance)) = least.iter().enumerate().max_by(order) else {
            break;
        };
        if distance <= 0.0 {
            break;
        }
        *medoid = row;
        let values = copy_rows(points, metric, &[row])?;
        let tasks = least.chunks_mut(TASK_MEMBERS).enumerate();
        threads.run(tasks, Vec::new, |scratch, (task, least)| {
            let first = task * TASK_MEMBERS;
            let block = points.block(first..first + least.len(), scratch)?;
            for (least, row) in least.iter_mut().zip(block.chunks_exact(points.cols())) {
                let distance = Row::new(row, metric).distance(&values);
                *least = least.min(unsquared(distance, metric));
            }
            Ok(())
        })?;
        least[row] = 0.0;
    }
    Ok(medoids)
}

/// For each cluster its medoid and the members nearest to its mean; first
/// those with the least sums of distances to all members. O(n·d·256).
fn central_members(
    nearest: &Nearest<'_>,
    scaled: &Scaled<'_>,
    current: &Assignment,
    threads: &Threads<'_>,
) -> Result<Vec<Vec<usize>>> {
    let points = nearest.points();
    let clusters = Clusters::from_labels(&current.labels, 1, current.medoids.len(), threads)?;
    let mut means = current.centroids.clone();
    update_centroids(points, nearest.metric(), &clusters, threads, &mut means)?;
    let mut to_mean = try_vec(0.0f64, points.rows(), "distances to means")?;
    let means = Centroids::new(&means, points.cols());
    nearest.distances(means, threads, &current.labels, &mut to_mean)?;

    let tried: Vec<Vec<usize>> = (current.medoids.iter().enumerate())
        .map(|(cluster, &medoid)| {
            let mut tried = rows_of(clusters.members(cluster));
            tried.retain(|&row| row != medoid);
            if tried.len() > TRIED {
                let order =
                    |a: &usize, b: &usize| to_mean[*a].total_cmp(&to_mean[*b]).then(a.cmp(b));
                tried.select_nth_unstable_by(TRIED, order);
                tried.truncate(TRIED);
                tried.sort_unstable();
            }
            tried.insert(0, medoid);
            tried
        })
        .collect();
    let tasks: Vec<(usize, &[u32])> = (0..tried.len())
        .flat_map(|cluster| {
            let parts = clusters.members(cluster).chunks(TASK_MEMBERS);
            parts.map(move |members| (cluster, members))
        })
        .collect();
    let mut parts = vec![Vec::new(); tasks.len()];
    threads.run(
        tasks.iter().zip(&mut parts),
        Scratch::default,
        |scratch, (&(cluster, members), part)| {
            *part = scaled.sums(&tried[cluster], &rows_of(members), scratch)?;
            Ok(())
        },
    )?;
    let mut sums: Vec<Vec<f64>> = tried.iter().map(|tried| vec![0.0; tried.len()]).collect();
    for (&(cluster, _), part) in tasks.iter().zip(&parts) {
        for (sum, part) in sums[cluster].iter_mut().zip(part) {
            *sum += part;
        }
    }
    let ranked = |(tried, sums): (Vec<usize>, Vec<f64>)| {
        let mut order: Vec<usize> = (0..tried.len()).collect();
        order.sort_by(|&a, &b| sums[a].total_cmp(&sums[b]));
        order.into_iter().map(|place| tried[place]).collect()
    };
    Ok(tried.into_iter().zip(sums).map(ranked).collect())
}

fn rows_of(members: &[u32]) -> Vec<usize> {
    members.iter().map(|&row| row as usize).collect()
}
