//! Rows with equal values: readings that repeat, documents stored twice. They
//! are found by their fingerprints and compared value by value.

use crate::allocate::{extend, push};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::exact_sparse::Vector;
use crate::points::{Points, SparseRows};
use crate::sort::sort;
use crate::threads::Threads;

/// Rows and values per task, at most.
const TASK_ROWS: usize = 4096;
const TASK_VALUES: usize = 1 << 20;

/// The different rows of the data, and what they weigh.
///
/// Rows of weight 0 are left out. So rows that are repeated, and rows that
/// weigh as much as their copies, come to the same.
pub(crate) struct DistinctRows {
    /// The first of all rows of each value, ascending.
    pub first: Vec<u32>,
    /// What the rows of each value weigh together.
    pub weights: Vec<f64>,
    /// For every row the place of its value in `first`; [`UNASSIGNED`] for a
    /// row of weight 0.
    pub places: Vec<u32>,
}

impl DistinctRows {
    /// One pass over the data, and a sort of n fingerprints.
    pub fn find(points: &Points<'_>, threads: &Threads<'_>) -> Result<Self> {
        let weight = |row: usize| points.weight(row);
        let mut distinct = DistinctRows {
            first: Vec::new(),
            weights: Vec::new(),
            places: first_equals(points, |row| weight(row) > 0.0, threads)?,
        };
        threads.in_steps(points.rows(), |rows| {
            for row in rows {
                let first = distinct.places[row];
                if first as usize == row {
                    distinct.places[row] = distinct.first.len() as u32;
                    push(&mut distinct.first, first, "distinct rows")?;
                    push(&mut distinct.weights, weight(row), "distinct rows")?;
                } else if first != UNASSIGNED {
                    let place = distinct.places[first as usize];
                    distinct.places[row] = place;
                    distinct.weights[place as usize] += weight(row);
                }
            }
            Ok(())
        })?;
        Ok(distinct)
    }
}

/// For every row that counts the first that equals it and counts, for others
/// [`UNASSIGNED`].
pub(crate) fn first_equals(
    points: &Points<'_>,
    counts: impl Fn(usize) -> bool,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    let rows = points.rows();
    let size = (TASK_VALUES / points.cols()).clamp(1, TASK_ROWS);
    let purpose = "row fingerprints";
    // Pairs of fingerprint and row.
    let mut order = threads.try_vec((0u32, 0u32), rows, purpose)?;
    let tasks = order.chunks_mut(size).enumerate();
    let is_sparse = points.reads_sparse();
    threads.run(tasks, Scratch::default, |scratch, (task, order)| {
        let first = task * size;
        if is_sparse {
            points.read_sparse(first..first + order.len(), &mut scratch.rows)?;
            let prints = scratch.rows.rows().map(sparse_fingerprint);
            for ((entry, print), row) in order.iter_mut().zip(prints).zip(first as u32..) {
                *entry = (print, row);
            }
            return Ok(());
        }
        let scratch = &mut scratch.row;
        let block = points.block(first..first + order.len(), scratch)?;
        let values = block.chunks_exact(points.cols());
        for ((entry, values), row) in order.iter_mut().zip(values).zip(first as u32..) {
            *entry = (fingerprint(values), row);
        }
        Ok(())
    })?;
    let mut counted = 0;
    threads.in_steps(rows, |part| {
        for row in part {
            if counts(row) {
                order[counted] = order[row];
                counted += 1;
            }
        }
        Ok(())
    })?;
    order.truncate(counted);
    sort(&mut order, threads, purpose)?;

    let mut first = threads.try_vec(UNASSIGNED, rows, "equal rows")?;
    while !order.is_empty() {
        let mut originals = threads.try_vec(UNASSIGNED, order.len(), "equal rows")?;
        let tasks = originals.chunks_mut(size).enumerate();
        threads.run(tasks, Scratch::default, |scratch, (task, originals)| {
            compare_with_originals(points, &order, task * size, originals, scratch)
        })?;
        // Others that share a fingerprint: compared among themselves.
        let mut others = Vec::new();
        threads.in_steps(order.len(), |part| {
            for (&entry, &original) in order[part.clone()].iter().zip(&originals[part]) {
                match original {
                    UNASSIGNED => push(&mut others, entry, purpose)?,
                    original => first[entry.1 as usize] = original,
                }
            }
            Ok(())
        })?;
        order = others;
    }
    Ok(first)
}

/// What a worker holds.
#[derive(Default)]
struct Scratch {
    row: Vec<f32>,
    original: Vec<f32>,
    rows: SparseRows,
    sparse_original: SparseRows,
}

/// Writes the first row of each fingerprint for the rows that equal it. The
/// pairs in `order` are sorted; `originals` are for those from `from` on.
fn compare_with_originals(
    points: &Points<'_>,
    order: &[(u32, u32)],
    from: usize,
    originals: &mut [u32],
    scratch: &mut Scratch,
) -> Result<()> {
    let alike = order.partition_point(|entry| entry.0 < order[from].0);
    let mut original = order[alike];
    let mut known = None;
    for (&(print, row), out) in order[from..].iter().zip(originals) {
        if print != original.0 {
            original = (print, row);
        }
        if row != original.1 && points.reads_sparse() {
            if known != Some(original.1) {
                let range = original.1 as usize..original.1 as usize + 1;
                points.read_sparse(range, &mut scratch.sparse_original)?;
                known = Some(original.1);
            }
            points.read_sparse(row as usize..row as usize + 1, &mut scratch.rows)?;
            let (one, other) = (scratch.sparse_original.row(0), scratch.rows.row(0));
            if !numbers(one).eq(numbers(other)) {
                continue;
            }
        } else if row != original.1 {
            if known != Some(original.1) {
                let values = points.row(original.1 as usize, &mut scratch.row)?;
                scratch.original.clear();
                extend(&mut scratch.original, values.iter().copied(), "equal rows")?;
                known = Some(original.1);
            }
            if points.row(row as usize, &mut scratch.row)? != scratch.original {
                continue;
            }
        }
        *out = original.1;
    }
    Ok(())
}

/// The numbers of a row that are not zero, and their columns.
fn numbers(row: Vector<'_>) -> impl Iterator<Item = (u32, f32)> {
    let numbers = row.columns.iter().copied().zip(row.values.iter().copied());
    numbers.filter(|&(_, value)| value != 0.0)
}

/// The same for equal sparse rows.
fn sparse_fingerprint(row: Vector<'_>) -> u32 {
    let mix = |print: u32, bits: u32| (print.rotate_left(13) ^ bits).wrapping_mul(0x9e37_79b1);
    numbers(row).fold(0, |print, (column, value)| {
        mix(mix(print, column), value.to_bits())
    })
}

/// The same for equal rows.
pub(crate) fn fingerprint(values: &[f32]) -> u32 {
    let mut lanes = [0u32; 8];
    let mix = |lane: u32, bits: u32| (lane.rotate_left(13) ^ bits).wrapping_mul(0x9e37_79b1);
    for values in values.chunks(lanes.len()) {
        for (lane, value) in lanes.iter_mut().zip(values) {
            // Zeros of either sign are equal.
            *lane = mix(*lane, (value + 0.0).to_bits());
        }
    }
    lanes.into_iter().fold(0, mix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn plain(data: &Array2<f32>, weights: &[f64]) -> Vec<u32> {
        let first = |row: usize| {
            let equals = |&other: &usize| weights[other] > 0.0 && data.row(other) == data.row(row);
            match weights[row] > 0.0 {
                true => (0..=row).find(equals).unwrap() as u32,
                false => UNASSIGNED,
            }
        };
        (0..data.nrows()).map(first).collect()
    }

    #[test]
    fn equal_rows_are_found_among_others() {
        let data = Array2::from_shape_fn((9000, 5), |(row, col)| match row % 100 {
            7 => col as f32,
            9 | 11 => 1.0,
            13 => 0.0 * if row % 3 == 0 { -1.0 } else { 1.0 },
            _ => (row * 5 + col + 1) as f32,
        });
        let mut weights = vec![1.0; 9000];
        weights[7] = 0.0;
        weights[9] = 2.5;
        weights[20] = 0.0;
        let expected = plain(&data, &weights);
        for count in [1, 2] {
            let threads = Threads::exactly(count, None).unwrap();
            let points = Points::from(data.view());
            let found = first_equals(&points, |row| weights[row] > 0.0, &threads).unwrap();
            assert_eq!(found, expected);
            let points = points.with_weights(&weights[..]).unwrap();
            let distinct = DistinctRows::find(&points, &threads).unwrap();
            assert_eq!(distinct.first.len(), 9000 - 360 + 3 - 1);
            assert!(distinct.first.is_sorted());
            let place = distinct.places[11] as usize;
            assert_eq!((distinct.first[place], distinct.weights[place]), (9, 181.5));
            for (row, &place) in distinct.places.iter().enumerate() {
                match expected[row] {
                    UNASSIGNED => assert_eq!(place, UNASSIGNED),
                    first => assert_eq!(distinct.first[place as usize], first),
                }
            }
        }
    }

    #[test]
    fn rows_of_one_fingerprint_may_differ() {
        // No two of many different rows: a fingerprint has 32 bits.
        let data = Array2::from_shape_fn((200_000, 2), |(row, col)| (row % 150_000 + col) as f32);
        let threads = Threads::exactly(2, None).unwrap();
        let points = Points::from(data.view());
        let mut prints: Vec<u32> = (0..150_000)
            .map(|row| fingerprint(data.row(row).as_slice().unwrap()))
            .collect();
        prints.sort_unstable();
        prints.dedup();
        let collisions = 150_000 - prints.len();
        let found = first_equals(&points, |_| true, &threads).unwrap();
        assert!((0..200_000).all(|row| found[row] as usize == row % 150_000));
        assert!(collisions > 0, "rows without collisions test nothing");
    }

    #[test]
    fn few_rows_and_none() {
        let threads = Threads::exactly(1, None).unwrap();
        let data = array![[2.0_f32], [1.0], [2.0]];
        let points = Points::from(data.view());
        let distinct = DistinctRows::find(&points, &threads).unwrap();
        assert_eq!(distinct.first, [0, 1]);
        assert_eq!(distinct.weights, [2.0, 1.0]);
        assert_eq!(distinct.places, [0, 1, 0]);
        let points = points.with_weights(&[0.0; 3][..]).unwrap();
        let distinct = DistinctRows::find(&points, &threads).unwrap();
        assert!(distinct.first.is_empty());
    }
}
