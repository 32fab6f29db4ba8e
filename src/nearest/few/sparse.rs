//! Distances of sparse rows to a few sparse rows: the bits of the dense ones.
//!
//! Where only distances below some other are wanted, a product in any order tells of most
//! rows that theirs is not: see docs/nearest.md.

use super::{Enough, NOISE, Scratch, one_less_cosine};
use crate::allocate::{resize, try_vec, with_capacity};
use crate::error::Result;
use crate::kernels::exact_sparse::Vector;
use crate::points::{Points, SparseRows};
use crate::threads::Poll;

/// A table of so many columns pays for one row.
const TABLE_COLUMNS: usize = 256;

const PURPOSE: &str = "candidates";

/// Unit roundoff of float64.
const U: f64 = f64::EPSILON / 2.0;

pub(super) struct FewSparse {
    rows: SparseRows,
    /// Σ c² of each.
    squares: Vec<f64>,
    table: Option<Table>,
}

/// The numbers of the few, column by column.
struct Table {
    /// One more than the place of each column among those that have numbers, or 0.
    places: Vec<u32>,
    /// Places × the few.
    numbers: Vec<f32>,
}

/// Of a row, its product with each of the few, up to rounding.
#[derive(Default)]
pub(crate) struct Products(Vec<f64>);

impl FewSparse {
    pub fn new(points: &Points<'_>, few: &[usize]) -> Result<Self> {
        let mut rows = SparseRows::default();
        let mut chosen: Vec<u32> = with_capacity(few.len(), PURPOSE)?;
        chosen.extend(few.iter().map(|&row| row as u32));
        points
            .select(&chosen)
            .read_sparse(0..few.len(), &mut rows)?;
        let mut squares = with_capacity(few.len(), PURPOSE)?;
        squares.extend(rows.rows().map(|row| row.square()));
        let pays = points.cols() / TABLE_COLUMNS <= points.rows();
        let table = match pays {
            true => Some(Table::new(&rows, points.cols())?),
            false => None,
        };
        Ok(FewSparse {
            rows,
            squares,
            table,
        })
    }

    /// See [`RowDistances::write`](super::RowDistances::write); `norms`: with cosine 1 / ‖x‖
    /// of all rows, and of the few.
    pub fn write(
        &self,
        (points, first): (&Points<'_>, usize),
        norms: Option<(&[f64], &[f64])>,
        scratch: &mut Scratch,
        (out, enough): (&mut [f64], Option<Enough<'_>>),
        poll: Poll<'_>,
    ) -> Result<()> {
        let count = self.rows.len();
        let places = out.len() / count;
        let Scratch { rows, products, .. } = scratch;
        let range = first..first + places;
        points.in_sparse_blocks(range, rows, poll, |at, rows| {
            for (number, row) in (at..).zip(rows.rows()) {
                let norms = norms.map(|(all, few)| (all[number], few));
                let place = number - first;
                let enough = enough.map(|enough| (enough, number, place));
                let out = out[place..].iter_mut().step_by(places);
                self.measure(row, norms, &mut products.0, enough, out)?;
            }
            Ok(())
        })
    }

    /// The distances of a row to the few.
    fn measure<'o>(
        &self,
        row: Vector<'_>,
        norms: Option<(f64, &[f64])>,
        products: &mut Vec<f64>,
        enough: Option<(Enough<'_>, usize, usize)>,
        out: impl Iterator<Item = &'o mut f64>,
    ) -> Result<()> {
        // Products are roughly known where they may be of use.
        let filter = self.table.as_ref().zip(enough);
        let mut square = 0.0;
        if let Some((table, _)) = filter {
            table.multiply(row, self.rows.len(), products)?;
            square = row.square();
        }
        for ((j, few), out) in self.rows.rows().enumerate().zip(out) {
            let scale = norms.map(|(norm, few)| norm * few[j]);
            if let Some((_, (enough, number, place))) = filter {
                let rounds = 4.0 * (row.columns.len() + few.columns.len() + 16) as f64 * U;
                let size = square + self.squares[j];
                let least = match scale {
                    None => size - 2.0 * products[j] - rounds * size,
                    Some(scale) => 1.0 - products[j] * scale - rounds,
                };
                // Less than noise becomes 0, and so does what has no direction.
                let counts = scale.is_none_or(|scale| scale > 0.0 && least >= NOISE);
                if counts && enough.is(number, place, least) {
                    *out = least;
                    continue;
                }
            }
            *out = match scale {
                None => row.squared_distance(few),
                Some(scale) => one_less_cosine(row.dot(few), scale),
            };
        }
        Ok(())
    }
}

impl Table {
    fn new(rows: &SparseRows, cols: usize) -> Result<Self> {
        let mut places = try_vec(0u32, cols, PURPOSE)?;
        let mut used = 0;
        for &column in rows.rows().flat_map(|row| row.columns) {
            let place = &mut places[column as usize];
            if *place == 0 {
                used += 1;
                *place = used;
            }
        }
        let count = rows.len();
        let mut numbers = try_vec(0.0f32, used as usize * count, PURPOSE)?;
        for (j, row) in rows.rows().enumerate() {
            for (&column, &value) in row.columns.iter().zip(row.values) {
                numbers[(places[column as usize] as usize - 1) * count + j] = value;
            }
        }
        Ok(Table { places, numbers })
    }

    /// Writes the product of a row with each of the few.
    fn multiply(&self, row: Vector<'_>, count: usize, products: &mut Vec<f64>) -> Result<()> {
        products.clear();
        resize(products, count, 0.0, PURPOSE)?;
        for (&column, &value) in row.columns.iter().zip(row.values) {
            if let Some(place) = self.places[column as usize].checked_sub(1) {
                let numbers = &self.numbers[place as usize * count..][..count];
                for (product, &number) in products.iter_mut().zip(numbers) {
                    *product += f64::from(value) * f64::from(number);
                }
            }
        }
        Ok(())
    }
}
