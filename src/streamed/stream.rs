//! Passes over a source, once its rows are known.

use super::source::Source;
use crate::allocate::{append, collect, push, resize, with_capacity};
use crate::error::{KMeansError, Result};
use crate::metric::Metric;
use crate::nearest::Shared;
use crate::points::{ExactRow, Extents, Points};
use crate::ranges::Range;
use crate::seeding::Work;
use crate::threads::Threads;
use crate::unrepeated::Unrepeated;
use ndarray::ArrayView2;

/// What memory is for.
const PURPOSE: &str = "what is known of rows";

/// A source and what is known of its rows.
pub(super) struct Stream<'s> {
    source: &'s mut dyn Source,
    pub rows: usize,
    pub cols: usize,
    type_name: &'static str,
    /// What each column loses before it is rounded to float32.
    pub offset: Option<Vec<f64>>,
    /// Of each column less its offset; with cosine empty.
    pub ranges: Vec<Range>,
    /// Of all rows; `None` where no block has weights.
    pub weights: Option<Vec<f64>>,
    /// Rows that weigh something: the others are as good as absent.
    pub positive: usize,
    /// Of the positive rows, those that equal the one before, ascending.
    pub repeated: Vec<u32>,
    /// Whether any block is sparse.
    pub is_sparse: bool,
    /// For searches over the rows; `None` if there are no rows.
    pub shared: Option<Shared>,
}

/// Some of the rows in their order, less the offset.
pub(super) struct Part<'p> {
    /// Of its block, whatever that holds.
    pub number: usize,
    /// The number of the first row, among those that were asked for.
    pub first: usize,
    pub points: &'p Points<'p>,
}

/// Which rows a pass is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Positive,
    Weightless,
}

impl<'s> Stream<'s> {
    /// Looks at all rows, once or, where wide numbers lose an offset, twice. An
    /// error where training in memory gives one for such rows.
    pub fn survey(
        source: &'s mut dyn Source,
        (metric, memory_limit): (Metric, Option<u64>),
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let shared = |points: &Points<'_>| Shared::new(points, metric, memory_limit);
        let mut stream = Stream {
            source,
            rows: 0,
            cols: 0,
            type_name: "",
            offset: None,
            ranges: Vec::new(),
            weights: None,
            positive: 0,
            repeated: Vec::new(),
            is_sparse: false,
            shared: None,
        };
        let (mut number, mut total) = (0, 0.0);
        let (mut extents, mut last): (_, Option<ExactRow>) = (Extents::default(), None);
        stream.source.rewind()?;
        loop {
            threads.poll()?;
            let Some(block) = stream.source.next_block()? else {
                break;
            };
            let known = (stream.rows > 0).then_some((stream.cols, stream.type_name));
            check_kind(&block, number, known)?;
            number += 1;
            (stream.cols, stream.type_name) = (block.cols(), block.type_name());
            stream.is_sparse |= block.is_sparse();
            let (first, rows) = (stream.rows, block.rows());
            if rows == 0 {
                continue;
            }
            check_count(first + rows)?;
            let shift = |error| of_all(error, first);
            match metric {
                Metric::Cosine => block.check(threads).map_err(shift)?,
                Metric::Euclidean => {
                    if block.is_wide() {
                        block.check_extents(&mut extents, threads).map_err(shift)?;
                    }
                    let ranges = block.check_ranges(threads).map_err(shift)?;
                    join(&mut stream.ranges, &ranges)?;
                }
            }
            if stream.shared.is_none() {
                stream.shared = Some(shared(&block)?);
            }
            total += block.check_each_weight().map_err(shift)?.1;
            check_total(total)?;
            match &mut stream.weights {
                None if !block.is_weighted() => {}
                weights => {
                    let weights = weights.get_or_insert_default();
                    resize(weights, first, 1.0, PURPOSE)?;
                    for row in 0..rows {
                        push(weights, block.weight(row), PURPOSE)?;
                    }
                }
            }
            // Rows that repeat the one before.
            let mut before: Option<usize> = None;
            for row in (0..rows).filter(|&row| block.weight(row) > 0.0) {
                let is_equal = match (before, &last) {
                    (Some(before), _) => block.are_equal(before, row)?,
                    (None, Some(last)) => *last == block.exact_row(row)?,
                    (None, None) => false,
                };
                if is_equal {
                    push(&mut stream.repeated, stream.positive as u32, PURPOSE)?;
                }
                stream.positive += 1;
                before = Some(row);
            }
            if let Some(before) = before {
                last = Some(block.exact_row(before)?);
            }
            stream.rows += rows;
        }
        if stream.cols == 0 {
            return Err(KMeansError::invalid_data(
                "the source has no rows; it must yield blocks of at least one column each time",
            ));
        }
        stream.offset = extents.offset(threads)?;
        if stream.offset.is_some() {
            let (mut ranges, mut less) = (Vec::new(), None);
            stream.each_block(threads, |_, _, block| {
                join(&mut ranges, &block.check_ranges(threads)?)?;
                if less.is_none() {
                    less = Some(shared(block)?);
                }
                Ok(())
            })?;
            (stream.ranges, stream.shared) = (ranges, less);
        }
        Ok(stream)
    }

    /// Of all weights, if there are any.
    pub fn weight_range(&self) -> Option<Range> {
        let weights = self.weights.as_ref()?;
        Some(Range::of_weights(weights.iter().copied()))
    }

    /// Calls `see` with the number of every block that isn't empty, of its first
    /// row, and its rows less the offset.
    fn each_block(
        &mut self,
        threads: &Threads<'_>,
        mut see: impl FnMut(usize, usize, &Points<'_>) -> Result<()>,
    ) -> Result<()> {
        let (mut number, mut first) = (0, 0);
        self.source.rewind()?;
        loop {
            threads.poll()?;
            let Some(block) = self.source.next_block()? else {
                break;
            };
            check_kind(&block, number, Some((self.cols, self.type_name)))?;
            if first + block.rows() > self.rows {
                return Err(changed(
                    format_args!("{} rows or more", first + block.rows()),
                    self.rows,
                ));
            }
            if block.rows() > 0 {
                see(number, first, &block.less(self.offset.as_deref()))?;
            }
            first += block.rows();
            number += 1;
        }
        match first == self.rows {
            true => Ok(()),
            false => Err(changed(format_args!("{first} rows"), self.rows)),
        }
    }

    /// Calls `see` with rows until all were seen. The positive ones have their
    /// weights.
    pub fn pass(
        &mut self,
        which: Which,
        threads: &Threads<'_>,
        mut see: impl FnMut(Part<'_>) -> Result<()>,
    ) -> Result<()> {
        let weights = self.weights.take();
        let some_are_weightless = self.positive < self.rows;
        let mut next = 0;
        let mut chosen = Vec::new();
        let result = self.each_block(threads, |number, first, block| {
            let Some(all) = &weights else {
                return match which {
                    Which::Positive => see(Part {
                        number,
                        first,
                        points: &block.without_weights(),
                    }),
                    Which::Weightless => Ok(()),
                };
            };
            let own = &all[first..first + block.rows()];
            let block = block.with_weights(own)?;
            if !some_are_weightless {
                return match which {
                    Which::Positive => see(Part {
                        number,
                        first,
                        points: &block,
                    }),
                    Which::Weightless => Ok(()),
                };
            }
            chosen.clear();
            for (row, &weight) in (0..).zip(own) {
                if (weight > 0.0) == (which == Which::Positive) {
                    push(&mut chosen, row, PURPOSE)?;
                }
            }
            if chosen.is_empty() {
                return Ok(());
            }
            let first = next;
            next += chosen.len();
            see(Part {
                number,
                first,
                points: &block.select(&chosen),
            })
        });
        self.weights = weights;
        result
    }

    /// Some of the positive rows as float32, in the order given.
    pub fn gather(&mut self, rows: &[u32], threads: &Threads<'_>) -> Result<Vec<f32>> {
        const PURPOSE: &str = "rows from a source";
        let cols = self.cols;
        let mut values = threads.try_vec(0.0f32, rows.len() * cols, PURPOSE)?;
        let mut places = with_capacity(rows.len(), PURPOSE)?;
        places.extend(
            (0..)
                .zip(rows)
                .map(|(place, &row): (usize, _)| (row, place)),
        );
        places.sort_unstable();
        let mut left = &places[..];
        let mut scratch = Vec::new();
        self.pass(Which::Positive, threads, |part| {
            let end = part.first + part.points.rows();
            while let Some((&(row, place), others)) = left.split_first()
                && (row as usize) < end
            {
                let row = part.points.row(row as usize - part.first, &mut scratch)?;
                values[place * cols..][..cols].copy_from_slice(row);
                left = others;
            }
            Ok(())
        })?;
        Ok(values)
    }

    /// Fetches rows by their places among those without repetitions, in one pass.
    pub fn with_rows(
        &mut self,
        (rows, places): (&Unrepeated, &[u32]),
        threads: &Threads<'_>,
        work: &mut Work<'_>,
    ) -> Result<()> {
        let rows = places.iter().map(|&place| rows.row(place as usize) as u32);
        let rows: Vec<u32> = collect(rows, "fetched rows")?;
        let values = self.gather(&rows, threads)?;
        let view = ArrayView2::from_shape((rows.len(), self.cols), &values);
        work(&Points::from(view.expect("rows x columns values")))
    }

    /// A pass over the positive rows without repetitions, with their places among
    /// these, and without weights.
    pub fn pass_unrepeated(
        &mut self,
        rows: &Unrepeated,
        threads: &Threads<'_>,
        mut work: impl FnMut(std::ops::Range<usize>, &Points<'_>) -> Result<()>,
    ) -> Result<()> {
        self.pass(Which::Positive, threads, |part| {
            let first = part.first;
            let places = rows.places(first..first + part.points.rows());
            let points = part.points.without_weights();
            if rows.are_all() {
                return work(places, &points);
            }
            let own = places.clone().map(|place| (rows.row(place) - first) as u32);
            let own: Vec<u32> = collect(own, "rows without repetitions")?;
            work(places, &points.select(&own))
        })
    }
}

fn check_kind(
    block: &Points<'_>,
    number: usize,
    known: Option<(usize, &'static str)>,
) -> Result<()> {
    let (cols, name) = (block.cols(), block.type_name());
    if cols == 0 {
        return Err(KMeansError::invalid_data(format_args!(
            "block {number} of the source has no columns; every point needs at least one"
        )));
    }
    let Some((expected, expected_name)) = known else {
        return Ok(());
    };
    if cols != expected {
        return Err(KMeansError::invalid_data(format_args!(
            "block {number} of the source has {cols} columns, but those before have {expected}; \
             all must have the same"
        )));
    }
    if name != expected_name {
        return Err(KMeansError::invalid_data(format_args!(
            "block {number} of the source is {name}, but those before are {expected_name}; \
             convert all to one number type"
        )));
    }
    Ok(())
}

fn check_count(rows: usize) -> Result<()> {
    match rows < u32::MAX as usize {
        true => Ok(()),
        false => Err(KMeansError::invalid_data(format_args!(
            "the source has more than {} rows; train on some of them and assign the rest, or use \
             blocks of your own",
            u32::MAX - 1
        ))),
    }
}

fn check_total(total: f64) -> Result<()> {
    match total <= 1e200 {
        true => Ok(()),
        false => Err(KMeansError::invalid_data(format_args!(
            "the weights add up to {total:e}, more than 1e200; scale them down"
        ))),
    }
}

fn changed(now: std::fmt::Arguments<'_>, before: usize) -> KMeansError {
    KMeansError::invalid_data(format_args!(
        "the source had {before} rows when they were counted, and now has {now}; it must yield \
         the same rows each time"
    ))
}

/// An error that names a row of a block, with the row's number among all.
fn of_all(error: KMeansError, first: usize) -> KMeansError {
    match error {
        KMeansError::NotFinite { row, column, value } => KMeansError::NotFinite {
            row: first + row,
            column,
            value,
        },
        KMeansError::InvalidWeight { row, value } => KMeansError::InvalidWeight {
            row: first + row,
            value,
        },
        other => other,
    }
}

fn join(all: &mut Vec<Range>, ranges: &[Range]) -> Result<()> {
    if all.is_empty() {
        return append(all, ranges, PURPOSE);
    }
    for (all, &range) in all.iter_mut().zip(ranges) {
        *all = all.join(range);
    }
    Ok(())
}
