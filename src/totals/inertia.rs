//! The inertia that sums imply, without the rows.

use super::Totals;
use crate::allocate::try_vec;
use crate::error::Result;
use crate::kernels::dispatch::{self, Work};
use crate::kernels::lanes::{LANES, Lanes};
use crate::kernels::weighted;
use crate::metric::Metric;
use crate::threads::Threads;

impl Totals {
    /// The sum of distances between all rows and their clusters' centroids,
    /// from sums alone: Σ‖x−c‖² = Σ‖x−o‖² − Σⱼ (2 (cⱼ−o)·(sⱼ−nⱼo) − nⱼ‖cⱼ−o‖²),
    /// and with cosine Σ 1 − cⱼ·sⱼ / ‖cⱼ‖, each row times its weight. `spread` is
    /// Σ‖x−o‖² about the origin o, or with cosine what all rows weigh. What cancels out is lost: the
    /// absolute error is a 10⁻¹⁰th of `spread` at most, and commonly a 10⁻¹⁴th.
    pub fn inertia(
        &self,
        centroids: &[f32],
        (origin, spread): (&[f32], f64),
        threads: &Threads<'_>,
    ) -> Result<f64> {
        let (clusters, dims) = (self.clusters_of_task(), self.grid.dims());
        let mut gains = try_vec(0.0f64, self.counts.len(), "gains of clusters")?;
        threads.run(
            centroids
                .chunks(clusters * dims)
                .zip(gains.chunks_mut(clusters))
                .enumerate(),
            || (),
            |(), (task, (centroids, gains))| {
                dispatch::work(Gain {
                    totals: self,
                    first: task * clusters,
                    centroids,
                    origin,
                    gains,
                });
            },
        )?;
        Ok(spread - gains.iter().fold(0.0, |all, gain| all + gain))
    }
}

/// What the rows of some clusters gain by being in them: see [`Totals::inertia`].
struct Gain<'g> {
    totals: &'g Totals,
    /// The first cluster.
    first: usize,
    centroids: &'g [f32],
    origin: &'g [f32],
    gains: &'g mut [f64],
}

impl Work for Gain<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let (totals, grid) = (self.totals, &self.totals.grid);
        let all = self.centroids.chunks_exact(grid.dims()).zip(self.gains);
        for (j, (centroid, gain)) in (self.first..).zip(all) {
            let (sum, count) = (totals.sum(j), totals.counts[j] as i64);
            let (weight, left) = grid.read_weight(sum, count);
            let (mut product, mut square) = (0.0, 0.0);
            let blocks = centroid.chunks(LANES).zip(self.origin.chunks(LANES));
            for (number, (centroid, origin)) in blocks.enumerate() {
                let (values, rests) = grid.read(sum, number * LANES, count);
                let (c, origin) = (eight(centroid), eight(origin));
                let (mut products, mut squares) = ([0.0; LANES], [0.0; LANES]);
                for lane in 0..LANES {
                    let c = c[lane] - origin[lane];
                    let (of_origin, more) = weighted::product(weight, origin[lane]);
                    let more = more + left * origin[lane];
                    products[lane] = c * ((values[lane] - of_origin) + (rests[lane] - more));
                    squares[lane] = c * c;
                }
                for lane in 0..centroid.len() {
                    product += products[lane];
                    square += squares[lane];
                }
            }
            *gain = match grid.metric() {
                Metric::Euclidean => 2.0 * product - weight * square,
                Metric::Cosine if square > 0.0 => product / square.sqrt(),
                Metric::Cosine => 0.0,
            };
        }
    }
}

/// Eight values, or fewer and zeros.
#[inline(always)]
fn eight(values: &[f32]) -> [f64; LANES] {
    let mut all = [0.0; LANES];
    match values.first_chunk::<LANES>() {
        Some(values) => {
            for lane in 0..LANES {
                all[lane] = f64::from(values[lane]);
            }
        }
        None => {
            for (all, &value) in all.iter_mut().zip(values) {
                *all = f64::from(value);
            }
        }
    }
    all
}
