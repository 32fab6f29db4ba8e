//! First centroids of rows in blocks: k-means‖ by messages.

use super::messages::{Answer, Asked, Question};
use crate::allocate::{append, collect, copy, push, with_capacity};
use crate::config::invalid;
use crate::error::{KMeansError, Result};
use crate::file::{broken, wrong};
use crate::metric::Metric;
use crate::nearest::Shared;
use crate::points::Points;
use crate::rng::Rng;
use crate::seeding::{Plan, Step, Wanted, pick, without_repeats};
use crate::threads::{RunOptions, Threads};
use crate::totals::Amount;
use ndarray::ArrayView2;

/// What memory is for.
const PURPOSE: &str = "seeding candidates";

/// First centroids of rows in blocks: those of
/// [`Init::KMeansParallel`](crate::Init::KMeansParallel) of all rows together, with
/// the same seed, bit for bit, however rows are cut.
///
/// All blocks are asked [questions](Self::question) in turn, some 13 times, and
/// what they answer is [taken](Self::take) in the order of their rows. Answers hold
/// sums and, each time, about as many rows as there are clusters. Blocks keep
/// nothing that matters from one question to the next.
///
/// ```
/// use kentro::{Block, BlockOptions, Metric, Points, RunOptions, Seeding};
/// use ndarray::{array, s};
///
/// let data = array![[0.0_f32], [1.0], [8.0], [9.0], [10.0]];
/// let parts = [data.slice(s![..2, ..]), data.slice(s![2.., ..])].map(Points::from);
/// let options = BlockOptions::new(Metric::Euclidean);
/// let mut blocks = [Block::new(&parts[0], options)?, Block::new(&parts[1], options)?];
/// let mut seeding = Seeding::new(2, Metric::Euclidean, 42)?;
/// while seeding.centroids().is_none() {
///     let mut answers = Vec::new();
///     for (number, block) in blocks.iter_mut().enumerate() {
///         let question = seeding.question(number)?;
///         let options = RunOptions::default();
///         answers.push(block.seed(seeding.candidates(), &question, options)?);
///     }
///     seeding.take(&answers, RunOptions::default())?;
/// }
/// assert_eq!(seeding.centroids().unwrap().dim(), (2, 1));
/// # Ok::<(), kentro::KMeansError>(())
/// ```
pub struct Seeding {
    metric: Metric,
    n_clusters: usize,
    rng: Rng,
    plan: Plan,
    dims: usize,
    /// Blocks; 0 until they have answered.
    blocks: usize,
    /// Rows without those that repeat the one before.
    rows: usize,
    candidates: Vec<f32>,
    centroids: Option<Vec<f32>>,
}

impl Seeding {
    /// Nothing is asked yet.
    pub fn new(n_clusters: usize, metric: Metric, seed: u64) -> Result<Self> {
        if n_clusters == 0 {
            return Err(invalid("n_clusters must be at least 1, got 0"));
        }
        Ok(Seeding {
            metric,
            n_clusters,
            rng: Rng::new(seed),
            plan: Plan::new(n_clusters),
            dims: 0,
            blocks: 0,
            rows: 0,
            candidates: Vec::new(),
            centroids: None,
        })
    }

    /// The rows that were drawn so far, which go to each block with its question.
    pub fn candidates(&self) -> ArrayView2<'_, f32> {
        view(&self.candidates, self.dims)
    }

    /// What to ask a block, by its number.
    pub fn question(&self, block: usize) -> Result<Vec<u8>> {
        if self.blocks != 0 && block >= self.blocks {
            return Err(invalid(format_args!(
                "there are {} blocks; there is none of number {block}",
                self.blocks
            )));
        }
        let wanted = match self.plan.wanted(block) {
            Wanted::Sum => Asked::Sum,
            Wanted::Rows(positions) => Asked::Rows(copy(positions, PURPOSE)?),
            Wanted::Weights => Asked::Weights,
        };
        let metric = self.metric;
        Question { metric, wanted }.to_bytes()
    }

    /// n_clusters × dimensions, with cosine unit vectors; `None` while there are
    /// more questions.
    pub fn centroids(&self) -> Option<ArrayView2<'_, f32>> {
        let values = self.centroids.as_ref()?;
        Some(view(values, self.dims))
    }

    /// Takes the answers of all blocks, in the order of their rows. The last time
    /// it chooses among what was drawn: O(k²·d) for k clusters, or a little more than
    /// O(k·√k·d) for many.
    ///
    /// An error, and no change, unless they all answer this question; also if there
    /// are fewer rows than clusters.
    pub fn take<B: AsRef<[u8]>>(&mut self, answers: &[B], options: RunOptions<'_>) -> Result<()> {
        if self.centroids.is_some() {
            return Err(invalid(
                "the seeding has asked all its questions; make a new one for other rows",
            ));
        }
        let answers = self.read(answers)?;
        let mut sums: Vec<Amount> = with_capacity(answers.len(), PURPOSE)?;
        sums.extend(answers.iter().map(|answer| answer.sum));
        match self.plan.step() {
            Step::Rows => {
                let mut new = Vec::new();
                for answer in &answers {
                    append(&mut new, &answer.values, PURPOSE)?;
                }
                without_repeats(&mut new, self.dims, |_| Ok(()))?;
                append(&mut self.candidates, &new, PURPOSE)?;
                self.plan.drawn(new.len() / self.dims);
                Ok(())
            }
            Step::Weights => self.choose(&answers, &sums, options),
            Step::Sum | Step::Done => {
                if self.blocks == 0 {
                    self.begin(&answers, &sums)?;
                }
                self.plan.summed(&sums, &mut self.rng)
            }
        }
    }

    /// The answers, if they are of this question.
    fn read<B: AsRef<[u8]>>(&self, answers: &[B]) -> Result<Vec<Answer>> {
        if answers.is_empty() || (self.blocks != 0 && answers.len() != self.blocks) {
            return Err(invalid(format_args!(
                "{} answers for {} blocks; pass one of each, in order",
                answers.len(),
                self.blocks.max(1)
            )));
        }
        let mut read: Vec<Answer> = with_capacity(answers.len(), PURPOSE)?;
        for bytes in answers {
            let (metric, answer) = Answer::from_bytes(bytes.as_ref())?;
            if metric != self.metric {
                return Err(invalid(format_args!(
                    "a block with the {} distance can't answer a seeding with the {}; make both \
                     with the same",
                    metric.name(),
                    self.metric.name()
                )));
            }
            let dims = read.first().map_or(self.dims, |first| first.dims);
            if dims != 0 && answer.dims != dims {
                return Err(KMeansError::DimensionMismatch {
                    expected: dims,
                    actual: answer.dims,
                });
            }
            self.check(&answer, read.len())?;
            push(&mut read, answer, PURPOSE)?;
        }
        Ok(read)
    }

    fn check(&self, answer: &Answer, block: usize) -> Result<()> {
        let candidates = self.candidates.len().checked_div(self.dims).unwrap_or(0);
        let (most, weights) = match self.plan.wanted(block) {
            Wanted::Rows(positions) => (positions.len(), 0),
            Wanted::Weights => (0, candidates),
            Wanted::Sum => (0, 0),
        };
        if answer.candidates != candidates || answer.weights.len() != weights {
            return Err(invalid(format_args!(
                "the answer of block {block} is one to another question; ask all blocks anew"
            )));
        }
        let rows = answer.values.len() / answer.dims;
        match rows > most || (rows == 0 && most > 0) {
            true => Err(wrong("values", "not the rows that were asked for")),
            false => Ok(()),
        }
    }

    /// Takes what blocks tell of their rows.
    fn begin(&mut self, answers: &[Answer], sums: &[Amount]) -> Result<()> {
        let (mut rows, mut unrepeated, mut last) = (0u64, 0u64, None);
        for answer in answers {
            let (own, ends) = (answer.ends.unrepeated, &answer.ends);
            let known = (own == 0, ends.values.is_empty());
            if known.0 != known.1 || own > ends.rows || ends.rows > 1 << 48 {
                return Err(broken("it tells of rows that no block has"));
            }
            rows = rows.saturating_add(ends.rows);
            if own == 0 {
                continue;
            }
            let (first, end) = ends.values.split_at(answer.dims);
            let repeats = last.is_some_and(|last: &[f32]| last == first);
            unrepeated = unrepeated.saturating_add(own - u64::from(repeats));
            last = Some(end);
        }
        let total = sums.iter().fold(Amount::ZERO, |total, sum| total.plus(sum));
        if rows < self.n_clusters as u64 && total.value() < self.n_clusters as f64 || rows == 0 {
            return Err(KMeansError::InsufficientPoints(
                rows as usize,
                self.n_clusters,
            ));
        }
        self.dims = answers[0].dims;
        self.blocks = answers.len();
        self.rows = usize::try_from(unrepeated).unwrap_or(usize::MAX);
        Ok(())
    }

    fn choose(
        &mut self,
        answers: &[Answer],
        sums: &[Amount],
        options: RunOptions<'_>,
    ) -> Result<()> {
        let candidates = self.candidates.len() / self.dims;
        let weights = (0..candidates).map(|candidate| {
            let own = answers.iter().map(|answer| &answer.weights[candidate]);
            own.fold(Amount::ZERO, |sum, own| sum.plus(own)).value()
        });
        let weights: Vec<f64> = collect(weights, "seeding weights")?;
        let points = Points::from(view(&self.candidates, self.dims));
        let work = self.candidates.len() as f64 * self.n_clusters as f64;
        let threads = Threads::new(options, work)?;
        let shared = Shared::new(&points, self.metric, None)?;
        let counts = (self.n_clusters, self.rows);
        let mut rng = self.rng.clone();
        let picked = pick((&points, &weights), counts, &shared, &mut rng, &threads)?;
        self.plan.weighed(picked, sums, &mut rng, false)?;
        self.rng = rng;
        if self.plan.step() == Step::Done {
            let seeds = self.plan.seeds(candidates, &mut self.rng)?;
            let mut centroids = with_capacity(seeds.len() * self.dims, "centroids")?;
            for seed in seeds {
                centroids.extend_from_slice(&self.candidates[seed * self.dims..][..self.dims]);
            }
            for centroid in centroids.chunks_exact_mut(self.dims) {
                self.metric.normalize(centroid);
            }
            self.centroids = Some(centroids);
        }
        Ok(())
    }
}

fn view(values: &[f32], dims: usize) -> ArrayView2<'_, f32> {
    let rows = values.len().checked_div(dims).unwrap_or(0);
    ArrayView2::from_shape((rows, dims), values).expect("rows x dims values")
}
