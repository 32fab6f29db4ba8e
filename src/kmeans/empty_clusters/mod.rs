//! Rows for clusters that have none.
//!
//! The farthest rows get clusters of their own. Which ones depends on their
//! values alone, not on their order or on how they are cut into blocks: of
//! equally far ones the one with the lesser fingerprint comes first.

mod farthest;
mod row_set;

use crate::allocate::{collect, extend, push, try_vec, with_capacity};
use crate::clusters::UNASSIGNED;
use crate::equal_rows::fingerprint;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Nearest, Row};
use crate::points::Points;
use crate::seeding::as_centroids;
use crate::threads::Threads;
use farthest::Farthest;
pub(crate) use row_set::RowSet;
use std::cmp::{Ordering, Reverse};

/// Rows that are likely wanted.
const FEW: usize = 256;

/// Rows for the empty clusters, as (row, cluster) with all rows of equal
/// values: those that lie farthest from their centroids. Each would be nearer
/// to a centroid in its own place than to any other. The nearest row of a
/// cluster stays. There may be too few such rows.
///
/// `measure` writes how far each row is from the centroid of its cluster.
///
/// A pass over the data, and for each cluster that is empty some
/// O(dims + log rows); with cosine also a search of as many rows among as many
/// centroids.
pub(crate) fn rows_for_empty_clusters(
    nearest: &Nearest<'_>,
    (labels, n_clusters): (&[u32], usize),
    threads: &Threads<'_>,
    measure: impl FnOnce(&mut [f64]) -> Result<()>,
) -> Result<Vec<(u32, u32)>> {
    let empty = empty_clusters(labels, n_clusters, threads)?;
    if empty.is_empty() {
        return Ok(Vec::new());
    }
    let mut distances = threads.try_vec(0.0f64, labels.len(), "distances")?;
    measure(&mut distances)?;
    let mut search = FarthestRows::new(nearest, labels, &distances, n_clusters, threads)?;
    search.find(most_candidates(nearest.metric(), empty.len()), threads)?;

    // The cluster of each of the different rows.
    let mut clusters = try_vec(UNASSIGNED, search.distinct.len(), "empty clusters")?;
    for (place, cluster) in search.chosen(threads)?.into_iter().zip(empty) {
        clusters[place as usize] = cluster;
    }
    let moves = search.found.iter();
    let moves = moves.map(|&(row, place)| (row, clusters[place as usize]));
    collect(
        moves.filter(|&(_, cluster)| cluster != UNASSIGNED),
        "moved rows",
    )
}

/// Puts centroids (clusters × dimensions) on rows, given as (row, cluster).
pub(crate) fn put_on_rows(
    nearest: &Nearest<'_>,
    moves: &[(u32, u32)],
    centroids: &mut [f32],
) -> Result<()> {
    let (points, mut scratch) = (nearest.points(), Vec::new());
    for &(row, cluster) in moves {
        let centroid = &mut centroids[cluster as usize * points.cols()..][..points.cols()];
        let values = points.row(row as usize, &mut scratch)?;
        for (centroid, value) in centroid.iter_mut().zip(values) {
            *centroid = value + 0.0; // the same bits whichever of equal rows it is
        }
        nearest.metric().normalize(centroid);
    }
    Ok(())
}

/// Rows of different values that compete for so many empty clusters, at most.
/// A distance is 0 between equal rows alone; but of directions that are almost
/// the same, not each may win the row in its place.
pub(crate) fn most_candidates(metric: Metric, empty: usize) -> usize {
    const RIVALS: usize = 256;
    match metric {
        Metric::Euclidean => empty,
        Metric::Cosine => 2 * empty + RIVALS,
    }
}

fn empty_clusters(labels: &[u32], n_clusters: usize, threads: &Threads<'_>) -> Result<Vec<u32>> {
    let mut is_empty = try_vec(true, n_clusters, "cluster sizes")?;
    threads.in_steps(labels.len(), |rows| {
        for &label in &labels[rows] {
            is_empty[label as usize] = false;
        }
        Ok(())
    })?;
    let clusters = (0..n_clusters as u32).filter(|&j| is_empty[j as usize]);
    collect(clusters, "empty clusters")
}

/// The row of each cluster that comes last, rows of weight 0 aside: the nearest
/// to its centroid, of equally near ones that with the greatest fingerprint.
fn last_rows(
    points: &Points<'_>,
    labels: &[u32],
    distances: &[f64],
    n_clusters: usize,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    let mut rows = try_vec(UNASSIGNED, n_clusters, "nearest rows")?;
    let mut scratch = Vec::new();
    let mut mark = |row: u32| Ok(fingerprint(points.row(row as usize, &mut scratch)?));
    let weighted = points.is_weighted();
    threads.in_steps(labels.len(), |part| {
        for row in part {
            if weighted && points.weight(row) == 0.0 {
                continue;
            }
            let last = &mut rows[labels[row] as usize];
            let order = match *last {
                UNASSIGNED => Ordering::Less,
                last => distances[row].total_cmp(&distances[last as usize]),
            };
            let is_later = match order {
                Ordering::Less => true,
                Ordering::Greater => false,
                // Rows in the place of their centroid stay anyway.
                Ordering::Equal => distances[row] > 0.0 && mark(row as u32)? > mark(*last)?,
            };
            if is_later {
                *last = row as u32;
            }
        }
        Ok(())
    })?;
    Ok(rows)
}

/// A row that may leave its cluster, unless it is the last there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Among the different rows that were found.
    pub place: u32,
    /// The first that was found of the rows of these values.
    pub row: u32,
    pub distance: f64,
    pub fingerprint: u32,
    /// Whether it is the last of its cluster.
    pub stays: bool,
}

/// Looks for rows that may leave their clusters, the farthest first.
pub(crate) struct FarthestRows<'a> {
    nearest: &'a Nearest<'a>,
    labels: &'a [u32],
    distances: &'a [f64],
    /// See [`last_rows`].
    pub last: Vec<u32>,
    farthest: Farthest<'a>,
    distinct: RowSet<'a>,
    /// With cosine, those that differ in direction too.
    directions: RowSet<'a>,
    /// Rows, with the place of their values among the distinct.
    pub found: Vec<(u32, u32)>,
    /// In order.
    pub ranked: Vec<Candidate>,
    values: (Vec<f32>, Vec<f32>),
}

impl<'a> FarthestRows<'a> {
    /// `distances`: to the centroids of the clusters that `labels` name.
    pub fn new(
        nearest: &'a Nearest<'a>,
        labels: &'a [u32],
        distances: &'a [f64],
        n_clusters: usize,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let points = nearest.points();
        Ok(FarthestRows {
            nearest,
            labels,
            distances,
            last: last_rows(points, labels, distances, n_clusters, threads)?,
            farthest: Farthest::new(distances, FEW, threads)?,
            distinct: RowSet::new(points, Metric::Euclidean)?,
            directions: RowSet::new(points, Metric::Cosine)?,
            found: Vec::new(),
            ranked: Vec::new(),
            values: (Vec::new(), Vec::new()),
        })
    }

    pub fn fingerprint(&self, row: u32) -> Result<u32> {
        let mut scratch = Vec::new();
        let values = self.nearest.points().row(row as usize, &mut scratch)?;
        Ok(fingerprint(values))
    }

    /// Ranks rows of different values until `most` of them may leave.
    pub fn find(&mut self, most: usize, threads: &Threads<'_>) -> Result<()> {
        let points = self.nearest.points();
        let mut leaving = 0;
        while leaving < most
            && let Some((distance, _)) = self.farthest.first()
        {
            // Equal rows are at the same distance, so they come together.
            let known = self.distinct.len();
            while let Some((next, Reverse(row))) = self.farthest.first()
                && next == distance
            {
                self.farthest.remove_first()?;
                let values = points.row(row as usize, &mut self.values.0)?;
                let place = self.distinct.insert(row, values)?;
                push(&mut self.found, (row, place as u32), "moved rows")?;
                threads.poll()?;
            }
            leaving += self.rank(known, f64::from_bits(distance), most - leaving)?;
        }
        Ok(())
    }

    /// Ranks the rows from place `known` on, all equally far, until `most` may
    /// leave; returns how many do.
    fn rank(&mut self, known: usize, distance: f64, most: usize) -> Result<usize> {
        let points = self.nearest.points();
        let mut equally_far = with_capacity(self.distinct.len() - known, "farthest rows")?;
        for place in known..self.distinct.len() {
            let row = self.distinct.row(place);
            equally_far.push(Candidate {
                place: place as u32,
                row,
                distance,
                fingerprint: fingerprint(points.row(row as usize, &mut self.values.0)?),
                stays: false,
            });
        }
        equally_far.sort_unstable_by_key(|candidate| candidate.fingerprint);
        self.settle_ties(&mut equally_far)?;
        let mut leaving = 0;
        for mut candidate in equally_far {
            if leaving == most {
                break;
            }
            if self.may_leave(&mut candidate)? {
                leaving += usize::from(!candidate.stays);
                push(&mut self.ranked, candidate, "farthest rows")?;
            }
        }
        Ok(leaving)
    }

    /// Rows whose fingerprints are the same come by their values.
    fn settle_ties(&mut self, candidates: &mut [Candidate]) -> Result<()> {
        let points = self.nearest.points();
        for end in 1..candidates.len() {
            for at in (1..=end).rev() {
                let [before, after] = [candidates[at - 1], candidates[at]];
                if before.fingerprint != after.fingerprint {
                    break;
                }
                let before = points.row(before.row as usize, &mut self.values.0)?;
                let after = points.row(after.row as usize, &mut self.values.1)?;
                if compare(before, after) != Ordering::Greater {
                    break;
                }
                candidates.swap(at - 1, at);
            }
        }
        Ok(())
    }

    /// Whether a centroid in the row's own place would be nearer than that of
    /// its cluster, and no row before is in that place; notes whether it stays.
    fn may_leave(&mut self, candidate: &mut Candidate) -> Result<bool> {
        let (points, metric) = (self.nearest.points(), self.nearest.metric());
        let last = self.last[self.labels[candidate.row as usize] as usize];
        candidate.stays = candidate.distance == self.distances[last as usize]
            && candidate.fingerprint == fingerprint(points.row(last as usize, &mut self.values.0)?);
        if metric == Metric::Euclidean {
            return Ok(true);
        }
        let values = points.row(candidate.row as usize, &mut self.values.0)?;
        let place = &mut self.values.1;
        place.clear();
        extend(place, values.iter().copied(), "a row")?;
        metric.normalize(place);
        if Row::new(values, metric).distance(place) >= candidate.distance {
            return Ok(false);
        }
        let known = self.directions.len();
        Ok(candidate.stays || self.directions.insert(candidate.row, place)? == known)
    }

    /// The places of those that leave, in order: each keeps a row when all of
    /// them are centroids.
    fn chosen(&self, threads: &Threads<'_>) -> Result<Vec<u32>> {
        let leaving = self.ranked.iter().filter(|candidate| !candidate.stays);
        let mut places = collect(leaving.clone().map(|leaves| leaves.place), "chosen rows")?;
        if self.nearest.metric() == Metric::Cosine && !places.is_empty() {
            let rows = collect(leaving.map(|leaves| leaves.row), "chosen rows")?;
            let points = self.nearest.points().select(&rows);
            let wins = winners(self.nearest.child(&points, 1), threads)?;
            let mut wins = wins.into_iter();
            places.retain(|_| wins.next() == Some(true));
        }
        Ok(places)
    }
}

/// Whether each of some rows, in whose own place a centroid is put, is the nearest of some
/// row there.
pub(crate) fn winners(mut nearest: Nearest<'_>, threads: &Threads<'_>) -> Result<Vec<bool>> {
    let points = nearest.points();
    let places = as_centroids(points, nearest.metric(), true, threads)?;
    let mut labels = try_vec(UNASSIGNED, points.rows(), "labels")?;
    nearest.label(&places, (&mut labels, None), threads)?;
    let mut wins = try_vec(false, points.rows(), "chosen rows")?;
    for label in labels {
        wins[label as usize] = true;
    }
    Ok(wins)
}

/// The order of rows by their values.
pub(crate) fn compare(a: &[f32], b: &[f32]) -> Ordering {
    // Zeros of either sign are equal.
    let pairs = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a + 0.0).total_cmp(&(b + 0.0)));
    pairs.fold(Ordering::Equal, Ordering::then)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::KMeansError;
    use crate::nearest::Shared;
    use crate::nearest::{Centroids, Request};
    use crate::rng::Rng;
    use ndarray::Array2;
    use std::ops::ControlFlow;

    /// What the documentation says, every row compared with every other.
    fn plainly(
        data: &Array2<f32>,
        metric: Metric,
        centroids: &[f32],
        labels: &[u32],
    ) -> Vec<(u32, u32)> {
        let dims = data.ncols();
        let row = |i: usize| data.row(i).to_slice().unwrap().to_vec();
        let distances: Vec<f64> = (0..data.nrows())
            .map(|i| {
                let centroid = &centroids[labels[i] as usize * dims..][..dims];
                Row::new(&row(i), metric).distance(centroid)
            })
            .collect();
        let mut order: Vec<usize> = (0..data.nrows()).collect();
        let mark = |i: usize| fingerprint(&row(i));
        let by_rank = |a: usize, b: usize| {
            let order = distances[b].total_cmp(&distances[a]);
            order.then_with(|| mark(a).cmp(&mark(b)))
        };
        order.sort_by(|&a, &b| by_rank(a, b).then(a.cmp(&b)));
        let mut empty = (0..(centroids.len() / dims) as u32).filter(|j| !labels.contains(j));
        let mut taken: Vec<(usize, u32)> = Vec::new();
        let mut moves = Vec::new();
        for &i in &order {
            let mates = (0..order.len()).filter(|&other| labels[other] == labels[i]);
            let stays = mates.max_by(|&a, &b| by_rank(a, b)).unwrap();
            if distances[i] <= 0.0 || row(i) == row(stays) {
                continue;
            }
            let equal = taken.iter().find(|&&(other, _)| row(other) == row(i));
            let cluster = equal.map(|&(_, cluster)| cluster).or_else(|| empty.next());
            if let Some(cluster) = cluster {
                taken.push((i, cluster));
                moves.push((i as u32, cluster));
            }
        }
        moves.sort_unstable();
        moves
    }

    /// Rows of few different values, and how they are assigned to centroids of
    /// which only the first `near` are near.
    fn problem(
        rows: usize,
        k: usize,
        near: usize,
        metric: Metric,
    ) -> (Array2<f32>, Vec<f32>, Vec<u32>) {
        let mut rng = Rng::new((rows + k) as u64);
        let data = Array2::from_shape_fn((rows, 3), |_| 1.0 + rng.below(12) as f32);
        let mut centroids: Vec<f32> = (0..3 * k)
            .map(|at| {
                if at < 3 * near {
                    (1 + at % 7) as f32
                } else {
                    -1e3 - at as f32
                }
            })
            .collect();
        centroids
            .chunks_exact_mut(3)
            .for_each(|c| metric.normalize(c));
        let points = Points::from(data.view());
        let mut labels = vec![UNASSIGNED; rows];
        let threads = Threads::exactly(1, None).unwrap();
        let shared = Shared::new(&points, metric, None).unwrap();
        let request = Request::nearest(Centroids::new(&centroids, 3), &mut labels, None);
        shared
            .nearest(&points, 1)
            .search(request, &threads)
            .unwrap();
        (data, centroids, labels)
    }

    fn moves_of(
        nearest: &Nearest<'_>,
        centroids: &[f32],
        labels: &[u32],
        threads: &Threads<'_>,
    ) -> Result<Vec<(u32, u32)>> {
        let places = Centroids::new(centroids, 3);
        let clusters = (labels, places.len());
        rows_for_empty_clusters(nearest, clusters, threads, |distances| {
            nearest.distances(places, threads, labels, distances)
        })
    }

    #[test]
    fn the_farthest_rows_are_found_whatever_the_blocks() {
        for (rows, k, near) in [(300, 40, 3), (500, 490, 20), (90, 80, 1), (2000, 300, 5)] {
            let (data, centroids, labels) = problem(rows, k, near, Metric::Euclidean);
            let expected = plainly(&data, Metric::Euclidean, &centroids, &labels);
            let points = Points::from(data.view());
            let shared = Shared::new(&points, Metric::Euclidean, None).unwrap();
            let nearest = shared.nearest(&points, 1);
            for count in [1, 3] {
                let threads = Threads::exactly(count, None).unwrap();
                let mut moves = moves_of(&nearest, &centroids, &labels, &threads).unwrap();
                moves.sort_unstable();
                assert_eq!(moves, expected);
            }
        }
    }

    #[test]
    fn every_place_is_the_nearest_of_a_row() {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let (data, mut centroids, labels) = problem(3000, 400, 2, metric);
            let points = Points::from(data.view());
            let shared = Shared::new(&points, metric, None).unwrap();
            let mut nearest = shared.nearest(&points, 1);
            let threads = Threads::exactly(1, None).unwrap();
            let moves = moves_of(&nearest, &centroids, &labels, &threads).unwrap();
            for &(row, cluster) in &moves {
                let place = &mut centroids[3 * cluster as usize..][..3];
                place.copy_from_slice(data.row(row as usize).to_slice().unwrap());
                metric.normalize(place);
            }
            let mut after = vec![UNASSIGNED; labels.len()];
            let centroids = Centroids::new(&centroids, 3);
            let request = Request::nearest(centroids, &mut after, None);
            nearest.search(request, &threads).unwrap();
            let mut filled: Vec<u32> = moves.iter().map(|&(_, cluster)| cluster).collect();
            filled.sort_unstable();
            filled.dedup();
            assert!(filled.len() > 390, "{}", filled.len());
            for cluster in filled {
                assert!(after.contains(&cluster));
            }
        }
    }

    #[test]
    fn can_be_cancelled() {
        let (data, centroids, labels) = problem(900, 60, 2, Metric::Cosine);
        let points = Points::from(data.view());
        let shared = Shared::new(&points, Metric::Cosine, None).unwrap();
        let nearest = shared.nearest(&points, 1);
        let mut stop =
            |_: crate::threads::Event<'_>| ControlFlow::Break(crate::threads::End::Cancel);
        let threads = Threads::exactly(1, Some(&mut stop)).unwrap();
        std::thread::sleep(crate::threads::POLL_INTERVAL);
        let result = moves_of(&nearest, &centroids, &labels, &threads);
        assert_eq!(result, Err(KMeansError::Cancelled));
    }
}
