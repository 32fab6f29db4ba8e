//! Parallel loops, cancellation and the observer. Nothing else in the crate
//! starts a thread.
//!
//! A pool lives for one call of the library, so nothing is left behind for a
//! forked child to trip over. The observer is always called on the caller's
//! thread, while the pool works.

use crate::error::{KMeansError, Result};
use std::cell::RefCell;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the observer is polled at least, while the library computes.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// One finished iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    /// Counts from 1.
    pub number: usize,
    /// The objective before this iteration's update: sum of squared Euclidean
    /// distances, of 1 − cosine, or of distances to the medoids.
    pub inertia: f64,
    /// Points that went to another cluster than in the iteration before.
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
    /// An iteration ended.
    Iteration(&'a Iteration),
    /// A line for the user; only with `with_verbose(true)`.
    Message(&'a str),
    /// The result is usable but not what the caller may expect.
    Warning(&'a str),
    /// Nothing happened: a chance to cancel, at least every 0.02 s or so.
    Poll,
}

/// Called on the caller's thread; `ControlFlow::Break` cancels the run.
pub type Observer<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// The threads and the observer of one call of the library.
pub(crate) struct Threads<'o> {
    pool: Option<rayon::ThreadPool>,
    workers: Vec<JoinHandle<()>>,
    count: usize,
    stop: AtomicBool,
    observer: RefCell<Option<&'o mut Observer<'o>>>,
    last_poll: RefCell<Instant>,
}

impl<'o> Threads<'o> {
    /// `num_threads`: `None` for all cores, else at least 1; more than the
    /// machine grants this process is capped. `work` is a rough count of
    /// multiply-adds: small jobs stay on the caller's thread.
    pub fn new(
        num_threads: Option<usize>,
        work: f64,
        observer: Option<&'o mut Observer<'o>>,
    ) -> Result<Self> {
        if num_threads == Some(0) {
            return Err(KMeansError::InvalidParameter(
                "num_threads must be positive, got 0; leave it out to use all cores".into(),
            ));
        }
        let available = std::thread::available_parallelism().map_or(1, |n| n.get());
        let count = num_threads.unwrap_or(available).min(available);
        let small = work < SMALL_WORK;
        Self::exactly(if small { 1 } else { count }, observer)
    }

    /// `count` threads, whatever the machine has.
    pub fn exactly(count: usize, observer: Option<&'o mut Observer<'o>>) -> Result<Self> {
        let mut workers = Vec::new();
        let pool = match count > 1 {
            true => Some(start_pool(count, &mut workers)?),
            false => None,
        };
        Ok(Threads {
            pool,
            workers,
            count,
            stop: AtomicBool::new(false),
            observer: RefCell::new(observer),
            last_poll: RefCell::new(Instant::now()),
        })
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether anybody is told of what happens.
    pub fn observed(&self) -> bool {
        self.observer.borrow().is_some()
    }

    /// Tells the observer; an error if it asks to stop, now or earlier.
    pub fn tell(&self, event: Event<'_>) -> Result<()> {
        if let Some(observer) = self.observer.borrow_mut().as_mut()
            && observer(event).is_break()
        {
            self.stop.store(true, Ordering::Relaxed);
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(KMeansError::Cancelled);
        }
        Ok(())
    }

    /// Runs `work` on every task, in any order, each worker with a state of
    /// its own. What must be deterministic goes into the task's own output.
    pub fn run<T: Send, S>(
        &self,
        tasks: impl ExactSizeIterator<Item = T> + Send,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, T) + Sync,
    ) -> Result<()> {
        match &self.pool {
            Some(pool) if tasks.len() > 1 => self.run_parallel(pool, tasks, state, work),
            _ => {
                let mut state = state();
                for task in tasks {
                    work(&mut state, task);
                    self.poll()?;
                }
                Ok(())
            }
        }
    }

    fn run_parallel<T: Send, S>(
        &self,
        pool: &rayon::ThreadPool,
        tasks: impl ExactSizeIterator<Item = T> + Send,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, T) + Sync,
    ) -> Result<()> {
        let workers = self.count.min(tasks.len());
        let queue = Mutex::new(tasks);
        let next = || queue.lock().map_or(None, |mut tasks| tasks.next());
        let (alive, all_done) = mpsc::channel::<()>();
        pool.in_place_scope(|scope| {
            for _ in 0..workers {
                let alive = alive.clone();
                let (next, state, work, stop) = (&next, &state, &work, &self.stop);
                scope.spawn(move |_| {
                    let _alive = alive; // dropped at the end, also by a panic
                    let mut state = state();
                    while !stop.load(Ordering::Relaxed)
                        && let Some(task) = next()
                    {
                        work(&mut state, task);
                    }
                });
            }
            drop(alive);
            while all_done.recv_timeout(POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                // A refusal sets `stop`, which ends the workers.
                let _ = self.tell(Event::Poll);
            }
        });
        self.poll()
    }

    /// Gives the observer a chance to cancel if it had none for a while. Serial
    /// loops call this now and then; [`Threads::run`] does so itself.
    pub fn poll(&self) -> Result<()> {
        let due = self.last_poll.borrow().elapsed() >= POLL_INTERVAL;
        if due {
            self.last_poll.replace(Instant::now());
            self.tell(Event::Poll)
        } else if self.stop.load(Ordering::Relaxed) {
            Err(KMeansError::Cancelled)
        } else {
            Ok(())
        }
    }
}

/// rayon leaves the threads of a dropped pool to end some time later; here no
/// thread may outlive the call, so they are started by hand and joined.
fn start_pool(count: usize, workers: &mut Vec<JoinHandle<()>>) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .spawn_handler(|thread| {
            let name = format!("kentro-{}", thread.index());
            let builder = std::thread::Builder::new().name(name);
            workers.push(builder.spawn(move || thread.run())?);
            Ok(())
        })
        .build()
        .map_err(|error| KMeansError::Threads {
            count,
            reason: error.to_string(),
        })
}

impl Drop for Threads<'_> {
    fn drop(&mut self) {
        drop(self.pool.take());
        for worker in self.workers.drain(..) {
            // A worker's panic has reached the caller through the pool.
            let _ = worker.join();
        }
    }
}

/// Below this many multiply-adds in a call, starting threads costs more than
/// it saves.
const SMALL_WORK: f64 = 4e6;

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_on(count: usize) -> u64 {
        let threads = Threads::exactly(count, None).unwrap();
        let mut out = vec![0u64; 1000];
        threads
            .run(
                out.iter_mut().enumerate(),
                || (),
                |(), (i, out)| *out = i as u64,
            )
            .unwrap();
        out.iter().sum()
    }

    #[test]
    fn every_task_runs_once_at_any_thread_count() {
        for count in [1, 2, 8] {
            assert_eq!(sum_on(count), 499_500);
        }
    }

    #[test]
    fn observer_is_polled_on_the_callers_thread_and_cancels() {
        let caller = std::thread::current().id();
        let mut observer = |_: Event<'_>| {
            assert_eq!(std::thread::current().id(), caller);
            ControlFlow::Break(())
        };
        for count in [1, 2] {
            let threads = Threads::exactly(count, Some(&mut observer)).unwrap();
            let start = Instant::now();
            let result = threads.run(
                0..100_000,
                || (),
                |(), _| std::thread::sleep(Duration::from_millis(1)),
            );
            assert_eq!(result, Err(KMeansError::Cancelled));
            assert!(start.elapsed() < Duration::from_secs(5));
        }
    }

    #[test]
    fn zero_threads_is_an_error_and_many_are_capped() {
        assert!(Threads::new(Some(0), 1e9, None).is_err());
        let available = std::thread::available_parallelism().unwrap().get();
        let threads = Threads::new(Some(1_000_000_000), 1e9, None).unwrap();
        assert_eq!(threads.count(), available);
    }
}
