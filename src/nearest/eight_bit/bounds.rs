//! What a row need not be compared with again.
//!
//! Centroids lie in groups of neighbours. For each row and group, a lower
//! bound on the distance to all centroids of the group but the row's own is kept from
//! the search that swept them last; how far they moved since is taken off it. Groups that
//! lie beyond the row's own centroid are not swept (Ding et
//! al., 2015: Yinyang K-means), and where all do, the row is not even read.

use crate::allocate::{collect, extend, resize, try_vec, with_capacity};
use crate::error::Result;
use crate::kernels::exact::{inverse_norm, squared_distance};
use crate::memory::{Budget, Reserved};
use crate::metric::Metric;
use crate::nearest::scores::AffineMap;
use crate::nearest::vectors::Centroids;
use crate::threads::Threads;
use std::ops::Range;

/// Centroids in a group: a panel of the 8-bit sweep.
pub(in crate::nearest) const PANEL: usize = crate::kernels::codes::PANEL;

/// Steps of the bounds in a unit of scaled length: rows are about 1 long.
pub(in crate::nearest) const STEPS: f64 = 4096.0;

/// Bounds are dropped when a group has moved that far in all; 16 bits hold
/// twice that.
const FAR: f64 = 8.0;

/// No bound is more than that.
pub(in crate::nearest) const WITHIN: f64 = 2.0 * FAR;

const PURPOSE: &str = "distance bounds";

/// Of all rows.
pub(in crate::nearest) struct Bounds {
    groups: Groups,
    values: Values,
}

/// What is known of some rows.
pub(in crate::nearest) struct Values {
    /// For each task's rows: groups × rows, (distance + moved) in steps.
    values: Vec<u16>,
    own: Vec<Own>,
    /// Rows of a task in the last search; 0 before the first.
    task_rows: usize,
    /// How often the groups had begun anew when these were last looked at.
    begun: u32,
    _reserved: Reserved,
}

/// The centroid of a row, which the bounds of its group leave out.
#[derive(Clone, Copy)]
pub(in crate::nearest) struct Own {
    pub slot: u32,
    /// Its distance was at most this, in steps, more what it has moved in all.
    pub reach: f32,
}

/// What is known of a row that was not searched yet.
const NO_OWN: Own = Own {
    slot: u32::MAX,
    reach: f32::INFINITY,
};

/// The groups and what became of them.
pub(in crate::nearest) struct Groups {
    /// The centroid in each slot; groups follow each other.
    order: Vec<u32>,
    /// Where those were in the last search, slot by slot.
    centroids: Vec<f32>,
    /// How far each slot's centroid moved in all, and of each group the farthest of them.
    paths: Vec<f64>,
    moved: Vec<f64>,
    /// How often they moved so far that all bounds were dropped.
    begun: u32,
}

/// Those of consecutive rows, those of a task.
pub(in crate::nearest) struct RowBounds<'b> {
    groups: &'b Groups,
    values: &'b mut [u16],
    own: &'b mut [Own],
}

impl Bounds {
    /// Bounds that rule nothing out; `None` if they would take more than `most`
    /// bytes, or than the budget has. `known`: the groups where there are bounds
    /// of other rows, which are taken if they are of as many centroids.
    pub fn new(
        rows: usize,
        centroids: Centroids<'_>,
        (most, budget): (u64, &Budget),
        known: &mut Option<Groups>,
        threads: &Threads<'_>,
    ) -> Result<Option<Self>> {
        let groups = centroids.len().div_ceil(PANEL);
        let row_bytes = groups * size_of::<u16>() + size_of::<Own>();
        let bytes = row_bytes as u64 * rows as u64;
        let reserved = (bytes <= most).then(|| budget.try_reserve(bytes));
        let Some(_reserved) = reserved.flatten() else {
            return Ok(None);
        };
        let values = threads.try_vec(0, groups * rows, PURPOSE)?;
        let own = threads.try_vec(NO_OWN, rows, PURPOSE)?;
        let groups = match known.take() {
            Some(known) if known.order.len() == centroids.len() => known,
            _ => Groups::new(centroids, threads)?,
        };
        Ok(Some(Bounds {
            values: Values {
                values,
                own,
                task_rows: 0,
                begun: groups.begun,
                _reserved,
            },
            groups,
        }))
    }

    /// Those of rows that were left, where the groups are still of these.
    pub fn resume(values: Values, groups: Groups) -> Self {
        Bounds { groups, values }
    }

    /// Leaves the rows for others.
    pub fn leave(self) -> (Values, Groups) {
        (self.values, self.groups)
    }

    pub fn order(&self) -> &[u32] {
        &self.groups.order
    }

    /// Takes note of where the centroids are now. Forgets what was laid out for tasks of
    /// other sizes.
    pub fn follow(
        &mut self,
        affine: &AffineMap,
        centroids: Centroids<'_>,
        task_rows: usize,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let Groups {
            order,
            centroids: before,
            paths,
            moved,
            begun,
            ..
        } = &mut self.groups;
        let dims = centroids.dims;
        threads.run(
            order
                .chunks(PANEL)
                .zip(before.chunks_mut(PANEL * dims))
                .zip(paths.chunks_mut(PANEL))
                .zip(moved.iter_mut()),
            || (),
            |(), (((group, before), paths), moved)| {
                let mut farthest = 0.0f64;
                let before = before.chunks_exact_mut(dims);
                for ((&j, before), path) in group.iter().zip(before).zip(paths) {
                    let now = centroids.row(j as usize);
                    let far = distance(affine, before, now);
                    *path += far;
                    farthest = farthest.max(far);
                    before.copy_from_slice(now);
                }
                *moved += farthest;
            },
        )?;
        if moved.iter().any(|&moved| moved > FAR) {
            paths.fill(0.0);
            moved.fill(0.0);
            *begun += 1;
        }
        let values = &mut self.values;
        let other_tasks = values.task_rows > 0 && values.task_rows != task_rows;
        if values.begun != *begun || other_tasks {
            values.values.fill(0);
            values.own.fill(NO_OWN);
        }
        (values.begun, values.task_rows) = (*begun, task_rows);
        Ok(())
    }

    /// The groups, the bounds of the rows, as many for each as groups, and their own
    /// centroids.
    pub fn split(&mut self) -> (&Groups, (&mut [u16], &mut [Own])) {
        let Values { values, own, .. } = &mut self.values;
        (&self.groups, (values, own))
    }
}

impl Groups {
    fn new(centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<Self> {
        let mut order = collect(0..centroids.len() as u32, PURPOSE)?;
        sort_by_place(&mut order, centroids, threads)?;
        let values = order.iter().flat_map(|&j| centroids.row(j as usize));
        let mut placed = with_capacity(centroids.values.len(), PURPOSE)?;
        extend(&mut placed, values.copied(), PURPOSE)?;
        Ok(Groups {
            paths: try_vec(0.0, order.len(), PURPOSE)?,
            order,
            centroids: placed,
            moved: try_vec(0.0, centroids.len().div_ceil(PANEL), PURPOSE)?,
            begun: 0,
        })
    }

    pub fn len(&self) -> usize {
        self.moved.len()
    }

    /// The bounds of the rows of a block.
    pub fn rows<'b>(&'b self, values: &'b mut [u16], own: &'b mut [Own]) -> RowBounds<'b> {
        RowBounds {
            groups: self,
            values,
            own,
        }
    }
}

impl RowBounds<'_> {
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// How many steps the centroids of a group moved, and the bounds of some
    /// rows.
    pub fn group(&mut self, group: usize, rows: Range<usize>) -> (f32, &mut [u16]) {
        let values = &mut self.values[group * self.own.len()..][rows];
        (steps(self.groups.moved[group]), values)
    }

    /// Marks the rows that need not be looked at: their centroid is nearer than any
    /// other, wherever all have moved. `labels` says which one it is.
    pub fn mark_settled(
        &mut self,
        rows: Range<usize>,
        (labels, slots): (&[u32], &[u32]),
        reaches: &mut Vec<f32>,
    ) -> Result<()> {
        // How far a row's centroid may be; infinite once some other one may be nearer.
        reaches.clear();
        let own = self.own[rows.clone()].iter().zip(labels);
        let reach = own.map(|(own, &label)| match slots.get(label as usize) {
            Some(&slot) if slot == own.slot => {
                let path = self.groups.paths[slot as usize];
                let reach = f64::from(own.reach) + MORE * STEPS * path;
                (MORE * reach.max(0.0)) as f32
            }
            _ => f32::INFINITY,
        });
        extend(reaches, reach, PURPOSE)?;
        for group in 0..self.groups() {
            let (moved, bounds) = self.group(group, rows.clone());
            for (reach, &bound) in reaches.iter_mut().zip(&*bounds) {
                if *reach + moved >= f32::from(bound) {
                    *reach = f32::INFINITY;
                }
            }
        }
        Ok(())
    }

    /// Names the slot of a row's centroid, which the sweeps to come leave out, and how far
    /// that is at most.
    pub fn set_own(&mut self, row: usize, slot: u32, distance: f64) {
        let rows = self.own.len();
        let own = &mut self.own[row];
        if own.slot != slot {
            if let Some(bound) = self.values.get_mut(own.slot as usize / PANEL * rows + row) {
                *bound = 0; // it says nothing of the one that was left out
            }
            own.slot = slot;
        }
        let reach = MORE * STEPS * (distance - self.groups.paths[slot as usize]);
        own.reach = (reach + 2e-7 * reach.abs()) as f32;
    }
}

/// More than all rounding.
const MORE: f64 = 1.000001;

/// A distance in steps, rounded up.
pub(in crate::nearest) fn steps(distance: f64) -> f32 {
    (MORE * STEPS * distance) as f32
}

/// An upper bound of how far two centroids lie apart, in the scale of scores;
/// 0 if they are the same.
fn distance(affine: &AffineMap, before: &[f32], now: &[f32]) -> f64 {
    if before == now {
        return 0.0;
    }
    let distance = match affine.metric {
        Metric::Euclidean => f64::from(affine.scale) * squared_distance(before, now).sqrt(),
        Metric::Cosine => {
            let (factor_before, factor_now) = (inverse_norm(before), inverse_norm(now));
            let difference = |(&a, &b)| factor_before * f64::from(a) - factor_now * f64::from(b);
            let squares = before.iter().zip(now).map(difference).map(|v| v * v);
            squares.sum::<f64>().sqrt()
        }
    };
    (1.0 + 1e-9) * distance + 1e-12
}

/// Sorts centroids so that each [`PANEL`] from the first on are neighbours:
/// halves them again and again in the dimension that they spread most in.
fn sort_by_place(order: &mut [u32], centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<()> {
    let mut parts = with_capacity(order.len().div_ceil(PANEL), PURPOSE)?;
    parts.push(order);
    while parts.iter().any(|part| part.len() > PANEL) {
        threads.run(parts.iter_mut(), Vec::new, |sums, part| {
            resize(sums, 2 * centroids.dims, 0.0, PURPOSE)?;
            if part.len() > PANEL {
                sort_by_widest(part, centroids, sums.split_at_mut(centroids.dims));
            }
            Ok(())
        })?;
        let mut halves = with_capacity(parts.capacity(), PURPOSE)?;
        for part in parts {
            let half = part.len().div_ceil(PANEL) / 2 * PANEL;
            let (low, high) = part.split_at_mut(half);
            halves.extend([low, high].into_iter().filter(|part| !part.is_empty()));
        }
        parts = halves;
    }
    Ok(())
}

/// Sorts centroids by the dimension that they spread most in. With scratch of a number
/// for each dimension, twice.
fn sort_by_widest(
    order: &mut [u32],
    centroids: Centroids<'_>,
    (means, spreads): (&mut [f64], &mut [f64]),
) {
    let count = order.len() as f64;
    let rows = || order.iter().map(|&j| centroids.row(j as usize));
    means.fill(0.0);
    for row in rows() {
        for (mean, &value) in means.iter_mut().zip(row) {
            *mean += f64::from(value);
        }
    }
    means.iter_mut().for_each(|mean| *mean /= count);
    spreads.fill(0.0);
    for row in rows() {
        for ((spread, &mean), &value) in spreads.iter_mut().zip(&*means).zip(row) {
            *spread += (f64::from(value) - mean) * (f64::from(value) - mean);
        }
    }
    let (_, widest) = spreads
        .iter()
        .enumerate()
        .fold(
            (-1.0, 0),
            |most, (t, &spread)| {
                if spread > most.0 { (spread, t) } else { most }
            },
        );
    order.sort_unstable_by(|&a, &b| {
        let value = |j: u32| centroids.row(j as usize)[widest];
        value(a).total_cmp(&value(b)).then(a.cmp(&b))
    });
}
