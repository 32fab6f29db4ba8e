//! Candidates of weighted rows.
//!
//! A row of weight w pays w times its distance, so its cheapest cluster is the
//! one with the least distance plus price / w: each weight has prices of its own.
//! Rows that weigh about the same are searched together, by the prices of the
//! heaviest of them, and bounds make up for the difference.

use super::candidates::{Candidates, Costs};
use crate::allocate::{collect, try_vec};
use crate::error::Result;
use crate::nearest::{Request, RowScratch};
use crate::sort::sort;
use crate::threads::Threads;

/// Rows of one search differ in weight by no more than this, unless there were
/// more searches than this.
const ALIKE: f64 = 1.0 + 1.0 / 16.0;
const SEARCHES: f64 = 64.0;

impl Candidates {
    /// [`fill`](Candidates::fill) for rows with weights. Some k·d for each
    /// search beside what one without weights takes.
    pub(super) fn fill_weighted(
        &mut self,
        costs: &Costs<'_>,
        prices: &[f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        const PURPOSE: &str = "rows by weight";
        let points = costs.points;
        let weight = |row: u32| points.weight(row as usize);
        // Bits of numbers that aren't negative are in order.
        let pairs = (0..points.rows() as u32).map(|row| (weight(row).to_bits(), row));
        let mut order: Vec<(u64, u32)> = collect(pairs, PURPOSE)?;
        sort(&mut order, threads, PURPOSE)?;
        let none = order.partition_point(|&(bits, _)| f64::from_bits(bits) == 0.0);
        let (weightless, mut left) = order.split_at(none);
        self.fill_weightless(weightless, prices)?;
        let (Some(least), Some(most)) = (left.first(), left.last()) else {
            return Ok(());
        };
        let spread = f64::from_bits(most.0) / f64::from_bits(least.0);
        let alike = spread.powf(1.0 / SEARCHES).max(ALIKE);
        while let Some(&(lightest, _)) = left.first() {
            let limit = f64::from_bits(lightest) * alike;
            // One at least, also where the limit overflows.
            let count = left.partition_point(|&(bits, _)| f64::from_bits(bits) <= limit);
            let (group, others) = left.split_at(count.max(1));
            left = others;
            self.fill_group(group, costs, prices, threads)?;
        }
        Ok(())
    }

    /// Rows of weight 0 cost nothing anywhere: those with the lowest price.
    fn fill_weightless(&mut self, rows: &[(u64, u32)], prices: &[f64]) -> Result<()> {
        if let [(_, first), others @ ..] = rows {
            let nothing = try_vec(0.0, prices.len(), "prices")?;
            self.rank(*first as usize, &nothing, prices)?;
            others.iter().for_each(|&(_, row)| self.copy(*first, row));
        }
        Ok(())
    }

    /// Rows of about the same weight, ascending by it.
    fn fill_group(
        &mut self,
        group: &[(u64, u32)],
        costs: &Costs<'_>,
        prices: &[f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let mut rows = collect(group.iter().map(|&(_, row)| row), "rows by weight")?;
        sort(&mut rows, threads, "rows by weight")?;
        let heaviest = group.last().map_or(1.0, |&(bits, _)| f64::from_bits(bits));
        let bias = prices.iter().map(|price| price / heaviest);
        let bias: Vec<f64> = collect(bias, "prices")?;
        let points = costs.points.select(&rows);
        let among = Costs {
            points: &points,
            ..costs.clone()
        };
        let mut found = Candidates::new(rows.len(), costs.clusters(), threads)?;
        if bias.iter().all(|price| price.is_finite()) {
            let width = found.width;
            let (clusters, values) = (&mut found.clusters, &mut found.costs);
            let centroids = costs.centroids.with_bias(&bias);
            let request = Request::few(centroids, width, clusters, Some(values));
            let mut nearest = costs.shared.nearest(&points, 1);
            nearest.search(request, threads)?;
            found.weigh(&among, heaviest, prices, threads)?;
        } else {
            found.rank_all(&among, prices, threads)?;
        }
        for (number, &row) in rows.iter().enumerate() {
            self.replace(row, &found, number, 0.0);
        }
        threads.poll()
    }

    /// Makes costs of distances with bias. For a cluster that is no candidate,
    /// d + price / heaviest is at least what it is for the last candidate; so
    /// w·d + price = w·(d + price / heaviest) + price·(1 − w / heaviest) is at
    /// least w times that, and the least price times the rest.
    fn weigh(
        &mut self,
        costs: &Costs<'_>,
        heaviest: f64,
        prices: &[f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let least_price = prices.iter().copied().fold(f64::INFINITY, f64::min);
        let complete = self.width == costs.clusters();
        let width = self.width;
        threads.run(self.parts(), RowScratch::default, |scratch, part| {
            for (row, clusters, values, beyond) in part.rows() {
                let weight = costs.points.weight(row);
                let rest = least_price * (1.0 - weight / heaviest);
                *beyond = match complete {
                    true => f64::INFINITY,
                    false => weight * values[width - 1] + rest,
                };
                for (value, &mut cluster) in values.iter_mut().zip(clusters) {
                    *value = costs.of(row, cluster as usize, scratch)?;
                }
            }
            Ok(())
        })
    }
}

/// Writes the cheapest cluster of every weighted row, price included, to
/// `labels`, and its cost without price to `values`.
pub(super) fn cheapest(
    costs: &Costs<'_>,
    threads: &Threads<'_>,
    prices: &[f64],
    (labels, values): (&mut [u32], &mut [f64]),
) -> Result<()> {
    let mut found = Candidates::new(labels.len(), costs.clusters(), threads)?;
    found.fill_weighted(costs, prices, threads)?;
    let mut margins = threads.try_vec(0.0, labels.len(), "margins")?;
    found.choose(prices, threads, labels, values, &mut margins)?;
    // Another cluster may be as cheap or cheaper.
    let is_doubtful = |row: usize| {
        let own = values[row] + prices[labels[row] as usize];
        own >= found.beyond(row) && costs.points.weight(row) > 0.0
    };
    let doubtful = (0..labels.len()).filter(|&row| is_doubtful(row));
    let doubtful: Vec<usize> = collect(doubtful, "rows to look at")?;
    let (mut scratch, mut of_row) = (RowScratch::default(), Vec::new());
    for row in doubtful {
        costs.of_row(row, &mut scratch, &mut of_row)?;
        let priced = of_row.iter().zip(prices).map(|(cost, price)| cost + price);
        let least = priced.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((cluster, _)) = least {
            (labels[row], values[row]) = (cluster as u32, of_row[cluster]);
        }
        threads.poll()?;
    }
    Ok(())
}
