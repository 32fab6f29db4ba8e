//! Parallel loops, cancellation and the observer. Nothing else in the crate
//! starts a thread.
//!
//! A pool lives for one call of the library, so nothing is left behind for a
//! forked child to trip over. The observer is always called on the caller's
//! thread, while the pool works.

mod default_count;
mod observer;
mod pool;
#[cfg(test)]
mod tests;

pub use default_count::{default_threads, set_default_threads};
pub(crate) use observer::Iteration;
pub use observer::{End, Event, Observer, Phase, Progress, RunOptions};

use crate::allocate::collect;
use crate::error::{KMeansError, Result};
use crate::owned::Unwritten;
use pool::{Pool, start_thread};
use rayon::Scope;
use std::cell::{Cell, RefCell};
use std::ops::{ControlFlow, Range, RangeInclusive};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How often the observer is polled at least, while the library computes.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a call that computes goes without a report, about.
const REPORT_INTERVAL: Duration = Duration::from_millis(75);

/// Values that a single thread deals with between two polls: about a
/// millisecond.
const STEP: usize = 1 << 16;

/// Tasks for each thread, so that none waits long for the last one.
const TASKS: usize = 16;

/// Memory of more bytes than this is first written to by several threads.
const SHARED_BYTES: usize = 1 << 20;

/// Below this many multiply-adds in a call, starting threads costs more than
/// it saves.
const SMALL_WORK: f64 = 16e6;

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
            count: pool.as_ref().map_or(1, Pool::len),
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

    /// How many of `len` things go into a task: the most of these, or so few that there
    /// are [`TASKS`] for each thread.
    pub fn share(&self, len: usize, sizes: RangeInclusive<usize>) -> usize {
        match self.count {
            1 => *sizes.end(),
            count => (len / (TASKS * count)).clamp(*sizes.start(), *sizes.end()),
        }
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
        let run = |next: &dyn Fn() -> Option<T>, poll: Poll<'_>| {
            let mut state = state();
            while let Some(task) = next() {
                work(&mut state, task, poll).into_result()?;
                poll()?;
            }
            Ok(())
        };
        let workers = self.count.min(tasks.len());
        if workers <= 1 {
            let tasks = RefCell::new(tasks);
            return run(&|| tasks.borrow_mut().next(), &|| self.poll());
        }
        // Whoever takes a task waits for nobody, however many there are.
        let tasks = collect(tasks.map(|task| Mutex::new(Some(task))), "tasks")?;
        let taken = AtomicUsize::new(0);
        let next = || lock(tasks.get(taken.fetch_add(1, Ordering::Relaxed))?).take();
        self.run_workers(workers, &|poll| run(&next, poll))
    }

    /// Runs `work` once on each of some workers, on threads of the pool. Compiled once,
    /// whatever the work is.
    fn run_workers(
        &self,
        workers: usize,
        work: &(dyn Fn(Poll<'_>) -> Result<()> + Sync),
    ) -> Result<()> {
        let pool = self.pool.as_ref().and_then(|pool| pool.threads.as_ref());
        let Some(pool) = pool else {
            return work(&|| self.poll());
        };
        let failure = Mutex::new(None);
        let (cancelled, cancel) = (&self.cancelled, self.cancel);
        let going = || match is_set(cancelled, cancel) || lock(&failure).is_some() {
            true => Err(KMeansError::Cancelled),
            false => Ok(()),
        };
        let running = Running::new(workers);
        let one = || {
            let _done = running.done_when_dropped(); // also by a panic
            if let Err(error) = going().and_then(|()| work(&going)) {
                lock(&failure).get_or_insert(error);
            }
        };
        let observed = self.observed();
        pool.in_place_scope(|scope| {
            start_workers(scope, workers, &one);
            while !running.all_done() {
                if observed {
                    thread::park_timeout(POLL_INTERVAL);
                    // An error says what ends the workers as well.
                    let _ = self.poll();
                } else {
                    thread::park();
                }
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
    /// Writing to fresh memory takes a second for every few gigabytes, which is shared.
    pub fn try_vec<T: Copy + Send + Sync>(
        &self,
        value: T,
        len: usize,
        purpose: &'static str,
    ) -> Result<Vec<T>> {
        let part = match size_of::<T>() * len > SHARED_BYTES {
            true => SHARED_BYTES / 4 / size_of::<T>(),
            false => len,
        };
        let mut vec = Unwritten::new(len, purpose)?;
        self.run(vec.parts(part.max(1)), || (), |(), part| part.fill(value))?;
        vec.finish().ok_or(KMeansError::Cancelled) // never: all tasks ran
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

/// Starts so many workers. Each starts others, so that whoever calls wakes one thread,
/// however many there are.
fn start_workers<'s>(scope: &Scope<'s>, count: usize, work: &'s (dyn Fn() + Sync)) {
    scope.spawn(move |scope| {
        let others = count - 1;
        for part in [others.div_ceil(2), others / 2] {
            if part > 0 {
                start_workers(scope, part, work);
            }
        }
        work();
    });
}

/// Workers that have not finished yet, and the thread that waits for them.
struct Running {
    count: AtomicUsize,
    waiting: Thread,
}

impl Running {
    fn new(count: usize) -> Self {
        Running {
            count: AtomicUsize::new(count),
            waiting: thread::current(),
        }
    }

    fn done_when_dropped(&self) -> Done<'_> {
        Done(self)
    }

    fn all_done(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }
}

struct Done<'a>(&'a Running);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.waiting.unpark();
        }
    }
}

/// A panic elsewhere leaves nothing half-done in what is locked here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
