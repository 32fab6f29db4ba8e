//! Price sweeps: quick steps towards the prices that balance the clusters.
//!
//! Coordinate ascent on the dual of the transport problem (Bertsekas, 1979,
//! calls its one-row form an auction): the price of an overfull cluster rises
//! until only as many rows stay as may, that of an underfull one falls until
//! enough rows come, all of a kind at once. What is left over is for
//! [`super::transport`].

mod follow;
mod part;
pub(super) mod sample;

use crate::allocate::{collect, copy, push, try_vec, with_capacity};
use crate::balanced::candidates::{Candidates, Costs};
use crate::balanced::least::Least;
use crate::balanced::size_bounds::{self, SizeBounds};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::nearest::Nearest;
use crate::threads::Threads;

/// Sweeps at most. They end when they no longer help.
const MAX_SWEEPS: usize = 40;
/// Rounds of sweeps at most, each with better candidates.
const MAX_ROUNDS: usize = 12;
/// One row in this many is a lot of rows.
const MANY: usize = 16;
/// So much larger prices than needed leave too few digits of the costs.
const COARSE: f64 = 1e4;

/// A cluster that lacks more rows than this after the sweeps, and more than
/// this part of a cluster, is far from most rows; so many of them are treated
/// in a round.
const LONELY: usize = 4;
const LONELY_PART: usize = 64;
const MAX_LONELY: usize = 16;

/// The rows' clusters under the current prices.
pub(super) struct Choice {
    pub candidates: Candidates,
    pub labels: Vec<u32>,
    /// The cost of every row in its cluster, without price.
    pub costs: Vec<f64>,
    /// By how much the next cluster is dearer.
    margins: Vec<f64>,
    pub sizes: Vec<usize>,
    /// So many rows were left in the wrong place by better prices as well: there
    /// are ties.
    pub tied: usize,
}

impl Choice {
    pub fn new(rows: usize, clusters: usize, threads: &Threads<'_>) -> Result<Self> {
        Ok(Choice {
            candidates: Candidates::new(rows, clusters, threads)?,
            labels: threads.try_vec(UNASSIGNED, rows, "labels")?,
            costs: threads.try_vec(0.0, rows, "costs")?,
            margins: threads.try_vec(0.0, rows, "margins")?,
            sizes: try_vec(0, clusters, "cluster sizes")?,
            tied: 0,
        })
    }

    fn update(&mut self, prices: &[f64], threads: &Threads<'_>) -> Result<()> {
        let (labels, costs) = (&mut self.labels, &mut self.costs);
        let candidates = &self.candidates;
        candidates.choose(prices, threads, labels, costs, &mut self.margins)?;
        self.sizes.fill(0);
        threads.in_steps(self.labels.len(), |rows| {
            for &label in &self.labels[rows] {
                self.sizes[label as usize] += 1;
            }
            Ok(())
        })
    }

    /// The candidate that is next after a row's cluster: by how much it is
    /// dearer, which, and what it costs before its price.
    pub fn next(&self, row: usize, prices: &[f64]) -> Option<(f64, u32, f64)> {
        let label = self.labels[row];
        let here = self.costs[row] + prices[label as usize];
        let others = self.candidates.of_row(row);
        let others = others.filter(|&(j, _)| j != label);
        let others = others.map(|(j, cost)| (cost + prices[j as usize] - here, j, cost));
        others.reduce(|a, b| if b < a { b } else { a })
    }

    /// By how much less nearly every row pays than beyond its candidates: a low
    /// quantile of about a thousand rows. Fewer rows than a cluster has then
    /// come to one whose price falls by as much, unforeseen.
    fn reach(&self, prices: &[f64]) -> Result<f64> {
        let rows = (0..self.labels.len()).step_by(self.labels.len() / 1024 + 1);
        let slacks = rows.map(|row| {
            let here = self.costs[row] + prices[self.labels[row] as usize];
            (self.candidates.beyond(row) - here).max(0.0)
        });
        let mut slacks = collect(slacks, "slacks")?;
        let few = slacks.len() / 16;
        Ok(*slacks.select_nth_unstable_by(few, f64::total_cmp).1)
    }

    /// Brings `prices` to where most sizes are within their bounds. Every row
    /// is then in its cheapest cluster of all.
    pub fn balance(
        &mut self,
        nearest: &mut Nearest<'_>,
        costs: &Costs<'_>,
        each_bounds: &[SizeBounds],
        prices: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.candidates.fill(nearest, costs, prices, threads)?;
        self.update(prices, threads)?;
        let many = self.labels.len() / MANY;
        // Far from balance, prices only rise: how many rows leave is known,
        // but of those that would come only some have the cluster as candidate.
        let mut only_raise = size_bounds::violation(each_bounds, &self.sizes) > many;
        let mut least = usize::MAX;
        let mut attracted = false;
        for _ in 0..MAX_ROUNDS {
            let before = copy(prices, "prices")?;
            centre(each_bounds, self.labels.len(), prices)?;
            sweep(each_bounds, only_raise, threads, prices, self)?;
            let falls = before.iter().zip(prices.iter()).map(|(old, new)| old - new);
            let fall = falls.fold(f64::NEG_INFINITY, f64::max);
            self.candidates.prices_fell(fall);
            let (labels, own) = (&self.labels, &self.costs);
            let doubtful = self.candidates.doubtful(prices, labels, own, threads)?;
            // Costs that came with huge prices have lost digits.
            let is_coarse = greatest(&before) > COARSE * greatest(prices);
            if !costs.root && (is_coarse || doubtful.len() > self.labels.len() / 2) {
                self.candidates.fill(nearest, costs, prices, threads)?;
            } else if !doubtful.is_empty() {
                let found = Candidates::of_rows(&doubtful, costs, prices, threads)?;
                for (number, &row) in doubtful.iter().enumerate() {
                    self.candidates.replace(row, &found, number, 0.0);
                }
            }
            let doubtful = doubtful.len();
            if doubtful > 0 || is_coarse {
                self.update(prices, threads)?;
            }
            // With the candidates found, another round may help.
            let left = size_bounds::violation(each_bounds, &self.sizes);
            let settled = doubtful == 0 || left > least / 2;
            let is_stuck = left >= least - least / 16;
            least = least.min(left);
            if is_stuck && left <= 2 * self.tied {
                break;
            }
            if doubtful <= many && !std::mem::take(&mut only_raise) {
                // More of it doesn't help where prices cannot tell rows apart.
                if attracted && is_stuck && left > many {
                    break;
                }
                attracted = self.attract(costs, each_bounds, prices, threads)?;
                if settled && !attracted {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Lets the price of each cluster that still lacks many rows fall until
    /// enough of *all* rows come: few have it as a candidate. Returns whether
    /// there was any.
    fn attract(
        &mut self,
        costs: &Costs<'_>,
        each_bounds: &[SizeBounds],
        prices: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<bool> {
        let lacks = each_bounds.iter().zip(&self.sizes);
        let lacks = lacks.map(|(bounds, &size)| bounds.low.saturating_sub(size));
        let few = LONELY.max(self.labels.len() / prices.len() / LONELY_PART);
        let lonely = lacks.enumerate().filter(|&(_, lack)| lack > few);
        let mut lonely = collect(lonely, "clusters that lack rows")?;
        lonely.sort_unstable_by_key(|&(j, lack)| (std::cmp::Reverse(lack), j));
        lonely.truncate(MAX_LONELY);
        let mut of_cluster = match lonely.is_empty() {
            true => Vec::new(),
            false => threads.try_vec(0.0, self.labels.len(), "costs")?,
        };
        for &(j, lack) in &lonely {
            costs.of_cluster(j, threads, &mut of_cluster)?;
            // And the next, to which a price may fall half way.
            let mut falls = Least::new(lack + 1);
            threads.in_steps(self.labels.len(), |rows| {
                for row in rows {
                    let label = self.labels[row] as usize;
                    if label != j {
                        let dearer = of_cluster[row] - self.costs[row];
                        falls.show(Fall((dearer + (prices[j] - prices[label])).max(0.0)))?;
                    }
                }
                Ok(())
            })?;
            prices[j] -= threshold(&mut values(falls)?, lack);
            self.candidates
                .offer(j as u32, &of_cluster, prices, threads)?;
            self.update(prices, threads)?;
        }
        Ok(!lonely.is_empty())
    }
}

/// Adds the same to all prices, which moves no row, so that 0 is the hub's again
/// and about as many clusters are to be full as there are rows for: the best
/// step of the dual in this direction.
fn centre(each_bounds: &[SizeBounds], rows: usize, prices: &mut [f64]) -> Result<()> {
    let mut dearest = collect(0..prices.len(), "clusters by price")?;
    dearest.sort_unstable_by(|&a, &b| prices[b].total_cmp(&prices[a]).then(a.cmp(&b)));
    let least: usize = each_bounds.iter().map(|bounds| bounds.low).sum();
    let mut spare = rows.saturating_sub(least);
    let part_full = dearest.iter().copied().find(|&j| {
        let width = each_bounds[j].width();
        let fits = width >= spare;
        spare = spare.saturating_sub(width);
        fits
    });
    let hub = part_full.map_or(0.0, |j| prices[j]);
    let mut sizes = collect(prices.iter().map(|price| price.abs()), "prices")?;
    let middle = sizes.len() / 2;
    let (_, &mut common, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
    if hub.abs() <= COARSE * common {
        prices.iter_mut().for_each(|price| *price -= hub);
    }
    Ok(())
}

fn greatest(prices: &[f64]) -> f64 {
    prices.iter().map(|price| price.abs()).fold(0.0, f64::max)
}

/// Improves `prices` and `choice`, which must agree before and do so after.
fn sweep(
    each_bounds: &[SizeBounds],
    only_raise: bool,
    threads: &Threads<'_>,
    prices: &mut [f64],
    choice: &mut Choice,
) -> Result<()> {
    // A cluster that few rows know must not fall until these make do: others
    // would come before, and the next round's candidates tell which.
    let reach = choice.reach(prices)?;
    let floors = collect(prices.iter().map(|price| price - reach), "prices")?;
    let mut least = usize::MAX;
    for _ in 0..MAX_SWEEPS {
        let raised = raise(each_bounds, threads, prices, choice)?;
        if raised {
            choice.update(prices, threads)?;
        }
        let lowered = !only_raise && lower(each_bounds, &floors, threads, prices, choice)?;
        if lowered {
            choice.update(prices, threads)?;
        }
        let left = unsettled(each_bounds, prices, &choice.sizes);
        if !raised && !lowered || left >= least - least / 16 {
            break;
        }
        least = left;
    }
    Ok(())
}

/// Rows that are too many or too few, where a price calls for a full cluster
/// or for one as small as may be.
fn unsettled(each_bounds: &[SizeBounds], prices: &[f64], sizes: &[usize]) -> usize {
    let clusters = prices.iter().zip(sizes).zip(each_bounds);
    let wanted = clusters.map(|((&price, &size), bounds)| {
        size.abs_diff(match price {
            price if price > 0.0 => bounds.high,
            price if price < 0.0 => bounds.low,
            _ => size.clamp(bounds.low, bounds.high),
        })
    });
    wanted.sum()
}

/// Rows that must leave a cluster before its price may stay below 0, and
/// before it may stay at all.
fn surplus(bounds: SizeBounds, size: usize, price: f64) -> (usize, usize) {
    let above_low = match price < 0.0 {
        true => size.saturating_sub(bounds.low),
        false => 0,
    };
    (above_low, size.saturating_sub(bounds.high))
}

fn raise(
    each_bounds: &[SizeBounds],
    threads: &Threads<'_>,
    prices: &mut [f64],
    choice: &Choice,
) -> Result<bool> {
    let clusters = choice.sizes.iter().zip(prices.iter()).zip(each_bounds);
    let is_asked = clusters
        .map(|((&size, &price), bounds)| size > bounds.high || (price < 0.0 && size >= bounds.low));
    let is_asked = collect(is_asked, "clusters that rise")?;
    let mut margins = with_capacity(prices.len(), "margins")?;
    for (&asked, &size) in is_asked.iter().zip(&choice.sizes) {
        margins.push(with_capacity(if asked { size } else { 0 }, "margins")?);
    }
    threads.in_steps(choice.labels.len(), |rows| {
        for row in rows {
            let label = choice.labels[row] as usize;
            if is_asked[label] {
                push(&mut margins[label], choice.margins[row], "margins")?;
            }
        }
        Ok(())
    })?;
    let mut changed = false;
    for (j, margins) in margins.iter_mut().enumerate().filter(|(j, _)| is_asked[*j]) {
        threads.poll()?;
        let old = prices[j];
        let (above_low, above_high) = surplus(each_bounds[j], choice.sizes[j], old);
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
    Ok(changed)
}

/// Rows that must join a cluster before its price may stay above 0, and
/// before it may stay at all.
fn shortage(bounds: SizeBounds, size: usize, price: f64) -> (usize, usize) {
    let below_high = match price > 0.0 {
        true => bounds.high.saturating_sub(size),
        false => 0,
    };
    (below_high, bounds.low.saturating_sub(size))
}

fn lower(
    each_bounds: &[SizeBounds],
    floors: &[f64],
    threads: &Threads<'_>,
    prices: &mut [f64],
    choice: &Choice,
) -> Result<bool> {
    let clusters = choice.sizes.iter().zip(prices.iter()).zip(each_bounds);
    let wanted = clusters.map(|((&size, &price), &bounds)| {
        let (below_high, below_low) = shortage(bounds, size, price);
        let relax = price > 0.0 && size == bounds.high;
        below_high.max(below_low).max(usize::from(relax))
    });
    let wanted = collect(wanted, "clusters that fall")?;
    // Of each such cluster, the rows that are the next to join.
    let nearest = wanted.iter().map(|&wanted| Least::new(wanted + 1));
    let mut nearest = collect(nearest, "rows that join")?;
    threads.in_steps(choice.labels.len(), |rows| {
        for row in rows {
            let label = choice.labels[row];
            let here = choice.costs[row] + prices[label as usize];
            for (cluster, cost) in choice.candidates.of_row(row) {
                let j = cluster as usize;
                if wanted[j] > 0 && cluster != label {
                    nearest[j].show(Fall((cost + prices[j] - here).max(0.0)))?;
                }
            }
        }
        Ok(())
    })?;
    let mut changed = false;
    for (j, nearest) in nearest
        .into_iter()
        .enumerate()
        .filter(|(j, _)| wanted[*j] > 0)
    {
        threads.poll()?;
        let mut falls = values(nearest)?;
        let old = prices[j];
        let (below_high, below_low) = shortage(each_bounds[j], choice.sizes[j], old);
        prices[j] = if (below_high, below_low) == (0, 0) {
            let least = falls.iter().copied().fold(f64::INFINITY, f64::min);
            relaxed(old, least)
        } else if old > 0.0 {
            let greatest = old - threshold(&mut falls, below_high);
            greatest.max((old - threshold(&mut falls, below_low)).min(0.0))
        } else {
            old - threshold(&mut falls, below_low)
        };
        prices[j] = prices[j].max(floors[j].min(old));
        changed |= prices[j] != old;
    }
    Ok(changed)
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

/// The falls that were found, in any order.
fn values(falls: Least<Fall>) -> Result<Vec<f64>> {
    let falls = falls.into_values();
    collect(falls.iter().map(|fall| fall.0), "least values")
}

/// What a price must fall by for a row to join.
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
