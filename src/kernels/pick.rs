//! Which centroids may be among the nearest few of the rows of a float32 tile.
//!
//! Rows lie across lanes. A first pass over the scores keeps the greatest
//! lower bounds of each row in order, by exchanging lane by lane; a second
//! notes the centroids whose upper bound reaches the last of these.

use super::dispatch::{Kernel, run};
use super::simd::Simd;
use super::tile::Kernels;
use crate::allocate::{push, try_vec};
use crate::error::Result;

const PURPOSE: &str = "candidates";

/// The scores of one tile, centroids × width, and what bounds them.
pub(crate) struct Scores<'a> {
    pub values: &'a [f32],
    /// Of the centroids: −∞ for those that don't count.
    pub starts: &'a [f32],
    pub norms: &'a [f32],
    /// Upper minus lower bound.
    pub spreads: &'a [f32],
    /// Of the rows, by the centroid's norm; NaN where float32 can't tell.
    pub slopes: &'a [f32],
    pub constants: &'a [f32],
}

/// Writes each row's candidates for the `count` best, ascending; none for rows
/// whose slope is NaN.
pub(crate) fn pick(
    kernels: Kernels,
    scores: &Scores<'_>,
    count: usize,
    candidates: &mut [Vec<u32>],
) -> Result<()> {
    assert!(scores.slopes.len() == kernels.shape.width && candidates.len() >= kernels.shape.width);
    let pick = Pick {
        scores,
        count,
        candidates,
    };
    // SAFETY: kernels are of an instruction set that the CPU has; this one asks for
    // nothing.
    unsafe { run(kernels.tiles(), pick) }
}

struct Pick<'p> {
    scores: &'p Scores<'p>,
    count: usize,
    candidates: &'p mut [Vec<u32>],
}

impl Kernel for Pick<'_> {
    type Output = Result<()>;

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) -> Result<()> {
        let Pick {
            scores,
            count,
            candidates,
        } = self;
        match NV * S::LANES {
            48 => pick_lanes::<48>(scores, count, candidates),
            16 => pick_lanes::<16>(scores, count, candidates),
            8 => pick_lanes::<8>(scores, count, candidates),
            width => unreachable!("no tiles are {width} wide"),
        }
    }
}

#[inline(always)]
fn pick_lanes<const WIDTH: usize>(
    scores: &Scores<'_>,
    count: usize,
    candidates: &mut [Vec<u32>],
) -> Result<()> {
    let (values, rest) = scores.values.as_chunks::<WIDTH>();
    debug_assert!(rest.is_empty());
    let lanes = |of_rows: &[f32]| -> [f32; WIDTH] { std::array::from_fn(|i| of_rows[i]) };
    let (slopes, constants) = (lanes(scores.slopes), lanes(scores.constants));
    let mut greatest = try_vec([f32::NEG_INFINITY; WIDTH], count, PURPOSE)?;
    let centroids = || (0..scores.norms.len()).filter(|&j| scores.starts[j] > f32::NEG_INFINITY);
    for j in centroids() {
        let (norm, spread) = (scores.norms[j], scores.spreads[j]);
        let mut bounds: [f32; WIDTH] =
            std::array::from_fn(|i| values[j][i] - spread - slopes[i] * norm);
        let last = &greatest[count - 1];
        if !(0..WIDTH).fold(false, |any, i| any | (bounds[i] > last[i])) {
            continue;
        }
        for greatest in &mut greatest {
            for (greatest, bound) in greatest.iter_mut().zip(&mut bounds) {
                let (old, new) = (*greatest, *bound);
                (*greatest, *bound) = if new > old { (new, old) } else { (old, new) };
            }
        }
    }
    let last = &greatest[count - 1];
    let thresholds: [f32; WIDTH] = std::array::from_fn(|i| last[i] - constants[i]);
    for j in centroids() {
        let norm = scores.norms[j];
        let mut reached = (0..WIDTH).fold(0u64, |reached, i| {
            reached | u64::from(values[j][i] + slopes[i] * norm >= thresholds[i]) << i
        });
        while reached != 0 {
            let candidates = &mut candidates[reached.trailing_zeros() as usize];
            push(candidates, j as u32, PURPOSE)?;
            reached &= reached - 1;
        }
    }
    Ok(())
}
