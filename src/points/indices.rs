//! Whole numbers of the caller: where the numbers of sparse rows belong.

use std::ops::Range;

/// Whole numbers of at least 0, as the caller has them: the column of each value,
/// or where each row starts.
#[derive(Debug, Clone, Copy)]
pub enum Indices<'a> {
    I32(&'a [i32]),
    I64(&'a [i64]),
    U32(&'a [u32]),
    U64(&'a [u64]),
}

macro_rules! indices {
    ($($name:ident, $type:ty;)*) => {
        $(impl<'a> From<&'a [$type]> for Indices<'a> {
            fn from(indices: &'a [$type]) -> Self {
                Indices::$name(indices)
            }
        })*

        impl Indices<'_> {
            pub(super) fn len(&self) -> usize {
                match self {
                    $(Indices::$name(indices) => indices.len(),)*
                }
            }

            /// What the caller wrote there.
            pub(super) fn value(&self, at: usize) -> i128 {
                match self {
                    $(Indices::$name(indices) => i128::from(indices[at]),)*
                }
            }

            /// Appends numbers that have been checked; there is room for them.
            pub(super) fn append(&self, places: Range<usize>, out: &mut Vec<u32>) {
                match self {
                    $(Indices::$name(indices) => {
                        out.extend(indices[places].iter().map(|&index| index as u32));
                    })*
                }
            }

            /// Whether the numbers of some places are below `limit`, and whether they
            /// ascend.
            pub(super) fn are_below(&self, places: Range<usize>, limit: usize) -> (bool, bool) {
                match self {
                    $(Indices::$name(indices) => {
                        let indices = &indices[places];
                        // Negative ones are too large.
                        let below = |below, &index| below & ((index as u64) < limit as u64);
                        let pairs = indices.iter().zip(indices.get(1..).unwrap_or_default());
                        let ascends = |ascends, (a, b): (&$type, &$type)| ascends & (a < b);
                        (indices.iter().fold(true, below), pairs.fold(true, ascends))
                    })*
                }
            }

            /// Appends numbers that have been checked, less `first` and plus `before`;
            /// there is room for them.
            pub(super) fn append_less(
                &self,
                places: Range<usize>,
                (first, before): (usize, usize),
                out: &mut Vec<usize>,
            ) {
                match self {
                    $(Indices::$name(indices) => {
                        let ends = indices[places].iter();
                        out.extend(ends.map(|&end| end as usize - first + before));
                    })*
                }
            }

            /// A number that has been checked.
            #[inline]
            pub(super) fn at(&self, at: usize) -> usize {
                match self {
                    $(Indices::$name(indices) => indices[at] as usize,)*
                }
            }
        }
    };
}

indices! {
    I32, i32;
    I64, i64;
    U32, u32;
    U64, u64;
}
