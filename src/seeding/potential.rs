//! The distance of every row to the nearest seed so far, and draws by it.

use crate::allocate::try_vec;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::RowDistances;
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;

/// Rows per task, and per partial sum: sums go by block number, so that their
/// bits do not depend on the number of threads.
const BLOCK: usize = 1024;

pub(super) struct Potential<'a> {
    distances: RowDistances<'a>,
    /// What a row counts; `None`: 1.
    weights: Option<&'a [f64]>,
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
        let mut least = try_vec(1.0f64, points.rows(), "seeding distances")?;
        if let Some(weights) = weights {
            least.copy_from_slice(weights);
        }
        for (row, least) in least.iter_mut().enumerate() {
            if distances.is_zero(row) {
                *least = 0.0;
            }
        }
        let block_sums = least.chunks(BLOCK).map(sum_lanes).collect();
        Ok(Potential {
            distances,
            weights,
            least,
            block_sums,
            has_seed: false,
        })
    }

    /// A row drawn with probability proportional to its distance from the
    /// nearest seed; `None` where all distances are 0.
    pub fn draw(&self, rng: &mut Rng) -> Option<usize> {
        let total: f64 = self.block_sums.iter().sum();
        let mut target = rng.unit() * total;
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
            || (Vec::new(), Vec::new()),
            |(scratch, out), (block, (least, sums)), poll| {
                out.resize(few.len() * least.len(), 0.0);
                let first = block * BLOCK;
                self.distances.write(first, &few, scratch, out, poll)?;
                weigh(self.weights, first, out, least.len());
                for (sum, out) in sums.iter_mut().zip(out.chunks_exact_mut(least.len())) {
                    lower(out, least);
                    *sum = sum_lanes(out);
                }
                Ok(())
            },
        )?;
        let mut totals = vec![0.0; rows.len()];
        for sums in sums.chunks_exact(rows.len()) {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total += sum;
            }
        }
        Ok(totals)
    }

    /// Makes `row` a seed.
    pub fn add(&mut self, row: usize, threads: &Threads<'_>) -> Result<()> {
        let few = self.distances.select(&[row])?;
        let (distances, weights) = (&self.distances, self.weights);
        let is_first = !std::mem::replace(&mut self.has_seed, true);
        threads.run_long(
            self.least
                .chunks_mut(BLOCK)
                .zip(&mut self.block_sums)
                .enumerate(),
            || (Vec::new(), Vec::new()),
            |(scratch, out), (block, (least, sum)), poll| {
                let first = block * BLOCK;
                out.resize(least.len(), 0.0);
                distances.write(first, &few, scratch, out, poll)?;
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
