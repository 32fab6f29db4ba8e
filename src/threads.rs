//! Parallel loops, cancellation and the observer. Nothing else in the crate
//! starts a thread.
//!
//! A pool lives for one call of the library, so nothing is left behind for a
//! forked child to trip over. The observer is always called on the caller's
//! thread, while the pool works.

mod default_count;

pub use default_count::{default_threads, set_default_threads};

use crate::allocate::with_capacity;
use crate::error::{KMeansError, Result};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the observer is polled at least, while the library computes.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a call that computes goes without a report, about.
const REPORT_INTERVAL: Duration = Duration::from_millis(75);

/// Values that a single thread deals with between two polls: about a
/// millisecond.
const STEP: usize = 1 << 16;

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
    /// The call ends at once, with [`KMeansError::Cancelled`], and leaves the
    /// model as it was.
    Cancel,
}

/// Called on the caller's thread; `ControlFlow::Break` ends the call.
pub type Observer<'a> = dyn FnMut(Event<'_>) -> ControlFlow<End> + 'a;

/// How one call runs.
#[derive(Default)]
pub struct RunOptions<'a> {
    /// Threads to use, from 1; more than the machine grants this process is
    /// capped. `None` for [`default_threads`], or as many threads as can be
    /// started. Has no influence on the result.
    pub num_threads: Option<usize>,
    /// Told of every iteration; may end the call. See [`Event`].
    pub observer: Option<&'a mut Observer<'a>>,
    /// Once anybody has set this to `true`, from whatever thread, the call ends
    /// within 0.1 s or so with [`KMeansError::Cancelled`].
    pub cancel: Option<&'a AtomicBool>,
}

/// The threads and the observer of one call of the library.
pub(crate) struct Threads<'o> {
    pool: Option<Pool>,
    count: usize,
    /// That the observer has cancelled the call.
    cancelled: AtomicBool,
    /// What anybody may set to cancel the call.
    cancel: Option<&'o AtomicBool>,
    /// That training is to end soon.
    stopping: Cell<bool>,
    observer: RefCell<Option<&'o mut Observer<'o>>>,
    start: Instant,
    last_poll: Cell<Instant>,
    last_report: Cell<Instant>,
    progress: Cell<Progress>,
}

impl<'o> Threads<'o> {
    /// `num_threads`: `None` for the default, or as many as can be started; else
    /// at least 1, and more than the machine grants this process is capped.
    /// `work` is a rough count of multiply-adds: small jobs stay on the caller's
    /// thread.
    pub fn new(options: RunOptions<'o>, work: f64) -> Result<Self> {
        let RunOptions {
            num_threads,
            observer,
            cancel,
        } = options;
        if num_threads == Some(0) {
            return Err(KMeansError::InvalidParameter(
                "num_threads must be positive, got 0; by default all cores are used".into(),
            ));
        }
        let mut pool = None;
        if work >= SMALL_WORK && num_threads != Some(1) {
            pool = match num_threads {
                Some(count) => Pool::of(count.min(default_count::available()), start_thread)?,
                None => Pool::of_most(default_threads()?, start_thread),
            };
        }
        let mut threads = Self::with_pool(pool, observer);
        threads.cancel = cancel;
        Ok(threads)
    }

    /// `count` threads, whatever the machine has.
    pub fn exactly(count: usize, observer: Option<&'o mut Observer<'o>>) -> Result<Self> {
        Ok(Self::with_pool(Pool::of(count, start_thread)?, observer))
    }

    fn with_pool(pool: Option<Pool>, observer: Option<&'o mut Observer<'o>>) -> Self {
        let now = Instant::now();
        Threads {
            count: pool.as_ref().map_or(1, |pool| pool.workers.len()),
            pool,
            cancelled: AtomicBool::new(false),
            cancel: None,
            stopping: Cell::new(false),
            observer: RefCell::new(observer),
            start: now,
            last_poll: Cell::new(now),
            last_report: Cell::new(now),
            progress: Cell::new(Progress {
                phase: Phase::default(),
                run: 1,
                iteration: 0,
                total: 0,
                inertia: f64::NAN,
                changed: 0,
                seconds: 0.0,
            }),
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether anybody is told of what happens.
    pub fn observed(&self) -> bool {
        self.observer.borrow().is_some()
    }

    /// Tells the observer; an error if the call is cancelled, now or earlier.
    pub fn tell(&self, event: Event<'_>) -> Result<()> {
        if let Some(observer) = self.observer.borrow_mut().as_mut() {
            match observer(event) {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(End::Stop) => self.stopping.set(true),
                ControlFlow::Break(End::Cancel) => self.cancelled.store(true, Ordering::Relaxed),
            }
        }
        self.going()
    }

    /// An error if the call is cancelled.
    fn going(&self) -> Result<()> {
        match is_set(&self.cancelled, self.cancel) {
            true => Err(KMeansError::Cancelled),
            false => Ok(()),
        }
    }

    /// Whether training is to end: what iterates goes on only as far as it must
    /// to leave a whole model.
    pub fn stopping(&self) -> bool {
        self.stopping.get()
    }

    /// The next run of training, unless it is the first.
    pub fn next_run(&self) {
        let progress = self.progress.get();
        self.progress.set(Progress {
            phase: Phase::Seeding,
            run: progress.run + 1,
            iteration: 0,
            inertia: f64::NAN,
            changed: 0,
            ..progress
        });
    }

    /// What training is at from here on.
    pub fn enter(&self, phase: Phase) {
        let progress = self.progress.get();
        self.progress.set(Progress { phase, ..progress });
    }

    /// Tells the observer of an iteration that ended.
    pub fn report(&self, iteration: &Iteration) -> Result<()> {
        let progress = self.progress.get();
        self.progress.set(Progress {
            phase: Phase::Iterating,
            iteration: progress.iteration + 1,
            total: progress.total + 1,
            inertia: iteration.inertia,
            changed: iteration.changed,
            ..progress
        });
        self.tell_progress(Instant::now())
    }

    fn tell_progress(&self, now: Instant) -> Result<()> {
        self.last_report.set(now);
        let seconds = (now - self.start).as_secs_f64();
        let progress = self.progress.get();
        self.tell(Event::Progress(&Progress {
            seconds,
            ..progress
        }))
    }

    /// Gives the observer a chance to end the call, and tells it of the
    /// progress if it has heard nothing for a while.
    fn tell_poll(&self) -> Result<()> {
        let now = Instant::now();
        self.last_poll.set(now);
        if now - self.last_report.get() >= REPORT_INTERVAL {
            self.tell_progress(now)?;
        }
        self.tell(Event::Poll)
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
        let (cancelled, cancel) = (&self.cancelled, self.cancel);
        let going = || !is_set(cancelled, cancel) && lock(&failure).is_none();
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
                // An error says what ends the workers as well.
                let _ = self.tell_poll();
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
        match self.last_poll.get().elapsed() >= POLL_INTERVAL {
            true => self.tell_poll(),
            false => self.going(),
        }
    }
}

/// Has the observer, or anybody else, cancelled the call?
fn is_set(cancelled: &AtomicBool, cancel: Option<&AtomicBool>) -> bool {
    cancelled.load(Ordering::Relaxed) || cancel.is_some_and(|flag| flag.load(Ordering::Relaxed))
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
const SMALL_WORK: f64 = 16e6;

#[cfg(test)]
mod tests {
    use super::*;

    fn with_threads(count: usize) -> RunOptions<'static> {
        RunOptions {
            num_threads: Some(count),
            ..Default::default()
        }
    }

    #[test]
    fn progress_counts_runs_and_never_falls() {
        let mut seen = Vec::new();
        let mut observer = |event: Event<'_>| {
            if let Event::Progress(progress) = event {
                seen.push(*progress);
            }
            ControlFlow::Continue(())
        };
        let threads = Threads::exactly(1, Some(&mut observer)).unwrap();
        let iteration = Iteration {
            number: 1,
            inertia: 5.0,
            changed: 3,
            seconds: 0.0,
        };
        threads.report(&iteration).unwrap();
        threads.report(&iteration).unwrap();
        threads.next_run();
        std::thread::sleep(REPORT_INTERVAL);
        threads.poll().unwrap();
        threads.enter(Phase::Repairing);
        std::thread::sleep(REPORT_INTERVAL);
        threads.poll().unwrap();
        threads.report(&iteration).unwrap();
        drop(threads);
        let numbers = seen.iter().map(|p| (p.phase, p.run, p.iteration, p.total));
        let expected = [
            (Phase::Iterating, 1, 1, 1),
            (Phase::Iterating, 1, 2, 2),
            (Phase::Seeding, 2, 0, 2),
            (Phase::Repairing, 2, 0, 2),
            (Phase::Iterating, 2, 1, 3),
        ];
        assert_eq!(numbers.collect::<Vec<_>>(), expected);
        assert!(seen[2].inertia.is_nan() && seen[4].inertia == 5.0);
        assert!(seen.is_sorted_by(|a, b| a.seconds <= b.seconds));
    }

    #[test]
    fn anybody_may_cancel() {
        for count in [1, 2] {
            let cancel = AtomicBool::new(false);
            let mut threads = Threads::exactly(count, None).unwrap();
            threads.cancel = Some(&cancel);
            assert_eq!(threads.run(0..3, || (), |(), _| ()), Ok(()));
            let done = std::thread::scope(|scope| {
                scope.spawn(|| cancel.store(true, Ordering::Relaxed));
                let nap = |(): &mut (), _| std::thread::sleep(Duration::from_millis(1));
                threads.run(0..100_000, || (), nap)
            });
            assert_eq!(done, Err(KMeansError::Cancelled));
        }
    }

    #[test]
    fn an_observer_that_stops_lets_loops_end_by_themselves() {
        let mut observer = |_: Event<'_>| ControlFlow::Break(End::Stop);
        let threads = Threads::exactly(1, Some(&mut observer)).unwrap();
        assert!(!threads.stopping());
        assert_eq!(threads.tell(Event::Poll), Ok(()));
        assert!(threads.stopping());
        assert_eq!(threads.run(0..3, || (), |(), _| ()), Ok(()));
    }
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
            ControlFlow::Break(End::Cancel)
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

        let mut observer = |_: Event<'_>| ControlFlow::Break(End::Cancel);
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
        let mut observer = |_: Event<'_>| ControlFlow::Break(End::Cancel);
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
        assert!(Threads::new(with_threads(0), 1e9).is_err());
        let available = std::thread::available_parallelism().unwrap().get();
        let threads = Threads::new(with_threads(1_000_000_000), 1e9).unwrap();
        assert_eq!(threads.count(), available);
    }
}
