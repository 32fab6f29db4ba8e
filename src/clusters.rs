//! Which points belong to which cluster, in compressed rows: the members of
//! cluster j are `members[offsets[j]..offsets[j + 1]]`, ascending.

use crate::allocate::try_vec;
use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    pub offsets: Vec<usize>,
    pub members: Vec<u32>,
}

impl Clusters {
    /// Groups points by label; `labels` holds `per_point` labels a point, each
    /// below `n_clusters`. A counting sort: O(labels + clusters).
    pub(crate) fn from_labels(labels: &[u32], per_point: usize, n_clusters: usize) -> Result<Self> {
        let pairs = labels.iter().enumerate();
        Self::from_pairs(
            pairs.map(|(i, &label)| ((i / per_point) as u32, label)),
            n_clusters,
        )
    }

    /// Groups pairs of point and label, the points in the order given.
    pub(crate) fn from_pairs(
        pairs: impl Iterator<Item = (u32, u32)> + Clone,
        n_clusters: usize,
    ) -> Result<Self> {
        let mut offsets = try_vec(0usize, n_clusters + 1, "cluster offsets")?;
        for (_, label) in pairs.clone() {
            offsets[label as usize + 1] += 1;
        }
        for j in 0..n_clusters {
            offsets[j + 1] += offsets[j];
        }
        let mut next = offsets.clone();
        let mut members = try_vec(0u32, offsets[n_clusters], "cluster members")?;
        for (point, label) in pairs {
            let slot = &mut next[label as usize];
            members[*slot] = point;
            *slot += 1;
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
    pub fn to_lists(&self) -> Vec<Vec<usize>> {
        (0..self.n_clusters())
            .map(|j| self.members(j).iter().map(|&i| i as usize).collect())
            .collect()
    }
}
