use super::*;
use crate::threads::pool::Started;

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
fn all_of_very_many_threads_get_tasks() {
    let (count, rows) = (80, 20_000);
    let threads = Threads::exactly(count, None).unwrap();
    let size = threads.share(rows, 1..=4096);
    assert!(rows.div_ceil(size) >= 16 * count);
    assert_eq!(threads.share(rows, 100..=4096), 100);
    let alone = Threads::exactly(1, None).unwrap();
    assert_eq!(alone.share(rows, 1..=4096), 4096);
    // Nobody ends before all have begun.
    let begun = std::sync::Barrier::new(count);
    let wait = |(): &mut (), _| {
        begun.wait();
    };
    threads.run(0..count, || (), wait).unwrap();
}

#[test]
fn large_vectors_are_whole() {
    for count in [1, 3] {
        let threads = Threads::exactly(count, None).unwrap();
        for len in [0, 1, SHARED_BYTES, 3 * SHARED_BYTES + 5] {
            assert_eq!(threads.try_vec(7u8, len, "numbers").unwrap(), vec![7; len]);
        }
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
