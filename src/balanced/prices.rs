//! Price sweeps: quick steps towards the prices that balance the clusters.
//!
//! Coordinate ascent on the dual of the transport problem (Bertsekas, 1979,
//! calls its one-row form an auction): the price of an overfull cluster rises
//! until only as many rows stay as may, that of an underfull one falls until
//! enough rows come, all of a kind at once. What is left over is for
//! [`super::transport`].

use super::candidates::Candidates;
use super::window::Window;
use crate::error::Result;
use crate::threads::Threads;
use std::collections::BinaryHeap;

/// Sweeps at most; later ones gain little.
const MAX_SWEEPS: usize = 6;

/// The rows' clusters under the current prices.
pub(super) struct Choice<'a> {
    pub labels: &'a mut [u32],
    /// The cost of every row in its cluster, without price.
    pub costs: &'a mut [f64],
    /// By how much the next cluster is dearer.
    pub margins: &'a mut [f64],
    pub sizes: Vec<usize>,
}

impl Choice<'_> {
    pub fn update(
        &mut self,
        candidates: &Candidates,
        prices: &[f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        candidates.choose(prices, threads, self.labels, self.costs, self.margins)?;
        self.sizes.fill(0);
        for &label in self.labels.iter() {
            self.sizes[label as usize] += 1;
        }
        Ok(())
    }
}

/// Improves `prices` and `choice`, which must agree before and do so after.
pub(super) fn sweep(
    candidates: &Candidates,
    window: Window,
    only_raise: bool,
    threads: &Threads<'_>,
    prices: &mut [f64],
    choice: &mut Choice<'_>,
) -> Result<()> {
    for _ in 0..MAX_SWEEPS {
        let raised = raise(window, prices, choice);
        if raised {
            choice.update(candidates, prices, threads)?;
        }
        let lowered = !only_raise && lower(candidates, window, prices, choice);
        if lowered {
            choice.update(candidates, prices, threads)?;
        }
        if !raised && !lowered {
            break;
        }
    }
    Ok(())
}

/// Rows that must leave a cluster before its price may stay below 0, and
/// before it may stay at all.
fn surplus(window: Window, size: usize, price: f64) -> (usize, usize) {
    let above_low = match price < 0.0 {
        true => size.saturating_sub(window.low),
        false => 0,
    };
    (above_low, size.saturating_sub(window.high))
}

fn raise(window: Window, prices: &mut [f64], choice: &Choice<'_>) -> bool {
    let is_asked: Vec<bool> = (choice.sizes.iter().zip(prices.iter()))
        .map(|(&size, &price)| size > window.high || (price < 0.0 && size >= window.low))
        .collect();
    let mut margins: Vec<Vec<f64>> = vec![Vec::new(); prices.len()];
    for (&label, &margin) in choice.labels.iter().zip(choice.margins.iter()) {
        if is_asked[label as usize] {
            margins[label as usize].push(margin);
        }
    }
    let mut changed = false;
    for (j, margins) in margins.iter_mut().enumerate().filter(|(j, _)| is_asked[*j]) {
        let old = prices[j];
        let (above_low, above_high) = surplus(window, choice.sizes[j], old);
        prices[j] = if (above_low, above_high) == (0, 0) {
            let least = margins.iter().copied().fold(f64::INFINITY, f64::min);
            -relaxed(-old, least)
        } else if old < 0.0 {
            let least = old + threshold(margins, above_low);
            least.min((old + threshold(margins, above_high)).max(0.0))
        } else {
            old + threshold(margins, above_high)
        };
        changed |= prices[j] != old;
    }
    changed
}

/// Rows that must join a cluster before its price may stay above 0, and
/// before it may stay at all.
fn shortage(window: Window, size: usize, price: f64) -> (usize, usize) {
    let below_high = match price > 0.0 {
        true => window.high.saturating_sub(size),
        false => 0,
    };
    (below_high, window.low.saturating_sub(size))
}

fn lower(candidates: &Candidates, window: Window, prices: &mut [f64], choice: &Choice<'_>) -> bool {
    let wanted: Vec<usize> = (choice.sizes.iter().zip(prices.iter()))
        .map(|(&size, &price)| {
            let (below_high, below_low) = shortage(window, size, price);
            let relax = price > 0.0 && size == window.high;
            below_high.max(below_low).max(usize::from(relax))
        })
        .collect();
    // Of each such cluster, the rows that are the next to join.
    let mut nearest: Vec<BinaryHeap<Fall>> = vec![BinaryHeap::new(); prices.len()];
    for (row, (&label, &cost)) in choice.labels.iter().zip(choice.costs.iter()).enumerate() {
        let here = cost + prices[label as usize];
        for (cluster, cost) in candidates.of_row(row) {
            let j = cluster as usize;
            if wanted[j] == 0 || cluster == label {
                continue;
            }
            let fall = Fall((cost + prices[j] - here).max(0.0));
            let heap = &mut nearest[j];
            if heap.len() <= wanted[j] {
                heap.push(fall);
            } else if let Some(mut greatest) = heap.peek_mut()
                && fall < *greatest
            {
                *greatest = fall;
            }
        }
    }
    let mut changed = false;
    for (j, heap) in nearest
        .into_iter()
        .enumerate()
        .filter(|(j, _)| wanted[*j] > 0)
    {
        let mut falls: Vec<f64> = heap.into_iter().map(|fall| fall.0).collect();
        let old = prices[j];
        let (below_high, below_low) = shortage(window, choice.sizes[j], old);
        prices[j] = if (below_high, below_low) == (0, 0) {
            let least = falls.iter().copied().fold(f64::INFINITY, f64::min);
            relaxed(old, least)
        } else if old > 0.0 {
            let greatest = old - threshold(&mut falls, below_high);
            greatest.max((old - threshold(&mut falls, below_low)).min(0.0))
        } else {
            old - threshold(&mut falls, below_low)
        };
        changed |= prices[j] != old;
    }
    changed
}

/// A price that could be lower by `slack` before a row moves. One much higher
/// than it need be, left from an earlier iteration, costs digits: it goes down
/// to twice the need.
fn relaxed(price: f64, slack: f64) -> f64 {
    let need = (price - slack).max(0.0);
    if price > 4.0 * need {
        2.0 * need
    } else {
        price
    }
}

/// A change that `count` of the values are below, up to half way to the next.
fn threshold(values: &mut [f64], count: usize) -> f64 {
    if count == 0 || values.is_empty() {
        return 0.0;
    }
    let last = count.min(values.len()) - 1;
    let (_, &mut value, rest) = values.select_nth_unstable_by(last, f64::total_cmp);
    match rest.iter().copied().reduce(f64::min) {
        Some(next) => ((value + next) / 2.0).min(2.0 * value),
        None => value,
    }
}

/// What a price must fall by for a row to join; the greatest is on top.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fall(f64);

impl Eq for Fall {}

impl Ord for Fall {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Fall {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
