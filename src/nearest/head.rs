//! The 8-bit engine: codes of the principal coordinates rule out nearly all
//! centroids by a proven bound; canonical distances decide the rest.
//!
//! For each row, the canonical distance to the centroid it belonged to before
//! gives the score to beat. A sweep over all centroids compares the first
//! dimensions of the codes, a look at the whole codes follows for the pairs
//! that pass, and exact arithmetic for the few that are left.

use super::codes::{Rest, RowCodes};
use super::frame::{CentroidTerms, Frame, RowBound};
use super::reference::nearest_of;
use super::search::{repeated, zero_label};
use super::tile::Kernels;
use super::vnni::{CodePanels, CodeRows, Hit, PANEL, Terms, dot_codes, sum_codes};
use super::{Centroids, Row};
use crate::error::{Result, try_vec};
use crate::points::Points;

/// Rows of a block, in bytes of float32.
const BLOCK_BYTES: usize = 256 << 10;
/// Rows that the number of dimensions to sweep is chosen by.
const SAMPLE: usize = 128;

/// Costs in cycles, roughly; they guide choices and change no result.
mod cost {
    pub const SWEEP_PER_DIM: f64 = 1.0 / 120.0;
    pub const SWEEP: f64 = 0.15;
    pub const CODE: f64 = 25.0;
    pub const FLOAT: f64 = 40.0;
    pub const FLOAT_PER_DIM: f64 = 0.15;
    pub const EXACT: f64 = 50.0;
    pub const EXACT_PER_DIM: f64 = 0.3;
    pub const TILE_PER_DIM: f64 = 1.0 / 28.0;
}

/// A mean and the extremes of the factor that it is multiplied with.
#[derive(Clone, Copy)]
struct Fold {
    typical: f64,
    least: f64,
    most: f64,
}

impl Fold {
    fn new(typical: f64, factors: impl Iterator<Item = f64>) -> Self {
        let (least, most) = factors.fold((f64::INFINITY, 0.0f64), |(least, most), factor| {
            (least.min(factor), most.max(factor))
        });
        Fold {
            typical,
            least: least.min(most),
            most,
        }
    }

    /// How much `value` · factor may exceed `typical` · factor.
    fn excess(&self, value: f64) -> f64 {
        let over = value - self.typical;
        over * if over > 0.0 { self.most } else { self.least }
    }
}

/// Bounds for a sweep over the first `levels` blocks of dimensions.
struct Level {
    terms: Terms,
    /// Row residual × centroid head norm.
    residual: Fold,
    /// Row head norm × centroid residual.
    head: Fold,
    /// Row norm × centroid norm: rounding.
    cross: Fold,
}

/// A centroid beside its code.
#[derive(Clone, Copy, Default)]
struct Coded {
    unit: f32,
    /// b and what does not depend on the row; −∞ for one that is left out.
    start: f32,
    norm: f32,
}

pub(super) struct HeadSearch<'a> {
    frame: &'a Frame,
    rows: &'a RowCodes,
    centroids: Centroids<'a>,
    panels: CodePanels,
    /// k × head, offset by 128.
    codes: Vec<u8>,
    coded: Vec<Coded>,
    /// k × dims: v, for float32 scores, with their terms.
    values: Vec<f32>,
    terms: Vec<CentroidTerms>,
    kernels: Kernels,
    /// k × levels: norm of the code's coordinates; rest.
    head_norms: Vec<f32>,
    rests: Vec<Rest>,
    level: Level,
    levels: usize,
    always: Vec<u32>,
    zero_label: u32,
}

/// A worker's buffers.
#[derive(Default)]
pub(super) struct HeadScratch {
    terms: CodeRows,
    hits: Vec<Hit>,
    guesses: Vec<u32>,
    leaders: Vec<Leader>,
    /// Pairs that the sweep let pass, that whole codes did, that float32 did.
    passed: [usize; 3],
}

/// The best centroid of a row so far.
#[derive(Clone, Copy)]
struct Leader {
    label: u32,
    distance: f64,
    /// With bias.
    value: f64,
    /// A lower bound of its score, so what others must reach.
    score: f64,
    /// Scale of the row, and the bound of its float32 scores.
    scale: f32,
    bound: RowBound,
}

impl<'a> HeadSearch<'a> {
    /// `labels` tells what the rows belonged to before. `None` if float32
    /// tiles are likely faster and this engine isn't forced.
    pub fn new(
        frame: &'a Frame,
        rows: &'a RowCodes,
        points: &Points<'_>,
        centroids: Centroids<'a>,
        kernels: Kernels,
        labels: &[u32],
        forced: bool,
    ) -> Result<Option<Self>> {
        const PURPOSE: &str = "centroid codes";
        let (count, dims, head) = (centroids.len(), centroids.dims, rows.coder.head);
        let (levels, padded) = (rows.coder.levels(), count.next_multiple_of(PANEL));
        let mut search = HeadSearch {
            frame,
            rows,
            centroids,
            panels: CodePanels {
                codes: try_vec(128u8, padded * head, PURPOSE)?,
                units: try_vec(0.0, padded, PURPOSE)?,
                stride: head,
            },
            codes: try_vec(128u8, count * head, PURPOSE)?,
            coded: try_vec(Coded::default(), count, PURPOSE)?,
            values: try_vec(0.0, count * dims, PURPOSE)?,
            terms: try_vec(CentroidTerms::default(), count, PURPOSE)?,
            kernels,
            head_norms: try_vec(0.0, count * levels, PURPOSE)?,
            rests: try_vec(Rest::default(), count * levels, PURPOSE)?,
            level: Level {
                terms: Terms {
                    dims: 0,
                    starts: Vec::new(),
                    tails: Vec::new(),
                },
                residual: Fold::new(0.0, std::iter::empty()),
                head: Fold::new(0.0, std::iter::empty()),
                cross: Fold::new(0.0, std::iter::empty()),
            },
            levels,
            always: Vec::new(),
            zero_label: zero_label(centroids),
        };
        search.encode_centroids()?;
        let mut best: Option<(f64, usize)> = None;
        for levels in 1..=levels {
            search.use_levels(levels)?;
            let cost = search.cost(points, labels);
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, levels));
            }
        }
        let (cost, levels) = best.unwrap_or((f64::INFINITY, 1));
        search.use_levels(levels)?;
        if std::env::var("KDEBUG").is_ok() {
            eprintln!("levels {levels} cost {cost} head {}", head);
        }
        let tile = cost::TILE_PER_DIM * (dims * count) as f64;
        Ok((forced || cost < tile).then_some(search))
    }

    fn encode_centroids(&mut self) -> Result<()> {
        let kernels = self.kernels;
        let (count, dims, head) = (
            self.centroids.len(),
            self.centroids.dims,
            self.panels.stride,
        );
        let (levels, width) = (self.rows.coder.levels(), kernels.shape.width);
        let coder = &self.rows.coder;
        let basis = &self.rows.basis.panels;
        let repeated = repeated(self.centroids)?;
        let mut packed = try_vec(0.0f32, width * dims, "centroids")?;
        let mut squares = vec![0.0f32; width];
        let mut scores = try_vec(0.0f32, width * basis.starts.len(), "centroids")?;
        let mut coordinates = vec![0.0f32; head];
        let mut signed = vec![0i8; head];
        let scales = vec![self.frame.scale; width];
        for first in (0..count).step_by(width) {
            let tile = first..count.min(first + width);
            let rows = &self.centroids.values[tile.start * dims..tile.end * dims];
            let scales = &scales[..tile.len()];
            kernels.pack(
                rows,
                scales,
                &self.frame.scaled_centre,
                &mut packed,
                &mut squares,
            );
            kernels.scores(&packed, basis, &mut scores);
            for j in tile {
                self.coded[j].start = f32::NEG_INFINITY;
                if repeated.binary_search(&(j as u32)).is_ok() {
                    continue;
                }
                let Some(terms) =
                    self.frame
                        .centroid(self.centroids, j, &mut self.values[j * dims..][..dims])
                else {
                    self.always.push(j as u32);
                    continue;
                };
                self.terms[j] = terms;
                let CentroidTerms {
                    offset,
                    norm,
                    error,
                } = terms;
                for (t, value) in coordinates.iter_mut().enumerate() {
                    *value = scores[t * width + j - first];
                }
                let norm = norm * 1.00001;
                let rests = &mut self.rests[j * levels..][..levels];
                let unit = coder.encode(&coordinates, norm, &mut signed, rests);
                self.coded[j] = Coded {
                    unit,
                    start: (offset + error) as f32,
                    norm: (norm * 1.00001) as f32,
                };
                self.panels.units[j] = unit;
                let panel = &mut self.panels.codes[j / PANEL * PANEL * head..][..PANEL * head];
                for (t, &code) in signed.iter().enumerate() {
                    let code = (i16::from(code) + 128) as u8;
                    self.codes[j * head + t] = code;
                    panel[t / 4 * 4 * PANEL + j % PANEL * 4 + t % 4] = code;
                }
                for (level, &rest) in rests.iter().enumerate() {
                    let norm = coder.head_norm(norm, rest);
                    self.head_norms[j * levels + level] = (norm * 1.00001) as f32;
                }
            }
        }
        Ok(())
    }

    /// Prepares sweeps over the first `count` blocks of dimensions.
    fn use_levels(&mut self, count: usize) -> Result<()> {
        let (levels, at) = (self.rows.coder.levels(), count - 1);
        let sample = Sample::new(self.rows, at);
        let padded = self.panels.units.len();
        let used = || (0..self.coded.len()).filter(|&j| self.coded[j].start > f32::NEG_INFINITY);
        let head_norm = |j: usize| f64::from(self.head_norms[j * levels + at]);
        let residual = |j: usize| f64::from(self.rests[j * levels + at].residual);
        let cross = self.rows.coder.cross_slack();
        let norm = |j: usize| cross * f64::from(self.coded[j].norm);
        let level = Level {
            residual: Fold::new(sample.residual, used().map(head_norm)),
            head: Fold::new(sample.head, used().map(residual)),
            cross: Fold::new(sample.norm, used().map(norm)),
            terms: Terms {
                dims: count * super::basis::LEVEL,
                starts: {
                    let mut starts = try_vec(f32::NEG_INFINITY, padded, "centroid bounds")?;
                    for j in used() {
                        let start = f64::from(self.coded[j].start)
                            + sample.residual * head_norm(j)
                            + sample.head * residual(j)
                            + sample.norm * norm(j);
                        starts[j] = (start + 1e-6 * start.abs()) as f32;
                    }
                    starts
                },
                tails: {
                    let mut tails = try_vec(0.0f32, padded, "centroid bounds")?;
                    for j in used() {
                        tails[j] = self.rests[j * levels + at].tail;
                    }
                    tails
                },
            },
        };
        self.level = level;
        self.levels = count;
        Ok(())
    }

    /// Cycles a row takes, by the pairs of a sample that pass.
    fn cost(&self, points: &Points<'_>, labels: &[u32]) -> f64 {
        let rows = points.rows();
        let count = rows.min(SAMPLE);
        let (mut seen, mut scratch) = (0.0, HeadScratch::default());
        let mut values = Vec::new();
        // Neighbouring rows share a tile: eight at a time.
        for group in 0..count.div_ceil(8) {
            let first = (group as u128 * 8 * rows as u128 / count as u128) as usize;
            let last = rows.min(first + 8);
            let block = points.block(first..last, &mut values);
            self.search(first, block, &labels[first..last], &mut scratch);
            seen += (last - first) as f64;
        }
        let [pairs, whole, exact] = scratch.passed.map(|pairs| pairs as f64 / seen);
        let dims = self.centroids.dims as f64;
        let sweep = cost::SWEEP + cost::SWEEP_PER_DIM * self.level.terms.dims as f64;
        self.centroids.len() as f64 * sweep
            + pairs * cost::CODE
            + whole * (cost::FLOAT + cost::FLOAT_PER_DIM * dims)
            + (1.0 + exact) * (cost::EXACT + cost::EXACT_PER_DIM * dims)
    }

    /// Calls `found` with each row's number in the block, the distance of its
    /// nearest centroid, and that. `first` is the number of the first row
    /// among all, `labels` says what the rows belonged to before.
    pub fn assign(
        &self,
        first: usize,
        values: &[f32],
        labels: &[u32],
        scratch: &mut HeadScratch,
        mut found: impl FnMut(usize, f64, u32),
    ) {
        let dims = self.centroids.dims;
        let rows = (BLOCK_BYTES / (4 * dims)).clamp(16, 512) / 8 * 8;
        let blocks = values.chunks(rows * dims).zip(labels.chunks(rows));
        for (block, (values, labels)) in blocks.enumerate() {
            self.search(first + block * rows, values, labels, scratch);
            for (i, leader) in scratch.leaders.iter().enumerate() {
                found(block * rows + i, leader.distance, leader.label);
            }
        }
    }

    /// Finds each row's nearest centroid and leaves it in `leaders`.
    fn search(&self, first: usize, values: &[f32], labels: &[u32], scratch: &mut HeadScratch) {
        let (dims, head) = (self.centroids.dims, self.panels.stride);
        let count = labels.len();
        let codes = &self.rows.codes[first * head..(first + count) * head];
        let HeadScratch {
            terms,
            hits,
            guesses,
            leaders,
            passed,
        } = scratch;
        let level = &self.level.terms;
        self.row_terms(first, codes, terms);
        let known = |label: u32| (label as usize) < self.centroids.len();
        if !labels.iter().all(|&label| known(label)) {
            self.panels.guess(level, codes, terms, guesses);
        }
        leaders.clear();
        for (i, (values, &label)) in values.chunks_exact(dims).zip(labels).enumerate() {
            let row = self.rows.row(first + i, values, self.frame.metric);
            let coded = self.rows.units[first + i] > 0.0;
            let label = if !coded {
                self.without_code(&row)
            } else if known(label) {
                label
            } else {
                guesses[i].min(self.centroids.len() as u32 - 1)
            };
            let leader = self.measure(first + i, &row, label);
            if coded {
                terms.thresholds[i] = self.threshold(first + i, leader.score);
            }
            leaders.push(leader);
        }
        self.panels.sweep(level, codes, terms, hits);
        for hit in hits.iter() {
            let (i, mut mask) = (hit.row as usize, hit.mask);
            let row = || {
                self.rows
                    .row(first + i, &values[i * dims..][..dims], self.frame.metric)
            };
            while mask != 0 {
                let j = hit.panel * PANEL as u32 + mask.trailing_zeros();
                mask &= mask - 1;
                let leader = &mut leaders[i];
                if j == leader.label {
                    continue;
                }
                passed[0] += 1;
                let bound = self.code_bound(first + i, j as usize);
                if f64::from(bound) < leader.score {
                    continue;
                }
                passed[1] += 1;
                let row = row();
                if self.float_bound(&row, j as usize, leader) >= leader.score {
                    passed[2] += 1;
                    self.challenge(first + i, &row, j, leader);
                }
            }
        }
        if !self.always.is_empty() {
            for (i, (values, leader)) in values.chunks_exact(dims).zip(leaders).enumerate() {
                let row = self.rows.row(first + i, values, self.frame.metric);
                for &j in &self.always {
                    self.challenge(first + i, &row, j, leader);
                }
            }
        }
    }

    /// The row's distance from centroid j, in the form of a leader.
    fn measure(&self, i: usize, row: &Row<'_>, j: u32) -> Leader {
        let distance = row.distance(self.centroids.row(j as usize));
        let value = distance + self.centroids.bias(j as usize);
        let base = self.rows.bases[i];
        let score = base - self.frame.score_per_distance() * value;
        let price = self.frame.score_per_distance() * self.centroids.bias(j as usize);
        Leader {
            label: j,
            distance,
            value,
            score: score - self.frame.score_slack(base + price.abs(), score),
            scale: self.frame.row_scale(row).unwrap_or(0.0),
            bound: self.frame.row_bound(f64::from(self.rows.norms[i])),
        }
    }

    fn challenge(&self, i: usize, row: &Row<'_>, j: u32, leader: &mut Leader) {
        let rival = self.measure(i, row, j);
        if (rival.value, rival.label) < (leader.value, leader.label) {
            *leader = rival;
        }
    }

    /// Fills in what the sweep needs of the rows; thresholds that nothing
    /// reaches.
    fn row_terms(&self, first: usize, codes: &[i8], terms: &mut CodeRows) {
        let (levels, at) = (self.rows.coder.levels(), self.levels - 1);
        let (head, count) = (self.panels.stride, codes.len() / self.panels.stride);
        terms.starts.clear();
        let sums = codes
            .chunks_exact(head)
            .map(|c| sum_codes(&c[..self.level.terms.dims]));
        terms.starts.extend(sums.map(|sum| -128 * sum));
        terms.units.clear();
        terms
            .units
            .extend_from_slice(&self.rows.units[first..first + count]);
        terms.tails.clear();
        let rests = self.rows.rests[first * levels..(first + count) * levels].chunks_exact(levels);
        terms.tails.extend(rests.map(|rests| rests[at].tail));
        terms.thresholds.clear();
        terms.thresholds.resize(count, f32::INFINITY);
    }

    /// The label of a row that float32 can't hold, or of a zero row.
    fn without_code(&self, row: &Row<'_>) -> u32 {
        if row.inverse_norm() == 0.0 {
            self.zero_label
        } else {
            nearest_of(row, self.centroids, 0..self.centroids.len() as u32)
        }
    }

    /// What the sweep compares the row's bounds with.
    fn threshold(&self, i: usize, score: f64) -> f32 {
        let coder = &self.rows.coder;
        let norm = f64::from(self.rows.norms[i]);
        let rest = self.rows.rests[i * coder.levels() + self.levels - 1];
        let excess = [
            self.level.residual.excess(f64::from(rest.residual)),
            self.level
                .head
                .excess(coder.head_norm(norm, rest) + f64::from(rest.residual)),
            self.level.cross.excess(norm),
        ];
        let size: f64 = excess.iter().map(|e| e.abs()).sum::<f64>() + score.abs();
        (score - excess.iter().sum::<f64>() - 1e-6 * size) as f32
    }

    /// An upper bound of the score by the whole codes.
    #[inline]
    fn code_bound(&self, i: usize, j: usize) -> f32 {
        let (levels, head) = (self.rows.coder.levels(), self.panels.stride);
        let row_codes = &self.rows.codes[i * head..][..head];
        let dot = dot_codes(&self.codes[j * head..][..head], row_codes);
        let sum = self.rows.sums[i];
        let at = levels - 1;
        let (row, centroid) = (
            self.rows.rests[i * levels + at],
            self.rests[j * levels + at],
        );
        let (norm, coded) = (self.rows.norms[i], self.coded[j]);
        let score = self.rows.units[i] * coded.unit * (dot - 128 * sum) as f32 + coded.start;
        let row_head = self.rows.head_norms[i] + row.residual;
        let error = row.residual * self.head_norms[j * levels + at]
            + row_head * centroid.residual
            + row.tail * centroid.tail
            + self.rows.coder.cross_slack() as f32 * norm * coded.norm;
        score + 1.00001 * error + 1e-6 * coded.start.abs()
    }

    /// An upper bound of the score by float32 arithmetic in all dimensions.
    fn float_bound(&self, row: &Row<'_>, j: usize, leader: &Leader) -> f64 {
        let v = &self.values[j * row.values.len()..][..row.values.len()];
        let centre = &self.frame.scaled_centre;
        let product = self.kernels.pair(row.values, leader.scale, centre, v);
        let CentroidTerms {
            offset,
            norm,
            error,
        } = self.terms[j];
        f64::from(product) + offset + leader.bound.slope * norm + leader.bound.constant + error
    }
}

/// Means over some rows, for [`Fold`].
struct Sample {
    residual: f64,
    head: f64,
    norm: f64,
}

impl Sample {
    fn new(rows: &RowCodes, at: usize) -> Self {
        let (levels, len) = (rows.coder.levels(), rows.units.len());
        let picks = (0..len)
            .step_by(len.div_ceil(1024))
            .filter(|&i| rows.units[i] > 0.0);
        let mut sums = Sample {
            residual: 0.0,
            head: 0.0,
            norm: 0.0,
        };
        let mut count: f64 = 0.0;
        for i in picks {
            let rest = rows.rests[i * levels + at];
            let norm = f64::from(rows.norms[i]);
            sums.residual += f64::from(rest.residual);
            sums.head += rows.coder.head_norm(norm, rest) + f64::from(rest.residual);
            sums.norm += norm;
            count += 1.0;
        }
        let count = count.max(1.0);
        Sample {
            residual: sums.residual / count,
            head: sums.head / count,
            norm: sums.norm / count,
        }
    }
}
