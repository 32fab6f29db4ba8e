//! The centroids of a trained model in 8 bits, made once for all calls.

use crate::allocate::{extend, try_vec, with_capacity};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::tile::Kernels;
use crate::metric::Metric;
use crate::nearest::eight_bit::codes::Coder;
use crate::nearest::eight_bit::search::setup::Tried;
use crate::nearest::eight_bit::search::top::MOST;
use crate::nearest::eight_bit::search::{CodeSearch, Query, Source};
use crate::nearest::engine::{Engine, Setting};
use crate::nearest::scores::AffineMap;
use crate::nearest::vectors::Centroids;
use crate::points::Points;
use crate::threads::Threads;
use ndarray::ArrayView2;

/// Rows that stand for those to come.
const SAMPLE: usize = 64;

/// How far the rows that stand for others lie from a centroid, in distances of
/// centroids from each other.
const AWAY: f32 = 0.75;

const PURPOSE: &str = "centroids in 8 bits";

/// All that a search in 8 bits needs of the centroids.
pub(in crate::nearest) struct KeptCodes {
    affine: AffineMap,
    coder: Coder,
    kernels: Kernels,
    tried: Tried,
}

impl KeptCodes {
    /// `None` where 8 bits are likely no faster than float32. What rows will come
    /// nobody knows: rows around the centroids, away by the difference of two
    /// others, stand for them.
    pub fn new(
        setting: &Setting,
        metric: Metric,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<Option<Self>> {
        if setting.choose(centroids.dims, centroids.len()) != Engine::EightBit {
            return Ok(None);
        }
        let float32 = CodeSearch::tile_cost(centroids, setting.kernels());
        let made = Self::make(setting, metric, centroids, threads)?;
        Ok(made.filter(|made| made.tried.cost_made(&made.coder) < float32))
    }

    fn make(
        setting: &Setting,
        metric: Metric,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<Option<Self>> {
        let (k, dims) = (centroids.len(), centroids.dims);
        let kernels = setting.kernels();
        let coder = Coder::plain(dims, kernels, setting.products());
        let view = |values, rows| ArrayView2::from_shape((rows, dims), values).map(Points::from);
        let mut sample = with_capacity(SAMPLE * dims, PURPOSE)?;
        for i in 0..SAMPLE {
            let row = |step: usize| centroids.row((i * step + step) % k);
            let others = row(11).iter().zip(row(29));
            let values = row(7).iter().zip(others);
            let values = values.map(|(&at, (&from, &to))| at + AWAY * (to - from));
            extend(&mut sample, values, PURPOSE)?;
        }
        let (Ok(of_model), Ok(sample)) = (view(centroids.values, k), view(&sample, SAMPLE)) else {
            return Ok(None); // never: both are whole rows
        };
        let affine = AffineMap::new(&of_model, metric)?;
        let query = Query {
            points: &sample,
            affine: &affine,
            centroids,
            labels: &try_vec(UNASSIGNED, SAMPLE, PURPOSE)?,
            order: None,
            count: 2, // so that equal centroids stay in
            kernels,
        };
        let mut tried = Tried::new(query, &coder, (None, f64::INFINITY), threads)?;
        tried.forget_rows();
        Ok(Some(KeptCodes {
            affine,
            coder,
            kernels,
            tried,
        }))
    }

    /// A search for the `count` nearest of the same centroids; `None` where float32
    /// is better at it.
    pub fn search<'a>(&'a self, centroids: Centroids<'a>, count: usize) -> Option<CodeSearch<'a>> {
        let of_rows = (&self.affine, &self.coder, self.kernels);
        (count <= MOST)
            .then(|| CodeSearch::new(&self.tried, of_rows, Source::Made, centroids, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nearest::brute_force::{keep_least, measure_all};
    use crate::nearest::eight_bit::search::CodeScratch;
    use crate::nearest::tests::{coded_ways, for_each_case};
    use crate::nearest::vectors::Row;

    #[test]
    fn rows_of_any_kind_get_the_nearest_of_brute_force() {
        let threads = Threads::exactly(1, None).unwrap();
        for_each_case(|name, points, metric, centroids| {
            let n = points.rows().min(40);
            let mut scratch = Vec::new();
            let values = points.block(0..n, &mut scratch).unwrap();
            for (isa, products) in coded_ways() {
                let setting = Setting {
                    engine: None,
                    isa,
                    tiles: isa,
                    products: Some(products),
                };
                let codes = KeptCodes::make(&setting, metric, centroids, &threads).unwrap();
                let codes = codes.unwrap();
                for count in [1, 5, 20].map(|count: usize| count.min(centroids.len())) {
                    let search = codes.search(centroids, count).unwrap();
                    let check = |i: usize, ranked: &[(f64, u32)]| {
                        let row = Row::new(&values[i * centroids.dims..][..centroids.dims], metric);
                        let mut expected = Vec::new();
                        measure_all(&row, centroids, &mut expected, &|| Ok(())).unwrap();
                        keep_least(&mut expected, count);
                        assert_eq!(ranked, expected, "{name}, {isa:?}, top {count}, row {i}");
                    };
                    let mut scratch = CodeScratch::default();
                    search.top(0, values, &mut scratch, check).unwrap();
                    let hints = vec![UNASSIGNED; n];
                    let first = |i: usize, j: u32, distance: &dyn Fn() -> f64| {
                        if count == 1 {
                            check(i, &[(distance() + centroids.bias(j as usize), j)]);
                        }
                    };
                    search
                        .assign(0, values, &hints, None, &mut scratch, first)
                        .unwrap();
                }
                assert!(codes.search(centroids, MOST + 1).is_none());
            }
        });
    }
}
