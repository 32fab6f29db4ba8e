//! Scores of sparse rows among centroids that are kept by column.
//!
//! A column in which few centroids have a number is a list of those, any other a
//! run of all numbers. A row adds up its lists one number at a time, and its runs
//! in registers.

use crate::allocate::{push, resize};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::dispatch::{self, Kernel};
use crate::kernels::exact_sparse::Vector;
use crate::kernels::isa::Isa;
use crate::kernels::simd::Simd;

/// Places of a run are a multiple of this: whole vectors of any instruction set.
const STEP: usize = 16;

/// Vectors of sums that are kept in registers.
const TOGETHER: usize = 8;

/// A list entry costs as much as so many numbers of a run.
const LIST_COST: usize = 12;

/// The length that marks a run.
const RUN: u32 = u32::MAX;

/// Where the numbers of a column are.
#[derive(Clone, Copy)]
struct Place {
    /// The first of the list, or which run.
    start: usize,
    len: u32,
}

const NONE: Place = Place { start: 0, len: 0 };

/// The numbers of some centroids, by column. All clusters of lists are below the
/// width, and all runs are there: what the kernels rely on.
#[derive(Default)]
pub(crate) struct Columns {
    clusters: usize,
    width: usize,
    places: Vec<Place>,
    lists: Vec<(u32, f32)>,
    runs: Aligned<f32>,
    used_runs: usize,
}

impl Columns {
    /// No numbers yet, and room for so many runs.
    pub fn start(&mut self, clusters: usize, cols: usize, runs: usize) -> Result<()> {
        self.clusters = clusters;
        self.width = clusters.next_multiple_of(STEP);
        self.places.clear();
        resize(&mut self.places, cols, NONE, "centroids by column")?;
        self.lists.clear();
        self.used_runs = 0;
        let values = runs.saturating_mul(self.width);
        self.runs.resize(0.0, values, "centroids by column")
    }

    /// Whether a column with so many numbers is a run.
    pub fn is_run(clusters: usize, numbers: usize) -> bool {
        numbers * LIST_COST > clusters
    }

    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// Clusters in whole vectors.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn cols(&self) -> usize {
        self.places.len()
    }

    /// Writes the numbers of a column: pairs of cluster and value.
    pub fn write(
        &mut self,
        column: usize,
        numbers: impl ExactSizeIterator<Item = (u32, f32)>,
    ) -> Result<()> {
        let len = numbers.len();
        if Self::is_run(self.clusters, len) {
            let start = self.used_runs * self.width;
            let run = &mut self.runs[start..][..self.width];
            run.fill(0.0);
            numbers.for_each(|(cluster, value)| run[cluster as usize] = value);
            self.places[column] = Place {
                start: self.used_runs,
                len: RUN,
            };
            self.used_runs += 1;
        } else {
            let start = self.lists.len();
            for (cluster, value) in numbers {
                assert!((cluster as usize) < self.clusters);
                push(&mut self.lists, (cluster, value), "centroids by column")?;
            }
            self.places[column] = Place {
                start,
                len: len as u32,
            };
        }
        Ok(())
    }

    /// Calls `see` with each cluster that has a number in a column, and the number.
    pub fn each(&self, column: usize, mut see: impl FnMut(u32, f32)) {
        match self.places[column] {
            Place { start, len: RUN } => {
                let run = &self.runs[start * self.width..][..self.clusters];
                for (cluster, &value) in run.iter().enumerate() {
                    if value.to_bits() != 0 {
                        see(cluster as u32, value);
                    }
                }
            }
            Place { start, len } => {
                let list = &self.lists[start..][..len as usize];
                list.iter()
                    .for_each(|&(cluster, value)| see(cluster, value));
            }
        }
    }
}

/// What a worker scores rows with.
#[derive(Default)]
pub(crate) struct Scores {
    /// One a cluster, in whole vectors.
    values: Aligned<f32>,
    runs: Vec<(u32, f32)>,
    /// The greatest of each group of vectors.
    greatest: Vec<f32>,
}

impl Scores {
    /// Scores a row, each number times `scale`, from `base` on. Returns the
    /// greatest score.
    pub fn of(
        &mut self,
        isa: Isa,
        columns: &Columns,
        base: &[f32],
        row: Vector<'_>,
        scale: f64,
    ) -> Result<f32> {
        assert!(base.len() == columns.width);
        self.values.resize(0.0, columns.width, "scores")?;
        resize(&mut self.runs, row.columns.len(), (0, 0.0), "scores")?;
        let groups = columns.width.div_ceil(STEP * TOGETHER);
        resize(&mut self.greatest, groups.max(1), 0.0, "scores")?;
        let score = Score {
            columns,
            base,
            row,
            scale,
            scores: &mut self.values,
            runs: &mut self.runs,
            greatest: &mut self.greatest,
        };
        // SAFETY: the instruction set is one that this CPU has.
        unsafe { dispatch::run(isa, score) };
        let greatest = self.greatest.iter().copied();
        Ok(greatest.fold(f32::NEG_INFINITY, f32::max))
    }

    /// The scores of the last row: one a cluster, and what fills the last vector up.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The clusters whose scores are at least `limit`, ascending.
    pub fn at_least(&self, limit: f32, found: &mut Vec<u32>) -> Result<()> {
        found.clear();
        let groups = self.values.chunks(STEP * TOGETHER);
        for (group, (scores, &greatest)) in groups.zip(&self.greatest).enumerate() {
            if greatest < limit {
                continue;
            }
            let first = group * STEP * TOGETHER;
            for (part, scores) in scores.as_chunks::<STEP>().0.iter().enumerate() {
                let any = scores
                    .iter()
                    .fold(false, |any, &score| any | (score >= limit));
                if any {
                    for (lane, &score) in scores.iter().enumerate() {
                        if score >= limit {
                            push(found, (first + part * STEP + lane) as u32, "candidates")?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

struct Score<'k> {
    columns: &'k Columns,
    base: &'k [f32],
    row: Vector<'k>,
    scale: f64,
    scores: &'k mut [f32],
    runs: &'k mut [(u32, f32)],
    greatest: &'k mut [f32],
}

impl Kernel for Score<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) {
        let Columns { lists, width, .. } = self.columns;
        self.scores.copy_from_slice(self.base);
        let mut used = 0;
        for (&column, &value) in self.row.columns.iter().zip(self.row.values) {
            let value = (f64::from(value) * self.scale) as f32;
            let place = self.columns.places[column as usize];
            if place.len == RUN {
                self.runs[used] = (place.start as u32, value);
                used += 1;
                continue;
            }
            for &(cluster, c) in &lists[place.start..][..place.len as usize] {
                // SAFETY: clusters of lists are below the width.
                let score = unsafe { self.scores.get_unchecked_mut(cluster as usize) };
                *score += value * c;
            }
        }
        let runs = &self.runs[..used];
        let group = STEP * TOGETHER;
        for (at, greatest) in (0..*width).step_by(group).zip(self.greatest.iter_mut()) {
            // SAFETY: runs and scores hold whole groups of `width` values each; the
            // caller has the instruction set.
            *greatest = unsafe {
                let scores = self.scores.as_mut_ptr().add(at);
                let all = self.columns.runs.as_ptr().add(at);
                let vectors = group.min(*width - at) / S::LANES;
                let mut best = S::splat(f32::NEG_INFINITY);
                let mut v = 0;
                while v + TOGETHER <= vectors {
                    let at = v * S::LANES;
                    let found = add::<S, TOGETHER>(scores.add(at), all.add(at), *width, runs);
                    best = S::max(best, found);
                    v += TOGETHER;
                }
                let at = v * S::LANES;
                let (scores, all) = (scores.add(at), all.add(at));
                let found = match vectors - v {
                    1 => add::<S, 1>(scores, all, *width, runs),
                    2 => add::<S, 2>(scores, all, *width, runs),
                    3 => add::<S, 3>(scores, all, *width, runs),
                    4 => add::<S, 4>(scores, all, *width, runs),
                    5 => add::<S, 5>(scores, all, *width, runs),
                    6 => add::<S, 6>(scores, all, *width, runs),
                    7 => add::<S, 7>(scores, all, *width, runs),
                    _ => best,
                };
                let mut lanes = [0.0f32; STEP];
                S::store(lanes.as_mut_ptr(), S::max(best, found));
                let lanes = lanes[..S::LANES].iter();
                lanes.fold(
                    f32::NEG_INFINITY,
                    |best, &lane| if lane > best { lane } else { best },
                )
            };
        }
    }
}

/// Adds the runs to `N` vectors of scores, and returns the greatest lanes.
///
/// # Safety
/// `scores` and every run, `width` values apart from `all` on, hold as many values;
/// the CPU has `S`.
#[inline(always)]
unsafe fn add<S: Simd, const N: usize>(
    scores: *mut f32,
    all: *const f32,
    width: usize,
    runs: &[(u32, f32)],
) -> S::V {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [S::splat(0.0); N];
        for (v, sum) in sums.iter_mut().enumerate() {
            *sum = S::load(scores.add(v * S::LANES));
        }
        for &(run, value) in runs {
            let (value, run) = (S::splat(value), all.add(run as usize * width));
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = S::mul_add(value, S::load(run.add(v * S::LANES)), *sum);
            }
        }
        let mut best = sums[0];
        for (v, &sum) in sums.iter().enumerate() {
            S::store(scores.add(v * S::LANES), sum);
            best = S::max(best, sum);
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn scores_are_sums_on_every_instruction_set() {
        let mut rng = Rng::new(8);
        for clusters in [1, 7, 16, 33, 100, 250] {
            let (cols, mut columns) = (60, Columns::default());
            let dense: Vec<Vec<f32>> = (0..cols)
                .map(|column| {
                    let density = [0.02, 0.07, 0.3, 1.0][column % 4];
                    let number = |_| match rng.unit() < density {
                        true => rng.unit() as f32 - 0.4,
                        false => 0.0,
                    };
                    (0..clusters).map(number).collect()
                })
                .collect();
            columns.start(clusters, cols, cols).unwrap();
            for (column, values) in dense.iter().enumerate() {
                let numbers = (0u32..).zip(values.iter().copied());
                let numbers: Vec<_> = numbers.filter(|&(_, value)| value != 0.0).collect();
                columns.write(column, numbers.iter().copied()).unwrap();
                let mut seen = Vec::new();
                columns.each(column, |cluster, value| seen.push((cluster, value)));
                assert_eq!(seen, numbers);
            }
            let mut base = vec![f32::NEG_INFINITY; columns.width()];
            base[..clusters].fill_with(|| rng.unit() as f32);
            let picked: Vec<u32> = (0..cols as u32).filter(|_| rng.unit() < 0.5).collect();
            let values: Vec<f32> = picked.iter().map(|_| rng.unit() as f32).collect();
            let row = Vector {
                columns: &picked,
                values: &values,
            };
            let expected: Vec<f64> = (0..clusters)
                .map(|j| {
                    let terms = row.columns.iter().zip(row.values);
                    let terms =
                        terms.map(|(&t, &x)| f64::from(x) * f64::from(dense[t as usize][j]));
                    f64::from(base[j]) + 0.5 * terms.sum::<f64>()
                })
                .collect();
            for isa in Isa::available() {
                let mut scores = Scores::default();
                let greatest = scores.of(isa, &columns, &base, row, 0.5).unwrap();
                let near = |a: f32, b: f64| (f64::from(a) - b).abs() < 1e-5;
                for (&score, &expected) in scores.values.iter().zip(&expected) {
                    assert!(near(score, expected));
                }
                assert!(near(
                    greatest,
                    expected.iter().copied().fold(f64::MIN, f64::max)
                ));
                let mut found = Vec::new();
                scores.at_least(greatest - 0.2, &mut found).unwrap();
                let plain = (0..clusters).filter(|&j| scores.values[j] >= greatest - 0.2);
                assert_eq!(found, plain.map(|j| j as u32).collect::<Vec<_>>());
            }
        }
    }
}
