//! Points that weigh differently, and the check of their weights.

use super::{Points, Source, Weighing, Weights};
use crate::error::{KMeansError, Result};
use crate::ranges::Range;

impl<'a> Points<'a> {
    /// The same points, each of the weight given for it: one number a row,
    /// finite and at least 0. Weight 2 is a point that is there twice, weight 0
    /// one that is not there. Without weights every point weighs 1.
    ///
    /// An error if there are not as many weights as rows; the values are
    /// checked when training starts: positive ones are at least 1e-200, and add up
    /// to 1e200 at most. Where cluster sizes are bounded, the bounds count points,
    /// whatever they weigh.
    pub fn with_weights(self, weights: impl Into<Weights<'a>>) -> Result<Self> {
        let weights = weights.into();
        if weights.len() != self.rows {
            return Err(KMeansError::invalid_data(format_args!(
                "there are {} weights for {} rows; give one for each",
                weights.len(),
                self.rows
            )));
        }
        Ok(Points {
            weights: Weighing::Given(weights),
            ..self
        })
    }

    /// The same points, each of weight 1.
    pub fn without_weights(self) -> Self {
        Points {
            weights: Weighing::Alike,
            ..self
        }
    }

    /// Whether the points have weights of their own.
    pub fn is_weighted(&self) -> bool {
        !matches!(self.weights, Weighing::Alike)
    }

    /// The weight of a point: 1 unless [`with_weights`](Points::with_weights)
    /// gave another.
    pub fn weight(&self, row: usize) -> f64 {
        match (self.weights, self.source) {
            (Weighing::Given(weights), _) => weights.get(row),
            (Weighing::Selected, Source::Selection(points, rows)) => {
                points.weight(rows[row] as usize)
            }
            (Weighing::Alike | Weighing::Selected, _) => 1.0,
        }
    }

    /// Of all weights, if the points have their own: how large and how fine they
    /// are.
    pub(crate) fn weight_range(&self) -> Option<Range> {
        let weights = || (0..self.rows).map(|row| self.weight(row));
        self.is_weighted().then(|| Range::of_weights(weights()))
    }

    /// An error unless every weight is finite and at least 0, some are positive,
    /// and they are enough for so many clusters: as many points of positive
    /// weight, or as much weight in all.
    pub(crate) fn check_weights(&self, clusters: usize) -> Result<()> {
        let (positive, total) = self.check_each_weight()?;
        if positive == 0 && self.rows > 0 {
            return Err(KMeansError::invalid_data(format_args!(
                "the weights of all rows, 0 to {}, are zero; leave them out, or make some positive",
                self.rows - 1
            )));
        }
        if positive < clusters && total < clusters as f64 {
            return Err(KMeansError::InsufficientPoints(positive, clusters));
        }
        Ok(())
    }

    /// An error unless every weight is finite and at least 0; how many are
    /// positive, and their sum.
    pub(crate) fn check_each_weight(&self) -> Result<(usize, f64)> {
        /// Sums of weighted squares must not overflow, and no product underflow.
        const MOST: f64 = 1e200;
        const LEAST: f64 = 1e-200;
        let Weighing::Given(weights) = self.weights else {
            return Ok((self.rows, self.rows as f64));
        };
        let (mut positive, mut total) = (0, 0.0);
        for row in 0..self.rows {
            let weight = weights.get(row);
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(KMeansError::InvalidWeight { row, value: weight });
            }
            if weight > 0.0 && weight < LEAST {
                return Err(KMeansError::invalid_data(format_args!(
                    "the weight of row {row} is {weight:e}, less than {LEAST:e}; make it 0, or \
                     scale the weights up"
                )));
            }
            total += weight;
            positive += usize::from(weight > 0.0);
            if total > MOST {
                return Err(KMeansError::invalid_data(format_args!(
                    "the weights up to row {row} add up to {total:e}, more than {MOST:e}; \
                     scale them down"
                )));
            }
        }
        Ok((positive, total))
    }
}
