//! Distances of many rows to a few rows, as seeding needs them: one pass over
//! the data for a handful of candidates, in float64, the same bits on every
//! instruction set.

mod sparse;

use crate::allocate::{collect, try_vec};
use crate::error::Result;
use crate::kernels::exact::dot;
use crate::kernels::few_rows;
use crate::metric::Metric;
use crate::points::{Points, SparseRows};
use crate::threads::{Poll, Threads};
use sparse::{FewSparse, Products};

/// Rows per task.
const TASK_ROWS: usize = 1024;

/// Distances below this are rounding noise of two equal directions.
pub(crate) const NOISE: f64 = 1e-12;

/// Computes distances between rows, clean enough to draw rows by: never
/// negative, exactly 0 between copies of a row and, with cosine, between rows
/// of one direction and from or to a zero row, which wants no centroid.
pub(crate) struct RowDistances<'a> {
    points: &'a Points<'a>,
    metric: Metric,
    /// 1 / ‖x‖, or 0 for a zero row; empty unless the metric is cosine.
    inverse_norms: Vec<f64>,
    sparse: bool,
}

/// A few rows, ready to be compared with all others.
pub(crate) struct Few {
    values: Values,
    inverse_norms: Vec<f64>,
    dims: usize,
    len: usize,
}

enum Values {
    /// count × dims.
    Dense(Vec<f64>),
    Sparse(FewSparse),
}

impl Few {
    pub fn len(&self) -> usize {
        self.len
    }
}

/// Distances, times the rows' weights, from which on the exact one is not wanted.
#[derive(Clone, Copy)]
pub(crate) struct Enough<'e> {
    /// One for each row that is compared.
    pub least: &'e [f64],
    /// Of all rows; `None`: 1.
    pub weights: Option<&'e [f64]>,
}

impl Enough<'_> {
    /// Whether a row, the `i`th that is compared, has enough with so large a distance.
    fn is(&self, row: usize, i: usize, distance: f64) -> bool {
        let weight = self.weights.map_or(1.0, |weights| weights[row]);
        distance * weight >= self.least[i]
    }
}

/// A worker's buffers.
#[derive(Default)]
pub(crate) struct Scratch {
    block: Vec<f32>,
    rows: SparseRows,
    products: Products,
}

impl<'a> RowDistances<'a> {
    pub fn new(points: &'a Points<'a>, metric: Metric, threads: &Threads<'_>) -> Result<Self> {
        // In fewer dimensions sums run across rows, in another order.
        let sparse = points.reads_sparse() && points.cols() >= few_rows::LANES;
        let mut inverse_norms = Vec::new();
        if metric == Metric::Cosine {
            inverse_norms = try_vec(0.0f64, points.rows(), "norms")?;
            let tasks = inverse_norms.chunks_mut(TASK_ROWS).enumerate();
            threads.run_long(tasks, Scratch::default, |scratch, (task, norms), poll| {
                let first = task * TASK_ROWS;
                let rows = first..first + norms.len();
                if sparse {
                    let block = &mut scratch.rows;
                    return points.in_sparse_blocks(rows, block, poll, |at, block| {
                        let norms = &mut norms[at - first..];
                        let rows = block.rows().zip(norms);
                        rows.for_each(|(row, norm)| *norm = row.inverse_norm());
                        Ok(())
                    });
                }
                points.in_blocks(rows, &mut scratch.block, poll, |at, block| {
                    let norms = &mut norms[at - first..];
                    for (row, norm) in block.chunks_exact(points.cols()).zip(norms) {
                        let square = dot(row, row);
                        if square > 0.0 {
                            *norm = 1.0 / square.sqrt();
                        }
                    }
                    Ok(())
                })
            })?;
        }
        Ok(RowDistances {
            points,
            metric,
            inverse_norms,
            sparse,
        })
    }

    /// With cosine, a row of zeros: at the same distance from every centroid.
    pub fn is_zero(&self, row: usize) -> bool {
        self.metric == Metric::Cosine && self.inverse_norms[row] == 0.0
    }

    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Makes distances to centroids as clean as those between rows: noise
    /// becomes 0.
    pub fn clean(&self, distances: &mut [f64]) {
        if self.metric == Metric::Cosine {
            for distance in distances.iter_mut().filter(|distance| **distance < NOISE) {
                *distance = 0.0;
            }
        }
    }

    pub fn select(&self, rows: &[usize]) -> Result<Few> {
        let dims = self.points.cols();
        let values = match self.sparse {
            true => Values::Sparse(FewSparse::new(self.points, rows)?),
            false => Values::Dense(self.copy(rows)?),
        };
        let inverse_norms = match self.metric {
            Metric::Euclidean => Vec::new(),
            Metric::Cosine => {
                let norms = rows.iter().map(|&row| self.inverse_norms[row]);
                collect(norms, "candidates")?
            }
        };
        Ok(Few {
            values,
            inverse_norms,
            dims,
            len: rows.len(),
        })
    }

    /// Some rows, all numbers of each.
    fn copy(&self, rows: &[usize]) -> Result<Vec<f64>> {
        let dims = self.points.cols();
        let mut values = try_vec(0.0f64, rows.len() * dims, "candidates")?;
        let mut scratch = Vec::new();
        for (values, &row) in values.chunks_exact_mut(dims).zip(rows) {
            for (value, &x) in values.iter_mut().zip(self.points.row(row, &mut scratch)?) {
                *value = f64::from(x);
            }
        }
        Ok(values)
    }

    /// Writes the distances of the rows `first..` to each of `few`: those to
    /// the first of them, then those to the second, and so on. `out` holds
    /// `few.len()` values a row. In place of a distance that is surely `enough` there may
    /// be any other that is.
    pub fn write(
        &self,
        first: usize,
        few: &Few,
        scratch: &mut Scratch,
        (out, enough): (&mut [f64], Option<Enough<'_>>),
        poll: Poll<'_>,
    ) -> Result<()> {
        let rows = out.len() / few.len();
        let values = match &few.values {
            Values::Sparse(some) => {
                let norms = match self.metric {
                    Metric::Euclidean => None,
                    Metric::Cosine => Some((&self.inverse_norms[..], &few.inverse_norms[..])),
                };
                return some.write((self.points, first), norms, scratch, (out, enough), poll);
            }
            Values::Dense(values) => values,
        };
        let block = &mut scratch.block;
        self.points
            .in_blocks(first..first + rows, block, poll, |at, block| {
                let out = (&mut *out, at - first);
                let few = few_rows::Few {
                    values,
                    dims: few.dims,
                };
                match self.metric {
                    Metric::Euclidean => few_rows::sums(block, few, out, |x, c| (x - c) * (x - c)),
                    Metric::Cosine => few_rows::sums(block, few, out, |x, c| x * c),
                }
                Ok(())
            })?;
        if self.metric == Metric::Cosine {
            let norms = &self.inverse_norms[first..first + rows];
            for (out, &of_few) in out.chunks_exact_mut(rows).zip(&few.inverse_norms) {
                for (out, &norm) in out.iter_mut().zip(norms) {
                    *out = one_less_cosine(*out, norm * of_few);
                }
            }
        }
        Ok(())
    }
}

/// 1 − cos of two rows, given their product and 1 over that of their lengths, which is 0
/// if one is a row of zeros.
fn one_less_cosine(product: f64, scale: f64) -> f64 {
    let distance = if scale > 0.0 {
        1.0 - product * scale
    } else {
        0.0
    };
    if distance < NOISE { 0.0 } else { distance }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::exact::squared_distance;
    use ndarray::Array2;

    fn distances(data: &Array2<f32>, metric: Metric, few: &[usize]) -> Vec<f64> {
        let points = Points::from(data.view());
        let threads = Threads::exactly(1, None).unwrap();
        let distances = RowDistances::new(&points, metric, &threads).unwrap();
        let few = distances.select(few).unwrap();
        let mut out = vec![f64::NAN; few.len() * data.nrows()];
        distances
            .write(0, &few, &mut Scratch::default(), (&mut out, None), &|| {
                Ok(())
            })
            .unwrap();
        out
    }

    #[test]
    fn equal_direct_float64_distances_in_any_dimension() {
        let mut rng = crate::rng::Rng::new(3);
        for dims in [1, 2, 7, 15, 16, 17, 40] {
            let data = Array2::from_shape_fn((37, dims), |_| (rng.unit() * 4.0 - 2.0) as f32);
            let picks = [5, 0, 36];
            let out = distances(&data, Metric::Euclidean, &picks);
            let cosine = distances(&data, Metric::Cosine, &picks);
            for (j, &pick) in picks.iter().enumerate() {
                for i in 0..37 {
                    let (x, c) = (data.row(i).to_vec(), data.row(pick).to_vec());
                    let plain = squared_distance(&x, &c);
                    assert!((out[j * 37 + i] - plain).abs() <= 1e-12 * plain);
                    let plain = 1.0 - dot(&x, &c) / (dot(&x, &x) * dot(&c, &c)).sqrt();
                    assert!((cosine[j * 37 + i] - plain).abs() <= 2.0 * NOISE);
                }
                assert_eq!(out[j * 37 + pick], 0.0);
                assert_eq!(cosine[j * 37 + pick], 0.0);
            }
        }
    }

    #[test]
    fn cosine_is_zero_along_a_direction_and_for_zero_rows() {
        let data = ndarray::array![[3.0_f32, 1.0], [0.3, 0.1], [0.0, 0.0], [-3.0, -1.0]];
        let out = distances(&data, Metric::Cosine, &[0, 2]);
        assert_eq!(out[..3], [0.0, 3e-17_f64.floor(), 0.0]);
        assert!((out[3] - 2.0).abs() < 1e-12);
        assert_eq!(out[4..], [0.0; 4]);
    }
}
