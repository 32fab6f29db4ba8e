//! Which centroid every row is nearest to, and what the rows of each add up to,
//! from search to search.

use crate::allocate::{collect, push, reserve, try_vec};
use crate::clusters::{Clusters, UNASSIGNED};
use crate::error::Result;
use crate::kernels::accumulate::Sign;
use crate::points::Points;
use crate::threads::Threads;
use crate::totals::{Changes, Grid, Totals};
use std::sync::{Mutex, PoisonError};

/// Sums of so many bytes fit into a core's cache, and rows are added as they
/// come; larger ones cluster by cluster.
pub(super) const CACHED_BYTES: usize = 1 << 20;

/// Belongs to the rows of one [`Nearest`](super::Nearest), which tells and
/// changes it.
pub(crate) struct Assignment {
    /// In the order of the points.
    pub(super) labels: Vec<u32>,
    pub(super) by: By,
    pub(super) totals: Totals,
    pub(super) method: Method,
}

/// Who made it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Nobody,
    Blocks,
    /// `written`: the labels are not only there.
    Trees {
        written: bool,
    },
}

/// How totals follow the labels.
pub(super) enum Method {
    /// Row by row while they are assigned.
    Rows {
        workers: Workers<Changes>,
        /// Whether the totals are not those of the labels.
        stale: bool,
    },
    /// Cluster by cluster, after all rows are assigned. Holds the labels that
    /// the totals stand for.
    Clusters { summed: Vec<u32> },
}

impl Assignment {
    /// Of rows that are in no cluster yet. `sees`: whether they can be added block
    /// by block.
    pub(super) fn new(
        (rows, n_clusters): (usize, usize),
        grid: Grid,
        sees: bool,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let totals = Totals::shared(grid, n_clusters, threads)?;
        let method = match sees && totals.bytes() <= CACHED_BYTES {
            true => Method::Rows {
                workers: Workers::none(),
                stale: false,
            },
            false => Method::Clusters {
                summed: threads.try_vec(UNASSIGNED, rows, "labels")?,
            },
        };
        Ok(Assignment {
            labels: threads.try_vec(UNASSIGNED, rows, "labels")?,
            by: By::Nobody,
            totals,
            method,
        })
    }

    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The labels have changed, and the totals with them.
    pub(super) fn totals_have_followed(&mut self) {
        match &mut self.method {
            Method::Rows { stale, .. } => *stale = false,
            Method::Clusters { summed } => summed.copy_from_slice(&self.labels),
        }
    }

    /// Likely labels of all rows, none of them assigned yet: hints.
    pub fn expect(&mut self, labels: Vec<u32>) {
        debug_assert_eq!(labels.len(), self.labels.len());
        self.labels = labels;
        if let Method::Rows { stale, .. } = &mut self.method {
            *stale = true;
        }
    }

    /// Makes the totals follow the labels where this goes cluster by cluster.
    pub(super) fn follow(&mut self, points: &Points<'_>, threads: &Threads<'_>) -> Result<()> {
        let Method::Clusters { summed } = &mut self.method else {
            return Ok(());
        };
        let mut moved = differing(0, (summed, &self.labels), threads)?;
        let many = 2 * moved.iter().map(Vec::len).sum::<usize>() >= self.labels.len();
        // Rows that moved are taken from one sum and added to another, unless
        // adding all rows is less work.
        if many && self.totals.counts.iter().any(|&count| count > 0) {
            summed.fill(UNASSIGNED);
            self.totals.clear();
            moved = differing(0, (summed, &self.labels), threads)?;
        }
        let labels = (&summed[..], &self.labels[..]);
        add_listed(&mut self.totals, (points, 0), &moved, labels, threads)?;
        if many {
            summed.copy_from_slice(&self.labels);
        } else {
            for &row in moved.iter().flatten() {
                summed[row as usize] = self.labels[row as usize];
            }
        }
        Ok(())
    }
}

/// Takes rows whose labels changed from one sum and adds them to another, cluster
/// by cluster. Labels, from a first row on, are given as they were and as they are.
pub(super) fn add_moved(
    totals: &mut Totals,
    (points, first): (&Points<'_>, usize),
    (before, labels): (&[u32], &[u32]),
    threads: &Threads<'_>,
) -> Result<()> {
    let moved = differing(first, (before, labels), threads)?;
    add_listed(totals, (points, first), &moved, (before, labels), threads)
}

/// [`add_moved`], given the rows.
fn add_listed(
    totals: &mut Totals,
    (points, first): (&Points<'_>, usize),
    moved: &[Vec<u32>],
    (before, labels): (&[u32], &[u32]),
    threads: &Threads<'_>,
) -> Result<()> {
    if moved.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let n_clusters = totals.counts.len();
    let mut lists = [
        (labels, Ok(Clusters::default())),
        (before, Ok(Clusters::default())),
    ];
    threads.run_long(
        lists.iter_mut(),
        || (),
        |(), (labels, list), poll| {
            let rows = moved.iter().flatten();
            let pairs = rows.map(|&row| (row, labels[row as usize - first]));
            let pairs = pairs.filter(|&(_, label)| label != UNASSIGNED);
            *list = Clusters::group(pairs, n_clusters, poll);
        },
    )?;
    let [(_, joined), (_, left)] = lists;
    totals.add(points, &joined?, Sign::Plus, threads)?;
    totals.add(points, &left?, Sign::Minus, threads)
}

/// What threads find out, each for itself: they take any that is free.
pub(super) struct Workers<T>(Vec<Mutex<T>>);

impl<T> Workers<T> {
    pub fn none() -> Self {
        Workers(Vec::new())
    }

    /// As many as threads.
    pub fn ready(&mut self, count: usize, new: impl Fn() -> Result<T>) -> Result<()> {
        while self.0.len() < count {
            push(&mut self.0, Mutex::new(new()?), "sums of threads")?;
        }
        Ok(())
    }

    pub fn with(&self, work: impl FnOnce(&mut T)) {
        let free = self.0.iter().find_map(|one| one.try_lock().ok());
        match free {
            Some(mut one) => work(&mut one),
            None => work(&mut self.0[0].lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    pub fn all(&mut self) -> impl Iterator<Item = &mut T> {
        let all = self.0.iter_mut();
        all.map(|one| one.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Workers<Changes> {
    /// Makes the changes that all found.
    pub fn apply(&mut self, totals: &mut Totals, threads: &Threads<'_>) -> Result<()> {
        let all = collect(self.all().map(|changes| &*changes), "sums of threads")?;
        totals.apply_all(&all, threads)
    }
}

/// The rows whose labels differ, ascending, in lists that follow each other. Rows are
/// numbered from `first` on.
fn differing(
    first: usize,
    (before, labels): (&[u32], &[u32]),
    threads: &Threads<'_>,
) -> Result<Vec<Vec<u32>>> {
    const PURPOSE: &str = "rows that moved";
    const TASK_ROWS: usize = 1 << 14;
    let tasks = labels.len().div_ceil(TASK_ROWS);
    let mut lists = try_vec(Vec::new(), tasks, PURPOSE)?;
    let both = before.chunks(TASK_ROWS).zip(labels.chunks(TASK_ROWS));
    threads.run(
        lists.iter_mut().zip(both).enumerate(),
        || (),
        |(), (task, (list, (before, labels)))| {
            let rows = (first + task * TASK_ROWS) as u32..;
            let all = rows.zip(before.iter().zip(labels));
            let moved = all.filter(|(_, (from, to))| from != to);
            reserve(list, moved.clone().count(), PURPOSE)?;
            list.extend(moved.map(|(row, _)| row));
            Ok(())
        },
    )?;
    Ok(lists)
}
