//! Rows drawn by weight.

use crate::allocate::{collect, push, with_capacity};
use crate::error::Result;
use crate::rng::Rng;
use crate::threads::Threads;
use std::cmp::Ordering;

/// Different rows that were drawn, in random order, and what each stands for.
pub(crate) struct Drawn {
    pub rows: Vec<u32>,
    pub stand_for: Vec<f64>,
    /// Rows that weigh as much stand for themselves alone.
    pub heavy: f64,
}

/// Draws `count` of `rows` rows by priority sampling (Duffield, Lund & Thorup:
/// Priority sampling for estimation of arbitrary subset sums, 2007): a row of
/// weight w gets the priority w/u with u uniform in (0, 1], and the largest
/// priorities win. τ being the largest that doesn't, rows that weigh more stand
/// for themselves, and the others for equal shares of the rest.
///
/// With equal weights every set of rows is as likely as any other. Rows of
/// weight 0 are never drawn. O(rows), and memory for 2 · count of them.
pub(crate) fn draw(
    count: usize,
    rows: usize,
    weight: impl Fn(usize) -> f64,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Drawn> {
    let purpose = "sampled rows";
    let most = (2 * count + 2).min(rows);
    let mut kept: Vec<(f64, u32)> = with_capacity(most, purpose)?;
    let mut total = 0.0;
    let mut bar = 0.0;
    threads.in_steps(rows, |part| {
        for row in part {
            let weight = weight(row);
            total += weight;
            let priority = weight / (1.0 - rng.unit());
            if priority > bar {
                push(&mut kept, (priority, row as u32), purpose)?;
                if kept.len() > 2 * count + 1 {
                    kept.select_nth_unstable_by(count, by_priority);
                    bar = kept[count].0;
                    kept.truncate(count + 1);
                }
            }
        }
        Ok(())
    })?;
    kept.sort_unstable_by(by_priority);
    let heavy = kept.get(count).map_or(0.0, |&(priority, _)| priority);
    kept.truncate(count);
    let weight_of = |&(_, row): &(f64, u32)| weight(row as usize);
    let own = kept.iter().map(weight_of).filter(|&own| own >= heavy);
    let (number, own) = own.fold((0, 0.0), |(number, sum), own| (number + 1, sum + own));
    let share = (total - own) / (kept.len() - number).max(1) as f64;
    let stand_for = kept.iter().map(weight_of);
    let stand_for = stand_for.map(|own| if own >= heavy { own } else { share });
    Ok(Drawn {
        stand_for: collect(stand_for, purpose)?,
        rows: collect(kept.iter().map(|&(_, row)| row), purpose)?,
        heavy,
    })
}

/// `count` rows, ascending: each is drawn among all by weight, so that heavy
/// ones may come several times.
pub(crate) fn draw_again(
    weights: &[f64],
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let total: f64 = weights.iter().sum();
    let targets = (0..count).map(|_| rng.unit() * total);
    let mut targets = collect(targets, "sampled rows")?;
    targets.sort_unstable_by(f64::total_cmp);
    let mut targets = targets.into_iter().peekable();
    let mut drawn = with_capacity(count, "sampled rows")?;
    let (mut sum, mut last) = (0.0, 0);
    threads.in_steps(weights.len(), |part| {
        for row in part.filter(|&row| weights[row] > 0.0) {
            sum += weights[row];
            last = row;
            while targets.next_if(|&target| target < sum).is_some() {
                drawn.push(row);
            }
        }
        Ok(())
    })?;
    // Rounding may carry a target to the end.
    drawn.resize(count, last);
    Ok(drawn)
}

/// Falling, equals by row.
fn by_priority(a: &(f64, u32), b: &(f64, u32)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads() -> Threads<'static> {
        Threads::exactly(1, None).unwrap()
    }

    #[test]
    fn what_is_drawn_stands_for_everything() {
        let mut rng = Rng::new(1);
        let weight = |row: usize| [0.0, 1.0, 1.0, 30.0][row % 4];
        for (count, rows) in [
            (1, 1),
            (4, 40),
            (9, 40),
            (29, 40),
            (30, 40),
            (40, 40),
            (50, 5000),
        ] {
            let drawn = draw(count, rows, weight, &mut rng, &threads()).unwrap();
            let positive = (0..rows).filter(|&row| weight(row) > 0.0).count();
            assert_eq!(drawn.rows.len(), count.min(positive));
            let mut sorted = drawn.rows.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), drawn.rows.len());
            assert!(sorted.iter().all(|&row| weight(row as usize) > 0.0));
            let total: f64 = (0..rows).map(weight).sum();
            let stands: f64 = drawn.stand_for.iter().sum();
            assert!((stands - total).abs() <= 1e-9 * total);
        }
    }

    #[test]
    fn rows_come_as_often_as_they_weigh() {
        let mut rng = Rng::new(2);
        let weights = [1.0, 2.0, 3.0, 4.0];
        let (mut first, mut estimates) = ([0.0; 4], [0.0; 4]);
        let runs = 40_000;
        for _ in 0..runs {
            let drawn = draw(1, 4, |row| weights[row], &mut rng, &threads()).unwrap();
            first[drawn.rows[0] as usize] += 1.0 / f64::from(runs);
            let drawn = draw(2, 4, |row| weights[row], &mut rng, &threads()).unwrap();
            for (&row, stands) in drawn.rows.iter().zip(drawn.stand_for) {
                estimates[row as usize] += stands / f64::from(runs);
            }
        }
        for row in 0..4 {
            // The first place goes by w/u: more often to the heavy ones than w.
            let share = weights[row] / 10.0;
            assert!((first[row] - share).abs() < 0.12, "{first:?}");
            assert!((estimates[row] - weights[row]).abs() < 0.5, "{estimates:?}");
        }
        assert!(first.is_sorted() && estimates.is_sorted());
    }

    #[test]
    fn rows_are_drawn_again_by_weight() {
        let weights = [0.0, 1.0, 0.0, 2.0, 5.0, 0.0];
        let drawn = draw_again(&weights, 40_000, &mut Rng::new(7), &threads()).unwrap();
        assert!(drawn.is_sorted());
        for (row, &weight) in weights.iter().enumerate() {
            let share = drawn.iter().filter(|&&other| other == row).count() as f64 / 40_000.0;
            assert!((share - weight / 8.0).abs() < 0.02, "{row}: {share}");
        }
    }
}
