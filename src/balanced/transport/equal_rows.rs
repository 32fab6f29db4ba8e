//! Rows with equal values: documents that were stored twice, empty ones, small
//! integers.
//!
//! Prices cannot tell them apart, and moving them one at a time takes a search
//! each. So one of the equal rows in a cluster stands for all of them there.

use crate::allocate::{collect, copy, push, set, try_vec, with_capacity};
use crate::clusters::UNASSIGNED;
use crate::equal_rows::first_equals;
use crate::error::Result;
use crate::points::Points;
use crate::sort::sort;
use crate::threads::Threads;
use std::collections::HashMap;

/// Fewer equal rows than this move one at a time as well.
const FEW: usize = 8;

/// Rows that are equal, group by group, ascending.
pub(in crate::balanced) struct EqualRows {
    groups: Vec<Vec<u32>>,
}

impl EqualRows {
    /// All groups of at least [`FEW`] rows. One pass over the data, and a sort
    /// of n fingerprints.
    pub fn find(points: &Points<'_>, threads: &Threads<'_>) -> Result<Self> {
        let purpose = "equal rows";
        let first = first_equals(points, |_| true, threads)?;
        if points.is_weighted() {
            return Self::of_equal_weight(points, &first, threads);
        }
        // Of a first row how many equal it, then the number of its group.
        let mut numbers = threads.try_vec(0u32, first.len(), purpose)?;
        threads.in_steps(first.len(), |rows| {
            for &first in &first[rows] {
                numbers[first as usize] += 1;
            }
            Ok(())
        })?;
        let mut groups: Vec<Vec<u32>> = Vec::new();
        threads.in_steps(first.len(), |rows| {
            for row in rows {
                let number = &mut numbers[first[row] as usize];
                if first[row] as usize == row {
                    let count = *number as usize;
                    *number = UNASSIGNED;
                    if count >= FEW {
                        *number = groups.len() as u32;
                        push(&mut groups, with_capacity(count, purpose)?, purpose)?;
                    }
                }
                if *number != UNASSIGNED {
                    push(&mut groups[*number as usize], row as u32, purpose)?;
                }
            }
            Ok(())
        })?;
        Ok(EqualRows { groups })
    }

    /// Of rows that are equal those that weigh the same; of rows of weight 0 all,
    /// for they cost the same everywhere.
    fn of_equal_weight(points: &Points<'_>, first: &[u32], threads: &Threads<'_>) -> Result<Self> {
        let purpose = "equal rows";
        let key = |row: usize| match points.weight(row) {
            0.0 => (UNASSIGNED, 0),
            weight => (first[row], weight.to_bits()),
        };
        let keys = (0..first.len()).map(|row| (key(row), row as u32));
        let mut order = collect(keys, purpose)?;
        sort(&mut order, threads, purpose)?;
        let mut groups = Vec::new();
        for group in order.chunk_by(|a, b| a.0 == b.0) {
            if group.len() >= FEW {
                let rows = collect(group.iter().map(|&(_, row)| row), purpose)?;
                push(&mut groups, rows, purpose)?;
            }
        }
        threads.poll()?;
        Ok(EqualRows { groups })
    }
}

/// Equal rows in one cluster are a stack; its top is in the cluster, for all.
pub(super) struct Stacks<'a> {
    equal_rows: &'a EqualRows,
    /// The group of a top, and how many rows it stands for.
    tops: HashMap<u32, (u32, usize)>,
    /// Where each group has stacks: (cluster, top).
    places: Vec<Vec<(u32, u32)>>,
    /// The rows of each group that are beneath.
    beneath: Vec<Vec<u32>>,
}

impl<'a> Stacks<'a> {
    /// Takes rows beneath out of their cluster and makes them cost nothing.
    pub fn pile(
        equal_rows: &'a EqualRows,
        labels: &mut [u32],
        own: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let groups = equal_rows.groups.len();
        let mut stacks = Stacks {
            equal_rows,
            tops: HashMap::new(),
            places: try_vec(Vec::new(), groups, "equal rows")?,
            beneath: try_vec(Vec::new(), groups, "equal rows")?,
        };
        for (group, rows) in (0u32..).zip(&equal_rows.groups) {
            threads.in_steps(rows.len(), |part| {
                for &row in &rows[part] {
                    let label = &mut labels[row as usize];
                    push(&mut stacks.beneath[group as usize], row, "equal rows")?;
                    if stacks.put(group, *label, 1)? != Some(row) {
                        *label = UNASSIGNED;
                        own[row as usize] = 0.0;
                    }
                }
                Ok(())
            })?;
        }
        Ok(stacks)
    }

    /// How many rows `row` stands for.
    pub fn height(&self, row: u32) -> usize {
        self.top(row).map_or(1, |(_, height)| height)
    }

    fn top(&self, row: u32) -> Option<(u32, usize)> {
        match self.tops.is_empty() {
            true => None,
            false => self.tops.get(&row).copied(),
        }
    }

    /// Moves `units` of what `row` stands for. Returns whether none is left
    /// where it was, and the row that is to enter the other cluster, unless
    /// one is there that stands for these as well.
    pub fn shift(
        &mut self,
        row: u32,
        from: u32,
        to: u32,
        units: usize,
    ) -> Result<(bool, Option<u32>)> {
        let Some((group, height)) = self.top(row) else {
            return Ok((true, Some(row)));
        };
        let is_empty = height == units;
        if is_empty {
            self.tops.remove(&row);
            self.places[group as usize].retain(|&(cluster, _)| cluster != from);
            push(&mut self.beneath[group as usize], row, "equal rows")?;
        } else {
            let left = (group, height - units);
            set(&mut self.tops, row, left, "equal rows")?;
        }
        Ok((is_empty, self.put(group, to, units)?))
    }

    /// Puts rows from beneath into a cluster. Returns their top if it is new.
    fn put(&mut self, group: u32, cluster: u32, units: usize) -> Result<Option<u32>> {
        let places = &mut self.places[group as usize];
        let found = places.iter().find(|&&(place, _)| place == cluster);
        if let Some(&(_, top)) = found {
            self.tops
                .entry(top)
                .and_modify(|(_, height)| *height += units);
            return Ok(None);
        }
        let top = self.beneath[group as usize].pop();
        let top = top.expect("a row that is not a top is beneath");
        push(places, (cluster, top), "equal rows")?;
        set(&mut self.tops, top, (group, units), "equal rows")?;
        Ok(Some(top))
    }

    /// The tops, each with the number of rows beneath it.
    pub fn tops(&self) -> impl Iterator<Item = (u32, usize)> + '_ {
        let tops = self.places.iter().flatten();
        tops.map(|&(_, top)| (top, self.tops[&top].1 - 1))
    }

    /// Gives every row of a stack the cluster and the cost of its top.
    pub fn spread(&self, labels: &mut [u32], own: &mut [f64], threads: &Threads<'_>) -> Result<()> {
        for (rows, places) in self.equal_rows.groups.iter().zip(&self.places) {
            threads.poll()?;
            let mut places = copy(places, "equal rows")?;
            places.sort_unstable();
            let each = places.iter().flat_map(|&(cluster, top)| {
                let place = (cluster, own[top as usize]);
                std::iter::repeat_n(place, self.tops[&top].1)
            });
            let each = collect(each, "equal rows")?;
            for (&row, (cluster, cost)) in rows.iter().zip(each) {
                labels[row as usize] = cluster;
                own[row as usize] = cost;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn threads() -> Threads<'static> {
        Threads::exactly(2, None).unwrap()
    }

    #[test]
    fn equal_rows_are_found_among_others() {
        let data = Array2::from_shape_fn((3000, 5), |(row, col)| match row % 100 {
            7 => col as f32,
            9 => 1.0,
            _ => (row * 5 + col + 1) as f32,
        });
        let equal_rows = EqualRows::find(&Points::from(data.view()), &threads()).unwrap();
        let groups = equal_rows.groups;
        let every = |first: u32| (first..3000).step_by(100).collect::<Vec<_>>();
        assert_eq!(groups, [every(7), every(9)]);
    }

    #[test]
    fn stacks_are_split_and_joined() {
        let equal_rows = EqualRows {
            groups: vec![(0..10).collect()],
        };
        let (mut labels, mut own) = (vec![3; 11], vec![2.0; 11]);
        let mut stacks = Stacks::pile(&equal_rows, &mut labels, &mut own, &threads()).unwrap();
        let (top, _) = stacks.tops().next().unwrap();
        assert_eq!((stacks.height(top), stacks.height(10)), (10, 1));
        assert_eq!(own.iter().sum::<f64>(), 4.0);

        let (is_empty, entered) = stacks.shift(top, 3, 5, 4).unwrap();
        let other = entered.unwrap();
        assert!(!is_empty && other != top);
        own[other as usize] = 7.0;
        assert_eq!((stacks.height(top), stacks.height(other)), (6, 4));
        assert_eq!(stacks.shift(top, 3, 5, 1), Ok((false, None)));
        stacks.spread(&mut labels, &mut own, &threads()).unwrap();
        assert_eq!(labels, [3, 3, 3, 3, 3, 5, 5, 5, 5, 5, 3]);
        assert_eq!(own.iter().sum::<f64>(), 6.0 * 2.0 + 5.0 * 7.0);

        assert_eq!(stacks.shift(other, 5, 3, 5), Ok((true, None)));
        assert_eq!(stacks.height(top), 10);
        assert_eq!(stacks.shift(10, 3, 5, 1), Ok((true, Some(10))));
    }
}
