//! Tiles of distances between sparse rows, in the columns that some of them have a number
//! in: the others add zeros, which change no bit.

use super::tiles::ScaledRows;
use crate::allocate::resize;
use crate::error::Result;
use crate::kernels::exact_sparse::Vector;
use crate::kernels::pairwise::{PANEL, STRIP, squared_distances};
use crate::points::SparseRows;

/// Rows that share columns with a panel: more have more columns, fewer are packed more
/// often.
const TOGETHER: usize = 4 * STRIP;

const PURPOSE: &str = "tiles";

/// What one worker needs of sparse rows.
#[derive(Default)]
pub(super) struct Scratch {
    rows: SparseRows,
    columns: SparseRows,
    union: Union,
    strips: Vec<f32>,
    panel: Vec<f32>,
}

/// Columns that some rows have, and their places among them.
#[derive(Default)]
struct Union {
    /// A bit for each column.
    bits: Vec<u64>,
    places: Vec<u32>,
    len: usize,
}

impl Union {
    fn find<'v>(&mut self, dims: usize, rows: impl Iterator<Item = Vector<'v>>) -> Result<()> {
        self.bits.clear();
        resize(&mut self.bits, dims.div_ceil(64), 0, PURPOSE)?;
        resize(&mut self.places, dims, 0, PURPOSE)?;
        for &column in rows.flat_map(|row| row.columns) {
            self.bits[column as usize / 64] |= 1 << (column % 64);
        }
        self.len = 0;
        for (word, &bits) in self.bits.iter().enumerate() {
            let mut left = bits;
            while left != 0 {
                self.places[word * 64 + left.trailing_zeros() as usize] = self.len as u32;
                self.len += 1;
                left &= left - 1;
            }
        }
        Ok(())
    }

    /// [`pack`](crate::kernels::pairwise::pack) of some rows, given how many, in these
    /// columns.
    fn pack<'v, const LANES: usize>(
        &self,
        (count, rows): (usize, impl Iterator<Item = Vector<'v>>),
        packed: &mut Vec<f32>,
    ) -> Result<()> {
        packed.clear();
        resize(
            packed,
            count.next_multiple_of(LANES) * self.len,
            0.0,
            PURPOSE,
        )?;
        for (i, row) in rows.enumerate() {
            let bundle = &mut packed[i / LANES * LANES * self.len..];
            for (&column, &value) in row.columns.iter().zip(row.values) {
                bundle[self.places[column as usize] as usize * LANES + i % LANES] = value;
            }
        }
        Ok(())
    }
}

impl ScaledRows<'_> {
    /// Reads the rows of a tile.
    pub(super) fn read_rows(&self, rows: &[u32], scratch: &mut Scratch) -> Result<()> {
        self.read(rows, &mut scratch.rows)
    }

    /// Reads the columns of a tile, which are rows too.
    pub(super) fn read_columns(&self, columns: &[u32], scratch: &mut Scratch) -> Result<()> {
        self.read(columns, &mut scratch.columns)
    }

    fn read(&self, chosen: &[u32], out: &mut SparseRows) -> Result<()> {
        self.points
            .select(chosen)
            .read_sparse(0..chosen.len(), out)?;
        for (i, &row) in chosen.iter().enumerate() {
            out.scale(i, self.factor(row));
        }
        Ok(())
    }

    /// Writes the squared distances of the first `rows` rows that were read to the columns
    /// from `first` on, a panel of them, to `block`.
    pub(super) fn sparse_panel(
        &self,
        rows: usize,
        first: usize,
        scratch: &mut Scratch,
        block: &mut [f32],
    ) -> Result<()> {
        let Scratch {
            rows: all,
            columns,
            union,
            strips,
            panel,
        } = scratch;
        let width = PANEL.min(columns.len() - first);
        let columns = || (first..first + width).map(|j| columns.row(j));
        for (part, block) in block.chunks_mut(TOGETHER * PANEL).enumerate() {
            let from = part * TOGETHER;
            let count = TOGETHER.min(rows - from);
            let rows = || (from..from + count).map(|i| all.row(i));
            union.find(self.points.cols(), rows().chain(columns()))?;
            union.pack::<STRIP>((count, rows()), strips)?;
            union.pack::<PANEL>((width, columns()), panel)?;
            if union.len == 0 {
                block.fill(0.0);
                continue;
            }
            squared_distances(strips, panel, block);
        }
        Ok(())
    }
}
