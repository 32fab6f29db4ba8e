//! The distance of every row to the nearest seed so far, and draws by it.

use super::rows::copy_rows;
use crate::allocate::{collect, resize, try_vec};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Centroids, Enough, FewScratch, Nearest, Request, RowDistances};
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;
use std::borrow::Cow;

/// Rows per task, and per partial sum: sums go by block number, so that their
/// bits do not depend on the number of threads.
const BLOCK: usize = 1024;

pub(super) struct Potential<'a> {
    distances: RowDistances<'a>,
    /// What a row counts; `None`: 1.
    weights: Option<Cow<'a, [f64]>>,
    /// Weighted distance to the nearest seed; the weight itself before there
    /// is a seed.
    least: Vec<f64>,
    block_sums: Vec<f64>,
    has_seed: bool,
}

impl<'a> Potential<'a> {
    pub fn new(
        points: &'a Points<'a>,
        metric: Metric,
        weights: Option<&'a [f64]>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let distances = RowDistances::new(points, metric, threads)?;
        let mut least = threads.try_vec(1.0f64, points.rows(), "seeding distances")?;
        if let Some(weights) = weights {
            least.copy_from_slice(weights);
        }
        threads.in_steps(least.len(), |rows| {
            for row in rows {
                if distances.is_zero(row) {
                    least[row] = 0.0;
                }
            }
            Ok(())
        })?;
        let block_sums = collect(least.chunks(BLOCK).map(sum_lanes), "seeding sums")?;
        Ok(Potential {
            distances,
            weights: weights.map(Cow::Borrowed),
            least,
            block_sums,
            has_seed: false,
        })
    }

    /// The same of some of the rows, given with their points.
    pub fn part<'b>(
        &self,
        rows: &[u32],
        points: &'b Points<'b>,
        threads: &Threads<'_>,
    ) -> Result<Potential<'b>> {
        let of_rows = |values: &[f64]| {
            let values = rows.iter().map(|&row| values[row as usize]);
            collect(values, "seeding distances")
        };
        let least = of_rows(&self.least)?;
        Ok(Potential {
            distances: RowDistances::new(points, self.distances.metric(), threads)?,
            weights: match &self.weights {
                Some(weights) => Some(Cow::Owned(of_rows(weights)?)),
                None => None,
            },
            block_sums: collect(least.chunks(BLOCK).map(sum_lanes), "seeding sums")?,
            least,
            has_seed: self.has_seed,
        })
    }

    /// The sum over all rows.
    pub fn total(&self) -> f64 {
        self.block_sums.iter().sum()
    }

    /// A row drawn with probability proportional to its distance from the
    /// nearest seed; `None` where all distances are 0.
    pub fn draw(&self, rng: &mut Rng) -> Option<usize> {
        let mut target = rng.unit() * self.total();
        // Rounding may carry the target past the end: then the last one wins.
        let block = pick(&self.block_sums, &mut target)?;
        let first = block * BLOCK;
        let end = self.least.len().min(first + BLOCK);
        Some(first + pick(&self.least[first..end], &mut target)?)
    }

    /// What the potential would be after adding each of `rows` alone.
    pub fn totals_with(&self, rows: &[usize], threads: &Threads<'_>) -> Result<Vec<f64>> {
        let few = self.distances.select(rows)?;
        let mut sums = try_vec(0.0f64, rows.len() * self.block_sums.len(), "seeding sums")?;
        threads.run_long(
            self.least
                .chunks(BLOCK)
                .zip(sums.chunks_mut(rows.len()))
                .enumerate(),
            || (FewScratch::default(), Vec::new()),
            |(scratch, out), (block, (least, sums)), poll| {
                resize(out, few.len() * least.len(), 0.0, "seeding distances")?;
                let first = block * BLOCK;
                let weights = self.weights.as_deref();
                let enough = Enough { least, weights };
                let wanted = (&mut out[..], Some(enough));
                self.distances.write(first, &few, scratch, wanted, poll)?;
                weigh(weights, first, out, least.len());
                for (sum, out) in sums.iter_mut().zip(out.chunks_exact_mut(least.len())) {
                    lower(out, least);
                    *sum = sum_lanes(out);
                }
                Ok(())
            },
        )?;
        let mut totals = try_vec(0.0, rows.len(), "seeding sums")?;
        for sums in sums.chunks_exact(rows.len()) {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total += sum;
            }
        }
        Ok(totals)
    }

    /// Makes rows seeds: a search among all of them at once, where there are
    /// too many to be [added](Self::add) one by one.
    pub fn add_all(
        &mut self,
        rows: &[usize],
        nearest: &mut Nearest<'_>,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let seeds = copy_rows(nearest.points(), nearest.metric(), rows, threads)?;
        let centroids = Centroids::new(&seeds, nearest.points().cols());
        let n_rows = self.least.len();
        let mut labels = threads.try_vec(UNASSIGNED, n_rows, "seeding labels")?;
        let mut found = threads.try_vec(0.0f64, n_rows, "seeding distances")?;
        let request = Request::nearest(centroids, &mut labels, Some(&mut found));
        nearest.search(request, threads)?;
        for &row in rows {
            found[row] = 0.0;
        }
        let (distances, weights) = (&self.distances, self.weights.as_deref());
        threads.run(
            self.least
                .chunks_mut(BLOCK)
                .zip(found.chunks_mut(BLOCK))
                .zip(&mut self.block_sums)
                .enumerate(),
            || (),
            |(), (block, ((least, found), sum))| {
                distances.clean(found);
                weigh(weights, block * BLOCK, found, least.len());
                lower(least, found);
                *sum = sum_lanes(least);
            },
        )
    }

    /// Makes centroids the first seeds.
    pub fn start_from(
        &mut self,
        centroids: &[f32],
        nearest: &mut Nearest<'_>,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let centroids = Centroids::new(centroids, nearest.points().cols());
        let rows = self.least.len();
        let mut labels = threads.try_vec(UNASSIGNED, rows, "seeding labels")?;
        let request = Request::nearest(centroids, &mut labels, Some(&mut self.least));
        nearest.search(request, threads)?;
        self.has_seed = true;
        let (distances, weights) = (&self.distances, self.weights.as_deref());
        threads.run(
            self.least
                .chunks_mut(BLOCK)
                .zip(&mut self.block_sums)
                .enumerate(),
            || (),
            |(), (block, (least, sum))| {
                distances.clean(least);
                for (row, distance) in (block * BLOCK..).zip(least.iter_mut()) {
                    if distances.is_zero(row) {
                        *distance = 0.0;
                    }
                }
                let rows = least.len();
                weigh(weights, block * BLOCK, least, rows);
                *sum = sum_lanes(least);
            },
        )
    }

    /// Makes `row` a seed.
    pub fn add(&mut self, row: usize, threads: &Threads<'_>) -> Result<()> {
        let few = self.distances.select(&[row])?;
        let (distances, weights) = (&self.distances, self.weights.as_deref());
        let is_first = !std::mem::replace(&mut self.has_seed, true);
        threads.run_long(
            self.least
                .chunks_mut(BLOCK)
                .zip(&mut self.block_sums)
                .enumerate(),
            || (FewScratch::default(), Vec::new()),
            |(scratch, out), (block, (least, sum)), poll| {
                let first = block * BLOCK;
                resize(out, least.len(), 0.0, "seeding distances")?;
                let enough = Enough { least, weights };
                let wanted = (&mut out[..], (!is_first).then_some(enough));
                distances.write(first, &few, scratch, wanted, poll)?;
                weigh(weights, first, out, least.len());
                match is_first {
                    true => least.copy_from_slice(out),
                    false => lower(least, out),
                }
                *sum = sum_lanes(least);
                Ok(())
            },
        )
    }
}

/// The index where the running sum exceeds `target`, or else the last that is
/// not 0; takes what comes before it off `target`.
fn pick(sums: &[f64], target: &mut f64) -> Option<usize> {
    let mut picked = None;
    for (i, &sum) in sums.iter().enumerate() {
        if sum > 0.0 {
            picked = Some(i);
            if *target < sum {
                break;
            }
            *target -= sum;
        }
    }
    picked
}

/// Multiplies the distances of the rows `first..` (`rows` of them, to each of
/// a few others) by the weights of the rows.
fn weigh(weights: Option<&[f64]>, first: usize, distances: &mut [f64], rows: usize) {
    if let Some(weights) = weights {
        for distances in distances.chunks_exact_mut(rows) {
            for (distance, weight) in distances.iter_mut().zip(&weights[first..]) {
                *distance *= weight;
            }
        }
    }
}

fn lower(values: &mut [f64], bounds: &[f64]) {
    for (value, &bound) in values.iter_mut().zip(bounds) {
        if bound < *value {
            *value = bound;
        }
    }
}

/// A sum in eight interleaved parts: as reproducible as one part, and faster.
fn sum_lanes(values: &[f64]) -> f64 {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0f64; 8];
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += value;
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().sum::<f64>()
}
