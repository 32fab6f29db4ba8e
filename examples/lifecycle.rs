//! The life of a model: training with weights that is cancelled from another
//! thread, training that is stopped and kept, saving; and in another process
//! loading and asking for the nearest clusters with their distances.
//!
//! `cargo run --release --example lifecycle train MODEL`, then `… ask MODEL`

use kentro::{End, Event, KMeans, KMeansError, Points, RunOptions, SaveOptions};
use ndarray::{Array2, s};
use std::error::Error;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const ROWS: usize = 2000;
const COLS: usize = 8;
const NEAREST: usize = 2;
const ASKED: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (rows, weights) = make_data();
    let points = Points::from(rows.view()).with_weights(&weights[..])?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["train", path] => train(&points, path),
        ["ask", path] => ask(&points, &rows, path),
        _ => Err("usage: lifecycle train|ask MODEL".into()),
    }
}

/// Five heaps that overlap; rows of weight 0 count as if they were not there.
fn make_data() -> (Array2<f32>, Vec<f64>) {
    let mut state = 1u64;
    let rows = Array2::from_shape_fn((ROWS, COLS), |(i, j)| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (i * (j + 1) % 5) as f32 / 2.0 + (state >> 40) as f32 / (1 << 24) as f32
    });
    (rows, (0..ROWS).map(|i| (i % 4) as f64).collect())
}

fn train(points: &Points<'_>, path: &str) -> Result<(), Box<dyn Error>> {
    let mut kmeans = KMeans::new(8).with_euclidean(true).with_n_init(1_000_000); // longer than anybody waits

    let token = AtomicBool::new(false);
    let cancelled = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(50));
            token.store(true, Ordering::Relaxed); // or in a signal handler
        });
        let options = RunOptions {
            cancel: Some(&token),
            ..Default::default()
        };
        kmeans.fit(points, options)
    });
    if let Err(error @ KMeansError::Cancelled) = cancelled {
        println!("trained and cancelled: {error}");
    }

    let mut observer = |event: Event<'_>| match event {
        Event::Progress(now) if now.total >= 3 => ControlFlow::Break(End::Stop),
        _ => ControlFlow::Continue(()),
    };
    let options = RunOptions {
        observer: Some(&mut observer),
        ..Default::default()
    };
    kmeans.fit(points, options)?;
    let mut again = vec![0; ROWS];
    kmeans.predict(points, &mut again, None, RunOptions::default())?;
    let whole = kmeans.labels() == Some(&again[..]);
    println!(
        "trained and stopped: {} iterations, inertia {:.3}, {}",
        kmeans.n_iter().unwrap_or_default(),
        kmeans.inertia().unwrap_or_default(),
        if whole {
            "a whole model"
        } else {
            "half a model"
        },
    );

    kmeans.save(path, SaveOptions::default())?;
    println!("saved: {kmeans}");
    Ok(())
}

fn ask(points: &Points<'_>, rows: &Array2<f32>, path: &str) -> Result<(), Box<dyn Error>> {
    let kmeans = KMeans::load(path)?;
    println!("loaded: {kmeans}");

    let asked = Points::from(rows.slice(s![..ASKED, ..]));
    let (mut labels, mut distances) = ([0; ASKED * NEAREST], [0.0; ASKED * NEAREST]);
    let outputs = (&mut labels[..], Some(&mut distances[..]));
    kmeans.predict_top(&asked, NEAREST, outputs.0, outputs.1, RunOptions::default())?;
    for i in 0..ASKED {
        print!("row {i}:");
        for j in i * NEAREST..(i + 1) * NEAREST {
            print!(" cluster {} at {:.6}", labels[j], distances[j]);
        }
        println!();
    }
    println!("score: {:.3}", kmeans.score(points, RunOptions::default())?);
    Ok(())
}
