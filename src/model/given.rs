//! Models of centroids that somebody else trained.

use super::{KMeans, Trained};
use crate::allocate;
use crate::config::{Config, invalid};
use crate::error::Result;
use crate::fit::Fit;
use crate::metric::{Metric, is_unit};
use crate::nearest::AnyCentroids;
use crate::nearest::sparse::Vectors;
use crate::owned::TryArc;
use crate::points::Points;
use crate::threads::Threads;
use ndarray::ArrayView2;

/// What memory is for.
const PURPOSE: &str = "centroids";

impl KMeans {
    /// A trained model of these centroids, one a row, to predict and assign
    /// with, and to be saved. With cosine they are made unit vectors. Wide numbers
    /// far from 0 lose an [`offset`](KMeans::offset), as in training.
    ///
    /// `prices`: what balancing adds to the distance to each centroid, for
    /// [`predict_balanced`](KMeans::predict_balanced). Labels, sizes, medoids
    /// and inertia are `None`, `n_iter` is 0.
    pub fn from_centroids(
        centroids: &Points<'_>,
        euclidean: bool,
        prices: Option<&[f64]>,
    ) -> Result<KMeans> {
        let clusters = centroids.rows();
        let mut config = Config::new(clusters);
        config.balanced = prices.is_some();
        if euclidean {
            config.metric = Metric::Euclidean;
        }
        config.validate()?;
        check_prices(prices, clusters)?;
        let threads = Threads::exactly(1, None)?;
        let offset = centroids.check_for_offset(config.metric, &threads)?;
        centroids.check(&threads)?; // training looks at narrow numbers with their ranges
        let centroids = centroids.less(offset.as_deref());
        let values = place(&centroids, config.metric)?;
        let prices = match prices {
            Some(prices) => Some(allocate::copy(prices, "prices")?),
            None => None,
        };
        Self::given(config, values, prices, offset)
    }

    /// A trained model of Euclidean centroids that have lost an offset, one number for
    /// each column: those that blocks with an [`offset`](crate::Block::offset) come to.
    /// Points lose it too before they are rounded to float32, so that the block's rows
    /// get the block's labels.
    ///
    /// Otherwise as [`from_centroids`](KMeans::from_centroids).
    pub fn from_centroids_less(centroids: ArrayView2<'_, f32>, offset: &[f64]) -> Result<KMeans> {
        let (clusters, dims) = centroids.dim();
        let mut config = Config::new(clusters);
        config.metric = Metric::Euclidean;
        config.validate()?;
        Points::from(centroids).check(&Threads::exactly(1, None)?)?;
        check_offset(offset, dims)?;
        let values = allocate::collect(centroids.iter().copied(), PURPOSE)?;
        let values = AnyCentroids::of_values(values, clusters)?;
        let offset = match offset.iter().any(|&offset| offset != 0.0) {
            true => Some(allocate::copy(offset, "offset")?),
            false => None,
        };
        Self::given(config, values, None, offset)
    }

    fn given(
        config: Config,
        centroids: AnyCentroids,
        prices: Option<Vec<f64>>,
        offset: Option<Vec<f64>>,
    ) -> Result<KMeans> {
        let mut fit = Fit {
            inertia: f64::INFINITY,
            prices,
            ..Fit::of_centroids(centroids)
        };
        fit.set_offset(offset)?;
        Ok(KMeans {
            trained: Some(Trained::new(config.clone(), fit)?),
            config,
            collected: None,
        })
    }

    /// A model that can be trained, with the same settings.
    pub fn untrained(&self) -> KMeans {
        KMeans {
            config: self.config.clone(),
            trained: None,
            collected: None,
        }
    }
}

/// Rows as centroids; what they have is kept, or of sparse ones what is not zero.
fn place(rows: &Points<'_>, metric: Metric) -> Result<AnyCentroids> {
    if rows.reads_sparse() {
        let vectors = TryArc::new(Vectors::of_rows(rows, metric, is_unit)?, PURPOSE)?;
        return Ok(AnyCentroids::of_vectors(vectors, rows.cols()));
    }
    let mut scratch = Vec::new();
    let values = rows.block(0..rows.rows(), &mut scratch)?;
    let mut values = allocate::copy(values, PURPOSE)?;
    for centroid in values.chunks_exact_mut(rows.cols()) {
        metric.place(centroid);
    }
    AnyCentroids::of_values(values, rows.rows())
}

fn check_offset(offset: &[f64], dims: usize) -> Result<()> {
    if offset.len() != dims {
        return Err(invalid(format_args!(
            "offset has {} values for {dims} columns; give one for each",
            offset.len()
        )));
    }
    check_finite("offset", offset)
}

fn check_prices(prices: Option<&[f64]>, clusters: usize) -> Result<()> {
    let Some(prices) = prices else {
        return Ok(());
    };
    if prices.len() != clusters {
        return Err(invalid(format_args!(
            "there are {} prices, but {clusters} centroids; give one for each",
            prices.len()
        )));
    }
    check_finite("price", prices)
}

fn check_finite(name: &str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(invalid(format_args!(
            "{name} {at} is {}; every {name} must be finite",
            values[at]
        ))),
        None => Ok(()),
    }
}
