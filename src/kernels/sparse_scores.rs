//! Scores of sparse rows among centroids that are kept by column.
//!
//! A row adds up its lists one number at a time, and its runs in registers, where
//! the best two scores are found too.

use super::sparse_columns::{Column, Columns, NONE, RUN, STEP};
use crate::allocate::{push, resize};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::dispatch::{self, Kernel};
use crate::kernels::exact_sparse::Rows;
use crate::kernels::isa::Isa;
use crate::kernels::simd::Simd;

/// Vectors of sums that are kept in registers.
const TOGETHER: usize = 8;

/// Numbers whose columns are looked up, and fetched, before they are added up, and rows
/// at most.
const AHEAD: usize = 128;
const ROWS: usize = 32;

/// What is asked of a row: its numbers count times `scale`, and only the first
/// `width` places, a multiple of [`STEP`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Asked {
    pub scale: f32,
    pub width: u32,
}

/// The best score, its place, and the best of the other scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Best {
    pub place: u32,
    pub score: f32,
    pub second: f32,
}

impl Best {
    /// Of no scores.
    pub(crate) const NONE: Best = Best {
        place: 0,
        score: f32::NEG_INFINITY,
        second: f32::NEG_INFINITY,
    };
}

/// What a worker scores rows with.
#[derive(Default)]
pub(crate) struct Scores {
    /// Those of the last row, one a place.
    values: Aligned<f32>,
    /// Of the rows that come next, lane by lane: the greatest scores, the greatest of
    /// the others, and the vector of the greatest.
    lanes: Aligned<f32>,
    /// Of the rows that come next, the runs and lists, and where those of each end.
    runs: Vec<(u32, f32)>,
    lists: Vec<(Column, f32)>,
    ends: Vec<(usize, usize)>,
}

impl Scores {
    /// Scores each row from `base` on, and writes the best scores to `best`.
    pub fn best(
        &mut self,
        isa: Isa,
        (columns, base): (&Columns, &[f32]),
        rows: Rows<'_>,
        asked: &[Asked],
        best: &mut [Best],
    ) -> Result<()> {
        let width = columns.width();
        assert!(base.len() == width && rows.len() == asked.len() && rows.len() == best.len());
        let fits = |asked: &Asked| {
            asked.width as usize <= width && (asked.width as usize).is_multiple_of(STEP)
        };
        assert!(asked.iter().all(fits));
        let numbers = rows.longest().max(AHEAD);
        self.values.resize(0.0, width, "scores")?;
        self.lanes.resize(0.0, ROWS * 3 * STEP, "scores")?;
        resize(&mut self.runs, numbers, (0, 0.0), "scores")?;
        resize(&mut self.lists, numbers, (NONE, 0.0), "scores")?;
        resize(&mut self.ends, ROWS, (0, 0), "scores")?;
        let score = Score {
            columns,
            base,
            rows,
            asked,
            best,
            own: self,
        };
        // SAFETY: the instruction set is one that this CPU has.
        unsafe { dispatch::run(isa, score) };
        Ok(())
    }

    /// The scores of a row that was alone: one a cluster, and what fills the last vector
    /// up.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The places, ascending, where a row that was alone has scores of at least `limit`
    /// among the first `width`, which were asked for.
    pub fn at_least(&self, limit: f32, width: u32, found: &mut Vec<u32>) -> Result<()> {
        found.clear();
        for (place, &score) in (0..width).zip(self.values.iter()) {
            if score >= limit {
                push(found, place, "candidates")?;
            }
        }
        Ok(())
    }
}

/// The score of one place.
pub(crate) fn score_of(
    (columns, base): (&Columns, &[f32]),
    (row_columns, values): (&[u32], &[f32]),
    scale: f32,
    place: u32,
) -> f32 {
    let numbers = row_columns.iter().zip(values);
    let terms = numbers.map(|(&column, &value)| value * scale * columns.number(column, place));
    terms.fold(base[place as usize], |sum, term| sum + term)
}

struct Score<'k> {
    columns: &'k Columns,
    base: &'k [f32],
    rows: Rows<'k>,
    asked: &'k [Asked],
    best: &'k mut [Best],
    own: &'k mut Scores,
}

impl Kernel for Score<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(mut self) {
        let count = self.rows.len();
        let mut first = 0;
        while first < count {
            // SAFETY: passed on.
            let end = unsafe { self.look_up::<S>(first) };
            let (mut runs, mut lists) = (0, 0);
            for row in first..end {
                let (last_run, last_list) = self.own.ends[row - first];
                let width = self.asked[row].width as usize;
                let (runs_of, lists_of) = (runs..last_run, lists..last_list);
                // SAFETY: passed on; the width was checked.
                unsafe { self.add_up::<S>(runs_of, lists_of, width, row - first) };
                (runs, lists) = (last_run, last_list);
            }
            // Apart from what goes before: how many numbers a row has can't be
            // foreseen, and nothing here waits for it.
            for row in first..end {
                // SAFETY: passed on; all lanes of these rows are written.
                self.best[row] = unsafe { self.own.best_of::<S>(row - first) };
            }
            first = end;
        }
    }
}

impl Score<'_> {
    /// Looks up the columns of some rows from `first` on, and has their numbers
    /// fetched. Returns the row after the last.
    ///
    /// # Safety
    /// The CPU has `S`.
    #[inline(always)]
    unsafe fn look_up<S: Simd>(&mut self, first: usize) -> usize {
        let Scores {
            runs, lists, ends, ..
        } = &mut *self.own;
        let (columns, width) = (&self.columns.columns[..], self.columns.width);
        let (all_runs, all_lists) = (self.columns.runs.as_ptr(), self.columns.numbers().as_ptr());
        let (mut used_runs, mut used_lists) = (0, 0);
        let mut row = first;
        loop {
            let Asked {
                scale,
                width: asked,
            } = self.asked[row];
            let (row_columns, values) = match asked {
                0 => (&[][..], &[][..]),
                _ => self.rows.get(row),
            };
            let places = used_runs.max(used_lists) + row_columns.len();
            assert!(places <= runs.len() && places <= lists.len());
            for (&column, &value) in row_columns.iter().zip(values) {
                let column = columns[column as usize];
                let value = value * scale;
                let is_run = column.len == RUN;
                // SAFETY: there is room for all numbers of the row. What is fetched
                // may be at any address.
                unsafe {
                    *runs.get_unchecked_mut(used_runs) = (column.start, value);
                    *lists.get_unchecked_mut(used_lists) = (column, value);
                    let start = column.start as usize;
                    let from = match is_run {
                        true => all_runs.wrapping_add(start * width),
                        false => all_lists.wrapping_add(start).cast(),
                    };
                    S::prefetch(from);
                }
                used_runs += usize::from(is_run);
                used_lists += usize::from(!is_run && column.len > 0);
            }
            ends[row - first] = (used_runs, used_lists);
            row += 1;
            let full = row == self.rows.len() || row - first == ROWS;
            if full || used_runs.max(used_lists) + self.rows.get(row).0.len() > AHEAD {
                return row;
            }
        }
    }

    /// The first `width` scores of a row, and the best of them lane by lane.
    ///
    /// # Safety
    /// The CPU has `S`; `width` is at most that of the columns, and a multiple of
    /// [`STEP`]; `number` is less than [`ROWS`].
    #[inline(always)]
    unsafe fn add_up<S: Simd>(
        &mut self,
        runs: std::ops::Range<usize>,
        lists: std::ops::Range<usize>,
        width: usize,
        number: usize,
    ) {
        let numbers = self.columns.numbers();
        let (all, apart) = (self.columns.runs.as_ptr(), self.columns.width);
        let own = &mut *self.own;
        let mut from = self.base.as_ptr();
        if !lists.is_empty() {
            for at in (0..width).step_by(S::LANES) {
                // SAFETY: both have `width` values; the caller has the instruction set.
                unsafe { S::store(own.values.as_mut_ptr().add(at), S::load(from.add(at))) };
            }
            for &(list, value) in &own.lists[lists] {
                let mut list = &numbers[list.start as usize..][..list.len as usize];
                if width < apart {
                    // Some are asked for only where clusters are ordered, and lists too.
                    let end = list.partition_point(|&(place, _)| (place as usize) < width);
                    list = &list[..end];
                }
                for &(place, c) in list {
                    // SAFETY: all places are below the width of the columns, which
                    // scores have.
                    let score = unsafe { own.values.get_unchecked_mut(place as usize) };
                    *score += value * c;
                }
            }
            from = own.values.as_ptr();
        }
        let runs = &own.runs[runs];
        let values = own.values.as_mut_ptr();
        let lanes = own.lanes.as_mut_ptr();
        // Only of a row that is alone.
        let keeps = self.rows.len() == 1;
        let vectors = width / S::LANES;
        // SAFETY: `values`, `from` and all runs hold `width` values, and there are lanes
        // of as many rows; the caller has the instruction set.
        unsafe {
            let mut best = BestLanes::<S>::none();
            let mut v = 0;
            while v < vectors {
                let at = v * S::LANES;
                let (from, all) = (from.add(at), all.wrapping_add(at));
                let values = if keeps { Some(values.add(at)) } else { None };
                match TOGETHER.min(vectors - v) {
                    1 => best.add::<1>(v, from, values, (all, apart), runs),
                    2 => best.add::<2>(v, from, values, (all, apart), runs),
                    3 => best.add::<3>(v, from, values, (all, apart), runs),
                    4 => best.add::<4>(v, from, values, (all, apart), runs),
                    5 => best.add::<5>(v, from, values, (all, apart), runs),
                    6 => best.add::<6>(v, from, values, (all, apart), runs),
                    7 => best.add::<7>(v, from, values, (all, apart), runs),
                    _ => best.add::<TOGETHER>(v, from, values, (all, apart), runs),
                }
                v += TOGETHER;
            }
            let lanes = lanes.add(number * 3 * STEP);
            S::store(lanes, best.first);
            S::store(lanes.add(STEP), best.second);
            S::store(lanes.add(2 * STEP), best.vector);
        }
    }
}

impl Scores {
    /// The best scores of a row, of those of all lanes.
    ///
    /// # Safety
    /// The CPU has `S`, and the lanes of the row are written.
    #[inline(always)]
    unsafe fn best_of<S: Simd>(&self, number: usize) -> Best {
        let lanes = &self.lanes[number * 3 * STEP..][..3 * STEP];
        // SAFETY: there are three vectors at least; the caller has the instruction set.
        unsafe {
            let first = S::load(lanes.as_ptr());
            let second = S::load(lanes[STEP..].as_ptr());
            let score = S::greatest(first);
            let all = S::splat(score);
            let others = S::if_greater(all, first, first, S::splat(f32::NEG_INFINITY));
            let equal = ((1u64 << S::LANES) as u32 - 1) & !S::below(first, all);
            let second = S::greatest(S::max(second, others));
            // No lane is as great where one is not a number.
            let lane = equal.trailing_zeros() as usize % STEP;
            Best {
                place: lanes[2 * STEP + lane] as u32 * S::LANES as u32 + lane as u32,
                score,
                second: if equal.count_ones() == 1 {
                    second
                } else {
                    score
                },
            }
        }
    }
}

/// Lane by lane: the best score, the best of the others, and which vector has the best.
struct BestLanes<S: Simd> {
    first: S::V,
    second: S::V,
    vector: S::V,
}

impl<S: Simd> BestLanes<S> {
    /// # Safety
    /// The CPU has `S`.
    #[inline(always)]
    unsafe fn none() -> Self {
        // SAFETY: as the caller promises.
        unsafe {
            BestLanes {
                first: S::splat(f32::NEG_INFINITY),
                second: S::splat(f32::NEG_INFINITY),
                vector: S::splat(0.0),
            }
        }
    }

    /// Adds the runs to `N` vectors of scores, from vector v on, and counts these.
    ///
    /// # Safety
    /// `from`, `values` and every run, `apart` values apart from `all` on, hold as many
    /// values; the CPU has `S`.
    #[inline(always)]
    unsafe fn add<const N: usize>(
        &mut self,
        v: usize,
        from: *const f32,
        values: Option<*mut f32>,
        (all, apart): (*const f32, usize),
        runs: &[(u32, f32)],
    ) {
        // SAFETY: as the caller promises.
        unsafe {
            let mut sums = [S::splat(0.0); N];
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum = S::load(from.add(at * S::LANES));
            }
            for &(run, value) in runs {
                let (value, run) = (S::splat(value), all.add(run as usize * apart));
                for (at, sum) in sums.iter_mut().enumerate() {
                    *sum = S::mul_add(value, S::load(run.add(at * S::LANES)), *sum);
                }
            }
            for (at, &sum) in sums.iter().enumerate() {
                self.second = S::max(self.second, S::min(self.first, sum));
                // Vectors are counted in float32, which holds 2^24.
                let vector = S::splat((v + at) as f32);
                self.vector = S::if_greater(sum, self.first, vector, self.vector);
                self.first = S::max(self.first, sum);
                if let Some(values) = values {
                    S::store(values.add(at * S::LANES), sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::exact_sparse::Vector;
    use crate::rng::Rng;

    #[test]
    fn scores_are_sums_on_every_instruction_set() {
        let mut rng = Rng::new(8);
        for (case, clusters) in [1, 7, 16, 33, 100, 130, 250, 500].into_iter().enumerate() {
            let (cols, mut columns) = (60, Columns::default());
            let dense: Vec<Vec<f32>> = (0..cols)
                .map(|column| {
                    let density = [0.02, 0.07, 0.3, 1.0][column % 4];
                    let number = |_| match rng.unit() < density {
                        true => (rng.unit() * 8.0).floor() as f32 - 3.0,
                        false => 0.0,
                    };
                    (0..clusters).map(number).collect()
                })
                .collect();
            let mut order: Vec<u32> = (0..clusters as u32).collect();
            match case % 2 {
                0 => order.clear(),
                _ => order.reverse(),
            }
            let vectors: Vec<(Vec<u32>, Vec<f32>)> = (0..clusters)
                .map(|j| {
                    let numbers = (0..)
                        .zip(&dense)
                        .map(|(column, values)| (column, values[j]));
                    numbers.filter(|&(_, value)| value != 0.0).unzip()
                })
                .collect();
            let vector = |j: u32| Vector {
                columns: &vectors[j as usize].0,
                values: &vectors[j as usize].1,
            };
            columns.set((clusters, cols), &order, vector).unwrap();
            for (column, values) in dense.iter().enumerate() {
                let mut seen = vec![false; clusters];
                columns.each(column, |cluster| seen[cluster as usize] = true);
                assert!(
                    seen.iter()
                        .zip(values)
                        .all(|(&seen, &c)| seen == (c != 0.0))
                );
                for place in 0..clusters as u32 {
                    let value = values[columns.cluster(place) as usize];
                    assert_eq!(columns.number(column as u32, place), value);
                }
            }
            let mut base = vec![f32::NEG_INFINITY; columns.width()];
            base[..clusters].fill_with(|| (rng.unit() * 8.0).floor() as f32);
            let (mut starts, mut picked) = (vec![0], Vec::new());
            for row in 0..200 {
                if row % 9 > 0 {
                    picked.extend((0..cols as u32).filter(|_| rng.unit() < 0.2));
                }
                starts.push(picked.len());
            }
            let values: Vec<f32> = picked.iter().map(|_| rng.below(5) as f32 - 1.0).collect();
            let rows = Rows {
                starts: &starts,
                columns: &picked,
                values: &values,
            };
            let asked: Vec<Asked> = (0..rows.len())
                .map(|row| Asked {
                    scale: 0.5,
                    width: match row % 4 {
                        0 => rng.below(columns.width() / STEP + 1) * STEP,
                        _ => columns.width(),
                    } as u32,
                })
                .collect();
            for isa in Isa::available() {
                let mut scores = Scores::default();
                let mut best = vec![Best::NONE; rows.len()];
                let centroids = (&columns, &base[..]);
                scores
                    .best(isa, centroids, rows, &asked, &mut best)
                    .unwrap();
                for (row, (best, asked)) in best.iter().zip(&asked).enumerate() {
                    // All are multiples of a half: sums are exact.
                    let numbers = rows.get(row);
                    let score = |place: usize| {
                        let cluster = columns.cluster(place as u32) as usize;
                        let terms = numbers.0.iter().zip(numbers.1);
                        let terms = terms.map(|(&t, &x)| 0.5 * x * dense[t as usize][cluster]);
                        base[place] + terms.sum::<f32>()
                    };
                    let width = clusters.min(asked.width as usize);
                    let all: Vec<f32> = (0..width).map(score).collect();
                    let mut sorted = all.clone();
                    sorted.sort_by(|a, b| b.total_cmp(a));
                    sorted.resize(2.max(width), f32::NEG_INFINITY);
                    assert_eq!((best.score, best.second), (sorted[0], sorted[1]));
                    for (place, &score) in all.iter().enumerate() {
                        let found = score_of(centroids, numbers, 0.5, place as u32);
                        assert_eq!(found, score);
                    }
                    if width > 0 {
                        assert_eq!(all[best.place as usize], best.score);
                        let (asked, mut alone, mut found) = ([*asked], [Best::NONE], Vec::new());
                        let row = rows.part(row..row + 1);
                        scores
                            .best(isa, centroids, row, &asked, &mut alone)
                            .unwrap();
                        assert_eq!(alone[0], *best);
                        let limit = best.score - 1.0;
                        scores.at_least(limit, asked[0].width, &mut found).unwrap();
                        let plain = (0..width).filter(|&place| all[place] >= limit);
                        assert_eq!(found, plain.map(|place| place as u32).collect::<Vec<_>>());
                    }
                }
            }
        }
    }
}
