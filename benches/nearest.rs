//! Speed of the nearest-centroid search: `cargo bench --bench nearest`.
//!
//! Labels random rows by random centroids and prints, for one thread, the time
//! per row, 2·n·k·d operations over that time, and their ratio to the rate of
//! float32 fused multiply-adds that this CPU reaches. Engines that rule out
//! centroids by 8 bits or by bounds may exceed 100 %. Set `KENTRO_ENGINE` and
//! `KENTRO_ISA` (see docs/nearest.md) to compare.

use kentro::{Init, KMeans, Points, RunOptions};
use ndarray::Array2;
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let peak = peak();
    println!("float32 multiply-adds: {:.0} GFLOP/s", peak / 1e9);
    println!(
        "{:>7} {:>6} {:>6} {:>9} {:>9} {:>7}",
        "rows", "dims", "k", "ns/row", "GFLOP/s", "% peak"
    );
    for (rows, dims, k) in [
        (200_000, 16, 16),
        (100_000, 64, 100),
        (50_000, 128, 1000),
        (20_000, 384, 1000),
        (20_000, 384, 4096),
        (20_000, 768, 100),
        (10_000, 768, 1024),
        (10_000, 768, 4096),
        (10_000, 1536, 16),
    ] {
        let seconds = seconds(rows, dims, k);
        let rate = 2.0 * (rows * dims * k) as f64 / seconds;
        println!(
            "{rows:>7} {dims:>6} {k:>6} {:>9.0} {:>9.1} {:>7.0}",
            seconds / rows as f64 * 1e9,
            rate / 1e9,
            rate / peak * 100.0
        );
    }
}

/// The least of five runs.
fn seconds(rows: usize, dims: usize, k: usize) -> f64 {
    let mut random = random();
    let data = Array2::from_shape_simple_fn((rows, dims), &mut random);
    let centroids = Array2::from_shape_simple_fn((k, dims), &mut random);
    let mut model = KMeans::new(k)
        .with_euclidean(true)
        .with_iterations(1)
        .with_init(Init::Centroids(centroids.clone()));
    model.train(centroids.view(), Some(1)).expect("finite data");
    let points = Points::from(data.view());
    let mut labels = vec![0; rows];
    let mut least = f64::INFINITY;
    for _ in 0..5 {
        let options = RunOptions {
            num_threads: Some(1),
            ..RunOptions::default()
        };
        let start = Instant::now();
        model
            .predict(&points, &mut labels, None, options)
            .expect("finite data");
        least = least.min(start.elapsed().as_secs_f64());
        black_box(&labels);
    }
    least
}

/// Numbers that look normally distributed, the same each time.
fn random() -> impl FnMut() -> f32 {
    let mut state = 1u64;
    let mut unit = move || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    move || (0..4).map(|_| unit()).sum::<f32>() - 2.0
}

/// Operations a second of multiply-adds in registers.
fn peak() -> f64 {
    let mut best = 0.0f64;
    for _ in 0..5 {
        const ROUNDS: usize = 2_000_000;
        let start = Instant::now();
        let operations = multiply_adds(ROUNDS);
        best = best.max(operations / start.elapsed().as_secs_f64());
    }
    best
}

fn multiply_adds(rounds: usize) -> f64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has AVX-512F.
            return unsafe { x86::avx512(rounds) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the CPU has AVX2 and FMA.
            return unsafe { x86::avx2(rounds) };
        }
    }
    let mut sums = [1.0f32; 64];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = *sum * 0.999 + 0.001;
        }
        sums = black_box(sums);
    }
    (rounds * 2 * sums.len()) as f64
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Enough to hide the latency of an addition, few enough for the compiler
    /// to keep them in registers.
    const SUMS: usize = 10;

    #[target_feature(enable = "avx512f")]
    pub fn avx512(rounds: usize) -> f64 {
        let (a, b) = (
            _mm512_set1_ps(black_box(0.999)),
            _mm512_set1_ps(black_box(0.001)),
        );
        let mut sums = [_mm512_set1_ps(black_box(1.0)); SUMS];
        for _ in 0..rounds {
            sums = sums.map(|sum| _mm512_fmadd_ps(a, b, sum));
        }
        for sum in sums {
            black_box(_mm512_reduce_add_ps(sum));
        }
        (rounds * SUMS * 2 * 16) as f64
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(rounds: usize) -> f64 {
        let (a, b) = (
            _mm256_set1_ps(black_box(0.999)),
            _mm256_set1_ps(black_box(0.001)),
        );
        let mut sums = [_mm256_set1_ps(black_box(1.0)); SUMS];
        for _ in 0..rounds {
            sums = sums.map(|sum| _mm256_fmadd_ps(a, b, sum));
        }
        for sum in sums {
            black_box(_mm256_cvtss_f32(sum));
        }
        (rounds * SUMS * 2 * 8) as f64
    }
}
