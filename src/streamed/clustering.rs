//! The rows of a source in clusters: labels in memory, rows block by block.

use super::stream::{Stream, Which};
use crate::allocate::{collect, push, refill, resize, try_vec};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::accumulate::Sign;
use crate::kmeans::clustering::{Clustering, Complete, Spread, spread};
use crate::kmeans::empty_clusters::compare;
use crate::kmeans::swaps::{DenseSet, Swappable, settle};
use crate::metric::Metric;
use crate::nearest::{Blocks, Centroids, Kept, Request, Shared};
use crate::partial::candidates::Candidates;
use crate::seeding::Work;
use crate::threads::Threads;
use crate::totals::{Changes, ExactSum, Totals};
use crate::unrepeated::Unrepeated;

pub(super) struct Streamed<'c, 's> {
    stream: &'c mut Stream<'s>,
    rows: &'c Unrepeated,
    blocks: Blocks,
    /// Of each block, by number.
    kept: &'c mut Vec<Option<Kept>>,
    labels: Vec<u32>,
    spread: Spread,
    metric: Metric,
    /// Whether the inertia will be asked for after each assignment.
    measures: bool,
}

/// Rows that go to clusters that are empty.
struct Moves {
    /// With their clusters, ascending.
    rows: Vec<(u32, u32)>,
    /// Each cluster with a row that goes there, as it is.
    places: Vec<(u32, Vec<f32>)>,
    changes: Changes,
}

impl<'c, 's> Streamed<'c, 's> {
    /// Of rows that are in no cluster yet.
    pub fn new(
        (stream, rows): (&'c mut Stream<'s>, &'c Unrepeated),
        (blocks, kept): (Blocks, &'c mut Vec<Option<Kept>>),
        centroids: Centroids<'_>,
        measures: bool,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let metric = blocks.grid().metric();
        Ok(Streamed {
            labels: threads.try_vec(UNASSIGNED, stream.positive, "labels")?,
            spread: Spread::new(centroids, metric)?,
            stream,
            rows,
            blocks,
            kept,
            metric,
            measures,
        })
    }

    fn empty_clusters(&self, n_clusters: usize) -> Result<Vec<u64>> {
        let mut counts = try_vec(0u64, n_clusters, "cluster sizes")?;
        for &label in &self.labels {
            counts[label as usize] += 1;
        }
        Ok(counts)
    }

    /// Which rows go to which empty clusters: two passes. `None` if no cluster is
    /// empty, or no row may go.
    fn moves(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<Option<Moves>> {
        const PURPOSE: &str = "moved rows";
        let counts = self.empty_clusters(centroids.len())?;
        let empty: Vec<u32> = collect(
            (0u32..)
                .zip(&counts)
                .filter(|(_, count)| **count == 0)
                .map(|(j, _)| j),
            "empty clusters",
        )?;
        if empty.is_empty() {
            return Ok(None);
        }
        let dims = centroids.dims;
        let (blocks, labels) = (&self.blocks, &self.labels);
        let mut far: Option<Candidates> = None;
        let mut rows: Vec<u32> = Vec::new();
        let mut distances = Vec::new();
        self.stream.pass(Which::Positive, threads, |part| {
            let labels = &labels[part.first..][..part.points.rows()];
            resize(&mut distances, labels.len(), 0.0, "distances")?;
            let nearest = blocks.once(part.points);
            let distances = &mut distances[..labels.len()];
            nearest.distances(centroids, threads, labels, distances)?;
            let sums = (blocks.grid().try_clone()?, &counts[..]);
            let (own, found) = Candidates::find(&nearest, sums, labels, distances, threads)?;
            for row in found {
                push(&mut rows, part.first as u32 + row, PURPOSE)?;
            }
            far = Some(match &far {
                Some(far) => far.merge(&own, self.metric, empty.len(), dims)?,
                None => own,
            });
            Ok(())
        })?;
        let Some(far) = far else {
            return Ok(None);
        };
        // The clusters of the rows that leave, by fingerprint.
        let chosen = far.chosen(self.metric, dims, threads)?;
        let goals = chosen.into_iter().zip(empty);
        let goals = goals.map(|(rank, cluster)| (far.rows[rank].fingerprint, rank, cluster));
        let mut goals: Vec<(u32, usize, u32)> = collect(goals, PURPOSE)?;
        if goals.is_empty() {
            return Ok(None);
        }
        goals.sort_unstable();
        rows.sort_unstable();
        let mut left = &rows[..];
        let mut moves = Moves {
            rows: Vec::new(),
            places: Vec::new(),
            changes: Changes::new(self.blocks.totals())?,
        };
        let (grid, labels) = (self.blocks.grid(), &self.labels);
        let mut scratch = Vec::new();
        self.stream.pass(Which::Positive, threads, |part| {
            let end = part.first + part.points.rows();
            while let Some((&row, others)) = left.split_first()
                && (row as usize) < end
            {
                left = others;
                let place = row as usize - part.first;
                let weight = part.points.weight(place);
                let values = part.points.row(place, &mut scratch)?;
                let mark = crate::equal_rows::fingerprint(values);
                let from = goals.partition_point(|goal| goal.0 < mark);
                let alike = goals[from..].iter().take_while(|goal| goal.0 == mark);
                let goal = alike.into_iter().find(|goal| {
                    let candidate = far.row(goal.1, dims);
                    compare(candidate, values).is_eq()
                });
                let Some(&(_, _, cluster)) = goal else {
                    continue;
                };
                let changes = &mut moves.changes;
                changes.add(grid, (values, weight), labels[row as usize], Sign::Minus);
                changes.add(grid, (values, weight), cluster, Sign::Plus);
                push(&mut moves.rows, (row, cluster), PURPOSE)?;
                let known = moves.places.iter_mut().find(|place| place.0 == cluster);
                match known {
                    Some((_, place)) => refill(place, values, PURPOSE)?,
                    None => {
                        let values = crate::allocate::copy(values, PURPOSE)?;
                        push(&mut moves.places, (cluster, values), PURPOSE)?;
                    }
                }
            }
            Ok(())
        })?;
        Ok(Some(moves))
    }
}

impl Clustering for Streamed<'_, '_> {
    fn assign(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<usize> {
        let (blocks, kept, labels) = (&mut self.blocks, &mut *self.kept, &mut self.labels);
        let origin = &self.spread.origin;
        let known = self.spread.sum.is_some() || self.metric == Metric::Cosine;
        let measures = self.measures && !known;
        let mut sum = ExactSum::default();
        let mut changed = 0;
        self.stream.pass(Which::Positive, threads, |part| {
            let labels = &mut labels[part.first..][..part.points.rows()];
            let kept = entry(kept, part.number)?;
            changed += blocks.assign((part.points, labels), kept, centroids, threads)?;
            if measures {
                sum.merge(&spread(&blocks.once(part.points), origin, threads)?);
            }
            Ok(())
        })?;
        if measures {
            self.spread.sum = Some(sum.value());
        }
        Ok(changed)
    }

    fn totals(&self) -> &Totals {
        self.blocks.totals()
    }

    fn inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        let all = match (self.spread.sum, &self.stream.weights) {
            (Some(sum), _) => sum,
            (None, Some(weights)) if self.metric == Metric::Cosine => {
                weights.iter().copied().collect::<ExactSum>().value()
            }
            (None, None) if self.metric == Metric::Cosine => self.stream.positive as f64,
            _ => {
                let (blocks, origin) = (&self.blocks, &self.spread.origin);
                let mut sum = ExactSum::default();
                self.stream.pass(Which::Positive, threads, |part| {
                    sum.merge(&spread(&blocks.once(part.points), origin, threads)?);
                    Ok(())
                })?;
                sum.value()
            }
        };
        self.spread.sum = Some(all);
        let totals = self.blocks.totals();
        match self.spread.inertia(totals, centroids, threads)? {
            Some(inertia) => Ok(inertia),
            None => self.exact_inertia(centroids, threads),
        }
    }
}

impl Complete for Streamed<'_, '_> {
    fn exact_inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        let (blocks, labels) = (&self.blocks, &self.labels);
        let mut sum = ExactSum::default();
        self.stream.pass(Which::Positive, threads, |part| {
            let labels = &labels[part.first..][..part.points.rows()];
            let nearest = blocks.once(part.points);
            sum.merge(&nearest.inertia_of(labels, centroids, threads)?);
            Ok(())
        })?;
        Ok(sum.value())
    }

    fn label(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        let (blocks, kept, labels) = (&mut self.blocks, &mut *self.kept, &mut self.labels);
        let mut sum = ExactSum::default();
        self.stream.pass(Which::Positive, threads, |part| {
            let labels = &mut labels[part.first..][..part.points.rows()];
            let kept = entry(kept, part.number)?;
            blocks.label((part.points, labels), kept, (centroids, &mut sum), threads)
        })?;
        Ok(sum.value())
    }

    fn fill_empty(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<()> {
        if let Some(moves) = self.moves(centroids, threads)? {
            self.blocks.apply(&moves.changes);
            for (row, cluster) in moves.rows {
                self.labels[row as usize] = cluster;
            }
        }
        Ok(())
    }

    fn place_empty(&mut self, centroids: &mut [f32], threads: &Threads<'_>) -> Result<bool> {
        let dims = self.stream.cols;
        let Some(moves) = self.moves(Centroids::new(centroids, dims), threads)? else {
            return Ok(false);
        };
        for (cluster, values) in &moves.places {
            let centroid = &mut centroids[*cluster as usize * dims..][..dims];
            for (centroid, value) in centroid.iter_mut().zip(values) {
                *centroid = value + 0.0; // as in memory
            }
            self.metric.normalize(centroid);
        }
        Ok(!moves.places.is_empty())
    }

    fn into_labels(self, _: &Threads<'_>) -> Result<Vec<u32>> {
        Ok(self.labels)
    }
}

/// Bytes of rows that are fetched at once, at most, whatever memory there is.
const FETCHED: u64 = 256 << 20;

impl Swappable for Streamed<'_, '_> {
    type Set = DenseSet;

    fn assign(&mut self, centroids: &DenseSet, threads: &Threads<'_>) -> Result<usize> {
        Clustering::assign(self, centroids.lend(), threads)
    }

    fn settle(&mut self, centroids: &mut DenseSet, threads: &Threads<'_>) -> Result<f64> {
        settle(self, centroids, threads)
    }

    fn labels(&mut self, _: &Threads<'_>) -> Result<&[u32]> {
        Ok(&self.labels)
    }

    fn unrepeated(&self) -> &Unrepeated {
        self.rows
    }

    fn count(&self) -> usize {
        self.rows.count(self.stream.positive)
    }

    fn shared(&self) -> Shared {
        self.blocks.shared()
    }

    fn most_at_once(&self) -> usize {
        let row = (size_of::<f32>() * self.stream.cols) as u64;
        (self.blocks.shared().budget().room().min(FETCHED) / row) as usize
    }

    fn with(&mut self, places: &[u32], threads: &Threads<'_>, work: &mut Work<'_>) -> Result<()> {
        self.stream.with_rows((self.rows, places), threads, work)
    }

    fn distances(
        &mut self,
        (centroids, labels): (&DenseSet, &[u32]),
        distances: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let blocks = &self.blocks;
        self.stream
            .pass_unrepeated(self.rows, threads, |places, points| {
                let out = &mut distances[places.clone()];
                let nearest = blocks.once(points);
                nearest.distances(centroids.lend(), threads, &labels[places], out)
            })
    }

    fn search(
        &mut self,
        places: &[u32],
        centroids: &DenseSet,
        (labels, distances): (&mut [u32], &mut [f64]),
        threads: &Threads<'_>,
    ) -> Result<()> {
        const PURPOSE: &str = "rows of candidates";
        let rows = (0u32..)
            .zip(places)
            .map(|(at, &place)| (self.rows.row(place as usize), at));
        let mut rows: Vec<(usize, u32)> = collect(rows, PURPOSE)?;
        rows.sort_unstable();
        let (mut left, blocks) = (&rows[..], &self.blocks);
        self.stream.pass(Which::Positive, threads, |part| {
            let end = part.first + part.points.rows();
            let (here, others) = left.split_at(left.partition_point(|&(row, _)| row < end));
            left = others;
            if here.is_empty() {
                return Ok(());
            }
            let own = here.iter().map(|&(row, _)| (row - part.first) as u32);
            let own: Vec<u32> = collect(own, PURPOSE)?;
            let mut found = try_vec(UNASSIGNED, own.len(), PURPOSE)?;
            let mut lengths = try_vec(0.0, own.len(), PURPOSE)?;
            let points = part.points.select(&own);
            let request = Request::nearest(centroids.lend(), &mut found, Some(&mut lengths));
            blocks.once(&points).search(request, threads)?;
            for ((&(_, at), label), length) in here.iter().zip(found).zip(lengths) {
                (labels[at as usize], distances[at as usize]) = (label, length);
            }
            Ok(())
        })
    }
}

/// What is kept of a block.
fn entry(kept: &mut Vec<Option<Kept>>, number: usize) -> Result<&mut Option<Kept>> {
    while kept.len() <= number {
        push(kept, None, "what is known of blocks")?;
    }
    Ok(&mut kept[number])
}
