//! What the steps of a search take on this machine, measured once a process: when a
//! choice first depends on it, in less than a millisecond. It guides choices and changes no
//! result.

use crate::allocate::{collect, try_vec};
use crate::error::{KMeansError, Result};
use crate::kernels::aligned::Aligned;
use crate::kernels::codes::{CodePanels, CodeRows, PANEL, Products, Terms};
use crate::kernels::exact::squared_distance;
use crate::kernels::isa::Isa;
use crate::kernels::tile::{Best, Kernels, Panels};
use crate::metric::Metric;
use crate::nearest::eight_bit::codes::{Buffers, Coder, RowCodes};
use crate::nearest::scores::AffineMap;
use crate::points::Points;
use ndarray::ArrayView2;
use std::sync::OnceLock;
use std::time::Instant;

/// Dimensions by which what a step takes at least is told from what each dimension adds.
const DIMS: [usize; 2] = [64, 256];
const ROWS: usize = 48;
const CENTROIDS: usize = 2 * PANEL;

/// Timings of which the least counts: single ones may be interrupted.
const TIMINGS: usize = 3;

const PURPOSE: &str = "a measurement";

/// In nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::nearest) struct Rates {
    /// Of a pair in the 8-bit sweep.
    pub sweep: Step,
    /// Of a canonical distance.
    pub exact: Step,
    /// Of a row that is encoded dimension by dimension.
    pub encode: Step,
    /// Of a dimension of a row that is packed for float32 tiles.
    pub pack: f64,
    /// Of a multiplication in these.
    pub tile: f64,
}

/// What a step takes: so much, and more for each dimension.
#[derive(Debug, Clone, Copy)]
pub(in crate::nearest) struct Step {
    fixed: f64,
    per_dim: f64,
}

impl Step {
    pub fn of(self, dims: usize) -> f64 {
        self.fixed + self.per_dim * dims as f64
    }
}

/// Of the instruction set, with the tiles that go with it.
pub(in crate::nearest) fn rates(isa: Isa) -> &'static Rates {
    static ALL: [OnceLock<Rates>; 8] = [const { OnceLock::new() }; 8];
    let rates = &ALL[isa as usize];
    match rates.get() {
        Some(rates) => rates,
        None => {
            // Nobody waits for it, nor a child that was forked meanwhile.
            let measured = measure(isa).unwrap_or(USUAL);
            rates.get_or_init(|| measured)
        }
    }
}

/// Of a pair in the 8-bit sweep, however products are made.
pub(in crate::nearest) fn sweep_rate(isa: Isa, products: Products) -> Step {
    match products {
        Products::Vectors => rates(isa).sweep,
        // Tests are to run it.
        Products::Emulated => Step {
            fixed: 0.0,
            per_dim: 0.0,
        },
        #[cfg(target_arch = "x86_64")]
        Products::Amx => {
            static TILES: OnceLock<Step> = OnceLock::new();
            match TILES.get() {
                Some(&step) => step,
                None => {
                    let measured = step(|dims| sweep(isa, products, dims));
                    let measured = measured.unwrap_or(USUAL.sweep);
                    *TILES.get_or_init(|| measured)
                }
            }
        }
    }
}

/// Of a common machine, where there is no memory to measure.
const USUAL: Rates = Rates {
    sweep: Step {
        fixed: 0.05,
        per_dim: 0.003,
    },
    exact: Step {
        fixed: 20.0,
        per_dim: 0.25,
    },
    encode: Step {
        fixed: 50.0,
        per_dim: 0.5,
    },
    pack: 0.6,
    tile: 0.012,
};

/// The least time that `work` takes, for each of so many steps.
fn least(steps: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?; // fetches code and data
    let mut least = f64::INFINITY;
    for _ in 0..TIMINGS {
        let start = Instant::now();
        work()?;
        least = least.min(start.elapsed().as_nanos() as f64);
    }
    Ok(least / steps as f64)
}

/// A step from what it takes at each of [`DIMS`].
fn step(mut at: impl FnMut(usize) -> Result<f64>) -> Result<Step> {
    let [few, many] = DIMS;
    let (at_few, at_many) = (at(few)?, at(many)?);
    let per_dim = (at_many - at_few).max(0.0) / (many - few) as f64;
    let fixed = (at_few - per_dim * few as f64).max(0.0);
    Ok(Step { fixed, per_dim })
}

fn measure(isa: Isa) -> Result<Rates> {
    let tiles = Isa::forced().unwrap_or(isa.for_tiles());
    let kernels = Kernels::new(isa, tiles);
    let dims = DIMS[1];
    // Numbers of all magnitudes below 1: their order means nothing.
    let values = (1..=(ROWS + CENTROIDS) * dims).map(|i| (i as f32 * 0.618_034).fract() - 0.5);
    let values: Vec<f32> = collect(values, PURPOSE)?;
    let (rows, centroids) = values.split_at(ROWS * dims);
    let zeros = try_vec(0.0f32, dims, PURPOSE)?;
    let mut seen = 0.0;
    let rates = Rates {
        sweep: step(|dims| match isa.has_codes() {
            true => sweep(isa, Products::Vectors, dims),
            false => Ok(0.0),
        })?,
        exact: step(|dims| {
            let pairs = || {
                rows.chunks_exact(dims)
                    .zip(centroids.chunks_exact(dims))
                    .take(ROWS)
            };
            least(ROWS, || {
                for (x, c) in pairs() {
                    seen += squared_distance(x, c) as f32;
                }
                Ok(())
            })
        })?,
        encode: step(|dims| {
            if !isa.has_codes() {
                return Ok(0.0);
            }
            let Ok(view) = ArrayView2::from_shape((ROWS, dims), &rows[..ROWS * dims]) else {
                return Err(KMeansError::out_of_memory(0, PURPOSE)); // never
            };
            let affine = AffineMap::new(&Points::from(view), Metric::Euclidean)?;
            let coder = Coder::plain(dims, kernels, Products::Vectors);
            let mut codes = RowCodes::default();
            let (mut scales, mut buffers) = (Vec::new(), Buffers::default());
            let values = &rows[..ROWS * dims];
            least(ROWS, || {
                codes.set(values, &affine, &coder, &mut scales, &mut buffers)
            })
        })?,
        pack: {
            let width = kernels.shape.width;
            let scales = try_vec(1.0f32, width, PURPOSE)?;
            let mut packed = Aligned::new(0.0f32, width * dims, PURPOSE)?;
            let mut norms = try_vec(0.0f32, width, PURPOSE)?;
            least(width * dims, || {
                kernels.pack(
                    &rows[..width * dims],
                    &scales,
                    &zeros,
                    &mut packed,
                    &mut norms,
                );
                Ok(())
            })?
        },
        tile: {
            let dims = DIMS[0];
            let panels = Panels::of_rows(&centroids[..CENTROIDS * dims], dims, kernels)?;
            let mut packed = Aligned::new(0.0f32, ROWS * dims, PURPOSE)?;
            packed.copy_from_slice(&rows[..ROWS * dims]);
            let mut best = Best::default();
            best.reset(ROWS)?;
            least(ROWS * CENTROIDS * dims, || {
                kernels.find_best(&packed, &panels, &mut best, rows.as_ptr());
                Ok(())
            })?
        },
    };
    std::hint::black_box(seen);
    Ok(rates)
}

/// Nothing passes.
fn sweep(isa: Isa, products: Products, dims: usize) -> Result<f64> {
    let in_tiles = products.in_tiles();
    let panels = CodePanels {
        isa,
        products,
        codes: Aligned::new(1u8, CENTROIDS * dims, PURPOSE)?,
        units: Aligned::new(1.0, CENTROIDS, PURPOSE)?,
        stride: dims,
    };
    let of_tiles = if in_tiles { CENTROIDS } else { 0 };
    let terms = Terms {
        dims,
        starts: Aligned::new(0.0, CENTROIDS, PURPOSE)?,
        tails: Aligned::new(0.0, CENTROIDS - of_tiles, PURPOSE)?,
        lows: Aligned::new(0.0, of_tiles, PURPOSE)?,
    };
    let codes = try_vec(1i8, ROWS * dims, PURPOSE)?;
    let rows = CodeRows {
        starts: try_vec(0, ROWS, PURPOSE)?,
        units: try_vec(1.0, ROWS, PURPOSE)?,
        tails: try_vec(0.0, ROWS, PURPOSE)?,
        thresholds: try_vec(f32::INFINITY, ROWS, PURPOSE)?,
        own: try_vec(0, ROWS, PURPOSE)?,
        ..CodeRows::default()
    };
    let mut hits = Vec::new();
    least(ROWS * CENTROIDS, || match in_tiles {
        true => panels.sweep_tiles(&terms, &codes, &rows, &mut hits),
        false => panels.sweep(&terms, &codes, &rows, &mut hits),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_makes_sense_and_stays() {
        for isa in Isa::available() {
            let rates = rates(isa);
            assert!(std::ptr::eq(rates, super::rates(isa)));
            assert!(rates.tile > 0.0 && rates.pack > 0.0, "{isa:?} {rates:?}");
            let coded = isa.has_codes();
            for (step, measured) in [
                (rates.exact, true),
                (rates.encode, coded),
                (rates.sweep, coded),
            ] {
                assert_eq!(step.of(1000) > 0.0, measured, "{isa:?} {rates:?}");
                assert!(step.of(1000) >= step.of(100), "{isa:?} {rates:?}");
            }
            if coded {
                assert!(sweep(isa, Products::Emulated, 64).unwrap() > 0.0);
            }
        }
    }
}
