//! The sizes that a cluster may have.

use crate::config::Config;

/// Every cluster has at least `low` and at most `high` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SizeBounds {
    pub low: usize,
    pub high: usize,
}

impl SizeBounds {
    pub fn width(self) -> usize {
        self.high - self.low
    }
}

/// The size bounds that a run may choose from, all equally wide.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlidingBounds {
    pub width: usize,
    /// The least and the greatest `low`.
    pub least: usize,
    pub most: usize,
}

impl SlidingBounds {
    /// As the settings say; those with room for all rows. No cluster is empty.
    pub fn new(config: &Config, rows: usize) -> Self {
        match config.size_bounds {
            Some((min_size, max_size)) => {
                let low = min_size.max(1);
                SlidingBounds {
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
        SlidingBounds {
            width,
            least: rows.div_ceil(clusters).saturating_sub(width).max(1),
            most: rows / clusters,
        }
    }

    /// Those whose `low` is nearest to this.
    pub fn near(self, low: usize) -> SizeBounds {
        let low = low.clamp(self.least, self.most);
        SizeBounds {
            low,
            high: low + self.width,
        }
    }
}

/// By how many rows the sizes miss their bounds.
pub(super) fn violation(each_bounds: &[SizeBounds], sizes: &[usize]) -> usize {
    let clusters = each_bounds.iter().zip(sizes);
    let misses = clusters
        .map(|(bounds, &size)| bounds.low.saturating_sub(size) + size.saturating_sub(bounds.high));
    misses.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_always_have_room_for_all_rows() {
        for rows in 1..40 {
            for clusters in 1..=rows {
                for width in 1..=rows {
                    for low in 0..=rows {
                        let bounds = SlidingBounds::of_width(width, rows, clusters).near(low);
                        assert!(bounds.low >= 1 && bounds.width() <= width);
                        assert!(bounds.low * clusters <= rows);
                        assert!(bounds.high * clusters >= rows);
                    }
                }
            }
        }
    }
}
