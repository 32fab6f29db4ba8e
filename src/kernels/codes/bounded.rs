//! Sweeps over single panels of centroids, for the rows that may have one of
//! them within reach.

use super::sweep::{Operands, compare};
use super::{CodePanels, CodeRows, Dot, Hit, Ints, Kernel, PANEL, PURPOSE, Terms, run};
use crate::allocate::{grow, resize};
use crate::error::Result;
use crate::kernels::simd::Simd;

/// Lanes of the widest vectors.
const MOST_LANES: usize = 16;

/// Distance bounds of consecutive rows to one panel of centroids, in steps of
/// some length.
pub(crate) struct Group<'a> {
    pub panel: usize,
    /// How far its centroids have moved in all.
    pub moved: f32,
    /// For each row: its distance was at least this, less what was `moved`.
    pub bounds: &'a mut [u16],
}

/// What the bounds need of the rows.
#[derive(Default)]
pub(crate) struct Reaches {
    /// Centroids farther than this, in steps, are out of reach.
    pub reaches: Vec<f32>,
    /// Half the squared distance is this, less a score, or more.
    pub offsets: Vec<f32>,
    /// Scratch: the rows that are swept.
    chosen: Vec<u32>,
}

impl CodePanels {
    /// Sweeps the rows that may have a centroid of the panel within reach:
    /// appends to `hits`, and renews their bounds. `steps` is the number of
    /// steps in a unit of length.
    pub fn sweep_bounded(
        &self,
        terms: &Terms,
        codes: &[i8],
        rows: &CodeRows,
        reaches: &mut Reaches,
        (group, steps): (Group<'_>, f32),
        hits: &mut Vec<Hit>,
    ) -> Result<()> {
        self.check(terms, codes, rows);
        let count = rows.units.len();
        assert!(reaches.reaches.len() == count && reaches.offsets.len() == count);
        assert!(group.bounds.len() == count && (group.panel + 1) * PANEL <= self.units.len());
        let lanes = count.next_multiple_of(MOST_LANES);
        resize(&mut reaches.chosen, lanes, 0, PURPOSE)?;
        grow(hits, count + 1, PURPOSE)?;
        let sweep = SweepBounded {
            panels: self,
            terms,
            codes,
            rows,
            reaches,
            group,
            steps,
            hits,
        };
        // SAFETY: the instruction set and the lengths are checked, and there
        // is room for a hit for every row.
        unsafe { run(self.isa, sweep) };
        Ok(())
    }
}

/// Lengths as `CodePanels::check` wants them; a reach, an offset and a bound
/// for each row, room for them in whole vectors in `chosen`; room for a hit
/// for each row.
struct SweepBounded<'a> {
    panels: &'a CodePanels,
    terms: &'a Terms,
    codes: &'a [i8],
    rows: &'a CodeRows,
    reaches: &'a mut Reaches,
    group: Group<'a>,
    steps: f32,
    hits: &'a mut Vec<Hit>,
}

impl Kernel for SweepBounded<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) {
        let SweepBounded {
            panels,
            terms,
            codes,
            rows,
            reaches,
            group,
            steps,
            hits,
        } = self;
        let Reaches {
            reaches,
            offsets,
            chosen,
        } = reaches;
        // SAFETY: as promised above.
        let chosen = unsafe { choose::<D::S>(reaches, &group, chosen) };
        let operands = Operands::new(panels, terms, codes, rows);
        let (out, mut len) = (hits.as_mut_ptr(), hits.len());
        for chosen in chosen.chunks(ROWS) {
            // A last tile that isn't full repeats the last row.
            let row: [usize; ROWS] =
                std::array::from_fn(|r| chosen[r.min(chosen.len() - 1)] as usize);
            // SAFETY: rows and panel exist; at most one hit for each row. The
            // slot is kept only if the row is real and reached.
            let maxima = unsafe {
                let mut most = [D::S::splat(f32::NEG_INFINITY); ROWS];
                let masks = compare::<D, ROWS, VECTORS>(
                    &operands,
                    group.panel,
                    (row, row.map(|i| *rows.own.get_unchecked(i))),
                    &mut most,
                );
                for (r, &mask) in masks.iter().enumerate() {
                    out.add(len).write(Hit {
                        row: row[r] as u32,
                        panel: group.panel as u32,
                        mask,
                    });
                    len += usize::from(mask != 0 && r < chosen.len());
                }
                let mut vectors = [most[0]; MOST_LANES];
                vectors[..ROWS].copy_from_slice(&most);
                D::S::maxima(&vectors)
            };
            for (&i, score) in row[..chosen.len()].iter().zip(maxima) {
                let half = (offsets[i] - score).max(0.0);
                let distance = steps * (2.0 * half).sqrt();
                // More than all rounding is taken off.
                let bound = 0.999999 * (distance + 0.999998 * group.moved);
                // SAFETY: a number that is not negative nor NaN.
                let bound = unsafe { bound.min(65535.0).to_int_unchecked::<i32>() };
                group.bounds[i] = bound as u16;
            }
        }
        // SAFETY: `len` hits are written.
        unsafe { hits.set_len(len) };
    }
}

/// Writes the rows that may have a centroid of the group within reach to
/// `chosen`, and returns them.
///
/// # Safety
/// The CPU has `S`; a reach and a bound for each row, and room for them in
/// whole vectors.
#[inline(always)]
unsafe fn choose<'c, S: Ints>(
    reaches: &[f32],
    group: &Group<'_>,
    chosen: &'c mut [u32],
) -> &'c [u32] {
    let mut count = 0;
    let rows = group.bounds.len();
    for first in (0..rows).step_by(S::LANES) {
        let here = (rows - first).min(S::LANES);
        // SAFETY: `here` bounds and reaches are there, or a whole vector of
        // copies; at most as many rows are chosen as were seen, and a vector
        // fits after them.
        unsafe {
            let (bounds, reach) = if here == S::LANES {
                let bounds = S::load_u16(group.bounds.as_ptr().add(first));
                (bounds, S::load(reaches.as_ptr().add(first)))
            } else {
                let mut bounds = [0; MOST_LANES];
                bounds[..here].copy_from_slice(&group.bounds[first..]);
                let reach = S::load_first(reaches.as_ptr().add(first), here);
                (S::load_u16(bounds.as_ptr()), reach)
            };
            let far = S::mul_add(S::splat(1.0), reach, S::splat(group.moved));
            let near = S::at_least(far, bounds) & ((1 << here) - 1);
            S::write_lanes(chosen.as_mut_ptr().add(count), first as u32, near);
            count += near.count_ones() as usize;
        }
    }
    &chosen[..count]
}
