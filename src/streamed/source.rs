//! Where rows come from that are not in memory.

use crate::error::Result;
use crate::points::Points;

/// Rows that come block by block, as often as they are asked for: a file, a
/// database, what somebody computes. Each time there must be the same rows in the
/// same order, however they are cut into blocks.
///
/// A pass of training calls [`rewind`](Source::rewind), then
/// [`next_block`](Source::next_block) until there are no more, all on the caller's
/// thread. Blocks of some 100 MB are good: a small one is as much trouble as a
/// large one.
///
/// ```
/// use kentro::{KMeans, KMeansError, Points, Quality, RunOptions, Source};
/// use ndarray::{Array2, s};
///
/// struct Parts(Array2<f32>, usize);
///
/// impl Source for Parts {
///     fn rewind(&mut self) -> Result<(), KMeansError> {
///         self.1 = 0;
///         Ok(())
///     }
///
///     fn next_block(&mut self) -> Result<Option<Points<'_>>, KMeansError> {
///         let first = self.1;
///         self.1 = self.0.nrows().min(first + 100);
///         let rows = self.0.slice(s![first..self.1, ..]);
///         Ok((first < self.1).then(|| rows.into()))
///     }
/// }
///
/// let data = Array2::from_shape_fn((1000, 3), |(i, j)| (i * i % 89 + j) as f32);
/// let model = || KMeans::new(5).with_quality(Quality::Fast);
/// let (mut streamed, mut together) = (model(), model());
/// together.fit(&data.view().into(), RunOptions::default())?;
/// streamed.fit_source(&mut Parts(data, 0), RunOptions::default())?;
/// assert_eq!(streamed.centroids(), together.centroids());
/// assert_eq!(streamed.labels(), together.labels());
/// # Ok::<(), KMeansError>(())
/// ```
pub trait Source {
    /// Begins anew with the first row.
    fn rewind(&mut self) -> Result<()>;

    /// The next rows, none too; `None` after the last. An error of any kind ends
    /// the call, which returns it: [`KMeansError::Source`](crate::KMeansError::Source) is for those of sources.
    fn next_block(&mut self) -> Result<Option<Points<'_>>>;
}
