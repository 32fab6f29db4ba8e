//! The sizes that a cluster may have.

use crate::config::Config;

/// Every cluster has at least `low` and at most `high` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub low: usize,
    pub high: usize,
}

impl Window {
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
            None => Self::of_width(config.max_balance_diff, rows, config.n_clusters),
        }
    }

    /// All of this width that have room for all rows. No cluster is empty.
    pub fn of_width(width: usize, rows: usize, clusters: usize) -> Self {
        Windows {
            width,
            least: rows.div_ceil(clusters).saturating_sub(width).max(1),
            most: rows / clusters,
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
                        let window = Windows::of_width(width, rows, clusters).near(low);
                        assert!(window.low >= 1 && window.width() <= width);
                        assert!(window.low * clusters <= rows);
                        assert!(window.high * clusters >= rows);
                    }
                }
            }
        }
    }
}
