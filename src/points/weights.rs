//! What each point weighs.

/// One weight a row, as the caller has them.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
}

impl<'a> From<&'a [f32]> for Weights<'a> {
    fn from(weights: &'a [f32]) -> Self {
        Weights::F32(weights)
    }
}

impl<'a> From<&'a [f64]> for Weights<'a> {
    fn from(weights: &'a [f64]) -> Self {
        Weights::F64(weights)
    }
}

impl Weights<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Weights::F32(weights) => weights.len(),
            Weights::F64(weights) => weights.len(),
        }
    }

    pub(super) fn get(&self, row: usize) -> f64 {
        match self {
            Weights::F32(weights) => weights[row].into(),
            Weights::F64(weights) => weights[row],
        }
    }
}
