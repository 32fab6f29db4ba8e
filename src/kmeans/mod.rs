//! K-means: Lloyd's iteration, and two ways on where it has stopped too early.
//! Moving centroids ([`swaps`]) leads out of local minima, moving single rows
//! ([`single_moves`]) to lower ones nearby.

pub(crate) mod lloyd;
pub(crate) mod single_moves;
pub(crate) mod swaps;
