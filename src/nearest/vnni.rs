//! The 8-bit kernels (AVX-512 VNNI): scores of row codes against centroid
//! codes, 256 multiply-adds in two instructions.
//!
//! Centroids lie across lanes, `PANEL` to a panel, packed as steps of four
//! dimensions; `ROWS` rows are broadcast from their codes as they lie in
//! memory. Row codes are signed, centroid codes are offset by 128 to be
//! unsigned, as the instruction wants it; `start` takes the offset back.

use std::arch::x86_64::*;

pub(super) mod near;

/// Centroids per panel.
pub(super) const PANEL: usize = super::bounds::GROUP;
/// Rows per tile.
const ROWS: usize = 8;
/// Values in a vector register.
pub(super) const LANES: usize = 16;

/// Centroid codes in panels.
pub(super) struct CodePanels {
    /// Panels × (stride / 4) × PANEL × 4.
    pub codes: Vec<u8>,
    /// Code unit of each centroid.
    pub units: Vec<f32>,
    /// Dimensions of a code.
    pub stride: usize,
}

/// What the scores of the centroids need when `dims` dimensions are compared.
pub(super) struct Terms {
    pub dims: usize,
    pub starts: Vec<f32>,
    /// Factors of the rows' tail norms.
    pub tails: Vec<f32>,
}

/// Row codes of one block, with the terms of their scores: for each row
/// unit · centroid unit · (codes · codes) + centroid start + tail · centroid
/// tail is compared with the threshold.
#[derive(Default)]
pub(super) struct CodeRows {
    /// −128 · the sum of the row's codes, over the dimensions compared.
    pub starts: Vec<i32>,
    pub units: Vec<f32>,
    pub tails: Vec<f32>,
    pub thresholds: Vec<f32>,
}

/// Centroids of a panel that reach a row's threshold, a bit each.
#[derive(Clone, Copy)]
pub(super) struct Hit {
    pub row: u32,
    pub panel: u32,
    pub mask: u64,
}

/// For each residue of the centroids' slots modulo [`LANES`], the slot that
/// looks best and its score; −∞ where there is none.
#[derive(Clone, Copy, Default)]
pub(super) struct Guess {
    pub scores: [f32; LANES],
    pub slots: [u32; LANES],
}

impl CodePanels {
    fn check(&self, terms: &Terms, codes: &[i8], rows: &CodeRows) {
        let (count, padded) = (rows.units.len(), self.units.len());
        assert!(terms.dims.is_multiple_of(4) && terms.dims <= self.stride);
        assert!(padded.is_multiple_of(PANEL) && self.codes.len() == padded * self.stride);
        assert!(terms.starts.len() == padded && terms.tails.len() == padded);
        assert!(codes.len() == count * self.stride && rows.starts.len() == count);
        assert!(rows.tails.len() == count && rows.thresholds.len() == count);
    }

    /// Finds all pairs that reach the row's threshold by the first
    /// dimensions. The CPU must have AVX-512 VNNI.
    pub fn sweep(&self, terms: &Terms, codes: &[i8], rows: &CodeRows, hits: &mut Vec<Hit>) {
        self.check(terms, codes, rows);
        hits.clear();
        hits.reserve(rows.units.len() * self.units.len() / PANEL + 1);
        // SAFETY: the lengths are checked, there is room for a hit for every
        // row and panel, and engines are chosen by the CPU's features.
        unsafe { sweep(self, terms, codes, rows, hits) }
    }

    /// Likely good centroids of every row, by the first `dims` dimensions.
    /// The CPU must have AVX-512 VNNI.
    pub fn guess(
        &self,
        terms: &Terms,
        dims: usize,
        codes: &[i8],
        rows: &CodeRows,
        guesses: &mut Vec<Guess>,
    ) {
        assert!(dims <= terms.dims && dims.is_multiple_of(32));
        self.check(terms, codes, rows);
        guesses.clear();
        guesses.resize(rows.units.len(), Guess::default());
        // SAFETY: the lengths are checked and engines are chosen by the CPU's
        // features.
        unsafe { guess(self, terms, dims, codes, rows, guesses) }
    }
}

/// What the bound of a pair needs of one side, rows as well as centroids.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Side {
    /// Coordinates ≈ unit · code.
    pub unit: f32,
    /// Added to the score; centroids only.
    pub start: f32,
    /// Norm of what rounding to the code lost.
    pub residual: f32,
    /// Norm of the coordinates.
    pub head: f32,
    /// Norm of what the coordinates leave out.
    pub tail: f32,
    /// Norm of the vector; for centroids times the factor of ‖q‖·‖v‖.
    pub norm: f32,
    /// Sum of the code; rows only.
    pub sum: i32,
}

/// A pair of row and centroid that is still open, with the upper bound of its
/// score.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub row: u32,
    pub centroid: u32,
    pub bound: f32,
}

/// Both sides of the pairs to check: codes of `head` dimensions and [`Side`]s.
pub(super) struct Sides<'a> {
    pub head: usize,
    pub row_codes: &'a [i8],
    pub rows: &'a [Side],
    pub centroid_codes: &'a [u8],
    pub centroids: &'a [Side],
    /// The centroid in each slot of the panels.
    pub order: &'a [u32],
}

/// Collects the pairs of `hits` whose bound by the whole codes reaches the
/// row's score; returns how many pairs there were. The CPU must have AVX-512
/// VNNI.
pub(super) fn check_hits(
    hits: &[Hit],
    sides: &Sides<'_>,
    scores: &[f32],
    pairs: &mut Vec<Pair>,
) -> usize {
    assert!(sides.head.is_multiple_of(32));
    assert!(sides.row_codes.len() == sides.rows.len() * sides.head);
    assert!(sides.centroid_codes.len() == sides.centroids.len() * sides.head);
    assert!(scores.len() == sides.rows.len());
    let count = hits.iter().map(|hit| hit.mask.count_ones() as usize).sum();
    pairs.clear();
    pairs.reserve(count + 1);
    // SAFETY: the lengths are checked, there is room for all pairs and one,
    // and engines are chosen by the CPU's features.
    unsafe { check(hits, sides, scores, pairs) };
    count
}

/// # Safety
/// `pairs` has room for all pairs of `hits` and one more.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,bmi1")]
unsafe fn check(hits: &[Hit], sides: &Sides<'_>, scores: &[f32], pairs: &mut Vec<Pair>) {
    let head = sides.head;
    let (out, mut len) = (pairs.as_mut_ptr(), 0);
    for hit in hits {
        let i = hit.row as usize;
        let (row, score) = (&sides.rows[i], scores[i]);
        let row_code = &sides.row_codes[i * head..][..head];
        let mut mask = hit.mask;
        while mask != 0 {
            let slot = hit.panel as usize * PANEL + mask.trailing_zeros() as usize;
            let j = sides.order[slot] as usize;
            mask &= mask - 1;
            let centroid = &sides.centroids[j];
            let product = dot(&sides.centroid_codes[j * head..][..head], row_code) - 128 * row.sum;
            let error = row.residual * centroid.head
                + (row.head + row.residual) * centroid.residual
                + row.tail * centroid.tail
                + row.norm * centroid.norm;
            let bound =
                row.unit * centroid.unit * product as f32 + (centroid.start + 1.00001 * error);
            // SAFETY: `len` is at most the number of pairs so far. Written
            // always and kept if it counts: cheaper than a branch.
            unsafe {
                out.add(len).write(Pair {
                    row: hit.row,
                    centroid: j as u32,
                    bound,
                });
            }
            len += usize::from(bound >= score);
        }
    }
    // SAFETY: `len` pairs are written.
    unsafe { pairs.set_len(len) };
}

/// Σ centroid · row over whole codes, the centroid's being offset by 128.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn dot(centroid: &[u8], row: &[i8]) -> i32 {
    let mut sum = _mm512_setzero_si512();
    for (c, r) in centroid.chunks(64).zip(row.chunks(64)) {
        let lanes = if c.len() == 64 { !0 } else { 0xffff_ffff };
        // SAFETY: chunks of 64 bytes, or 32 and a mask that says so.
        let (c, r) = unsafe {
            (
                _mm512_maskz_loadu_epi8(lanes, c.as_ptr().cast()),
                _mm512_maskz_loadu_epi8(lanes, r.as_ptr().cast()),
            )
        };
        sum = _mm512_dpbusd_epi32(sum, c, r);
    }
    _mm512_reduce_add_epi32(sum)
}

/// The sum of codes, a multiple of 32 of them. The CPU must have AVX-512 VNNI.
#[inline]
pub(super) fn sum_codes(codes: &[i8]) -> i32 {
    assert!(codes.len().is_multiple_of(32));
    // SAFETY: engines are chosen by the CPU's features.
    unsafe { sum(codes) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn sum(codes: &[i8]) -> i32 {
    let mut sum = _mm512_setzero_si512();
    for codes in codes.chunks(64) {
        let lanes = if codes.len() == 64 { !0 } else { 0xffff_ffff };
        // SAFETY: chunks of 64 bytes, or 32 and a mask that says so.
        let codes = unsafe { _mm512_maskz_loadu_epi8(lanes, codes.as_ptr()) };
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), codes);
    }
    _mm512_reduce_add_epi32(sum)
}

/// # Safety
/// `rows` and `panel` are valid for `dims` dimensions.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn tile(
    rows: [*const i8; ROWS],
    starts: [i32; ROWS],
    panel: *const u8,
    dims: usize,
) -> [[__m512i; 3]; ROWS] {
    let mut sums = [[_mm512_setzero_si512(); 3]; ROWS];
    for (sums, &start) in sums.iter_mut().zip(&starts) {
        *sums = [_mm512_set1_epi32(start); 3];
    }
    for t in (0..dims).step_by(4) {
        // SAFETY: steps below `dims` lie within the panel and the rows.
        unsafe {
            let step = panel.add(t * PANEL);
            let c = [
                _mm512_loadu_si512(step.cast()),
                _mm512_loadu_si512(step.add(64).cast()),
                _mm512_loadu_si512(step.add(128).cast()),
            ];
            for (r, sums) in sums.iter_mut().enumerate() {
                let row = _mm512_set1_epi32(rows[r].add(t).cast::<i32>().read_unaligned());
                for (sum, &c) in sums.iter_mut().zip(&c) {
                    *sum = _mm512_dpbusd_epi32(*sum, c, row);
                }
            }
        }
    }
    sums
}

/// Terms of a panel's scores, in vectors.
struct PanelTerms {
    units: [__m512; 3],
    starts: [__m512; 3],
    tails: [__m512; 3],
}

impl CodePanels {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn terms(&self, terms: &Terms, panel: usize) -> PanelTerms {
        let vectors = |terms: &[f32]| {
            let terms = &terms[panel * PANEL..][..PANEL];
            // SAFETY: three vectors are a panel.
            std::array::from_fn(|v| unsafe { _mm512_loadu_ps(terms.as_ptr().add(v * LANES)) })
        };
        PanelTerms {
            units: vectors(&self.units),
            starts: vectors(&terms.starts),
            tails: vectors(&terms.tails),
        }
    }
}

/// Terms of a row's scores, and what they are compared with.
struct RowTerms {
    unit: f32,
    tail: f32,
    threshold: f32,
}

impl RowTerms {
    #[inline(always)]
    fn of(rows: &CodeRows, i: usize) -> Self {
        RowTerms {
            unit: rows.units[i],
            tail: rows.tails[i],
            threshold: rows.thresholds[i],
        }
    }
}

/// Which scores of a row reach its threshold, and the greatest in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn compare(sums: &[__m512i; 3], panel: &PanelTerms, row: &RowTerms) -> (u64, __m512) {
    let (unit, tail) = (_mm512_set1_ps(row.unit), _mm512_set1_ps(row.tail));
    let threshold = _mm512_set1_ps(row.threshold);
    let mut mask = 0u64;
    let mut most = _mm512_set1_ps(f32::NEG_INFINITY);
    for (v, &sum) in sums.iter().enumerate() {
        let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), panel.units[v]);
        let score = _mm512_fmadd_ps(product, unit, panel.starts[v]);
        let upper = _mm512_fmadd_ps(tail, panel.tails[v], score);
        most = _mm512_max_ps(most, upper);
        let reached = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(upper, threshold);
        mask |= u64::from(reached) << (v * LANES);
    }
    (mask, most)
}

/// # Safety
/// Lengths as `CodePanels::check` wants them; room for all hits.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn sweep(
    panels: &CodePanels,
    terms: &Terms,
    codes: &[i8],
    rows: &CodeRows,
    hits: &mut Vec<Hit>,
) {
    let count = rows.units.len();
    let mut len = 0;
    let out = hits.as_mut_ptr();
    for (p, panel) in panels.codes.chunks_exact(PANEL * panels.stride).enumerate() {
        let of_panel = panels.terms(terms, p);
        for first in (0..count).step_by(ROWS) {
            // A last tile that isn't full repeats the last row.
            let row = |r: usize| (first + r).min(count - 1);
            // SAFETY: rows and panel hold `stride` ≥ `dims` codes.
            let sums = unsafe {
                tile(
                    std::array::from_fn(|r| codes.as_ptr().add(row(r) * panels.stride)),
                    std::array::from_fn(|r| rows.starts[row(r)]),
                    panel.as_ptr(),
                    terms.dims,
                )
            };
            for (r, sums) in sums.iter().enumerate() {
                let (mask, _) = compare(sums, &of_panel, &RowTerms::of(rows, row(r)));
                // SAFETY: at most one hit for each row and panel; the slot
                // is kept only if the row is real and reached.
                unsafe {
                    out.add(len).write(Hit {
                        row: (first + r) as u32,
                        panel: p as u32,
                        mask,
                    });
                }
                len += usize::from(mask != 0 && first + r < count);
            }
        }
    }
    // SAFETY: `len` hits are written.
    unsafe { hits.set_len(len) };
}

/// # Safety
/// Lengths as `CodePanels::check` wants them.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn guess(
    panels: &CodePanels,
    terms: &Terms,
    dims: usize,
    codes: &[i8],
    rows: &CodeRows,
    guesses: &mut [Guess],
) {
    let count = rows.units.len();
    for first in (0..count).step_by(ROWS) {
        let row = |r: usize| (first + r).min(count - 1);
        let start = |r: usize| -128 * sum_codes(&codes[row(r) * panels.stride..][..dims]);
        let starts: [i32; ROWS] = std::array::from_fn(start);
        let mut most = [_mm512_set1_ps(f32::NEG_INFINITY); ROWS];
        let mut index = [_mm512_setzero_si512(); ROWS];
        for (p, panel) in panels.codes.chunks_exact(PANEL * panels.stride).enumerate() {
            // SAFETY: rows and panel hold `stride` ≥ `dims` codes.
            let sums = unsafe {
                tile(
                    std::array::from_fn(|r| codes.as_ptr().add(row(r) * panels.stride)),
                    starts,
                    panel.as_ptr(),
                    dims,
                )
            };
            // SAFETY: panel p has PANEL terms of each kind.
            let vector = |terms: &[f32], v: usize| unsafe {
                _mm512_loadu_ps(terms.as_ptr().add(p * PANEL + v * LANES))
            };
            for (r, sums) in sums.iter().enumerate() {
                let unit = _mm512_set1_ps(rows.units[row(r)]);
                for (v, &sum) in sums.iter().enumerate() {
                    let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), vector(&panels.units, v));
                    let score = _mm512_fmadd_ps(product, unit, vector(&terms.starts, v));
                    let more = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(score, most[r]);
                    let here = _mm512_set1_epi32((p * PANEL + v * LANES) as i32);
                    most[r] = _mm512_max_ps(score, most[r]);
                    index[r] = _mm512_mask_blend_epi32(more, index[r], here);
                }
            }
        }
        let guesses = guesses[first..].iter_mut().take(ROWS);
        for (guess, (most, index)) in guesses.zip(most.iter().zip(&index)) {
            // SAFETY: 16 values of 32 bits each.
            unsafe {
                _mm512_storeu_ps(guess.scores.as_mut_ptr(), *most);
                _mm512_storeu_si512(guess.slots.as_mut_ptr().cast(), *index);
            }
            for (lane, slot) in guess.slots.iter_mut().enumerate() {
                *slot += lane as u32;
            }
        }
    }
}
