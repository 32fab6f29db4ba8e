//! Sums of one column at a time, where few rows have a number in it.

use super::grid::Grid;
use crate::allocate::{push, try_vec};
use crate::error::Result;

/// What the numbers of one column add up to in each cluster, without rounding.
pub(crate) struct ColumnSum {
    /// Clusters × limbs: whole numbers of units.
    limbs: Vec<i64>,
    /// Clusters that have a number in the column.
    touched: Vec<u32>,
    is_touched: Vec<bool>,
}

impl ColumnSum {
    pub fn new(grid: &Grid, clusters: usize) -> Result<Self> {
        Ok(ColumnSum {
            limbs: try_vec(0, clusters * grid.limbs(), "sums of a column")?,
            touched: Vec::new(),
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
        mut see: impl FnMut(u32, f64) -> Result<()>,
    ) -> Result<()> {
        let (columns, limbs) = (grid.columns(), grid.limbs());
        let magic = grid.magic();
        let units = |magic: f64, value: f64| {
            let rounded = value + magic;
            let units = (rounded.to_bits() as i64).wrapping_sub(magic.to_bits() as i64);
            (units, value - (rounded - magic))
        };
        for (cluster, mut value) in numbers {
            let j = cluster as usize;
            if !self.is_touched[j] {
                self.is_touched[j] = true;
                push(&mut self.touched, cluster, "sums of a column")?;
            }
            match limbs {
                1 => self.limbs[j] = self.limbs[j].wrapping_add(units(magic[t], value).0),
                _ => {
                    for (l, limb) in self.limbs[j * limbs..][..limbs].iter_mut().enumerate() {
                        let (units, rest) = units(magic[l * columns + t], value);
                        *limb = limb.wrapping_add(units);
                        value = rest;
                    }
                }
            }
        }
        for &cluster in &self.touched {
            let limbs = &mut self.limbs[cluster as usize * limbs..][..limbs];
            see(cluster, grid.read_value(t, |l| limbs[l]))?;
            limbs.fill(0);
            self.is_touched[cluster as usize] = false;
        }
        self.touched.clear();
        Ok(())
    }
}
