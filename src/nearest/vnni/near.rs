//! Sweeps over single panels of centroids, for the rows that may have one of
//! them within reach.

use super::{CodePanels, CodeRows, Hit, LANES, PANEL, ROWS, RowTerms, Terms, compare, tile};
use std::arch::x86_64::*;

/// Distance bounds of consecutive rows to one panel of centroids, in steps of
/// some length.
pub(in crate::nearest) struct Group<'a> {
    pub panel: usize,
    /// How far its centroids have moved in all.
    pub moved: f32,
    /// For each row: its distance was at least this, less what was `moved`.
    pub bounds: &'a mut [u16],
}

/// What the bounds need of the rows.
#[derive(Default)]
pub(in crate::nearest) struct Reaches {
    /// Centroids farther than this, in steps, are out of reach.
    pub reaches: Vec<f32>,
    /// Half the squared distance is this, less a score, or more.
    pub offsets: Vec<f32>,
    /// Scratch: the rows that are swept.
    pub chosen: Vec<u32>,
}

impl CodePanels {
    /// Sweeps the rows that may have a centroid of the panel within reach:
    /// appends to `hits`, and renews their bounds. `steps` is the number of
    /// steps in a unit of length. The CPU must have AVX-512 VNNI.
    pub fn sweep_near(
        &self,
        terms: &Terms,
        codes: &[i8],
        rows: &CodeRows,
        reaches: &mut Reaches,
        (group, steps): (Group<'_>, f32),
        hits: &mut Vec<Hit>,
    ) {
        self.check(terms, codes, rows);
        let count = rows.units.len();
        assert!(reaches.reaches.len() == count && reaches.offsets.len() == count);
        assert!(group.bounds.len() == count && (group.panel + 1) * PANEL <= self.units.len());
        reaches.chosen.resize(count.next_multiple_of(LANES), 0);
        // SAFETY: the lengths are checked, there is room for a hit for every
        // row, and engines are chosen by the CPU's features.
        unsafe {
            let chosen = choose(&reaches.reaches, &group, &mut reaches.chosen);
            hits.reserve(chosen + 1);
            let sides = (&reaches.chosen[..chosen], &*reaches.offsets);
            sweep(self, terms, codes, rows, sides, (group, steps), hits);
        }
    }
}

/// Writes the rows that may have a centroid of the group within reach to
/// `chosen`; returns how many.
///
/// # Safety
/// A reach and a bound for each row, and room for them in whole vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn choose(reaches: &[f32], group: &Group<'_>, chosen: &mut [u32]) -> usize {
    let mut count = 0;
    let moved = _mm512_set1_ps(group.moved);
    let lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let pairs = group.bounds.chunks(LANES).zip(reaches.chunks(LANES));
    for (number, (bounds, reaches_here)) in pairs.enumerate() {
        let mask = (!0u16) >> (LANES - bounds.len());
        // SAFETY: as many bounds and reaches as the mask says; at most as
        // many rows are chosen as were seen, and a vector fits after them.
        unsafe {
            let bounds = _mm256_maskz_loadu_epi16(mask, bounds.as_ptr().cast());
            let bounds = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(bounds));
            let reach = _mm512_maskz_loadu_ps(mask, reaches_here.as_ptr());
            let far = _mm512_add_ps(reach, moved);
            let near = _mm512_mask_cmp_ps_mask::<_CMP_LE_OQ>(mask, bounds, far);
            let rows = _mm512_add_epi32(lanes, _mm512_set1_epi32((number * LANES) as i32));
            let rows = _mm512_maskz_compress_epi32(near, rows);
            _mm512_storeu_si512(chosen.as_mut_ptr().add(count).cast(), rows);
            count += near.count_ones() as usize;
        }
    }
    count
}

/// # Safety
/// Lengths as `CodePanels::check` wants them; the rows `chosen` and the panel
/// exist; room for all hits.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn sweep(
    panels: &CodePanels,
    terms: &Terms,
    codes: &[i8],
    rows: &CodeRows,
    (chosen, offsets): (&[u32], &[f32]),
    (group, steps): (Group<'_>, f32),
    hits: &mut Vec<Hit>,
) {
    let (out, mut len) = (hits.as_mut_ptr(), hits.len());
    let panel = &panels.codes[group.panel * PANEL * panels.stride..][..PANEL * panels.stride];
    let of_panel = panels.terms(terms, group.panel);
    for chosen in chosen.chunks(ROWS) {
        // A last tile that isn't full repeats the last row.
        let row: [usize; ROWS] = std::array::from_fn(|r| chosen[r.min(chosen.len() - 1)] as usize);
        // SAFETY: rows and panel hold `stride` ≥ `dims` codes.
        let sums = unsafe {
            tile(
                row.map(|i| codes.as_ptr().add(i * panels.stride)),
                row.map(|i| rows.starts[i]),
                panel.as_ptr(),
                terms.dims,
            )
        };
        let mut most = [_mm512_setzero_ps(); ROWS];
        for (r, sums) in sums.iter().enumerate() {
            let (mask, greatest) = compare(sums, &of_panel, &RowTerms::of(rows, row[r]));
            most[r] = greatest;
            // SAFETY: at most one hit for each row; the slot is kept only if
            // the row is real and reached.
            unsafe {
                out.add(len).write(Hit {
                    row: row[r] as u32,
                    panel: group.panel as u32,
                    mask,
                });
            }
            len += usize::from(mask != 0 && r < chosen.len());
        }
        for (&i, score) in row[..chosen.len()].iter().zip(maxima(most)) {
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

/// The greatest value of each vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn maxima(vectors: [__m512; ROWS]) -> [f32; ROWS] {
    // Halves, then quarters of pairs of vectors are put side by side.
    let halves = |a, b| {
        let low = _mm512_shuffle_f32x4::<0b01_00_01_00>(a, b);
        _mm512_max_ps(low, _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b))
    };
    let quarters = |a, b| {
        let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b);
        _mm512_max_ps(even, _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b))
    };
    let [a, b, c, d, e, f, g, h] = vectors;
    let (first, last) = (
        quarters(halves(a, b), halves(c, d)),
        quarters(halves(e, f), halves(g, h)),
    );
    let pairs = _mm512_max_ps(
        _mm512_unpacklo_ps(first, last),
        _mm512_unpackhi_ps(first, last),
    );
    let pairs = _mm512_max_ps(pairs, _mm512_permute_ps::<0b01_00_11_10>(pairs));
    let mut lanes = [0.0f32; LANES];
    // SAFETY: 16 values of 32 bits.
    unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), pairs) };
    std::array::from_fn(|r| lanes[r % 4 * 4 + r / 4])
}
