//! The pool of one call.

use crate::error::{KMeansError, Result};
use std::thread::JoinHandle;

/// The threads of a call. rayon leaves those of a dropped pool to end some time
/// later; here no thread may outlive the call, so they are started by hand and
/// joined.
pub(super) struct Pool {
    /// There until all are to end.
    pub threads: Option<rayon::ThreadPool>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// `count` threads, each started by `start`; none for one, which is the
    /// caller's.
    pub fn of(
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
    pub fn of_most(
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
pub(super) type Started = std::io::Result<JoinHandle<()>>;

pub(super) fn start_thread(thread: rayon::ThreadBuilder) -> Started {
    let name = format!("kentro-{}", thread.index());
    std::thread::Builder::new()
        .name(name)
        .spawn(move || thread.run())
}
