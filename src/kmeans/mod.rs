//! K-means: Lloyd's iteration, a start for very many clusters ([`tree`]), and two
//! ways on where it has stopped too early. Moving centroids ([`swaps`]) leads out of
//! local minima, moving single rows ([`single_moves`]) to lower ones nearby. Between
//! iterations, labels and sums are a [`clustering`], in memory a [`partition`].

pub(crate) mod clustering;
pub(crate) mod empty_clusters;
pub(crate) mod lloyd;
pub(crate) mod partition;
pub(crate) mod single_moves;
mod split;
pub(crate) mod swaps;
pub(crate) mod tree;
