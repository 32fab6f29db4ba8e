//! The sizes that a cluster may have.

use crate::config::Config;

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
    pub width: usize,
    /// The least and the greatest `low`.
    pub least: usize,
    pub most: usize,
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
}

/// By how many rows the sizes miss their windows.
pub(super) fn violation(windows: &[Window], sizes: &[usize]) -> usize {
    let clusters = windows.iter().zip(sizes);
    let misses = clusters
        .map(|(window, &size)| window.low.saturating_sub(size) + size.saturating_sub(window.high));
    misses.sum()
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
}
