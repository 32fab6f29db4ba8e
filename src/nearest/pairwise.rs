//! Blocks of pairwise squared distances in float32, for the distance matrices
//! of K-medoids.
//!
//! Differences are taken before they are squared: equal rows are at exactly 0
//! and an offset of the data cancels nothing. Each distance is one chain of
//! fused multiply-adds over the dimensions in order, so every instruction set
//! gives the same bits.

/// Rows of a panel: a group of rows stored transposed, so that vector lanes
/// run along the rows.
pub(crate) const PANEL: usize = 32;

/// Writes `rows` (dims values each, at most [`PANEL`]) as a panel: value t of
/// row l goes to `panel[t * PANEL + l]`. Lanes without a row are left alone.
pub(crate) fn pack_panel(rows: &[f32], dims: usize, panel: &mut [f32]) {
    for (lane, row) in rows.chunks_exact(dims).enumerate() {
        for (&value, slot) in row.iter().zip(panel[lane..].iter_mut().step_by(PANEL)) {
            *slot = value;
        }
    }
}

/// Squared Euclidean distances of `rows` to the rows of a panel:
/// `out[m * PANEL + l]` = Σ (rows[m] − panel[l])².
pub(crate) fn squared_distances(rows: &[f32], dims: usize, panel: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has AVX-512F.
            return unsafe { with_avx512(rows, dims, panel, out) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the CPU has AVX2 and FMA.
            return unsafe { with_avx2(rows, dims, panel, out) };
        }
    }
    tiles::<2>(rows, dims, panel, out)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn with_avx512(rows: &[f32], dims: usize, panel: &[f32], out: &mut [f32]) {
    tiles::<12>(rows, dims, panel, out)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2(rows: &[f32], dims: usize, panel: &[f32], out: &mut [f32]) {
    tiles::<2>(rows, dims, panel, out)
}

/// `ROWS` rows at a time: as many as keep all sums in registers.
#[inline(always)]
fn tiles<const ROWS: usize>(rows: &[f32], dims: usize, panel: &[f32], out: &mut [f32]) {
    let mut groups = rows.chunks_exact(ROWS * dims);
    let mut outs = out.chunks_exact_mut(ROWS * PANEL);
    for (rows, out) in (&mut groups).zip(&mut outs) {
        tile::<ROWS>(rows, dims, panel, out);
    }
    let rest = groups.remainder().chunks_exact(dims);
    for (row, out) in rest.zip(outs.into_remainder().chunks_exact_mut(PANEL)) {
        tile::<1>(row, dims, panel, out);
    }
}

#[inline(always)]
fn tile<const ROWS: usize>(rows: &[f32], dims: usize, panel: &[f32], out: &mut [f32]) {
    let rows: [&[f32]; ROWS] = std::array::from_fn(|m| &rows[m * dims..][..dims]);
    let (columns, _) = panel.as_chunks::<PANEL>();
    let columns = &columns[..dims];
    let mut sums = [[0.0f32; PANEL]; ROWS];
    for (t, column) in columns.iter().enumerate() {
        for m in 0..ROWS {
            let value = rows[m][t];
            for lane in 0..PANEL {
                let difference = column[lane] - value;
                sums[m][lane] = difference.mul_add(difference, sums[m][lane]);
            }
        }
    }
    for (out, sums) in out.chunks_exact_mut(PANEL).zip(&sums) {
        out.copy_from_slice(sums);
    }
}

/// Sets bit i of `bits` where `values[i] < bounds[i]`, and clears the others.
pub(crate) fn mark_below(values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has AVX-512F.
            return unsafe { mark_below_avx512(values, bounds, bits) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2.
            return unsafe { mark_below_avx2(values, bounds, bits) };
        }
    }
    mark_below_portable(values, bounds, bits)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn mark_below_avx512(values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    mark_below_portable(values, bounds, bits)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn mark_below_avx2(values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    mark_below_portable(values, bounds, bits)
}

#[inline(always)]
fn mark_below_portable(values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    let (values, values_rest) = values.as_chunks::<64>();
    let (bounds, bounds_rest) = bounds.as_chunks::<64>();
    for ((values, bounds), bits) in values.iter().zip(bounds).zip(bits.iter_mut()) {
        *bits = (0..64).fold(0, |bits, i| bits | u64::from(values[i] < bounds[i]) << i);
    }
    if !values_rest.is_empty() {
        let pairs = values_rest.iter().zip(bounds_rest).enumerate();
        bits[values.len()] = pairs.fold(0, |bits, (i, (v, b))| bits | u64::from(v < b) << i);
    }
}
