//! The sizes that a cluster may have.

use super::transport::Transport;
use crate::config::Config;
use crate::error::Result;
use crate::threads::Threads;

/// Every cluster has at least `low` and at most `high` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub low: usize,
    pub high: usize,
}

impl Window {
    /// `width` wide, as near to `low` as `rows` rows in `clusters` clusters
    /// permit. No cluster is empty.
    pub fn near(low: usize, width: usize, rows: usize, clusters: usize) -> Self {
        let (least, most) = Self::lows(width, rows, clusters);
        let low = low.clamp(least, most);
        Window {
            low,
            high: low + width,
        }
    }

    /// The least and the greatest `low` of a window that has room for all rows.
    pub fn lows(width: usize, rows: usize, clusters: usize) -> (usize, usize) {
        let least = rows.div_ceil(clusters).saturating_sub(width).max(1);
        (least, rows / clusters)
    }

    pub fn width(self) -> usize {
        self.high - self.low
    }
}

/// The windows that a run may choose from, all equally wide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    width: usize,
    least: usize,
    most: usize,
}

impl Windows {
    /// As the settings say; those with room for all rows. No cluster is empty.
    pub fn new(config: &Config, rows: usize) -> Self {
        match config.size_bounds {
            Some((min_size, max_size)) => {
                let low = min_size.max(1);
                Windows {
                    width: max_size.min(rows) - low,
                    least: low,
                    most: low,
                }
            }
            None => {
                let width = config.max_balance_diff;
                let (least, most) = Window::lows(width, rows, config.n_clusters);
                Windows { width, least, most }
            }
        }
    }

    /// The one whose `low` is nearest to this.
    pub fn near(self, low: usize) -> Window {
        let low = low.clamp(self.least, self.most);
        Window {
            low,
            high: low + self.width,
        }
    }

    pub fn width(self) -> usize {
        self.width
    }
}

/// By how many rows the sizes miss their windows.
pub(super) fn violation(windows: &[Window], sizes: &[usize]) -> usize {
    let clusters = windows.iter().zip(sizes);
    let misses = clusters
        .map(|(window, &size)| window.low.saturating_sub(size) + size.saturating_sub(window.high));
    misses.sum()
}

/// Moves the window of a solved problem to where the total cost is least;
/// returns it and the prices there.
///
/// That cost is convex in the window's position, and the sum of the prices is
/// minus its slope (by the envelope theorem): steps that double at most, but go
/// no further than where the last two slopes point, then bisection.
pub(super) fn search(
    mut transport: Transport<'_>,
    Windows { width, least, most }: Windows,
    threads: &Threads<'_>,
) -> Result<(Window, Vec<f64>)> {
    let mut best = transport.solution(threads)?;
    // The best position is between these, where they are known.
    let (mut below, mut above) = (None, None);
    let mut step = 1;
    let mut last = None;
    loop {
        let low = transport.window().low;
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
        transport.move_window(Window {
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
    fn a_window_always_has_room_for_all_rows() {
        for rows in 1..40 {
            for clusters in 1..=rows {
                for width in 1..=rows {
                    for low in 0..=rows {
                        let window = Window::near(low, width, rows, clusters);
                        assert!(window.low >= 1 && window.width() <= width);
                        assert!(window.low * clusters <= rows);
                        assert!(window.high * clusters >= rows);
                    }
                }
            }
        }
    }

    #[test]
    fn slopes_point_to_their_zero() {
        assert_eq!(steps_to_zero((10, 3.0), (11, 2.0)), 2);
        assert_eq!(steps_to_zero((11, -5.0), (10, -2.0)), 1);
        assert_eq!(steps_to_zero((10, 8.0), (14, 6.0)), 12);
        assert_eq!(steps_to_zero((10, 2.0), (11, 2.0)), usize::MAX);
    }
}
