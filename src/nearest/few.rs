//! Distances of many rows to a few rows, as seeding needs them: one pass over
//! the data for a handful of candidates, in float64, the same bits on every
//! instruction set.

use crate::allocate::{collect, try_vec};
use crate::error::Result;
use crate::kernels::exact::dot;
use crate::kernels::few_rows;
use crate::metric::Metric;
use crate::points::Points;
use crate::threads::{Poll, Threads};

/// Rows per task.
const TASK_ROWS: usize = 1024;

/// Distances below this are rounding noise of two equal directions.
const NOISE: f64 = 1e-12;

/// Computes distances between rows, clean enough to draw rows by: never
/// negative, exactly 0 between copies of a row and, with cosine, between rows
/// of one direction and from or to a zero row, which wants no centroid.
pub(crate) struct RowDistances<'a> {
    points: &'a Points<'a>,
    metric: Metric,
    /// 1 / ‖x‖, or 0 for a zero row; empty unless the metric is cosine.
    inverse_norms: Vec<f64>,
}

/// A few rows, ready to be compared with all others.
pub(crate) struct Few {
    /// count × dims.
    values: Vec<f64>,
    inverse_norms: Vec<f64>,
    dims: usize,
}

impl Few {
    pub fn len(&self) -> usize {
        self.values.len() / self.dims
    }
}

impl<'a> RowDistances<'a> {
    pub fn new(points: &'a Points<'a>, metric: Metric, threads: &Threads<'_>) -> Result<Self> {
        let mut inverse_norms = Vec::new();
        if metric == Metric::Cosine {
            inverse_norms = try_vec(0.0f64, points.rows(), "norms")?;
            let tasks = inverse_norms.chunks_mut(TASK_ROWS).enumerate();
            threads.run_long(tasks, Vec::new, |scratch, (task, norms), poll| {
                let first = task * TASK_ROWS;
                let rows = first..first + norms.len();
                points.in_blocks(rows, scratch, poll, |at, block| {
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
        let mut values = try_vec(0.0f64, rows.len() * dims, "candidates")?;
        let mut scratch = Vec::new();
        for (values, &row) in values.chunks_exact_mut(dims).zip(rows) {
            for (value, &x) in values.iter_mut().zip(self.points.row(row, &mut scratch)?) {
                *value = f64::from(x);
            }
        }
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
        })
    }

    /// Writes the distances of the rows `first..` to each of `few`: those to
    /// the first of them, then those to the second, and so on. `out` holds
    /// `few.len()` values a row.
    pub fn write(
        &self,
        first: usize,
        few: &Few,
        scratch: &mut Vec<f32>,
        out: &mut [f64],
        poll: Poll<'_>,
    ) -> Result<()> {
        let rows = out.len() / few.len();
        self.points
            .in_blocks(first..first + rows, scratch, poll, |at, block| {
                let out = (&mut *out, at - first);
                let few = few_rows::Few {
                    values: &few.values,
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
                    let scale = norm * of_few;
                    let distance = if scale > 0.0 { 1.0 - *out * scale } else { 0.0 };
                    *out = if distance < NOISE { 0.0 } else { distance };
                }
            }
        }
        Ok(())
    }
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
            .write(0, &few, &mut Vec::new(), &mut out, &|| Ok(()))
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
