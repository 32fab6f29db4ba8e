//! What searches among the centroids of a trained model share, whoever asks and on
//! whatever thread.

use crate::allocate::optional;
use crate::error::Result;
use crate::metric::Metric;
use crate::kernels::scan::ROWS;
use crate::nearest::engine::{MAX_TILE_DIMS, Setting};
use crate::nearest::parts;
use crate::nearest::scan::{Scan, inverse_norms};
use crate::nearest::vectors::{Centroids, Row};
use crate::points::Points;
use crate::threads::Threads;
use std::fmt;
use std::sync::OnceLock;

/// Rows of a call that are compared with the centroids as these lie.
const FEW: usize = 128;

/// Belongs to the centroids of one trained model: each search must name the same.
/// What it holds is made when it is first needed.
#[derive(Default)]
pub(crate) struct Prepared {
    setting: OnceLock<Setting>,
    /// 1 / ‖c‖; none where all are 1 up to rounding.
    inverse_norms: OnceLock<Vec<f64>>,
}

impl Prepared {
    /// Writes the `count` nearest centroids of every row, nearest first, to `labels`,
    /// and their distances, without bias, to `distances`; equals by index. `false`,
    /// and nothing written, if this is not the way to search so many rows.
    pub fn search(
        &self,
        points: &Points<'_>,
        (metric, centroids): (Metric, Centroids<'_>),
        threads: &Threads<'_>,
        (count, labels, distances): (usize, &mut [u32], Option<&mut [f64]>),
    ) -> Result<bool> {
        let setting = self.setting.get_or_init(Setting::from_environment);
        let dims = centroids.dims;
        if points.rows() > FEW || dims > MAX_TILE_DIMS || setting.engine.is_some() {
            return Ok(false);
        }
        let Some(norms) = self.inverse_norms(metric, centroids)? else {
            return Ok(false);
        };
        let chunk = ROWS * count;
        let distances = parts(distances, chunk, points.rows().div_ceil(ROWS))?;
        threads.run_long(
            labels.chunks_mut(chunk).zip(distances).enumerate(),
            || (Scan::new(setting.isa, metric, centroids, norms), Vec::new()),
            |(scan, scratch), (task, (labels, mut distances)), _| {
                let first = task * ROWS;
                let rows = first..first + labels.len() / count;
                let values = points.block(rows, scratch)?;
                let row = |i: usize| Row::new(&values[i * dims..][..dims], metric);
                scan.search(values, count, distances.is_some(), |i, ranked| {
                    for (slot, &(value, j)) in (i * count..).zip(ranked) {
                        labels[slot] = j;
                        if let Some(distances) = distances.as_deref_mut() {
                            distances[slot] = match centroids.bias {
                                None => value,
                                Some(_) => row(i).distance(centroids.row(j as usize)),
                            };
                        }
                    }
                })
            },
        )?;
        Ok(true)
    }

    /// As [`Scan::new`] wants them; `None` where there is no memory.
    fn inverse_norms(
        &self,
        metric: Metric,
        centroids: Centroids<'_>,
    ) -> Result<Option<Option<&[f64]>>> {
        let norms = match self.inverse_norms.get() {
            Some(norms) => norms,
            None => {
                let mut norms = Vec::new();
                if optional(inverse_norms(centroids, metric, &mut norms))?.is_none() {
                    return Ok(None);
                }
                self.inverse_norms.get_or_init(|| norms)
            }
        };
        Ok(Some((!norms.is_empty()).then_some(&norms[..])))
    }
}

/// Says nothing of the model.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

impl PartialEq for Prepared {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
