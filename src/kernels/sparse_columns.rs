//! The numbers of some centroids, column by column.
//!
//! A column in which few centroids have a number is a list of those, any other a run of
//! the numbers of all.

use super::aligned::Aligned;
use super::exact_sparse::Vector;
use crate::allocate::{refill, resize};
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
    /// Those of lists: pairs of place and value.
    numbers: Vec<(u32, f32)>,
    pub(super) columns: Vec<Column>,
    pub(super) runs: Aligned<f32>,
    /// The cluster of each place; empty where clusters stand in their own.
    clusters_by_place: Vec<u32>,
}

impl Columns {
    /// Takes the numbers of so many clusters, of `cols` columns each, in place of those
    /// before. Clusters come to the places that `order` lists them in, if it lists any.
    pub fn set<'v>(
        &mut self,
        (clusters, cols): (usize, usize),
        order: &[u32],
        vector: impl Fn(u32) -> Vector<'v>,
    ) -> Result<()> {
        self.clusters = clusters;
        self.width = clusters.next_multiple_of(STEP);
        refill(&mut self.clusters_by_place, order, PURPOSE)?;
        let columns = &mut self.columns;
        columns.clear();
        resize(columns, cols, NONE, PURPOSE)?;
        for j in 0..clusters as u32 {
            for &column in vector(j).columns {
                columns[column as usize].len += 1;
            }
        }
        let is_run = |numbers: u32, list: usize| {
            numbers > 0 && list + numbers as usize * ENTRY_COST > clusters
        };
        let runs = |columns: &[Column], list: usize| {
            let runs = columns.iter().filter(|column| is_run(column.len, list));
            runs.count()
        };
        let mut list_cost = LIST_COST;
        let mut count = runs(columns, list_cost);
        if count.saturating_mul(self.width * size_of::<f32>()) > CACHE_BYTES {
            list_cost = 0;
            count = runs(columns, 0);
        }
        let (mut used, mut listed) = (0u32, 0usize);
        for column in columns.iter_mut() {
            let len = std::mem::take(&mut column.len);
            if is_run(len, list_cost) {
                *column = Column {
                    start: used,
                    len: RUN,
                };
                used += 1;
            } else {
                let refused = |_| KMeansError::out_of_memory(usize::MAX, PURPOSE);
                column.start = u32::try_from(listed).map_err(refused)?;
                listed += len as usize;
            }
        }
        self.runs
            .resize(0.0, count.saturating_mul(self.width), PURPOSE)?;
        self.runs.fill(0.0);
        resize(&mut self.numbers, listed, (0, 0.0), PURPOSE)?;
        for place in 0..clusters as u32 {
            let Vector { columns, values } = vector(self.cluster(place));
            for (&column, &value) in columns.iter().zip(values) {
                let column = &mut self.columns[column as usize];
                if column.len == RUN {
                    self.runs[column.start as usize * self.width + place as usize] = value;
                } else {
                    self.numbers[column.start as usize + column.len as usize] = (place, value);
                    column.len += 1;
                }
            }
        }
        Ok(())
    }

    /// Clusters in whole vectors.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn cols(&self) -> usize {
        self.columns.len()
    }

    /// Those of lists: pairs of place and value.
    pub(super) fn numbers(&self) -> &[(u32, f32)] {
        &self.numbers
    }

    /// The cluster in a place.
    #[inline]
    pub fn cluster(&self, place: u32) -> u32 {
        let clusters = self.clusters_by_place.get(place as usize);
        clusters.copied().unwrap_or(place)
    }

    /// Calls `see` with each cluster that has a number in a column.
    pub fn each(&self, column: usize, mut see: impl FnMut(u32)) {
        let Column { start, len } = self.columns[column];
        let start = start as usize;
        if len == RUN {
            let run = &self.runs[start * self.width..][..self.clusters];
            let numbers = (0..).zip(run).filter(|&(_, &value)| value != 0.0);
            numbers.for_each(|(place, _)| see(self.cluster(place)));
        } else {
            let list = &self.numbers[start..][..len as usize];
            list.iter().for_each(|&(place, _)| see(self.cluster(place)));
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
