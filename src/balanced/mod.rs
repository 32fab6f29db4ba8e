//! Balanced K-means and K-medoids: cluster sizes that differ by no more than
//! `max_balance_diff`, or lie between given bounds, at the least total cost for
//! the centroids.
//!
//! Such an assignment is a nearest-centroid assignment under distance plus a
//! price for each cluster (Aurenhammer, Hoffmann & Aronov, 1998). A cluster of a
//! size between the bounds has the price 0, a full one at least that, one as
//! small as may be at most. The prices live on from iteration to iteration:
//!
//! 1. from the first assignment on, sizes are in a [`Window`]: starting
//!    without a bound and narrowing it ends in worse local minima ([`penalty`]
//!    is another start to try, and [`random_swap`] a way out of them);
//! 2. while centroids move a lot, a sample finds [`prices`] that balance about,
//!    and all rows are assigned by these;
//! 3. then, in each iteration, prices come near, from a part of the rows if need
//!    be, [`transport`] repairs the rest exactly, the centroids move, their
//!    prices follow, and the bounds slide to where the prices pull them;
//! 4. the last assignment, in the best place of the bounds, has a
//!    [`certificate`] of its optimality.

mod candidates;
mod certificate;
mod fit;
mod least;
mod medoid;
mod penalty;
mod prices;
mod random_swap;
mod size_bounds;
mod transport;
mod weighted;

use crate::config::Config;
use crate::error::Result;
use crate::nearest::Nearest;
use crate::threads::Threads;
use candidates::Costs;
pub(crate) use candidates::takes_roots;
use certificate::cheapest;
pub(crate) use fit::fit;
pub(crate) use penalty::relax;
pub(crate) use random_swap::random_swap;

/// Writes the cluster of every row that is cheapest by distance plus price to
/// `labels`.
pub(crate) fn predict(
    nearest: &mut Nearest<'_>,
    config: &Config,
    (centroids, prices): (&[f32], &[f64]),
    threads: &Threads<'_>,
    labels: &mut [u32],
) -> Result<()> {
    let costs = Costs::new(nearest, centroids, config)?;
    let mut values = threads.try_vec(0.0, labels.len(), "costs")?;
    cheapest(nearest, &costs, threads, prices, (labels, &mut values))
}
