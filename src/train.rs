//! Which algorithm runs, how often, and from where.

use crate::allocate::{copy, push, try_vec};
use crate::clusters::Clusters;
use crate::clusters::UNASSIGNED;
use crate::config::{Config, Init, Quality};
use crate::error::Result;
use crate::fit::Fit;
use crate::kmeans::lloyd;
use crate::kmeans::single_moves::move_single_rows;
use crate::kmeans::swaps::{DenseSet, Effort, InMemory, SparseInMemory, SparseSet, swap_centroids};
use crate::kmeans::tree;
use crate::nearest::{AnyCentroids, Centroids, Nearest};
use crate::rng::Rng;
use crate::text::text;
use crate::threads::{Event, Threads};
use crate::totals::ExactSum;
use crate::unrepeated::Unrepeated;
use crate::{balanced, medoids, memory, seeding};
use std::time::Instant;

/// Runs that end within this fraction of each other have found the same, maybe
/// with other numbers for the clusters: rounding must not choose.
const EQUAL: f64 = 1e-9;

/// Trains by the algorithm that is asked for. `before`: the centroids of fewer
/// clusters, which the first run starts from; not for K-medoids.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    before: Option<Vec<f32>>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let bounded = config.bounds_sizes(nearest.points().rows());
    let (points, per_row) = (nearest.points(), bytes_per_row(config, bounded));
    let shape = (config.n_clusters, points.cols());
    let least = memory::floor(points.rows(), per_row, shape, threads.count());
    let _reserved = nearest.budget().reserve(least);
    let mut fit = match config.use_medoids && !bounded {
        true => medoids::fit(nearest, config, threads, start)?,
        false if bounded => best_run(nearest, config, bounded, before, threads, start)?,
        false => best_of_positive(nearest, config, before, threads, start)?,
    };
    if bounded || config.use_medoids {
        fit.warn_of_empty(points, config.metric)?;
    }
    if points.is_sparse()
        && let Some(limit) = config.memory_limit
    {
        fit.warn_of_large_centroids(limit)?;
    }
    if points.is_weighted() {
        let weight = |row| points.weight(row);
        fit.weights = cluster_weights(weight, &fit.labels, config.n_clusters, threads)?;
    }
    if config.balanced && !bounded {
        // Any sizes will do: nothing has a price.
        fit.prices = Some(try_vec(0.0, config.n_clusters, "prices")?);
        fit.balance_gap = Some(0.0);
    }
    Ok(fit)
}

/// What the points of each cluster weigh together.
pub(crate) fn cluster_weights(
    weight: impl Fn(usize) -> f64 + Sync,
    labels: &[u32],
    n_clusters: usize,
    threads: &Threads<'_>,
) -> Result<Vec<f64>> {
    let clusters = Clusters::from_labels(labels, 1, n_clusters, threads)?;
    let mut weights = try_vec(0.0, n_clusters, "cluster sizes")?;
    let tasks = weights.iter_mut().enumerate();
    threads.run(
        tasks,
        || (),
        |(), (j, out): (usize, &mut f64)| {
            let mut all = ExactSum::default();
            let members = clusters.members(j).iter();
            members.for_each(|&row| all.add(weight(row as usize)));
            *out = all.value();
        },
    )?;
    Ok(weights)
}

/// Bytes that the state of a row takes, at most.
fn bytes_per_row(config: &Config, bounded: bool) -> u64 {
    match (bounded, config.use_medoids) {
        (true, _) => 256,
        (false, true) => 64,
        (false, false) => 48,
    }
}

/// The best run among the rows of positive weight. The others, which count for
/// nothing, are labelled by what it found.
fn best_of_positive(
    nearest: &mut Nearest<'_>,
    config: &Config,
    before: Option<Vec<f32>>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    const PURPOSE: &str = "rows of positive weight";
    let points = nearest.points();
    let (mut positive, mut others) = (Vec::new(), Vec::new());
    if points.is_weighted() {
        threads.in_steps(points.rows(), |part| {
            for row in part {
                let rows = match points.weight(row) > 0.0 {
                    true => &mut positive,
                    false => &mut others,
                };
                push(rows, row as u32, PURPOSE)?;
            }
            Ok(())
        })?;
    }
    if others.is_empty() {
        let mut fit = best_run(nearest, config, false, before, threads, start)?;
        fit.warn_of_empty(points, config.metric)?;
        return Ok(fit);
    }
    let weighing = points.select(&positive);
    let shape = (positive.len(), points.cols());
    let mut among = nearest.child(&weighing, searches(config, takes_tree(config, shape)));
    let mut fit = best_run(&mut among, config, false, before, threads, start)?;
    fit.warn_of_empty(&weighing, config.metric)?;
    let left = points.select(&others);
    let mut found = threads.try_vec(UNASSIGNED, others.len(), "labels")?;
    let mut among = nearest.child(&left, 1);
    among.label(&fit.centroids, (&mut found, None), threads)?;
    let mut labels = threads.try_vec(UNASSIGNED, points.rows(), "labels")?;
    let known = positive.iter().zip(&fit.labels);
    for (&row, &label) in known.chain(others.iter().zip(&found)) {
        labels[row as usize] = label;
    }
    fit.set_labels(labels);
    Ok(fit)
}

/// Does so many runs, fewer where training is to stop; each puts what it comes to in the
/// place of the best so far.
pub(crate) fn best_of(
    runs: usize,
    config: &Config,
    threads: &Threads<'_>,
    mut run: impl FnMut(&mut Option<Fit>) -> Result<()>,
) -> Result<Fit> {
    let mut best = None;
    for number in 1..=runs {
        if threads.stopping() && best.is_some() {
            break;
        }
        if number > 1 {
            threads.next_run();
        }
        if config.verbose && runs > 1 {
            let line = text(format_args!("run {number} of {runs}"));
            threads.tell(Event::Message(&line))?;
        }
        run(&mut best)?;
    }
    Ok(best.expect("n_init is at least 1"))
}

/// Puts a fit in the place of the best if it is better; returns whether it is.
pub(crate) fn keep_better(best: &mut Option<Fit>, fit: Fit) -> bool {
    let is_better = |best: &Fit| fit.inertia < best.inertia * (1.0 - EQUAL);
    let is_better = best.as_ref().is_none_or(is_better);
    if is_better {
        *best = Some(fit);
    }
    is_better
}

/// The best of `n_init` runs, each from seeds of its own.
fn best_run(
    nearest: &mut Nearest<'_>,
    config: &Config,
    bounded: bool,
    mut before: Option<Vec<f32>>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let mut rng = Rng::new(config.seed);
    let rows = &Unrepeated::find(nearest.points(), threads)?;
    let points = nearest.points();
    let tree = takes_tree(config, (rows.count(points.rows()), points.cols()));
    let given = matches!(config.init(), Init::Centroids(_));
    let runs = match given && effort(config, tree).is_none() {
        true => 1, // all runs would be the same
        false => config.n_init,
    };
    let mut best_cells = None;
    let mut best = best_of(runs, config, threads, |best| {
        let tree = tree && before.is_none();
        let effort = effort(config, tree);
        let (mut cells, mut likely) = (None, None);
        let seeds = match before.take() {
            Some(fewer) => {
                let all = seeding::extend(nearest, rows, config, fewer, &mut rng, threads)?;
                AnyCentroids::of_values(all, config.n_clusters)?
            }
            None if tree => {
                let tree = tree::grow(nearest, rows, config, &mut rng, threads)?;
                (cells, likely) = (Some(tree.cells), Some(tree.labels));
                AnyCentroids::of_values(tree.centroids, config.n_clusters)?
            }
            None => {
                let sparse = !bounded && nearest.sparse_engine().is_some();
                let mut rows = seeding::InMemory::new(nearest, rows);
                seeding::draw(&mut rows, config, sparse, &mut rng, threads)?
            }
        };
        let starts = match effort {
            None => [Some(seeds), None, None],
            // Swaps know no bounds on sizes: they are not all that is tried.
            Some(effort) if bounded && config.quality == Quality::Best => {
                let first = || copy(seeds.values()?, "centroids");
                let from = AnyCentroids::of_values(first()?, config.n_clusters)?;
                let swapped = swapped(nearest, rows, config, from, effort, &mut rng, threads)?;
                let relaxed = balanced::relax(nearest, config, first()?, threads)?;
                let relaxed = AnyCentroids::of_values(relaxed, config.n_clusters)?;
                [Some(seeds), Some(relaxed), Some(swapped)]
            }
            Some(effort) => {
                let swapped = swapped(nearest, rows, config, seeds, effort, &mut rng, threads)?;
                [Some(swapped), None, None]
            }
        };
        for centroids in starts.into_iter().flatten() {
            let fit = if bounded {
                balanced::fit(nearest, config, centroids.into_values()?, threads, start)?
            } else {
                let from = (centroids, likely.take().filter(|_| effort.is_none()));
                let fit = lloyd::fit(nearest, config, from, threads, start)?;
                match config.quality {
                    Quality::Best => move_single_rows(nearest, rows, config, fit, threads, start)?,
                    Quality::Default | Quality::Fast => fit,
                }
            };
            if keep_better(best, fit) {
                best_cells = cells.take().or(best_cells.take());
            }
            if threads.stopping() {
                break;
            }
        }
        Ok(())
    })?;
    if bounded && config.quality == Quality::Best {
        best = balanced::random_swap(nearest, config, best, &mut rng, threads, start)?;
    }
    if let Some(cells) = best_cells {
        let centroids = Centroids::new(best.centroid_values()?, nearest.points().cols());
        best.parents = Some(tree::parents(nearest, &cells, centroids, threads)?);
    }
    Ok(best)
}

/// [`swap_centroids`] of rows in memory.
fn swapped(
    nearest: &mut Nearest<'_>,
    rows: &Unrepeated,
    config: &Config,
    centroids: AnyCentroids,
    effort: Effort,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<AnyCentroids> {
    let (dims, metric) = (nearest.points().cols(), nearest.metric());
    if let Some(isa) = nearest.sparse_engine() {
        let vectors = centroids.vectors(metric)?;
        drop(centroids);
        let mut clusters = SparseInMemory::new((nearest, isa), rows, &vectors, threads)?;
        let first = SparseSet {
            vectors,
            dims,
            metric,
        };
        let swapped = swap_centroids(&mut clusters, config, first, effort, rng, threads)?;
        return Ok(AnyCentroids::of_vectors(swapped.vectors, dims));
    }
    let values = centroids.into_values()?;
    let first = DenseSet { values, dims };
    let mut partition = InMemory::new(nearest, rows, first.lend(), threads)?;
    let swapped = swap_centroids(&mut partition, config, first, effort, rng, threads)?;
    AnyCentroids::of_values(swapped.values, config.n_clusters)
}

/// Whether the first centroids of rows × columns, which don't repeat, come from a tree.
pub(crate) fn takes_tree(config: &Config, (rows, cols): (usize, usize)) -> bool {
    match config.init() {
        Init::Tree => true,
        Init::Auto => {
            let pays = tree::pays(rows, config.n_clusters, cols);
            pays && !config.use_medoids && !config.balanced
        }
        _ => false,
    }
}

/// Searches for the nearest centroids that training takes, unless it ends early; from a
/// tree or not.
pub(crate) fn searches(config: &Config, tree: bool) -> usize {
    /// Batches of swaps that are likely tried.
    const ROUNDS: usize = 8;
    let swaps = effort(config, tree).map_or(0, |effort| effort.rounds.min(ROUNDS) * 4);
    let run = config.iterations.saturating_add(1 + swaps);
    run.saturating_mul(config.n_init)
}

/// What a run does against local minima before it iterates, from a tree or not.
pub(crate) fn effort(config: &Config, tree: bool) -> Option<Effort> {
    let given = matches!(config.init(), Init::Centroids(_));
    match config.quality {
        Quality::Fast => None,
        // Who gives centroids wants to start there, and trees have exchanges of their
        // own. And a round is as much work as four iterations: few iterations, few
        // rounds.
        Quality::Default if given || tree || config.iterations < 8 => None,
        Quality::Default => Some(Effort {
            rounds: (config.iterations / 8).min(3),
            patience: 1,
            leniency: 0,
        }),
        Quality::Best => Some(Effort {
            rounds: 100,
            patience: 8,
            leniency: 1,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owned::TryArc;

    #[test]
    fn auto_takes_a_tree_by_a_rule_of_shape_alone() {
        let takes = |config: &Config, k: usize, shape| {
            let mut config = config.clone();
            config.n_clusters = k;
            takes_tree(&config, shape)
        };
        let mut config = Config::new(1);
        assert!(takes(&config, 8192, (100_000, 384)));
        assert!(takes(&config, 32_768, (2_000_000, 128)));
        assert!(takes(&config, usize::MAX, (usize::MAX, 16)));
        for (k, shape) in [
            (8191, (1_000_000, 384)),
            (8192, (100_000, 96)),
            (10_000, (10_000_000, 15)),
            (10_000, (10_000_000, 2049)),
        ] {
            assert!(!takes(&config, k, shape), "{k} {shape:?}");
        }
        for bounded in [true, false] {
            (config.balanced, config.use_medoids) = (bounded, !bounded);
            assert!(!takes(&config, 8192, (100_000, 384)));
        }
        config = Config::new(1);
        config.init = Some(TryArc::new(Init::Random, "init").unwrap());
        assert!(!takes(&config, 8192, (100_000, 384)));
        config.init = Some(TryArc::new(Init::Tree, "init").unwrap());
        assert!(takes(&config, 2, (10, 1)));
    }
}
