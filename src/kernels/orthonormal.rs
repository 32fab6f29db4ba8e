//! Vectors of float64 made orthonormal.

/// The same sum on every instruction set.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 32;
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut rest = 0.0;
    for (a, b) in a_rest.iter().zip(b_rest) {
        rest += a * b;
    }
    for sum in sums {
        rest += sum;
    }
    rest
}

/// Gram-Schmidt; a unit vector takes the place of one that depends on those
/// before it. `passes`: 2 for accuracy, 1 where a sketch will do.
pub(crate) fn orthonormalize(basis: &mut [f64], dims: usize, passes: usize) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the CPU has AVX-512F.
        return unsafe { orthonormalize_avx512(basis, dims, passes) };
    }
    gram_schmidt(basis, dims, passes);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn orthonormalize_avx512(basis: &mut [f64], dims: usize, passes: usize) {
    gram_schmidt(basis, dims, passes);
}

#[inline(always)]
fn gram_schmidt(basis: &mut [f64], dims: usize, passes: usize) {
    for j in 0..basis.len() / dims {
        let (before, rest) = basis.split_at_mut(j * dims);
        let vector = &mut rest[..dims];
        for attempt in 0..=dims {
            if attempt > 0 {
                vector.fill(0.0);
                vector[(j + attempt) % dims] = 1.0;
            }
            let length = dot(vector, vector).sqrt();
            for _ in 0..passes {
                for other in before.chunks_exact(dims) {
                    let along = dot(vector, other);
                    for (value, &other) in vector.iter_mut().zip(other) {
                        *value -= along * other;
                    }
                }
            }
            let rest = dot(vector, vector).sqrt();
            if rest > 1e-6 * length {
                for value in vector.iter_mut() {
                    *value /= rest;
                }
                break;
            }
        }
    }
}
