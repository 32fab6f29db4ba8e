//! The best place of the bounds for the final centroids.

use super::Transport;
use crate::balanced::size_bounds::{SizeBounds, SlidingBounds};
use crate::error::Result;
use crate::threads::Threads;

/// Moves the bounds of a solved problem to where the total cost is least;
/// returns it and the prices there.
///
/// That cost is convex in the position of the bounds, and the sum of the prices is
/// minus its slope (by the envelope theorem): steps that double at most, but go
/// no further than where the last two slopes point, then bisection.
pub(in crate::balanced) fn best_place(
    mut transport: Transport<'_>,
    SlidingBounds { width, least, most }: SlidingBounds,
    threads: &Threads<'_>,
) -> Result<(SizeBounds, Vec<f64>)> {
    let mut best = transport.solution(threads)?;
    // The best position is between these, where they are known.
    let (mut below, mut above) = (None, None);
    let mut step = 1;
    let mut last = None;
    loop {
        let low = transport.bounds().low;
        let slope: f64 = transport.prices()?.iter().sum();
        if slope == 0.0 {
            break;
        }
        if let Some((last_low, last_slope)) = last.replace((low, slope)) {
            step = step.min(steps_to_zero((last_low, last_slope), (low, slope)));
        }
        *(if slope > 0.0 { &mut below } else { &mut above }) = Some(low);
        let next = match (below, above) {
            (Some(below), Some(above)) => (below + above) / 2,
            (Some(below), None) => (below + step).min(most),
            (None, Some(above)) => above.saturating_sub(step).max(least),
            (None, None) => break,
        };
        if Some(next) == below || Some(next) == above {
            break;
        }
        step *= 2;
        transport.move_bounds(SizeBounds {
            low: next,
            high: next + width,
        })?;
        transport.solve(threads)?;
        if transport.total() < best.total {
            best = transport.solution(threads)?;
        }
    }
    transport.into_best(best, threads)
}

/// How many steps on from the second position the slope would be 0 if it were
/// linear, rounded up; at least 1.
fn steps_to_zero(first: (usize, f64), second: (usize, f64)) -> usize {
    let fallen = (first.1 - second.1).abs() / first.0.abs_diff(second.0) as f64;
    // A slope that doesn't fall says nothing: the cast makes that many steps.
    ((second.1.abs() / fallen).ceil() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_point_to_their_zero() {
        assert_eq!(steps_to_zero((10, 3.0), (11, 2.0)), 2);
        assert_eq!(steps_to_zero((11, -5.0), (10, -2.0)), 1);
        assert_eq!(steps_to_zero((10, 8.0), (14, 6.0)), 12);
        assert_eq!(steps_to_zero((10, 2.0), (11, 2.0)), usize::MAX);
    }
}
