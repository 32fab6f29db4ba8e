//! Prices from a sample of the rows.
//!
//! How cluster sizes respond to prices can be seen on a sample. What sizes
//! all rows have under the prices that were found is known once they are
//! assigned; by as much as the sample was off, the next prices aim higher or
//! lower (a control variate).

use super::Choice;
use crate::allocate::{collect, try_vec};
use crate::balanced::candidates::Costs;
use crate::balanced::size_bounds::SizeBounds;
use crate::config::Config;
use crate::error::Result;
use crate::nearest::Nearest;
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;

/// One row in so many is drawn, but at least so many rows for each cluster.
const FRACTION: usize = 16;
const PER_CLUSTER: usize = 64;

/// Where an assignment takes more multiplications than this, all rows would be
/// too slow a sample: one row in so many is drawn at most, or so many for each
/// cluster.
const MUCH_WORK: f64 = (1u64 << 32) as f64;
const LARGEST_FRACTION: usize = 4;
const LEAST_PER_CLUSTER: usize = 8;

/// Whether prices should be quick rather than rough: rough ones sometimes lead
/// to better minima.
pub(in crate::balanced) fn is_much_work(points: &Points<'_>, config: &Config) -> bool {
    let (rows, clusters) = (points.rows() as f64, config.n_clusters as f64);
    rows * clusters * points.cols() as f64 > MUCH_WORK
}

/// The rows of a sample, ascending.
pub(in crate::balanced) fn draw(
    points: &Points<'_>,
    config: &Config,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    let (rows, clusters) = (points.rows(), config.n_clusters);
    let most = match is_much_work(points, config) {
        true => (rows / LARGEST_FRACTION).max(LEAST_PER_CLUSTER * clusters),
        false => rows,
    };
    let wanted = (rows / FRACTION).max(PER_CLUSTER * clusters);
    let count = wanted.min(most).min(rows);
    let mut drawn = try_vec(0u32, count, "sampled rows")?;
    let mut rng = Rng::new(config.seed);
    // Selection sampling (Fan, Muller & Rezucha, 1962).
    let mut taken = 0;
    threads.in_steps(rows, |part| {
        for row in part {
            if rng.below(rows - row) < count - taken {
                drawn[taken] = row as u32;
                taken += 1;
            }
        }
        Ok(())
    })?;
    Ok(drawn)
}

pub(in crate::balanced) struct PriceSample {
    choice: Choice,
    /// Rows in the sample as a fraction of all.
    fraction: f64,
    /// How many more sampled rows each cluster has than its size tells.
    surplus: Vec<f64>,
}

impl PriceSample {
    pub fn new(
        sampled: usize,
        rows: usize,
        clusters: usize,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        Ok(PriceSample {
            choice: Choice::new(sampled, clusters, threads)?,
            fraction: sampled as f64 / rows as f64,
            surplus: try_vec(0.0, clusters, "cluster sizes")?,
        })
    }

    /// Whether so many rows more or less in a cluster stand out from chance.
    pub fn can_see(&self, rows: usize) -> bool {
        let mean_size = self.choice.labels.len() as f64 / self.surplus.len() as f64;
        self.fraction * rows as f64 > mean_size.sqrt()
    }

    /// Brings `prices` to where the sample says that sizes are in the bounds.
    pub fn balance(
        &mut self,
        nearest: &mut Nearest<'_>,
        costs: &Costs<'_>,
        bounds: SizeBounds,
        prices: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let of_sample = |surplus: &f64| SizeBounds {
            low: (self.fraction * bounds.low as f64 + surplus).floor() as usize,
            high: (self.fraction * bounds.high as f64 + surplus)
                .ceil()
                .max(1.0) as usize,
        };
        let each_bounds = collect(self.surplus.iter().map(of_sample), "size bounds")?;
        self.choice
            .balance(nearest, costs, &each_bounds, prices, threads)
    }

    /// Lets prices follow centroids that have moved: see [`Choice::follow`].
    pub fn follow(
        &self,
        costs: &Costs<'_>,
        prices: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.choice.follow(costs, prices, threads)
    }

    /// Learns from the sizes that all rows have under the prices found.
    pub fn compare(&mut self, sizes: &[usize]) {
        let clusters = self.surplus.iter_mut().zip(&self.choice.sizes).zip(sizes);
        for ((surplus, &sampled), &size) in clusters {
            *surplus = sampled as f64 - self.fraction * size as f64;
        }
    }
}
