//! Float32 sums of one row, or of a few, with all centroids, which are read as
//! they lie: nothing is packed, so that a single row costs little more than
//! reading the centroids once.
//!
//! Dimensions lie across lanes. A vector of sums is kept for each pair of row and
//! centroid, as many as a vector has lanes, and these are folded into one vector.

use super::aligned::Aligned;
use super::dispatch::{Kernel, Work, lanes, run, work_on};
use super::isa::Isa;
use super::lanes::Lanes;
use super::simd::Simd;
use crate::error::Result;
use std::marker::PhantomData;

/// Rows that are compared with each centroid that is read, at most.
pub(crate) const ROWS: usize = 4;

/// Lanes of the widest vectors.
const MOST_LANES: usize = 16;

/// Classes of centroids whose least sums are kept, by their vector's number: of one
/// row, and of each of [`ROWS`].
const ONE_ROWS_PHASES: usize = 2;
const PHASES: usize = 8;

/// Roundings that a term of a sum goes through, at most: its own three, those of
/// its lane and of folding the lanes.
pub(crate) fn steps(dims: usize) -> usize {
    3 + dims.div_ceil(8) + 8
}

/// What is summed over the dimensions: the less, the nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    /// Σ (x − c)².
    SquaredDifferences,
    /// −Σ x·c.
    MinusProducts,
}

/// The sums of a few rows with all centroids.
#[derive(Default)]
pub(crate) struct Sums {
    /// Vectors of lanes, row by row of each the sums with some centroids; infinite
    /// where there are no more.
    values: Aligned<f32>,
    lanes: usize,
    rows: usize,
    /// The least of each lane in each phase.
    least: [[f32; MOST_LANES]; PHASES],
}

impl Sums {
    /// Computes the sums of `rows`, one or [`ROWS`] of them, with all `centroids`.
    pub fn set(
        &mut self,
        isa: Isa,
        sum: Sum,
        rows: &[f32],
        (centroids, dims): (&[f32], usize),
    ) -> Result<()> {
        assert!(dims > 0);
        let (count, rest) = (centroids.len() / dims, centroids.len() % dims);
        assert!(rest == 0 && (rows.len() == dims || rows.len() == ROWS * dims));
        self.rows = rows.len() / dims;
        self.lanes = lanes(isa);
        let blocks = count.div_ceil(self.lanes / self.rows);
        self.values
            .resize(0.0, blocks * self.lanes, "sums of a row")?;
        let job = Job {
            rows,
            centroids,
            dims,
            values: &mut self.values,
            least: &mut self.least,
        };
        // SAFETY: the CPU has the instruction set, and the lengths are those that
        // the job asks for.
        unsafe {
            match sum {
                Sum::SquaredDifferences => run(isa, Scan::<SquaredDifference>(job, PhantomData)),
                Sum::MinusProducts => run(isa, Scan::<MinusProduct>(job, PhantomData)),
            }
        }
        Ok(())
    }

    /// Centroids side by side in a vector.
    fn width(&self) -> usize {
        self.lanes / self.rows
    }

    /// The sums of one row with every centroid, in order; of the only row.
    pub fn of_one(&self) -> &[f32] {
        debug_assert!(self.rows == 1);
        &self.values
    }

    /// The least sums of a row in some classes of centroids, in no order; infinite
    /// for a class without any.
    pub fn least(&self, row: usize) -> impl Iterator<Item = f32> {
        let width = self.width();
        let phases = match self.rows {
            1 => ONE_ROWS_PHASES,
            _ => PHASES,
        };
        let lanes = row * width..(row + 1) * width;
        let phases = self.least[..phases].iter();
        phases.flat_map(move |phase| phase[lanes.clone()].iter().copied())
    }

    /// The sums of a row, in no order; some may be infinite.
    pub fn all(&self, row: usize) -> impl Iterator<Item = f32> {
        let lanes = row * self.width()..(row + 1) * self.width();
        let vectors = self.values.chunks_exact(self.lanes.max(1));
        vectors.flat_map(move |vector| vector[lanes.clone()].iter().copied())
    }

    /// Calls `found` with the row, the number and the sum of each centroid whose
    /// sum is at most the limit of the row: row by row in ascending order.
    pub fn within(
        &self,
        isa: Isa,
        limits: &[f32],
        mut found: impl FnMut(usize, u32, f32) -> Result<()>,
    ) -> Result<()> {
        assert!(limits.len() == self.rows);
        let width = self.width();
        let mut of_lanes = [f32::NEG_INFINITY; MOST_LANES];
        for (lanes, &limit) in of_lanes.chunks_exact_mut(width).zip(limits) {
            lanes.fill(limit);
        }
        let mut first = 0;
        while let Some(block) = next_reached(isa, &self.values, self.lanes, first, &of_lanes) {
            for (lane, &value) in self.values[block * self.lanes..][..self.lanes]
                .iter()
                .enumerate()
            {
                if value <= of_lanes[lane] {
                    let j = block * width + lane % width;
                    found(lane / width, j as u32, value)?;
                }
            }
            first = block + 1;
        }
        Ok(())
    }
}

/// The first vector, from number `first` on, with a lane that does not exceed its
/// limit.
fn next_reached(
    isa: Isa,
    values: &[f32],
    lanes: usize,
    first: usize,
    limits: &[f32; MOST_LANES],
) -> Option<usize> {
    let values = &values[(first * lanes).min(values.len())..];
    let found = work_on(
        isa,
        FirstReached {
            values,
            lanes,
            limits,
        },
    );
    found.map(|at| first + at)
}

struct FirstReached<'f> {
    values: &'f [f32],
    lanes: usize,
    limits: &'f [f32; MOST_LANES],
}

impl Work for FirstReached<'_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> Option<usize> {
        match self.lanes {
            MOST_LANES => first_of::<MOST_LANES>(self.values, self.limits),
            _ => first_of::<8>(self.values, self.limits),
        }
    }
}

#[inline(always)]
fn first_of<const N: usize>(values: &[f32], limits: &[f32; MOST_LANES]) -> Option<usize> {
    let limits: [f32; N] = std::array::from_fn(|lane| limits[lane]);
    let (vectors, _) = values.as_chunks::<N>();
    vectors
        .iter()
        .position(|vector| (0..N).fold(false, |any, lane| any | (vector[lane] <= limits[lane])))
}

/// One or [`ROWS`] rows, whole centroids, and room for a vector of values for as
/// many pairs as a vector has lanes.
struct Job<'a> {
    rows: &'a [f32],
    centroids: &'a [f32],
    dims: usize,
    values: &'a mut [f32],
    least: &'a mut [[f32; MOST_LANES]; PHASES],
}

/// A term of the sums.
trait Term {
    /// # Safety
    /// As of [`Simd`].
    unsafe fn add<S: Simd>(x: S::V, c: S::V, sum: S::V) -> S::V;
}

struct SquaredDifference;
struct MinusProduct;

impl Term for SquaredDifference {
    #[inline(always)]
    unsafe fn add<S: Simd>(x: S::V, c: S::V, sum: S::V) -> S::V {
        // SAFETY: passed on.
        unsafe {
            let difference = S::sub(x, c);
            S::mul_add(difference, difference, sum)
        }
    }
}

impl Term for MinusProduct {
    #[inline(always)]
    unsafe fn add<S: Simd>(x: S::V, c: S::V, sum: S::V) -> S::V {
        // SAFETY: passed on.
        unsafe { S::minus_mul_add(x, c, sum) }
    }
}

struct Scan<'a, T>(Job<'a>, PhantomData<T>);

impl<T: Term> Kernel for Scan<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) {
        // SAFETY: passed on.
        unsafe {
            match S::LANES {
                16 => either::<S, T, 16, 4>(self.0),
                8 => either::<S, T, 8, 2>(self.0),
                lanes => unreachable!("no vectors have {lanes} lanes"),
            }
        }
    }
}

/// # Safety
/// The CPU has `S`; `N` is its number of lanes, and `ROWS` · `WIDTH`; lengths are
/// as [`Job`] says.
#[inline(always)]
unsafe fn either<S: Simd, T: Term, const N: usize, const WIDTH: usize>(job: Job<'_>) {
    // SAFETY: passed on.
    unsafe {
        match job.rows.len() == job.dims {
            true => scan::<S, T, N, 1, N, ONE_ROWS_PHASES>(job),
            false => scan::<S, T, N, ROWS, WIDTH, PHASES>(job),
        }
    }
}

/// # Safety
/// The CPU has `S`; `N` is its number of lanes, and `R` · `WIDTH`; there are `R`
/// rows; lengths are as [`Job`] says.
#[inline(always)]
unsafe fn scan<
    S: Simd,
    T: Term,
    const N: usize,
    const R: usize,
    const WIDTH: usize,
    const P: usize,
>(
    job: Job<'_>,
) {
    let dims = job.dims;
    for least in &mut job.least[..P] {
        least.fill(f32::INFINITY);
    }
    let groups = job.centroids.chunks(WIDTH * dims);
    for (number, (group, to)) in groups.zip(job.values.chunks_exact_mut(N)).enumerate() {
        let count = group.len() / dims;
        let least = job.least[number % P].as_mut_ptr();
        // SAFETY: the group has at least one centroid, and there is a vector of
        // values for it.
        unsafe {
            if count == WIDTH {
                let sums = block::<S, T, N, R, WIDTH>(job.rows, group, dims, WIDTH);
                S::store(to.as_mut_ptr(), sums);
                S::store(least, S::min(S::load(least), sums));
                continue;
            }
            let sums = block::<S, T, N, R, WIDTH>(job.rows, group, dims, count);
            S::store(to.as_mut_ptr(), sums);
            for (lane, value) in to.iter_mut().enumerate() {
                if lane % WIDTH >= count {
                    *value = f32::INFINITY;
                }
            }
            S::store(least, S::min(S::load(least), S::load(to.as_ptr())));
        }
    }
}

/// The sums of `R` rows with up to `WIDTH` centroids, of which `count` are there;
/// the last stands for those that are not.
///
/// # Safety
/// The CPU has `S`; `N` is its number of lanes, and `R` · `WIDTH`; there are `R`
/// rows and `count` > 0 centroids of `dims` values.
#[inline(always)]
unsafe fn block<S: Simd, T: Term, const N: usize, const R: usize, const WIDTH: usize>(
    rows: &[f32],
    centroids: &[f32],
    dims: usize,
    count: usize,
) -> S::V {
    let row = |r: usize| rows.as_ptr().wrapping_add(r * dims);
    let centroid = |c: usize| {
        let c = if count == WIDTH { c } else { c.min(count - 1) };
        centroids.as_ptr().wrapping_add(c * dims)
    };
    let whole = dims - dims % N;
    // SAFETY: vectors below `whole` lie within the rows and centroids, and of the
    // last one what is left is read.
    unsafe {
        let mut sums = [S::splat(0.0); N];
        let mut t = 0;
        while t < whole {
            let mut x = [S::splat(0.0); R];
            for (r, x) in x.iter_mut().enumerate() {
                *x = S::load(row(r).add(t));
            }
            for c in 0..WIDTH {
                let value = S::load(centroid(c).add(t));
                for r in 0..R {
                    let sum = &mut sums[r * WIDTH + c];
                    *sum = T::add::<S>(x[r], value, *sum);
                }
            }
            t += N;
        }
        if whole < dims {
            let left = dims - whole;
            let mut x = [S::splat(0.0); R];
            for (r, x) in x.iter_mut().enumerate() {
                *x = S::load_first(row(r).add(whole), left);
            }
            for c in 0..WIDTH {
                let value = S::load_first(centroid(c).add(whole), left);
                for r in 0..R {
                    let sum = &mut sums[r * WIDTH + c];
                    *sum = T::add::<S>(x[r], value, *sum);
                }
            }
        }
        S::sums(&sums)
    }
}
