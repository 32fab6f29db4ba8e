//! The numbers of some centroids, column by column.
//!
//! A column in which few centroids have a number is a list of those, any other
//! also a run of the numbers of all.

use super::aligned::Aligned;
use crate::allocate::{push, refill, resize};
use crate::error::{KMeansError, Result};

/// What memory is for.
const PURPOSE: &str = "centroids by column";

/// Places of a run are a multiple of this: whole vectors of any instruction set.
pub(crate) const STEP: usize = 16;

/// A list entry costs as much as so many numbers of a run, and what precedes the first
/// as so many; but for runs that a cache of so many bytes doesn't hold.
const ENTRY_COST: usize = 12;
const LIST_COST: usize = 64;
const CACHE_BYTES: usize = 4 << 20;

/// The length that marks a run.
pub(super) const RUN: u32 = u32::MAX;

/// Where the numbers of a column are: the first of the list, or which run.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub start: u32,
    pub len: u32,
}

pub(super) const NONE: Column = Column { start: 0, len: 0 };

/// The numbers of some centroids. All places of `numbers` are below the width, and
/// all runs are there: what the kernels rely on.
#[derive(Default)]
pub(crate) struct Columns {
    clusters: usize,
    pub(super) width: usize,
    /// Where the numbers of each column start, and the last end.
    starts: Vec<u32>,
    /// Pairs of place and value.
    numbers: Vec<(u32, f32)>,
    pub(super) columns: Vec<Column>,
    pub(super) runs: Aligned<f32>,
    /// The cluster of each place; empty where clusters stand in their own.
    clusters_by_place: Vec<u32>,
}

impl Columns {
    /// No columns yet.
    pub fn begin(&mut self, clusters: usize) -> Result<()> {
        self.clusters = clusters;
        self.width = clusters.next_multiple_of(STEP);
        self.numbers.clear();
        self.columns.clear();
        self.clusters_by_place.clear();
        refill(&mut self.starts, &[0], PURPOSE)
    }

    /// Adds a number to the column that is being written.
    #[inline]
    pub fn push(&mut self, cluster: u32, value: f32) -> Result<()> {
        push(&mut self.numbers, (cluster, value), PURPOSE)
    }

    /// Ends a column.
    #[inline]
    pub fn end_column(&mut self) -> Result<()> {
        let end = u32::try_from(self.numbers.len());
        let refused = |_| KMeansError::out_of_memory(usize::MAX, PURPOSE);
        push(&mut self.starts, end.map_err(refused)?, PURPOSE)
    }

    /// After the last column: makes the runs. Clusters come to the places that
    /// `order` lists them in, if it lists any.
    pub fn finish(&mut self, order: &[u32]) -> Result<()> {
        let clusters = self.clusters;
        refill(&mut self.clusters_by_place, order, PURPOSE)?;
        let mut places = Vec::new();
        resize(&mut places, order.len(), 0u32, PURPOSE)?;
        for (place, &cluster) in (0..).zip(order) {
            places[cluster as usize] = place;
        }
        for (cluster, _) in &mut self.numbers {
            assert!((*cluster as usize) < clusters);
            if let Some(&place) = places.get(*cluster as usize) {
                *cluster = place;
            }
        }
        let is_run =
            |numbers: usize, list: usize| numbers > 0 && list + numbers * ENTRY_COST > clusters;
        let runs = |list: usize| {
            let lengths = self.starts.windows(2);
            let lengths = lengths.map(|ends| (ends[1] - ends[0]) as usize);
            lengths.filter(|&numbers| is_run(numbers, list)).count()
        };
        let mut list_cost = LIST_COST;
        let mut count = runs(list_cost);
        if count.saturating_mul(self.width * size_of::<f32>()) > CACHE_BYTES {
            list_cost = 0;
            count = runs(0);
        }
        self.runs
            .resize(0.0, count.saturating_mul(self.width), PURPOSE)?;
        self.runs.fill(0.0);
        resize(&mut self.columns, self.starts.len() - 1, NONE, PURPOSE)?;
        let mut used = 0;
        for (column, ends) in self.columns.iter_mut().zip(self.starts.windows(2)) {
            let numbers = &mut self.numbers[ends[0] as usize..ends[1] as usize];
            if is_run(numbers.len(), list_cost) {
                let run = &mut self.runs[used * self.width..][..self.width];
                for &(place, value) in &*numbers {
                    run[place as usize] = value;
                }
                *column = Column {
                    start: used as u32,
                    len: RUN,
                };
                used += 1;
            } else {
                if !order.is_empty() {
                    numbers.sort_unstable_by_key(|&(place, _)| place);
                }
                *column = Column {
                    start: ends[0],
                    len: numbers.len() as u32,
                };
            }
        }
        Ok(())
    }

    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// Clusters in whole vectors.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn cols(&self) -> usize {
        self.starts.len() - 1
    }

    /// All numbers: pairs of place and value.
    pub(super) fn numbers(&self) -> &[(u32, f32)] {
        &self.numbers
    }

    /// The cluster in a place.
    #[inline]
    pub fn cluster(&self, place: u32) -> u32 {
        let clusters = self.clusters_by_place.get(place as usize);
        clusters.copied().unwrap_or(place)
    }

    /// Calls `see` with each cluster that has a number in a column, and the number.
    pub fn each(&self, column: usize, mut see: impl FnMut(u32, f32)) {
        let numbers = self.starts[column] as usize..self.starts[column + 1] as usize;
        for &(place, value) in &self.numbers[numbers] {
            see(self.cluster(place), value);
        }
    }

    /// What a column holds of one place.
    #[inline]
    pub fn number(&self, column: u32, place: u32) -> f32 {
        match self.columns[column as usize] {
            Column { start, len: RUN } => self.runs[start as usize * self.width + place as usize],
            Column { start, len } => {
                let list = &self.numbers[start as usize..][..len as usize];
                let at = list.partition_point(|&(other, _)| other < place);
                list.get(at).map_or(
                    0.0,
                    |&(found, value)| if found == place { value } else { 0.0 },
                )
            }
        }
    }
}
