//! The inertia that sums imply, without the rows.

use super::Totals;
use crate::kernels::dispatch::{self, Work};
use crate::kernels::lanes::{LANES, Lanes};
use crate::kernels::weighted;
use crate::metric::Metric;

impl Totals {
    /// The sum of distances between all rows and their clusters' centroids,
    /// from sums alone: Σ‖x−c‖² = Σ‖x−o‖² − Σⱼ (2 (cⱼ−o)·(sⱼ−nⱼo) − nⱼ‖cⱼ−o‖²),
    /// and with cosine Σ 1 − cⱼ·sⱼ / ‖cⱼ‖, each row times its weight. `spread` is
    /// Σ‖x−o‖² about the origin o, or with cosine what all rows weigh. What cancels out is lost: the
    /// absolute error is a 10⁻¹⁰th of `spread` at most, and commonly a 10⁻¹⁴th.
    pub fn inertia(&self, centroids: &[f32], origin: &[f32], spread: f64) -> f64 {
        let gain = dispatch::work(Gain {
            totals: self,
            centroids,
            origin,
        });
        spread - gain
    }
}

/// What rows gain by being in clusters: see [`Totals::inertia`].
struct Gain<'g> {
    totals: &'g Totals,
    centroids: &'g [f32],
    origin: &'g [f32],
}

impl Work for Gain<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> f64 {
        let (totals, grid) = (self.totals, &self.totals.grid);
        let mut gain = 0.0;
        for (j, centroid) in self.centroids.chunks_exact(grid.dims()).enumerate() {
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
            gain += match grid.metric() {
                Metric::Euclidean => 2.0 * product - weight * square,
                Metric::Cosine if square > 0.0 => product / square.sqrt(),
                Metric::Cosine => 0.0,
            };
        }
        gain
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
