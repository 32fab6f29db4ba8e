//! Training and assignment of rows that come from a source.

use super::{KMeans, Trained, print_messages};
use crate::allocate::resize;
use crate::clusters::UNASSIGNED;
use crate::error::{KMeansError, Result};
use crate::streamed::{self, Source};
use crate::threads::{Event, Observer, RunOptions, Threads};

impl KMeans {
    /// [`fit`](KMeans::fit) on rows that come from a source, of any number type and
    /// layout, with weights or without: the same bits as from an array of all rows, but where
    /// [`Init::Auto`](crate::Init::Auto) takes a tree of these.
    ///
    /// A pass over the source is made to look at all rows (two where wide numbers lose
    /// an [`offset`](KMeans::offset)), for the first centroids (one where they are drawn
    /// at random or on a sample, fifteen with [`Init::KMeansParallel`](crate::Init::KMeansParallel), none where they are
    /// given), then one an iteration, some seven an attempt at swaps, and one for the labels;
    /// where clusters are empty, two more each time. Beside the block it keeps 24 bytes a row (48 with
    /// weights) and what [`with_memory_limit`](KMeans::with_memory_limit) says of
    /// centroids and threads; as far as that limit has room, codes and bounds of each
    /// block that save time.
    ///
    /// An error where [`fit`](KMeans::fit) gives one, where the source does, with
    /// medoids, bounds on sizes, or [`Quality::Best`](crate::Quality::Best), and with [`Init::KMeansPlusPlus`](crate::Init::KMeansPlusPlus) where the rows exceed the limit.
    /// After an error the model is as it was before.
    pub fn fit_source(&mut self, source: &mut dyn Source, options: RunOptions<'_>) -> Result<()> {
        if self.trained.is_some() {
            return Err(KMeansError::AlreadyTrained);
        }
        self.config.validate()?;
        let mut print = print_messages;
        let observer: Option<&mut Observer<'_>> = match options.observer {
            Some(observer) => Some(observer),
            None if self.config.verbose => Some(&mut print),
            None => None,
        };
        let options = RunOptions {
            observer,
            ..options
        };
        // How much work it is, nobody knows before the first pass.
        let threads = Threads::new(options, f64::INFINITY)?;
        let fit = streamed::fit(source, &self.config, &threads)?;
        for warning in &fit.warnings {
            threads.tell(Event::Warning(warning))?;
        }
        self.trained = Some(Trained::new(self.config.clone(), fit)?);
        Ok(())
    }

    /// The nearest cluster of every row of a source, in one pass: `see` gets the
    /// labels of a block after the other. Its error ends the call, which returns it.
    pub fn predict_source(
        &self,
        source: &mut dyn Source,
        see: &mut dyn FnMut(&[u32]) -> Result<()>,
        mut options: RunOptions<'_>,
    ) -> Result<()> {
        self.trained()?;
        let mut labels = Vec::new();
        source.rewind()?;
        while let Some(block) = source.next_block()? {
            let options = RunOptions {
                num_threads: options.num_threads,
                observer: match &mut options.observer {
                    Some(observer) => Some(&mut **observer),
                    None => None,
                },
                cancel: options.cancel,
            };
            labels.clear();
            resize(&mut labels, block.rows(), UNASSIGNED, "labels")?;
            self.predict(&block, &mut labels, None, options)?;
            see(&labels)?;
        }
        Ok(())
    }
}
