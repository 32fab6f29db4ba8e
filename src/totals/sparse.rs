//! Sums of sparse rows.

use super::grid::Grid;
use crate::allocate::try_vec;
use crate::error::Result;
use crate::kernels::accumulate::Sign;
use crate::kernels::exact_sparse::Vector;
use crate::metric::Metric;

/// What memory is for.
const PURPOSE: &str = "sums of sparse rows";

/// The units of a number that a limb takes, less the bits of `magic`, and what it
/// leaves.
#[inline(always)]
fn units(magic: f64, value: f64) -> (i64, f64) {
    let rounded = value + magic;
    let units = (rounded.to_bits() as i64).wrapping_sub(magic.to_bits() as i64);
    (units, value - (rounded - magic))
}

/// Adds rows, with their weights, to a sum, or takes them away: to the bit what
/// [`Grid::add_row`] does with the dense rows.
pub(super) fn add_sparse<'v>(
    grid: &Grid,
    sum: &mut [i64],
    rows: impl Iterator<Item = (Vector<'v>, f64)>,
    sign: Sign,
) {
    let (columns, magic) = (grid.columns(), grid.magic());
    let mut count = 0i64;
    let mut add = |column: usize, mut value: f64| {
        for at in (column..magic.len()).step_by(columns) {
            let (units, rest) = units(magic[at], value);
            sum[at] = match sign {
                Sign::Plus => sum[at].wrapping_add(units),
                Sign::Minus => sum[at].wrapping_sub(units),
            };
            value = rest;
        }
    };
    for (row, weight) in rows {
        let scale = match grid.metric() {
            Metric::Euclidean => 1.0,
            Metric::Cosine => row.inverse_norm(),
        };
        let numbers = row.columns.iter().zip(row.values);
        if grid.is_weighted() {
            let factors = grid.factors(scale, weight);
            for (&column, &value) in numbers {
                let [product, rest] = factors.times(value);
                add(column as usize, product);
                add(column as usize, rest);
            }
            add(grid.dims(), weight);
        } else {
            numbers.for_each(|(&column, &value)| add(column as usize, f64::from(value) * scale));
        }
        count += match sign {
            Sign::Plus => 1,
            Sign::Minus => -1,
        };
    }
    let count = grid.added(count);
    // Every number, zeros too, adds the bits of `magic`.
    for (sum, magic) in sum.iter_mut().zip(magic) {
        *sum = sum.wrapping_add(count.wrapping_mul(magic.to_bits() as i64));
    }
}

/// What sparse rows add up to, without rounding. Of columns in which none of them has a
/// number nothing is read or written.
pub(crate) struct SparseSum {
    /// Of each column, with a last one for weights, what a number is rounded by and how
    /// many units there are: see [`Grid::magic`]. The limbs of a column lie together.
    limbs: Vec<(f64, i64)>,
    /// A bit for each column that has numbers.
    touched: Vec<u64>,
}

impl SparseSum {
    /// Of no rows.
    pub fn new(grid: &Grid) -> Result<Self> {
        let (columns, magic) = (grid.columns(), grid.magic());
        let mut limbs = try_vec((0.0, 0), magic.len(), PURPOSE)?;
        for (t, limbs) in limbs.chunks_exact_mut(grid.limbs().max(1)).enumerate() {
            for (l, (own, _)) in limbs.iter_mut().enumerate() {
                *own = magic[l * columns + t];
            }
        }
        Ok(SparseSum {
            limbs,
            touched: try_vec(0, columns.div_ceil(64), PURPOSE)?,
        })
    }

    /// Adds a row, given with 1 / ‖x‖ if the metric is cosine, or else 1.
    #[inline]
    pub fn add(&mut self, grid: &Grid, row: Vector<'_>, scale: f64, weight: f64) {
        let numbers = row.columns.iter().zip(row.values);
        if grid.is_weighted() {
            let factors = grid.factors(scale, weight);
            for (&column, &value) in numbers {
                for product in factors.times(value) {
                    self.add_number(grid.limbs(), column as usize, product);
                }
            }
            return self.add_number(grid.limbs(), grid.dims(), weight);
        }
        let numbers = numbers.map(|(&column, &value)| (column as usize, f64::from(value) * scale));
        match grid.limbs() {
            1 => numbers.for_each(|(column, value)| self.add_number(1, column, value)),
            2 => numbers.for_each(|(column, value)| self.add_number(2, column, value)),
            limbs => numbers.for_each(|(column, value)| self.add_number(limbs, column, value)),
        }
    }

    #[inline(always)]
    fn add_number(&mut self, limbs: usize, column: usize, mut value: f64) {
        for (magic, limb) in &mut self.limbs[column * limbs..][..limbs] {
            let (units, rest) = units(*magic, value);
            *limb = limb.wrapping_add(units);
            value = rest;
        }
        self.touched[column / 64] |= 1 << (column % 64);
    }

    /// Adds what other rows add up to, on the same grid.
    pub fn merge(&mut self, other: &SparseSum) {
        for ((_, limb), (_, more)) in self.limbs.iter_mut().zip(&other.limbs) {
            *limb = limb.wrapping_add(*more);
        }
        for (touched, more) in self.touched.iter_mut().zip(&other.touched) {
            *touched |= more;
        }
    }

    /// The sum of a column, rounded once: what [`Grid::read`] reads of whole rows.
    #[inline]
    pub fn read(&self, grid: &Grid, column: usize) -> f64 {
        let limbs = &self.limbs[column * grid.limbs()..];
        grid.read_value(column, |l| limbs[l].1)
    }

    /// Calls `see` with each column that has numbers and their sum, ascending, and
    /// forgets them; the weights come last.
    pub fn take(&mut self, grid: &Grid, mut see: impl FnMut(u32, f64) -> Result<()>) -> Result<()> {
        for at in 0..self.touched.len() {
            let mut bits = std::mem::take(&mut self.touched[at]);
            while bits > 0 {
                let column = at * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                see(column as u32, self.read(grid, column))?;
                let limbs = grid.limbs();
                let limbs = &mut self.limbs[column * limbs..][..limbs];
                limbs.iter_mut().for_each(|(_, limb)| *limb = 0);
            }
        }
        Ok(())
    }
}
