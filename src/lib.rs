//! Kentro partitions vectors: K-means (cosine or Euclidean), balanced K-means
//! with a guaranteed bound on cluster sizes, and K-medoids.
//!
//! ```
//! use kentro::KMeans;
//! use ndarray::array;
//!
//! let data = array![[1.0_f32, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]];
//! let mut kmeans = KMeans::new(2).with_euclidean(true);
//! let clusters = kmeans.train(data.view(), None)?;
//! assert_eq!(clusters.iter().map(Vec::len).sum::<usize>(), 4);
//!
//! let nearest = kmeans.assign(data.view(), 1)?;
//! assert_eq!(nearest, clusters);
//! # Ok::<(), kentro::KMeansError>(())
//! ```
//!
//! Results are a function of the data, the seed and the parameters alone: the
//! same bits come out at any number of threads and on any instruction set.
//! Nothing that decides a result is global: no thread pool and no state is shared
//! between two models. Two things are set for a whole process: how many threads
//! a call uses that isn't told ([`set_default_threads`]), and whether to ask the system for
//! AMX ([`allow_amx`]).

#![deny(unsafe_code)] // allowed again in `kernels`, `owned` and `ffi`

mod allocate;
mod balanced;
mod clusters;
mod config;
mod equal_rows;
mod error;
mod ffi;
mod file;
mod fit;
mod kernels;
mod kmeans;
mod medoids;
mod memory;
mod metric;
mod model;
mod nearest;
mod owned;
mod partial;
mod points;
mod ranges;
mod rng;
mod seeding;
mod silhouette;
mod sort;
mod streamed;
mod system;
mod text;
mod threads;
mod totals;
mod train;
mod unrepeated;

pub use clusters::Clusters;
pub use config::{Init, Quality};
pub use error::KMeansError;
pub use kernels::amx_permission::allow_amx;
pub use metric::Metric;
pub use model::KMeans;
pub use model::saving::SaveOptions;
pub use model::sweep::SweepStep;
pub use partial::{Block, BlockOptions, Partial, Seeding, Update};
pub use points::{Element, Indices, Points, Swapped, Weights};
pub use silhouette::{Silhouette, silhouette};
pub use streamed::Source;
pub use threads::{
    End, Event, Observer, Phase, Progress, RunOptions, default_threads, set_default_threads,
};

/// Runs the Rust code of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
