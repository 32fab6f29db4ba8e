use crate::kernels::exact::dot;

/// What "near" means.
///
/// | metric | distance of row x and centroid c | centroids |
/// |---|---|---|
/// | `Cosine` | 1 − x·c / (‖x‖ ‖c‖), in 0..=2; 1 for a zero row | unit vectors |
/// | `Euclidean` | ‖x − c‖² | means |
///
/// `Cosine` is spherical K-means (Dhillon & Modha, 2001): the length of a row
/// has no weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Metric {
    #[default]
    Cosine,
    Euclidean,
}

/// Whether a vector of that length may be a unit vector, rounded to float32.
pub(crate) fn is_unit(length: f64) -> bool {
    (length - 1.0).abs() <= f64::from(f32::EPSILON) / 2.0
}

impl Metric {
    /// What files call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::Euclidean => "euclidean",
        }
    }

    /// Makes `centroid` what the metric wants of a centroid: with cosine a
    /// unit vector (a zero vector stays zero), else itself.
    pub(crate) fn normalize(self, centroid: &mut [f32]) {
        if self == Metric::Cosine {
            let norm = dot(centroid, centroid).sqrt();
            if norm > 0.0 {
                for value in centroid {
                    *value = (f64::from(*value) / norm) as f32;
                }
            }
        }
    }

    /// What K-medoids makes of a distance: Euclidean ones are not squared there.
    #[inline]
    pub(crate) fn unsquared(self, distance: f64) -> f64 {
        match self {
            Metric::Euclidean => distance.sqrt(),
            Metric::Cosine => distance,
        }
    }

    /// [`normalize`](Self::normalize), but a vector that rounding a unit vector
    /// to float32 may have made stays as it is: so a model's own centroids make
    /// the same model.
    pub(crate) fn place(self, centroid: &mut [f32]) {
        if !is_unit(dot(centroid, centroid).sqrt()) {
            self.normalize(centroid);
        }
    }
}
