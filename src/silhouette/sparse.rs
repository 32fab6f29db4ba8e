//! Distances of sparse rows, for silhouettes.

use super::Clusters;
use crate::allocate::resize;
use crate::error::Result;
use crate::kernels::exact_sparse::Vector;
use crate::kernels::sparse_panel::{Panel, WIDTH, distances};
use crate::metric::Metric;
use crate::points::SparseRows;
use crate::threads::Poll;

/// ‖x‖² + ‖c‖² − 2x·c below this part of its terms is computed as ‖x − c‖².
const CANCELLED: f64 = 1e-6;

/// Rows between two polls.
const POLL_ROWS: usize = 64;

/// A worker's buffers.
#[derive(Default)]
pub(super) struct Scratch {
    chosen: SparseRows,
    others: SparseRows,
    panel: Panel,
    /// By cluster and chosen row.
    sums: Vec<[f64; WIDTH]>,
}

impl Clusters<'_> {
    /// [`add_dense`](Self::add_dense) of sparse rows, up to [`WIDTH`]. Distances are within
    /// 10⁻⁹ of themselves: silhouettes of the dense rows may differ in the last digits.
    pub(super) fn add_sparse(
        &self,
        rows: &[u32],
        scratch: &mut Scratch,
        out: &mut [f64],
        poll: Poll<'_>,
    ) -> Result<()> {
        let (points, clusters) = (self.points, self.sizes.len());
        let Scratch {
            chosen,
            others,
            panel,
            sums,
        } = scratch;
        points.select(rows).read_sparse(0..rows.len(), chosen)?;
        panel.set(points.cols(), chosen.rows())?;
        sums.clear();
        resize(sums, clusters, [0.0; WIDTH], "silhouettes")?;
        let size = |row: Vector<'_>| match self.metric {
            Metric::Euclidean => row.square(),
            Metric::Cosine => row.inverse_norm(),
        };
        let mut sizes = [1.0; WIDTH];
        for (own, row) in sizes.iter_mut().zip(chosen.rows()) {
            *own = size(row);
        }
        points.in_sparse_blocks(0..points.rows(), others, poll, |first, others| {
            let labelled = others.rows().zip(&self.labels[first..]);
            for (number, (other, &label)) in labelled.enumerate() {
                let mut found = panel.products(other);
                match self.metric {
                    Metric::Euclidean => {
                        let square = size(other);
                        if !distances(CANCELLED, square, &sizes, &mut found) {
                            for ((distance, &own), one) in
                                found.iter_mut().zip(&sizes).zip(chosen.rows())
                            {
                                let size = square + own;
                                if *distance * *distance < 2.0 * CANCELLED * size {
                                    *distance = one.squared_distance(other).sqrt();
                                }
                            }
                        }
                    }
                    Metric::Cosine => {
                        let norm = size(other);
                        for (product, &own) in found.iter_mut().zip(&sizes) {
                            *product = 1.0 - *product * own * norm;
                        }
                    }
                }
                for (sum, distance) in sums[label as usize].iter_mut().zip(found) {
                    *sum += distance;
                }
                if number % POLL_ROWS == 0 {
                    poll()?;
                }
            }
            Ok(())
        })?;
        for (i, out) in out.chunks_exact_mut(clusters).enumerate() {
            for (out, sums) in out.iter_mut().zip(&*sums) {
                *out = sums[i];
            }
        }
        Ok(())
    }
}
