//! Prices from a sample of the rows.
//!
//! How cluster sizes respond to prices can be seen on a sample. What sizes
//! all rows have under the prices that were found is known once they are
//! assigned; by as much as the sample was off, the next prices aim higher or
//! lower (a control variate).

use super::candidates::Costs;
use super::prices::Choice;
use super::window::Window;
use crate::config::Config;
use crate::error::{Result, try_vec};
use crate::nearest::Nearest;
use crate::rng::Rng;
use crate::threads::Threads;

/// One row in so many is drawn, but more where that makes less than so many
/// for each cluster, up to one row in so many. (All rows are no better: sizes
/// that are off a little lead away from poor minima.)
const FRACTION: usize = 16;
const PER_CLUSTER: usize = 64;
const LARGEST_FRACTION: usize = 4;

/// Sizes in the sample need not be better than this part of what they are off
/// by chance.
const PRECISE: f64 = 1.0 / 16.0;

/// The rows of a sample, ascending.
pub(super) fn draw(rows: usize, config: &Config) -> Result<Vec<u32>> {
    let enough = PER_CLUSTER * config.n_clusters;
    let most = rows.div_ceil(LARGEST_FRACTION);
    let count = enough.clamp(rows / FRACTION, most);
    let mut drawn = try_vec(0u32, count, "sampled rows")?;
    let mut rng = Rng::new(config.seed);
    // Selection sampling (Fan, Muller & Rezucha, 1962).
    let mut taken = 0;
    for row in 0..rows {
        if rng.below(rows - row) < count - taken {
            drawn[taken] = row as u32;
            taken += 1;
        }
    }
    Ok(drawn)
}

pub(super) struct Sample {
    choice: Choice,
    /// Rows in the sample as a fraction of all.
    fraction: f64,
    /// How many more sampled rows each cluster has than its size tells.
    excess: Vec<f64>,
}

impl Sample {
    pub fn new(sampled: usize, rows: usize, clusters: usize) -> Result<Self> {
        Ok(Sample {
            choice: Choice::new(sampled, clusters)?,
            fraction: sampled as f64 / rows as f64,
            excess: vec![0.0; clusters],
        })
    }

    /// Whether so many rows more or less in a cluster stand out from chance.
    pub fn can_see(&self, rows: usize) -> bool {
        let mean_size = self.choice.labels.len() as f64 / self.excess.len() as f64;
        self.fraction * rows as f64 > mean_size.sqrt()
    }

    /// Brings `prices` to where the sample says that sizes are in the window.
    pub fn balance(
        &mut self,
        nearest: &mut Nearest<'_>,
        costs: &Costs<'_>,
        window: Window,
        prices: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let of_sample = |excess: &f64| Window {
            low: (self.fraction * window.low as f64 + excess).floor() as usize,
            high: (self.fraction * window.high as f64 + excess)
                .ceil()
                .max(1.0) as usize,
        };
        let windows: Vec<Window> = self.excess.iter().map(of_sample).collect();
        let chance = (self.choice.labels.len() as f64 * windows.len() as f64).sqrt();
        let enough = (PRECISE * chance) as usize;
        let windows = (&windows[..], enough);
        self.choice
            .balance(nearest, costs, windows, prices, threads)
    }

    /// Learns from the sizes that all rows have under the prices found.
    pub fn compare(&mut self, sizes: &[usize]) {
        let clusters = self.excess.iter_mut().zip(&self.choice.sizes).zip(sizes);
        for ((excess, &sampled), &size) in clusters {
            *excess = sampled as f64 - self.fraction * size as f64;
        }
    }
}
