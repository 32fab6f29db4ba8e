//! Parallel loops, cancellation and the observer. Nothing else in the crate
//! starts a thread.
//!
//! A pool lives for one call of the library, so nothing is left behind for a
//! forked child to trip over. The observer is always called on the caller's
//! thread, while the pool works.

use crate::allocate::with_capacity;
use crate::error::{KMeansError, Result};
use std::cell::RefCell;
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the observer is polled at least, while the library computes.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Values that a single thread deals with between two polls: about a
/// millisecond.
const STEP: usize = 1 << 16;

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
    pool: Option<Pool>,
    count: usize,
    stop: AtomicBool,
    observer: RefCell<Option<&'o mut Observer<'o>>>,
    last_poll: RefCell<Instant>,
}

impl<'o> Threads<'o> {
    /// `num_threads`: `None` for all cores, or as many as can be started; else
    /// at least 1, and more than the machine grants this process is capped.
    /// `work` is a rough count of multiply-adds: small jobs stay on the caller's
    /// thread.
    pub fn new(
        num_threads: Option<usize>,
        work: f64,
        observer: Option<&'o mut Observer<'o>>,
    ) -> Result<Self> {
        if num_threads == Some(0) {
            return Err(KMeansError::InvalidParameter(
                "num_threads must be positive, got 0; by default all cores are used".into(),
            ));
        }
        let available = std::thread::available_parallelism().map_or(1, |n| n.get());
        let count = num_threads.unwrap_or(available).min(available);
        if work < SMALL_WORK {
            return Self::exactly(1, observer);
        }
        let pool = match num_threads {
            Some(_) => Pool::of(count, start_thread)?,
            None => Pool::of_most(count, start_thread),
        };
        Ok(Self::with_pool(pool, observer))
    }

    /// `count` threads, whatever the machine has.
    pub fn exactly(count: usize, observer: Option<&'o mut Observer<'o>>) -> Result<Self> {
        Ok(Self::with_pool(Pool::of(count, start_thread)?, observer))
    }

    fn with_pool(pool: Option<Pool>, observer: Option<&'o mut Observer<'o>>) -> Self {
        Threads {
            count: pool.as_ref().map_or(1, |pool| pool.workers.len()),
            pool,
            stop: AtomicBool::new(false),
            observer: RefCell::new(observer),
            last_poll: RefCell::new(Instant::now()),
        }
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
    /// Work that can fail returns a `Result`: after an error no further task
    /// starts, and one of the errors is returned.
    pub fn run<T: Send, S, R: Outcome>(
        &self,
        tasks: impl ExactSizeIterator<Item = T> + Send,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, T) -> R + Sync,
    ) -> Result<()> {
        self.run_long(tasks, state, |state, task, _| work(state, task))
    }

    /// The same for long tasks: their work calls its third argument now and
    /// then, and ends with the error that it may return.
    pub fn run_long<T: Send, S, R: Outcome>(
        &self,
        tasks: impl ExactSizeIterator<Item = T> + Send,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, T, Poll<'_>) -> R + Sync,
    ) -> Result<()> {
        match self.pool.as_ref().and_then(|pool| pool.threads.as_ref()) {
            Some(pool) if tasks.len() > 1 => self.run_parallel(pool, tasks, state, work),
            _ => {
                let mut state = state();
                for task in tasks {
                    work(&mut state, task, &|| self.poll()).into_result()?;
                    self.poll()?;
                }
                Ok(())
            }
        }
    }

    fn run_parallel<T: Send, S, R: Outcome>(
        &self,
        pool: &rayon::ThreadPool,
        tasks: impl ExactSizeIterator<Item = T> + Send,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, T, Poll<'_>) -> R + Sync,
    ) -> Result<()> {
        let workers = self.count.min(tasks.len());
        let queue = Mutex::new(tasks);
        let failure = Mutex::new(None);
        let next = || queue.lock().map_or(None, |mut tasks| tasks.next());
        let stop = &self.stop;
        let going = || !stop.load(Ordering::Relaxed) && lock(&failure).is_none();
        let running = Running::new(workers);
        pool.in_place_scope(|scope| {
            for _ in 0..workers {
                let (next, going, state, work) = (&next, &going, &state, &work);
                let (failure, running) = (&failure, &running);
                scope.spawn(move |_| {
                    let _done = running.done_when_dropped(); // also by a panic
                    let mut state = state();
                    let poll = || match going() {
                        true => Ok(()),
                        false => Err(KMeansError::Cancelled),
                    };
                    while going()
                        && let Some(task) = next()
                    {
                        if let Err(error) = work(&mut state, task, &poll).into_result() {
                            lock(failure).get_or_insert(error);
                        }
                    }
                });
            }
            while !running.all_done_within(POLL_INTERVAL) {
                // A refusal sets `stop`, which ends the workers.
                let _ = self.tell(Event::Poll);
            }
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => self.poll(),
        }
    }

    /// Calls `work` on pieces of `0..len`, in order, on this thread, and polls
    /// after each: for what a single thread does to very many values.
    pub fn in_steps(
        &self,
        len: usize,
        mut work: impl FnMut(Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let mut first = 0;
        while first < len {
            let end = len.min(first + STEP);
            work(first..end)?;
            self.poll()?;
            first = end;
        }
        Ok(())
    }

    /// A vector of `len` copies of `value`: see [`crate::allocate::try_vec`].
    /// Writing to fresh memory takes a second for every few gigabytes.
    pub fn try_vec<T: Clone>(&self, value: T, len: usize, purpose: &'static str) -> Result<Vec<T>> {
        let mut vec = with_capacity(len, purpose)?;
        self.in_steps(len, |part| {
            vec.resize(part.end, value.clone());
            Ok(())
        })?;
        Ok(vec)
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

/// What long work calls now and then: an error when it should end.
pub(crate) type Poll<'p> = &'p dyn Fn() -> Result<()>;

/// What work on a task comes to: nothing, or a `Result`.
pub(crate) trait Outcome {
    fn into_result(self) -> Result<()>;
}

impl Outcome for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl Outcome for Result<()> {
    fn into_result(self) -> Result<()> {
        self
    }
}

/// Workers that have not finished yet.
struct Running {
    count: Mutex<usize>,
    all_done: Condvar,
}

impl Running {
    fn new(count: usize) -> Self {
        Running {
            count: Mutex::new(count),
            all_done: Condvar::new(),
        }
    }

    fn done_when_dropped(&self) -> Done<'_> {
        Done(self)
    }

    fn all_done_within(&self, time: Duration) -> bool {
        let count = lock(&self.count);
        let (count, _) = self
            .all_done
            .wait_timeout_while(count, time, |count| *count > 0)
            .unwrap_or_else(PoisonError::into_inner);
        *count == 0
    }
}

struct Done<'a>(&'a Running);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut count = lock(&self.0.count);
        *count -= 1;
        if *count == 0 {
            self.0.all_done.notify_one();
        }
    }
}

/// A panic elsewhere leaves nothing half-done in what is locked here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads of a call. rayon leaves those of a dropped pool to end some time
/// later; here no thread may outlive the call, so they are started by hand and
/// joined.
struct Pool {
    /// There until all are to end.
    threads: Option<rayon::ThreadPool>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// `count` threads, each started by `start`; none for one, which is the
    /// caller's.
    fn of(
        count: usize,
        start: impl FnMut(rayon::ThreadBuilder) -> Started,
    ) -> Result<Option<Self>> {
        if count <= 1 {
            return Ok(None);
        }
        let pool = Self::start(count, start);
        pool.map(Some).map_err(|(_, error)| KMeansError::Threads {
            count,
            reason: error.to_string(),
        })
    }

    /// `count` threads, or as many as can be started.
    fn of_most(
        mut count: usize,
        mut start: impl FnMut(rayon::ThreadBuilder) -> Started,
    ) -> Option<Self> {
        while count > 1 {
            match Self::start(count, &mut start) {
                Ok(pool) => return Some(pool),
                Err((started, _)) => count = started.min(count - 1),
            }
        }
        None
    }

    /// An error comes with the number of threads that did start, and have ended.
    fn start(
        count: usize,
        mut start: impl FnMut(rayon::ThreadBuilder) -> Started,
    ) -> std::result::Result<Self, (usize, rayon::ThreadPoolBuildError)> {
        let mut pool = Pool {
            threads: None,
            workers: Vec::new(),
        };
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .spawn_handler(|thread| {
                pool.workers.push(start(thread)?);
                Ok(())
            })
            .build();
        match threads {
            Ok(threads) => pool.threads = Some(threads),
            Err(error) => return Err((pool.workers.len(), error)),
        }
        Ok(pool)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.threads.take());
        for worker in self.workers.drain(..) {
            // A worker's panic has reached the caller through the pool.
            let _ = worker.join();
        }
    }
}

/// A thread, if the system has one.
type Started = std::io::Result<JoinHandle<()>>;

fn start_thread(thread: rayon::ThreadBuilder) -> Started {
    let name = format!("kentro-{}", thread.index());
    std::thread::Builder::new()
        .name(name)
        .spawn(move || thread.run())
}

/// Below this many multiply-adds in a call, starting threads costs more than
/// it saves.
const SMALL_WORK: f64 = 4e6;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

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
    fn steps_cover_everything_and_can_be_cancelled_between() {
        let threads = Threads::exactly(1, None).unwrap();
        let mut seen = Vec::new();
        let result = threads.in_steps(2 * STEP + 5, |part| {
            seen.extend(part);
            Ok(())
        });
        assert_eq!(result, Ok(()));
        assert!(seen.into_iter().eq(0..2 * STEP + 5));
        let filled = threads.try_vec(7u8, STEP + 1, "bytes").unwrap();
        assert_eq!(filled, [7; STEP + 1]);

        let mut observer = |_: Event<'_>| ControlFlow::Break(());
        let threads = Threads::exactly(1, Some(&mut observer)).unwrap();
        std::thread::sleep(POLL_INTERVAL);
        let mut steps = 0;
        let result = threads.in_steps(9 * STEP, |_| {
            steps += 1;
            Ok(())
        });
        assert_eq!((result, steps), (Err(KMeansError::Cancelled), 1));
    }

    #[test]
    fn a_long_task_can_be_cancelled() {
        let mut observer = |_: Event<'_>| ControlFlow::Break(());
        for count in [1, 2] {
            let threads = Threads::exactly(count, Some(&mut observer)).unwrap();
            let start = Instant::now();
            let work = |(): &mut (), (), poll: Poll<'_>| {
                for _ in 0..100_000 {
                    std::thread::sleep(Duration::from_millis(1));
                    poll()?;
                }
                Ok(())
            };
            let result = threads.run_long([(); 3].into_iter(), || (), work);
            assert_eq!(result, Err(KMeansError::Cancelled));
            assert!(start.elapsed() < Duration::from_secs(5));
        }
    }

    #[test]
    fn what_fails_ends_long_tasks_too_and_its_error_is_returned() {
        let threads = Threads::exactly(2, None).unwrap();
        let work = |(): &mut (), task, poll: Poll<'_>| {
            for _ in 0..100_000 {
                std::thread::sleep(Duration::from_millis(1));
                poll()?;
                if task == 1 {
                    return Err(KMeansError::NotTrained);
                }
            }
            Ok(())
        };
        let result = threads.run_long([0, 1].into_iter(), || (), work);
        assert_eq!(result, Err(KMeansError::NotTrained));
    }

    #[test]
    fn work_that_fails_ends_the_loop_with_its_error() {
        for count in [1, 2] {
            let threads = Threads::exactly(count, None).unwrap();
            let result = threads.run(
                0..100_000,
                || (),
                |(), i| match i {
                    70 => Err(KMeansError::NotTrained),
                    _ => Ok(()),
                },
            );
            assert_eq!(result, Err(KMeansError::NotTrained));
            // It is the loop that failed, not the call.
            assert_eq!(threads.run(0..3, || (), |(), _| ()), Ok(()));
        }
    }

    /// Starts threads as long as there are fewer than `most`; counts those that
    /// run.
    fn start_up_to(
        most: usize,
        running: &Arc<AtomicUsize>,
    ) -> impl FnMut(rayon::ThreadBuilder) -> Started {
        let running = Arc::clone(running);
        move |thread| {
            if running.load(Ordering::Relaxed) >= most {
                return Err(std::io::ErrorKind::WouldBlock.into());
            }
            running.fetch_add(1, Ordering::Relaxed);
            let running = Arc::clone(&running);
            std::thread::Builder::new().spawn(move || {
                thread.run();
                std::thread::sleep(Duration::from_millis(20));
                running.fetch_sub(1, Ordering::Relaxed);
            })
        }
    }

    #[test]
    fn where_threads_cannot_be_started_fewer_do_and_none_is_left_behind() {
        let running = Arc::new(AtomicUsize::new(0));
        for (most, expected) in [(8, 4), (3, 3), (2, 2), (1, 1), (0, 1)] {
            let pool = Pool::of_most(4, start_up_to(most, &running));
            let threads = Threads::with_pool(pool, None);
            assert_eq!(threads.count(), expected);
            let sum = AtomicUsize::new(0);
            let add = |(): &mut (), i| {
                sum.fetch_add(i, Ordering::Relaxed);
            };
            threads.run(0..100, || (), add).unwrap();
            assert_eq!(sum.into_inner(), 4950);
            drop(threads);
            assert_eq!(running.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn a_number_of_threads_that_cannot_be_had_is_an_error() {
        let running = Arc::new(AtomicUsize::new(0));
        let error = Pool::of(4, start_up_to(3, &running)).err();
        assert!(matches!(error, Some(KMeansError::Threads { count: 4, .. })));
        assert_eq!(running.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn zero_threads_is_an_error_and_many_are_capped() {
        assert!(Threads::new(Some(0), 1e9, None).is_err());
        let available = std::thread::available_parallelism().unwrap().get();
        let threads = Threads::new(Some(1_000_000_000), 1e9, None).unwrap();
        assert_eq!(threads.count(), available);
    }
}
