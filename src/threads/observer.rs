//! What a call tells the caller meanwhile, and how the caller ends it.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

/// What training is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Phase {
    /// Looks for the first centroids.
    #[default]
    Seeding,
    /// Assigns rows and moves centroids.
    Iterating,
    /// Moves rows to where the bounds on cluster sizes want them.
    Repairing,
    /// Assigns rows to the final centroids.
    Labelling,
}

/// How far training is. Told after each iteration, and about every tenth of a
/// second between.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    pub phase: Phase,
    /// Which of the `n_init` runs, from 1.
    pub run: usize,
    /// Iterations that this run has finished.
    pub iteration: usize,
    /// Iterations that all runs have finished; never falls.
    pub total: usize,
    /// The objective before the last iteration's update: sum of squared
    /// Euclidean distances, of 1 − cosine, or of distances to the medoids; NaN
    /// before there was one in this run.
    pub inertia: f64,
    /// Points that went to another cluster in the last iteration than in the
    /// one before.
    pub changed: usize,
    /// Seconds since training began; never falls.
    pub seconds: f64,
}

/// One finished iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Iteration {
    /// Counts from 1.
    pub number: usize,
    pub inertia: f64,
    pub changed: usize,
    /// Seconds since training began.
    pub seconds: f64,
}

impl fmt::Display for Iteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "iteration {}: inertia {:.6e}, {} points changed, {:.3} s",
            self.number, self.inertia, self.changed, self.seconds
        )
    }
}

/// What an [`Observer`] is told.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// How far training is.
    Progress(&'a Progress),
    /// A line for the user; only with `with_verbose(true)`.
    Message(&'a str),
    /// The result is usable but not what the caller may expect.
    Warning(&'a str),
    /// Nothing happened: a chance to cancel, at least every 0.02 s or so.
    Poll,
}

/// How an [`Observer`] ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Training ends within one further iteration, as if it were the last one
    /// asked for: the model is whole, labels are those of its centroids, and
    /// bounds on sizes hold. Calls that don't train go on.
    Stop,
    /// The call ends at once, with [`KMeansError::Cancelled`](crate::KMeansError::Cancelled), and leaves the
    /// model as it was.
    Cancel,
}

/// Called on the caller's thread; `ControlFlow::Break` ends the call.
pub type Observer<'a> = dyn FnMut(Event<'_>) -> ControlFlow<End> + 'a;

/// How one call runs.
#[derive(Default)]
pub struct RunOptions<'a> {
    /// Threads to use, from 1; more than the machine grants this process is
    /// capped. `None` for [`default_threads`](super::default_threads), or as many threads as can be
    /// started. Has no influence on the result.
    pub num_threads: Option<usize>,
    /// Told of every iteration; may end the call. See [`Event`].
    pub observer: Option<&'a mut Observer<'a>>,
    /// Once anybody has set this to `true`, from whatever thread, the call ends
    /// within 0.1 s or so with [`KMeansError::Cancelled`](crate::KMeansError::Cancelled).
    pub cancel: Option<&'a AtomicBool>,
}
