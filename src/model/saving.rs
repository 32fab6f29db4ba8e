//! Models that outlive their process.

use super::{KMeans, Trained};
use crate::error::Result;
use crate::file::{self, Layout, Source};
use std::io::{Read, Write};
use std::path::Path;

/// What goes into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaveOptions {
    /// Whether the [`labels`](KMeans::labels) do, four bytes a training point;
    /// default `true`. Without them a loaded model still predicts and assigns.
    pub labels: bool,
}

impl Default for SaveOptions {
    fn default() -> Self {
        SaveOptions { labels: true }
    }
}

/// Saving and loading: settings and, of a trained model, all results. What
/// training used is saved, whatever was set later. The bytes are a function of
/// the model alone; docs/format.md tells what they are.
impl KMeans {
    /// Writes the model to a file of safetensors, in the place of any that is
    /// there:
    ///
    /// ```
    /// use kentro::{KMeans, SaveOptions};
    /// use ndarray::array;
    ///
    /// let mut kmeans = KMeans::new(2).with_euclidean(true);
    /// kmeans.train(array![[1.0_f32], [2.0], [9.0]].view(), None)?;
    /// let path = std::env::temp_dir().join(format!("kentro-{}", std::process::id()));
    /// kmeans.save(&path, SaveOptions::default())?;
    /// assert_eq!(KMeans::load(&path)?, kmeans);
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), kentro::KMeansError>(())
    /// ```
    ///
    /// Whenever the process ends, and after an error, the old file or the
    /// new one is there, whole: the new one is written beside, synced and renamed.
    pub fn save(&self, path: impl AsRef<Path>, options: SaveOptions) -> Result<()> {
        let path = path.as_ref();
        let layout = self.lay_out(options)?.sign()?;
        file::replace(path, |file| layout.emit(|bytes| file.write_all(bytes)))
            .map_err(|error| file::io_error(path, &error))
    }

    /// Reads a model from a file that [`save`](KMeans::save) wrote.
    pub fn load(path: impl AsRef<Path>) -> Result<KMeans> {
        KMeans::read(Source::open(path.as_ref())?)
    }

    /// The model as the bytes of a file.
    pub fn to_bytes(&self, options: SaveOptions) -> Result<Vec<u8>> {
        self.lay_out(options)?.sign()?.to_bytes("a model as bytes")
    }

    /// The length of what [`to_bytes`](KMeans::to_bytes) returns.
    pub fn serialized_size(&self, options: SaveOptions) -> Result<usize> {
        Ok(self.lay_out(options)?.size())
    }

    /// [`to_bytes`](KMeans::to_bytes) into memory of that length.
    pub(crate) fn write_bytes(&self, options: SaveOptions, out: &mut [u8]) -> Result<()> {
        self.lay_out(options)?.sign()?.write(out);
        Ok(())
    }

    /// The model that [`to_bytes`](KMeans::to_bytes) gave these bytes for.
    pub fn from_bytes(bytes: &[u8]) -> Result<KMeans> {
        KMeans::read(Source::of_bytes(bytes))
    }

    /// The model as a file about to be written, without its checksum.
    fn lay_out(&self, options: SaveOptions) -> Result<Layout<'_>> {
        self.check_nothing_collected()?;
        match &self.trained {
            Some(Trained { config, fit, .. }) => file::lay_out(config, Some(fit), options.labels),
            None => file::lay_out(&self.config, None, options.labels),
        }
    }

    fn read(source: Source<'_, impl Read>) -> Result<KMeans> {
        let (config, fit) = file::read(source)?;
        let trained = match fit {
            Some(fit) => Some(Trained::new(config.clone(), fit)?),
            None => None,
        };
        Ok(KMeans {
            config,
            trained,
            collected: None,
        })
    }
}
