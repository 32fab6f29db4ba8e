//! Rows that stand for their cluster.

use super::{KMeans, Trained};
use crate::allocate::{extend, push, try_vec};
use crate::clusters::{Clusters, UNASSIGNED};
use crate::config::invalid;
use crate::equal_rows::first_equals;
use crate::error::Result;
use crate::nearest::Shared;
use crate::points::Points;
use crate::sort::sort;
use crate::threads::{RunOptions, Threads};

const PURPOSE: &str = "representatives";

impl KMeans {
    /// The `m` rows of each cluster that are nearest to its centroid, nearest first, no
    /// two with the same values (of equals the first counts); fewer where a cluster has
    /// fewer. Rows are in the cluster whose centroid is nearest to them; those of weight
    /// 0 do not count.
    ///
    /// O(n · n_clusters · d + n log n).
    pub fn representatives(
        &self,
        points: &Points<'_>,
        m: usize,
        options: RunOptions<'_>,
    ) -> Result<Clusters> {
        let Trained { config, fit, .. } = self.trained()?;
        if m == 0 {
            return Err(invalid("m must be positive, got 0"));
        }
        fit.check_dims(points)?;
        let points = &points.less(fit.offset.as_deref());
        let (clusters, dims) = fit.centroids.dim();
        let work = points.rows() as f64 * (clusters * dims) as f64;
        let threads = &Threads::new(options, work)?;
        points.check(threads)?;
        points.check_weights(0)?;
        let rows = points.rows();
        let mut labels = threads.try_vec(UNASSIGNED, rows, "labels")?;
        let mut distances = threads.try_vec(0.0f64, rows, "distances")?;
        let shared = Shared::new(points, config.metric, self.config.memory_limit)?;
        let found = (&mut labels[..], Some(&mut distances[..]));
        shared
            .nearest(points, 1)
            .label(&fit.centroids, found, threads)?;
        let first = first_equals(points, |row| points.weight(row) > 0.0, threads)?;
        // Distances are not negative (but for rounding, with cosine), so that their bits
        // are in their order.
        let mut order: Vec<(u32, u64, u32)> = Vec::new();
        threads.in_steps(rows, |part| {
            for row in part {
                if first[row] as usize == row {
                    let distance = distances[row].max(0.0).to_bits();
                    push(&mut order, (labels[row], distance, row as u32), PURPOSE)?;
                }
            }
            Ok(())
        })?;
        sort(&mut order, threads, PURPOSE)?;
        let mut offsets = try_vec(0usize, clusters + 1, PURPOSE)?;
        let mut members = Vec::new();
        for (cluster, end) in offsets[1..].iter_mut().enumerate() {
            let start = order.partition_point(|&(label, _, _)| (label as usize) < cluster);
            let own = order[start..].iter().take(m);
            let own = own.take_while(|&&(label, _, _)| label as usize == cluster);
            extend(&mut members, own.map(|&(_, _, row)| row), PURPOSE)?;
            *end = members.len();
            threads.poll()?;
        }
        Ok(Clusters { offsets, members })
    }
}
