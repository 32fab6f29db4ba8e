//! The few rows' way: centroids are read as they lie, in float32, and canonical
//! distances decide among those that float32 can't tell from the nearest. Nothing
//! is packed and nothing kept but, with cosine, norms. See `docs/nearest.md` for
//! the bounds.

use crate::allocate::{extend, push};
use crate::error::Result;
use crate::kernels::isa::Isa;
use crate::kernels::scan::{ROWS, Sum, Sums, steps};
use crate::metric::Metric;
use crate::nearest::brute_force::keep_least;
use crate::nearest::scores::ROUNDOFF;
use crate::nearest::vectors::{Centroids, Row};

const PURPOSE: &str = "a search of few rows";

/// Sums of squares below this are compared with it added: more than whatever
/// underflows.
const LITTLE: f64 = 1.0 / (1u128 << 98) as f64;

/// Sums of squares up to this can't have lost anything by overflow.
const MUCH: f32 = (1u128 << 100) as f32;

/// Covers the rounding of canonical distances and of the bias.
const CANONICAL: f64 = 1.0 / (1u64 << 38) as f64;

/// Factors that neither make anything of what underflows nor overflow.
const MODERATE: f64 = (1u64 << 60) as f64;

/// All centroids of a search, and a worker's buffers.
pub(super) struct Scan<'a> {
    isa: Isa,
    metric: Metric,
    centroids: Centroids<'a>,
    /// 1 / ‖c‖; `None` where all are 1 up to rounding.
    inverse_norms: Option<&'a [f64]>,
    /// A sum errs by so much, relative to itself, or with cosine as it is.
    error: f64,
    sums: Sums,
    units: Vec<f32>,
    candidates: [Vec<(f32, u32)>; ROWS],
    uppers: Vec<f64>,
    ranked: Vec<(f64, u32)>,
}

impl<'a> Scan<'a> {
    /// `inverse_norms`: see [`inverse_norms`].
    pub fn new(
        isa: Isa,
        metric: Metric,
        centroids: Centroids<'a>,
        inverse_norms: Option<&'a [f64]>,
    ) -> Self {
        let more = match metric {
            Metric::Euclidean => 0,
            Metric::Cosine => 8, // rows and centroids are unit vectors in float32
        };
        Scan {
            isa,
            metric,
            centroids,
            inverse_norms,
            error: 1.01 * ROUNDOFF * (steps(centroids.dims) + more) as f64,
            sums: Sums::default(),
            units: Vec::new(),
            candidates: Default::default(),
            uppers: Vec::new(),
            ranked: Vec::new(),
        }
    }

    /// Calls `found` with each row's number in `values` and its `count` nearest
    /// centroids, nearest first, with their distances and bias; those are left out,
    /// as 0, if they are not `wanted` and not needed.
    pub fn search(
        &mut self,
        values: &[f32],
        count: usize,
        wanted: bool,
        mut found: impl FnMut(usize, &[(f64, u32)]),
    ) -> Result<()> {
        let dims = self.centroids.dims;
        let is_plain = self.centroids.bias.is_none() && self.inverse_norms.is_none();
        let mut first = 0;
        for group in values.chunks(ROWS * dims) {
            let together = match is_plain && group.len() == ROWS * dims {
                true => ROWS,
                false => 1,
            };
            for values in group.chunks_exact(together * dims) {
                self.compare(values)?;
                match is_plain {
                    true => self.choose(together, count)?,
                    false => self.choose_one(count)?,
                }
                for (r, values) in values.chunks_exact(dims).enumerate() {
                    self.rank(r, values, count, wanted)?;
                    found(first + r, &self.ranked);
                }
                first += together;
            }
        }
        Ok(())
    }

    /// Computes the sums of these rows.
    fn compare(&mut self, values: &[f32]) -> Result<()> {
        let (sum, rows) = match self.metric {
            Metric::Euclidean => (Sum::SquaredDifferences, values),
            Metric::Cosine => {
                self.units.clear();
                for values in values.chunks_exact(self.centroids.dims) {
                    let factor = Row::new(values, self.metric).inverse_norm();
                    let unit = values.iter().map(|&x| (f64::from(x) * factor) as f32);
                    extend(&mut self.units, unit, PURPOSE)?;
                }
                (Sum::MinusProducts, &self.units[..])
            }
        };
        let centroids = (self.centroids.values, self.centroids.dims);
        self.sums.set(self.isa, sum, rows, centroids)
    }

    /// The greatest sum of a centroid that may be as near as one whose sum is
    /// this; infinite if float32 can't tell.
    fn limit(&self, sum: f32) -> f32 {
        let (least, error) = (f64::from(sum), self.error);
        let limit = match self.metric {
            Metric::Euclidean if sum > MUCH => return f32::INFINITY,
            Metric::Euclidean => least * (1.0 + 2.1 * error) + LITTLE,
            Metric::Cosine => least + 2.1 * error,
        };
        (limit + 2.0 * ROUNDOFF * limit.abs()) as f32
    }

    /// Fills the candidates for the `count` nearest of each row, ascending; none
    /// where float32 can't tell.
    fn choose(&mut self, rows: usize, count: usize) -> Result<()> {
        let mut limits = [f32::INFINITY; ROWS];
        for (row, limit) in limits[..rows].iter_mut().enumerate() {
            let least = self.least(row, count)?;
            // Above the sums of no centroid if it is infinite.
            *limit = match self.limit(least) {
                limit if limit < f32::INFINITY => limit,
                _ => f32::NAN,
            };
            self.candidates[row].clear();
        }
        let candidates = &mut self.candidates;
        self.sums.within(self.isa, &limits[..rows], |row, j, sum| {
            push(&mut candidates[row], (sum, j), PURPOSE)
        })?;
        if count == 1 {
            return Ok(());
        }
        for row in 0..rows {
            if self.candidates[row].len() > count {
                let mut sums = std::mem::take(&mut self.uppers);
                sums.clear();
                let candidates = self.candidates[row].iter();
                extend(
                    &mut sums,
                    candidates.map(|&(sum, _)| f64::from(sum)),
                    PURPOSE,
                )?;
                let last = *sums.select_nth_unstable_by(count - 1, f64::total_cmp).1;
                self.uppers = sums;
                let limit = self.limit(last as f32);
                self.candidates[row].retain(|&(sum, _)| sum <= limit);
            }
        }
        Ok(())
    }

    /// A sum that at least `count` centroids don't exceed, hardly more than that of
    /// the last of them.
    fn least(&mut self, row: usize, count: usize) -> Result<f32> {
        if count == 1 {
            return Ok(self.sums.least(row).fold(f32::INFINITY, f32::min));
        }
        let uppers = &mut self.uppers;
        uppers.clear();
        extend(uppers, self.sums.least(row).map(f64::from), PURPOSE)?;
        if count > uppers.len() {
            uppers.clear();
            extend(uppers, self.sums.all(row).map(f64::from), PURPOSE)?;
        }
        Ok(*uppers.select_nth_unstable_by(count - 1, f64::total_cmp).1 as f32)
    }

    /// The same for one row where every centroid has a bias or a norm of its own.
    fn choose_one(&mut self, count: usize) -> Result<()> {
        let (centroids, metric, error) = (self.centroids, self.metric, self.error);
        let norms = self.inverse_norms;
        let sums = &self.sums.of_one()[..centroids.len()];
        // A lower and an upper bound.
        let bounds = |j: usize, sum: f32| {
            let sum = f64::from(sum);
            let factor = norms.map_or(1.0, |norms| norms[j]);
            let (distance, error) = match metric {
                Metric::Euclidean => (sum, sum * error + LITTLE),
                Metric::Cosine => (1.0 + sum * factor, error),
            };
            let is_moderate = factor == 0.0 || (1.0 / MODERATE..=MODERATE).contains(&factor);
            if !is_moderate || !sum.is_finite() {
                return (f64::NEG_INFINITY, f64::INFINITY);
            }
            let bias = centroids.bias(j);
            let value = distance + bias;
            let error = 1.1 * error + CANONICAL * (distance.abs() + bias.abs());
            (value - error, value + error)
        };
        let pairs = || sums.iter().enumerate().map(|(j, &sum)| bounds(j, sum));
        let limit = match count {
            1 => pairs().fold(f64::INFINITY, |least, (_, upper)| least.min(upper)),
            _ => {
                self.uppers.clear();
                extend(&mut self.uppers, pairs().map(|(_, upper)| upper), PURPOSE)?;
                let order = f64::total_cmp;
                *self.uppers.select_nth_unstable_by(count - 1, order).1
            }
        };
        let candidates = &mut self.candidates[0];
        candidates.clear();
        for (j, (lower, _)) in pairs().enumerate() {
            if lower <= limit {
                push(candidates, (0.0, j as u32), PURPOSE)?;
            }
        }
        Ok(())
    }

    /// Ranks the candidates of a row by canonical distance.
    fn rank(&mut self, r: usize, values: &[f32], count: usize, wanted: bool) -> Result<()> {
        let (centroids, candidates) = (self.centroids, &self.candidates[r]);
        self.ranked.clear();
        if let (1, false, &[(_, j)]) = (count, wanted, &candidates[..]) {
            return push(&mut self.ranked, (0.0, j), PURPOSE);
        }
        let row = Row::new(values, self.metric);
        let measure = |j: u32| {
            let distance = row.distance(centroids.row(j as usize));
            (distance + centroids.bias(j as usize), j)
        };
        match candidates.len() < count {
            true => extend(
                &mut self.ranked,
                (0..centroids.len() as u32).map(measure),
                PURPOSE,
            )?,
            false => extend(
                &mut self.ranked,
                candidates.iter().map(|&(_, j)| measure(j)),
                PURPOSE,
            )?,
        }
        keep_least(&mut self.ranked, count);
        Ok(())
    }
}

/// 1 / ‖c‖ of every centroid, into `out`: nothing where all are 1 up to rounding, or
/// count for nothing.
pub(super) fn inverse_norms(
    centroids: Centroids<'_>,
    metric: Metric,
    out: &mut Vec<f64>,
) -> Result<()> {
    out.clear();
    if metric == Metric::Euclidean {
        return Ok(());
    }
    let mut is_unit = true;
    for j in 0..centroids.len() {
        let norm = Row::new(centroids.row(j), metric).inverse_norm();
        is_unit &= (norm - 1.0).abs() <= 2.0 * ROUNDOFF;
        push(out, norm, PURPOSE)?;
    }
    if is_unit {
        out.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nearest::brute_force::measure_all;
    use crate::nearest::tests::for_each_case;

    #[test]
    fn few_rows_get_the_nearest_of_brute_force() {
        for_each_case(|name, points, metric, centroids| {
            let mut norms = Vec::new();
            inverse_norms(centroids, metric, &mut norms).unwrap();
            let norms = (!norms.is_empty()).then_some(&norms[..]);
            // Whole groups of rows, single rows, and centroids with a bias.
            let (n, mut scratch) = (points.rows().min(2 * ROWS + 3), Vec::new());
            let values = points.block(0..n, &mut scratch).unwrap();
            for isa in Isa::available() {
                let mut scan = Scan::new(isa, metric, centroids, norms);
                for count in [1, 2, 8, 40].map(|count: usize| count.min(centroids.len())) {
                    for wanted in [false, true] {
                        let mut seen = 0;
                        let check = |i: usize, ranked: &[(f64, u32)]| {
                            let row = &values[i * centroids.dims..][..centroids.dims];
                            let row = Row::new(row, metric);
                            let mut expected = Vec::new();
                            measure_all(&row, centroids, &mut expected, &|| Ok(())).unwrap();
                            keep_least(&mut expected, count);
                            let labels = ranked.iter().map(|&(_, j)| j);
                            let right = expected.iter().map(|&(_, j)| j);
                            assert!(labels.eq(right), "{name}, {isa:?}, top {count}, row {i}");
                            assert!(!wanted || ranked == expected, "{name}, {isa:?}, row {i}");
                            assert_eq!(seen, i);
                            seen += 1;
                        };
                        scan.search(values, count, wanted, check).unwrap();
                        assert_eq!(seen, n);
                    }
                }
            }
        });
    }

    /// Medoids may be of any length with cosine.
    #[test]
    fn centroids_that_are_no_unit_vectors_have_norms() {
        let values = [3.0f32, 4.0, 0.0, 0.0, 1e-30, 0.0, 0.6, 0.8];
        let centroids = Centroids::new(&values, 2);
        let mut norms = Vec::new();
        inverse_norms(centroids, Metric::Cosine, &mut norms).unwrap();
        assert_eq!(norms.len(), 4);
        let row = [0.0f32, 2.0, 1.0, 0.0, 5.0, -5.0, 0.0, 0.0];
        for isa in Isa::available() {
            let mut scan = Scan::new(isa, Metric::Cosine, centroids, Some(&norms));
            let mut labels = Vec::new();
            let found = |_, ranked: &[(f64, u32)]| labels.push(ranked[0].1);
            scan.search(&row, 1, false, found).unwrap();
            assert_eq!(labels, [0, 2, 2, 0]);
        }
        inverse_norms(Centroids::new(&values[6..], 2), Metric::Cosine, &mut norms).unwrap();
        assert!(norms.is_empty());
        inverse_norms(centroids, Metric::Euclidean, &mut norms).unwrap();
        assert!(norms.is_empty());
    }
}
