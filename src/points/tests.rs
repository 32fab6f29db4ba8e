use super::*;
use crate::error::KMeansError;
use crate::metric::Metric;
use crate::ranges;
use crate::threads::{End, Event, POLL_INTERVAL, Threads};
use ndarray::Array2;
use std::cell::Cell;
use std::ops::ControlFlow;

#[test]
fn a_very_long_row_is_polled_while_it_is_converted_and_looked_at() {
    let cols = 3 * LONG + 5;
    let mut data = Array2::from_shape_fn((1, cols), |(_, column)| 0.5 + column as f64);
    let polls = Cell::new(0);
    let third = || {
        polls.set(polls.get() + 1);
        match polls.get() {
            3 => Err(KMeansError::Cancelled),
            _ => Ok(()),
        }
    };
    let points = Points::from(data.view());
    let mut scratch = Vec::new();
    let result = points.block_polled(0..1, &mut scratch, &third);
    assert_eq!(result, Err(KMeansError::Cancelled));
    let block = points.block(0..1, &mut scratch).unwrap();
    assert!((0..cols).all(|column| block[column] == (0.5 + column as f64) as f32));
    let some = [0];
    let selected = points.select(&some);
    let block = selected.block(0..1, &mut scratch).unwrap();
    assert!(block.len() == cols && block[cols - 1] == (cols as f64 - 0.5) as f32);

    // What is told first cancels.
    let mut told = 0;
    let mut observer = |_: Event<'_>| {
        told += 1;
        ControlFlow::Break(End::Cancel)
    };
    let threads = Threads::exactly(1, Some(&mut observer)).unwrap();
    std::thread::sleep(POLL_INTERVAL);
    data[(0, cols - 1)] = f64::NAN; // what is found only at the end
    let points = Points::from(data.view());
    assert_eq!(points.check(&threads), Err(KMeansError::Cancelled));
    drop(threads);
    assert_eq!(told, 1);
    let threads = Threads::exactly(1, None).unwrap();
    let error = points.check(&threads).unwrap_err();
    let KMeansError::NotFinite { row, column, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((row, column), (0, cols - 1));
    data[(0, cols - 1)] = -7.0;
    let points = Points::from(data.view());
    let ranges = points.check_ranges(&threads).unwrap();
    assert_eq!(ranges[1], ranges::Range { low: -1, high: 1 });
    assert!(ranges[LONG + 1].high == 21 && ranges[cols - 1].high == 3);
    let offset = points
        .check_for_offset(Metric::Euclidean, &threads)
        .unwrap();
    assert_eq!(offset.unwrap()[2 * LONG + 1], 0.5 + (2 * LONG + 1) as f64);
}

#[test]
fn wide_rows_come_in_small_blocks_with_a_poll_after_each() {
    let data = Array2::from_shape_fn((7, 300_000), |(row, column)| (row + column) as f64);
    let points = Points::from(data.view());
    let (polls, mut scratch, mut next) = (Cell::new(0), Vec::new(), 1);
    let poll = || {
        polls.set(polls.get() + 1);
        Ok(())
    };
    let see = |first: usize, block: &[f32]| {
        assert_eq!(first, next);
        assert!(size_of_val(block) <= BLOCK_BYTES);
        for row in block.chunks_exact(300_000) {
            assert!(row[0] == next as f32 && row[299_999] == (next + 299_999) as f32);
            next += 1;
        }
        Ok(())
    };
    points.in_blocks(1..7, &mut scratch, &poll, see).unwrap();
    assert_eq!((next, polls.get()), (7, 2));

    let cancelled = || Err(KMeansError::Cancelled);
    let result = points.in_blocks(0..7, &mut scratch, &cancelled, |first, _| {
        assert_eq!(first, 0);
        Ok(())
    });
    assert_eq!(result, Err(KMeansError::Cancelled));
}
