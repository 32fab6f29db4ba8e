//! Sums of sparse rows: of one column at a time, where few rows have a number in
//! it, and of whole rows.

use super::grid::Grid;
use crate::allocate::try_vec;
use crate::error::Result;
use crate::kernels::accumulate::Sign;
use crate::kernels::exact_sparse::Vector;
use crate::metric::Metric;

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

/// What the numbers of one column add up to in each cluster, without rounding.
pub(crate) struct ColumnSum {
    /// Clusters × limbs: whole numbers of units.
    limbs: Vec<i64>,
    /// Clusters that have a number in the column, and room for one more.
    touched: Vec<u32>,
    is_touched: Vec<bool>,
}

impl ColumnSum {
    pub fn new(grid: &Grid, clusters: usize) -> Result<Self> {
        Ok(ColumnSum {
            limbs: try_vec(0, clusters * grid.limbs(), "sums of a column")?,
            touched: try_vec(0, clusters + 1, "sums of a column")?,
            is_touched: try_vec(false, clusters, "sums of a column")?,
        })
    }

    /// Adds up the numbers of column t, pairs of cluster and value, and calls
    /// `see` with each cluster that has any and their sum, rounded once: what
    /// [`Grid::read`] reads of whole rows.
    pub fn add_up(
        &mut self,
        grid: &Grid,
        t: usize,
        numbers: impl Iterator<Item = (u32, f64)>,
        see: impl FnMut(u32, f64) -> Result<()>,
    ) -> Result<()> {
        match grid.limbs() {
            1 => self.add_limbs::<1>(grid, t, numbers, see),
            2 => self.add_limbs::<2>(grid, t, numbers, see),
            _ => self.add_limbs::<0>(grid, t, numbers, see),
        }
    }

    /// [`add_up`](Self::add_up) of `LIMBS` limbs, or with 0 as many as there are.
    #[inline]
    fn add_limbs<const LIMBS: usize>(
        &mut self,
        grid: &Grid,
        t: usize,
        numbers: impl Iterator<Item = (u32, f64)>,
        mut see: impl FnMut(u32, f64) -> Result<()>,
    ) -> Result<()> {
        let columns = grid.columns();
        let limbs = if LIMBS == 0 { grid.limbs() } else { LIMBS };
        let magic = grid.magic();
        let mut touched = 0;
        for (cluster, mut value) in numbers {
            let j = cluster as usize;
            // Without a branch: whether a cluster comes again is hard to foresee.
            self.touched[touched] = cluster;
            touched += usize::from(!self.is_touched[j]);
            self.is_touched[j] = true;
            let own = &mut self.limbs[j * limbs..][..limbs];
            for (l, limb) in own.iter_mut().enumerate() {
                let (units, rest) = units(magic[l * columns + t], value);
                *limb = limb.wrapping_add(units);
                value = rest;
            }
        }
        for &cluster in &self.touched[..touched] {
            let limbs = &mut self.limbs[cluster as usize * limbs..][..limbs];
            see(cluster, grid.read_value(t, |l| limbs[l]))?;
            limbs.fill(0);
            self.is_touched[cluster as usize] = false;
        }
        Ok(())
    }
}
