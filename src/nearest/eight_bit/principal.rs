//! An orthonormal basis of the directions in which the data varies most.
//!
//! Orthogonal iteration (Stewart, 1969) on a sample. Nothing depends on how
//! good the basis is but speed; how far it is from orthonormal is measured
//! and enters the bounds.

use crate::allocate::{append, collect, push, resize, try_vec};
use crate::error::Result;
use crate::kernels::orthonormal::{self, dot};
use crate::kernels::tile::{Kernels, Panels};
use crate::nearest::scores::AffineMap;
use crate::nearest::vectors::Row;
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;

/// Dimensions come and go in prefixes of this many.
pub(in crate::nearest) const PREFIX: usize = 32;
/// Dimensions at most.
const MOST_LEADING: usize = 192;
/// A block that holds less than this fraction of the variance, and all that
/// follow it, are left out.
const MIN_ENERGY: f64 = 0.04;
const ROUNDS: usize = 3;
/// Rows of a sample, about.
const SAMPLE: usize = 1008;

pub(in crate::nearest) struct Basis {
    /// Basis vectors, as the kernels want them.
    pub panels: Panels,
    /// Number of basis vectors, a multiple of `PREFIX`.
    pub leading: usize,
    /// ‖H Hᵀ − I‖, in the Frobenius norm.
    pub defect: f64,
}

impl Basis {
    /// Bytes that [`Basis::new`] takes: the sample three times, and the vectors
    /// in float64, in float32, and packed.
    pub fn bytes_to_make(rows: usize, dims: usize) -> u64 {
        let values = 3 * SAMPLE.min(rows) + 4 * MOST_LEADING;
        (size_of::<f32>() * values * dims) as u64
    }

    pub fn new(
        points: &Points<'_>,
        affine: &AffineMap,
        kernels: Kernels,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let dims = affine.dims;
        let count = MOST_LEADING.min(dims / PREFIX * PREFIX);
        let sample = SampledRows::new(points, affine, kernels, threads)?;
        let mut rng = Rng::new(0);
        let mut basis = threads.try_vec(0.0f64, count * dims, "a basis")?;
        basis.fill_with(|| rng.unit() - 0.5);
        let mut values = threads.try_vec(0.0f32, count * dims, "a basis")?;
        let mut energy = try_vec(0.0f64, count / PREFIX, "a basis")?;
        for round in 0..=ROUNDS {
            match round {
                0 => (), // random directions are far enough apart
                ROUNDS => {
                    // Twice is enough for accuracy; once will do for a sketch.
                    orthonormalize(&mut basis, dims, threads)?;
                    orthonormalize(&mut basis, dims, threads)?;
                }
                _ => orthonormalize(&mut basis, dims, threads)?,
            }
            convert(&basis, &mut values, |wide| wide as f32, threads)?;
            let projected = sample.project(kernels, threads, &values)?;
            if round < ROUNDS {
                sample.back(kernels, threads, &projected, &mut values)?;
                convert(&values, &mut basis, f64::from, threads)?;
            } else {
                let blocks = projected.chunks_exact(PREFIX * sample.rows);
                threads.run(
                    energy.iter_mut().zip(blocks),
                    || (),
                    |(), (energy, block)| {
                        *energy = block.iter().map(|&v| f64::from(v).powi(2)).sum();
                    },
                )?;
            }
        }
        let enough = |&energy: &f64| energy >= MIN_ENERGY * sample.energy;
        let prefixes = energy
            .iter()
            .take_while(|energy| enough(energy))
            .count()
            .max(1);
        let leading = prefixes * PREFIX;
        threads.run(
            basis[..leading * dims].chunks_exact_mut(PREFIX * dims),
            || (),
            |(), block| mix(block, dims),
        )?;
        values.truncate(leading * dims);
        let (basis, values) = (&basis[..leading * dims], &mut values[..]);
        convert(basis, values, |wide| wide as f32, threads)?;
        Ok(Basis {
            defect: defect(values, dims, threads)?,
            panels: Panels::of_rows(values, dims, kernels)?,
            leading,
        })
    }
}

/// Rows of a sample and their transpose, packed for the kernels.
struct SampledRows {
    rows: usize,
    dims: usize,
    packed: Vec<f32>,
    transposed: Vec<f32>,
    energy: f64,
}

impl SampledRows {
    fn new(
        points: &Points<'_>,
        affine: &AffineMap,
        kernels: Kernels,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (dims, width) = (affine.dims, kernels.shape.width);
        let wanted = SAMPLE.min(points.rows());
        let rows = wanted.next_multiple_of(width);
        let mut packed = threads.try_vec(0.0f32, rows * dims, "a sample")?;
        let mut energies = try_vec(0.0f64, rows / width, "a sample")?;
        threads.run(
            packed
                .chunks_exact_mut(width * dims)
                .zip(&mut energies)
                .enumerate(),
            || (Vec::new(), Vec::new(), Vec::new(), Vec::new()),
            |(scratch, values, scales, squares), (tile, (packed, energy))| {
                values.clear();
                scales.clear();
                resize(squares, width, 0.0f32, "a sample")?;
                for i in tile * width..wanted.min((tile + 1) * width) {
                    let i = (i as u128 * points.rows() as u128 / wanted as u128) as usize;
                    let row = Row::new(points.row(i, scratch)?, affine.metric);
                    let scale = affine.row_scale(&row).unwrap_or(0.0);
                    push(scales, scale, "a sample")?;
                    append(values, row.values, "a sample")?;
                }
                let centre = &affine.scaled_centre;
                kernels.pack(values, scales, centre, packed, squares);
                // One wild row must not choose the basis.
                let limit = 4.0 * affine.common_norm * affine.common_norm;
                for (lane, square) in squares.iter().enumerate() {
                    match f64::from(*square) <= limit {
                        true => *energy += f64::from(*square),
                        false => {
                            let values = packed.iter_mut().skip(lane).step_by(width);
                            values.for_each(|value| *value = 0.0);
                        }
                    }
                }
                Ok(())
            },
        )?;
        let tiles = dims.div_ceil(width);
        let mut transposed = threads.try_vec(0.0f32, tiles * width * rows, "a sample")?;
        threads.run(
            transposed.chunks_exact_mut(width * rows).enumerate(),
            || (),
            |(), (tile, transposed)| {
                // Tiles of columns: of each row as many values follow each other.
                for t in 0..width.min(dims - tile * width) {
                    let lanes = packed.chunks_exact(width * dims);
                    let lanes = lanes.map(|packed| &packed[(tile * width + t) * width..][..width]);
                    let out = transposed.iter_mut().skip(t).step_by(width);
                    for (out, &value) in out.zip(lanes.flatten()) {
                        *out = value;
                    }
                }
            },
        )?;
        Ok(SampledRows {
            rows,
            dims,
            packed,
            transposed,
            energy: energies.iter().sum(),
        })
    }

    /// Coordinates of the sample: basis vectors × rows.
    fn project(&self, kernels: Kernels, threads: &Threads<'_>, basis: &[f32]) -> Result<Vec<f32>> {
        let mut out = try_vec(0.0f32, basis.len() / self.dims * self.rows, "a sample")?;
        multiply(kernels, threads, &self.packed, basis, self.dims, &mut out)?;
        Ok(out)
    }

    /// Rows · coordinates: basis vectors × dims.
    fn back(
        &self,
        kernels: Kernels,
        threads: &Threads<'_>,
        projected: &[f32],
        out: &mut [f32],
    ) -> Result<()> {
        multiply(
            kernels,
            threads,
            &self.transposed,
            projected,
            self.rows,
            out,
        )
    }
}

/// All dot products of packed rows and `others`: others × rows.
fn multiply(
    kernels: Kernels,
    threads: &Threads<'_>,
    packed: &[f32],
    others: &[f32],
    dims: usize,
    out: &mut [f32],
) -> Result<()> {
    let width = kernels.shape.width;
    let rows = out.len() / (others.len() / dims);
    let tasks = others
        .chunks(PREFIX * dims)
        .zip(out.chunks_mut(PREFIX * rows));
    threads.run(tasks, Vec::new, |scores, (others, out)| {
        let panels = Panels::of_rows(others, dims, kernels)?;
        resize(scores, panels.starts.len() * width, 0.0, "scores")?;
        for (tile, packed) in packed.chunks_exact(width * dims).enumerate() {
            kernels.scores(packed, &panels, scores);
            let first = tile * width;
            let count = width.min(rows - first);
            for (out, scores) in out.chunks_exact_mut(rows).zip(scores.chunks_exact(width)) {
                out[first..first + count].copy_from_slice(&scores[..count]);
            }
        }
        Ok(())
    })
}

/// Writes all values in another type.
fn convert<A: Copy + Sync, B: Send>(
    from: &[A],
    to: &mut [B],
    of: impl Fn(A) -> B + Sync,
    threads: &Threads<'_>,
) -> Result<()> {
    const SOME: usize = 1 << 13;
    threads.run(
        from.chunks(SOME).zip(to.chunks_mut(SOME)),
        || (),
        |(), (from, to)| {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = of(from);
            }
        },
    )
}

/// Rotates the vectors of a block among themselves (a Hadamard matrix), so
/// that rows have coordinates of like size in all of them: 8 bits go further.
fn mix(block: &mut [f64], dims: usize) {
    let mut half = 1;
    while half < PREFIX {
        for pair in block.chunks_exact_mut(2 * half * dims) {
            let (low, high) = pair.split_at_mut(half * dims);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (
                    (*a + *b) * std::f64::consts::FRAC_1_SQRT_2,
                    (*a - *b) * std::f64::consts::FRAC_1_SQRT_2,
                );
            }
        }
        half *= 2;
    }
}

/// Makes vectors orthonormal, or nearly so.
fn orthonormalize(basis: &mut [f64], dims: usize, threads: &Threads<'_>) -> Result<()> {
    const SOME: usize = 4;
    let lengths = basis.chunks_exact(dims).map(|v| dot(v, v).sqrt());
    let lengths = collect(lengths, "a basis")?;
    for (block, lengths) in lengths.chunks(PREFIX).enumerate() {
        let first = block * PREFIX;
        let (done, others) = basis.split_at_mut((first + lengths.len()) * dims);
        orthonormal::orthonormalize(done, dims, lengths);
        let orthonormal = &done[first * dims..];
        threads.run(
            others.chunks_mut(SOME * dims),
            || (),
            |(), vectors| orthonormal::remove(orthonormal, vectors, dims),
        )?;
    }
    Ok(())
}

/// ‖H Hᵀ − I‖ in the Frobenius norm.
fn defect(basis: &[f32], dims: usize, threads: &Threads<'_>) -> Result<f64> {
    let wide = collect(basis.iter().map(|&v| f64::from(v)), "a basis")?;
    let mut squares = try_vec(0.0f64, basis.len() / dims, "a basis")?;
    threads.run(
        squares.iter_mut().enumerate(),
        || (),
        |(), (i, square)| {
            let a = &wide[i * dims..][..dims];
            *square = (dot(a, a) - 1.0).powi(2);
            for b in wide.chunks_exact(dims).take(i) {
                *square += 2.0 * dot(a, b).powi(2);
            }
        },
    )?;
    Ok(squares.iter().sum::<f64>().sqrt())
}
