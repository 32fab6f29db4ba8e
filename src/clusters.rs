//! Which points belong to which cluster, in compressed rows: the members of
//! cluster j are `members[offsets[j]..offsets[j + 1]]`, ascending.

use crate::allocate::{collect, copy, try_vec, with_capacity};
use crate::error::Result;
use crate::kernels::few_centroids::UNCERTAIN;
use crate::threads::{Poll, Threads};

/// The label of a point that is in no cluster, or not yet.
pub(crate) const UNASSIGNED: u32 = UNCERTAIN;

/// Pairs that are looked at between two polls.
const STEP: usize = 1 << 16;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clusters {
    pub offsets: Vec<usize>,
    pub members: Vec<u32>,
}

impl Clusters {
    /// Groups points by label; `labels` holds `per_point` labels a point, each
    /// below `n_clusters`. A counting sort: O(labels + clusters).
    pub(crate) fn from_labels(
        labels: &[u32],
        per_point: usize,
        n_clusters: usize,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let pairs = labels.iter().enumerate();
        let pairs = pairs.map(|(i, &label)| ((i / per_point) as u32, label));
        Self::from_pairs(pairs, n_clusters, threads)
    }

    /// Groups pairs of point and label, the points in the order given.
    pub(crate) fn from_pairs(
        pairs: impl Iterator<Item = (u32, u32)> + Clone,
        n_clusters: usize,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        Self::group(pairs, n_clusters, &|| threads.poll())
    }

    /// The same on whatever thread.
    pub(crate) fn group(
        pairs: impl Iterator<Item = (u32, u32)> + Clone,
        n_clusters: usize,
        poll: Poll<'_>,
    ) -> Result<Self> {
        let mut offsets = try_vec(0usize, n_clusters + 1, "cluster offsets")?;
        for (number, (_, label)) in pairs.clone().enumerate() {
            offsets[label as usize + 1] += 1;
            if number % STEP == 0 {
                poll()?;
            }
        }
        for j in 0..n_clusters {
            offsets[j + 1] += offsets[j];
        }
        let mut next = copy(&offsets, "cluster offsets")?;
        let mut members = try_vec(0u32, offsets[n_clusters], "cluster members")?;
        for (number, (point, label)) in pairs.enumerate() {
            let slot = &mut next[label as usize];
            members[*slot] = point;
            *slot += 1;
            if number % STEP == 0 {
                poll()?;
            }
        }
        Ok(Clusters { offsets, members })
    }

    pub fn n_clusters(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn members(&self, cluster: usize) -> &[u32] {
        &self.members[self.offsets[cluster]..self.offsets[cluster + 1]]
    }

    pub fn size(&self, cluster: usize) -> usize {
        self.offsets[cluster + 1] - self.offsets[cluster]
    }

    /// A list of point indices for each cluster.
    pub fn to_lists(&self) -> Result<Vec<Vec<usize>>> {
        let mut lists = with_capacity(self.n_clusters(), "lists of clusters")?;
        for j in 0..self.n_clusters() {
            let members = self.members(j).iter().map(|&i| i as usize);
            lists.push(collect(members, "lists of clusters")?);
        }
        Ok(lists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::KMeansError;
    use crate::threads::Event;
    use std::ops::ControlFlow;

    #[test]
    fn points_are_listed_in_order_cluster_by_cluster() {
        let threads = Threads::exactly(1, None).unwrap();
        let clusters = Clusters::from_labels(&[2, 0, 2, 1, 0, 2], 2, 4, &threads).unwrap();
        let lists = clusters.to_lists().unwrap();
        assert_eq!(lists, [vec![0, 2], vec![1], vec![0, 1, 2], vec![]]);
        assert_eq!((clusters.n_clusters(), clusters.size(2)), (4, 3));
    }

    #[test]
    fn long_lists_can_be_cancelled() {
        let labels = vec![0; 1 << 20];
        let mut observer = |_: Event<'_>| ControlFlow::Break(crate::threads::End::Cancel);
        let threads = Threads::exactly(1, Some(&mut observer)).unwrap();
        std::thread::sleep(crate::threads::POLL_INTERVAL);
        let result = Clusters::from_labels(&labels, 1, 1, &threads);
        assert_eq!(result, Err(KMeansError::Cancelled));
    }
}
