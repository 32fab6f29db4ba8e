//! What a row need not be compared with again.
//!
//! Centroids lie in groups of neighbours. For each row and group, a lower
//! bound on the distance to all centroids of the group is kept from the search
//! that swept them last; how far they moved since is taken off it. Groups that
//! lie beyond the centroid that the row belonged to are not swept (Ding et
//! al., 2015: Yinyang K-means).

use crate::allocate::{collect, copy, try_vec};
use crate::error::Result;
use crate::kernels::exact::inverse_norm;
use crate::memory::{Budget, Reserved};
use crate::metric::Metric;
use crate::nearest::scores::AffineMap;
use crate::nearest::vectors::Centroids;
use std::ops::Range;

/// Centroids in a group: a panel of the 8-bit sweep.
pub(in crate::nearest) const PANEL: usize = crate::kernels::codes::PANEL;

/// Steps of the bounds in a unit of scaled length: rows are about 1 long.
pub(in crate::nearest) const STEPS: f64 = 4096.0;

/// Bounds are dropped when a group has moved that far in all; 16 bits hold
/// twice that.
const FAR: f64 = 8.0;

/// Of all rows.
pub(in crate::nearest) struct Bounds {
    groups: Groups,
    values: Values,
}

/// What is known of some rows.
pub(in crate::nearest) struct Values {
    /// For each task's rows: groups × rows, (distance + moved) in steps.
    values: Vec<u16>,
    /// How often the groups had begun anew when these were last looked at.
    begun: u32,
    _reserved: Reserved,
}

/// The groups and what became of them.
pub(in crate::nearest) struct Groups {
    /// The centroid in each slot; groups follow each other.
    order: Vec<u32>,
    /// Where they were in the last search.
    centroids: Vec<f32>,
    /// How far each group's centroids moved in all, the farthest of them.
    moved: Vec<f64>,
    /// How often they moved so far that all bounds were dropped.
    begun: u32,
}

/// Those of consecutive rows, those of a task.
pub(in crate::nearest) struct RowBounds<'b> {
    groups: &'b Groups,
    values: &'b mut [u16],
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
    ) -> Result<Option<Self>> {
        let groups = centroids.len().div_ceil(PANEL);
        let bytes = groups as u64 * rows as u64 * size_of::<u16>() as u64;
        let reserved = (bytes <= most).then(|| budget.try_reserve(bytes));
        let Some(_reserved) = reserved.flatten() else {
            return Ok(None);
        };
        let values = try_vec(0, groups * rows, "distance bounds")?;
        let groups = match known.take() {
            Some(known) if known.order.len() == centroids.len() => known,
            _ => Groups::new(centroids)?,
        };
        Ok(Some(Bounds {
            values: Values {
                values,
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

    /// Takes note of where the centroids are now.
    pub fn follow(&mut self, affine: &AffineMap, centroids: Centroids<'_>) {
        let Groups {
            order,
            centroids: before,
            moved,
            begun,
        } = &mut self.groups;
        let dims = centroids.dims;
        for (group, moved) in order.chunks(PANEL).zip(moved.iter_mut()) {
            let distance = |&j: &u32| {
                let before = &before[j as usize * dims..][..dims];
                distance(affine, before, centroids.row(j as usize))
            };
            *moved += group.iter().map(distance).fold(0.0, f64::max);
        }
        before.copy_from_slice(centroids.values);
        if moved.iter().any(|&moved| moved > FAR) {
            moved.fill(0.0);
            *begun += 1;
        }
        if self.values.begun != *begun {
            self.values.values.fill(0);
            self.values.begun = *begun;
        }
    }

    /// The groups, and the bounds of the rows: as many for each as groups.
    pub fn split(&mut self) -> (&Groups, &mut [u16]) {
        (&self.groups, &mut self.values.values)
    }
}

impl Groups {
    fn new(centroids: Centroids<'_>) -> Result<Self> {
        const PURPOSE: &str = "distance bounds";
        let mut order = collect(0..centroids.len() as u32, PURPOSE)?;
        sort_by_place(&mut order, centroids);
        Ok(Groups {
            order,
            centroids: copy(centroids.values, PURPOSE)?,
            moved: try_vec(0.0, centroids.len().div_ceil(PANEL), PURPOSE)?,
            begun: 0,
        })
    }

    pub fn len(&self) -> usize {
        self.moved.len()
    }

    /// Of `values`, those of the rows from `first` on, `rows` of them.
    pub fn rows<'b>(&'b self, values: &'b mut [u16], first: usize, rows: usize) -> RowBounds<'b> {
        let width = self.moved.len();
        RowBounds {
            groups: self,
            values: &mut values[first * width..][..rows * width],
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
        let moved = &self.groups.moved;
        let stride = self.values.len() / moved.len();
        let values = &mut self.values[group * stride..][rows];
        (steps(moved[group]), values)
    }
}

/// A distance in steps, rounded up.
pub(in crate::nearest) fn steps(distance: f64) -> f32 {
    (1.000001 * STEPS * distance) as f32
}

/// An upper bound of how far two centroids lie apart, in the scale of scores;
/// 0 if they are the same.
fn distance(affine: &AffineMap, before: &[f32], now: &[f32]) -> f64 {
    let factor = |values| match affine.metric {
        Metric::Euclidean => f64::from(affine.scale),
        Metric::Cosine => inverse_norm(values),
    };
    if before == now {
        return 0.0;
    }
    let (factor_before, factor_now) = (factor(before), factor(now));
    let difference = |(&a, &b)| factor_before * f64::from(a) - factor_now * f64::from(b);
    let squares = before.iter().zip(now).map(difference).map(|v| v * v);
    (1.0 + 1e-9) * squares.sum::<f64>().sqrt() + 1e-12
}

/// Sorts centroids so that each [`PANEL`] from the first on are neighbours:
/// halves them again and again in the dimension that they spread most in.
fn sort_by_place(order: &mut [u32], centroids: Centroids<'_>) {
    if order.len() <= PANEL {
        return;
    }
    let values = |t: usize| {
        let value = move |&j: &u32| f64::from(centroids.row(j as usize)[t]);
        order.iter().map(value)
    };
    let spread = |t: usize| {
        let mean = values(t).sum::<f64>() / order.len() as f64;
        values(t).map(|v| (v - mean) * (v - mean)).sum::<f64>()
    };
    let spreads = (0..centroids.dims).map(|t| (spread(t), t));
    let (_, widest) = spreads.fold(
        (-1.0, 0),
        |most, here| {
            if here.0 > most.0 { here } else { most }
        },
    );
    order.sort_unstable_by(|&a, &b| {
        let value = |j: u32| centroids.row(j as usize)[widest];
        value(a).total_cmp(&value(b)).then(a.cmp(&b))
    });
    let half = order.len().div_ceil(PANEL) / 2 * PANEL;
    let (low, high) = order.split_at_mut(half);
    sort_by_place(low, centroids);
    sort_by_place(high, centroids);
}
