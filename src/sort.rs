//! Sorting very many values: on all threads, polled, in memory that may be
//! refused.

use crate::error::Result;
use crate::threads::Threads;

/// Values that are sorted at once; larger pieces are merged.
const PIECE: usize = 1 << 18;

/// Sorts ascending. Takes a second array where there are more than [`PIECE`].
pub(crate) fn sort<T: Ord + Copy + Send + Sync>(
    values: &mut Vec<T>,
    threads: &Threads<'_>,
    purpose: &'static str,
) -> Result<()> {
    let len = values.len();
    threads.run(
        values.chunks_mut(PIECE),
        || (),
        |(), piece| piece.sort_unstable(),
    )?;
    let mut other = match values.first() {
        Some(&first) if len > PIECE => threads.try_vec(first, len, purpose)?,
        _ => return Ok(()),
    };
    let mut sorted = PIECE;
    while sorted < len {
        threads.run(
            values.chunks(2 * sorted).zip(other.chunks_mut(2 * sorted)),
            || (),
            |(), (pieces, out)| {
                let (first, second) = pieces.split_at(sorted.min(pieces.len()));
                merge(first, second, out);
            },
        )?;
        std::mem::swap(values, &mut other);
        sorted *= 2;
    }
    Ok(())
}

fn merge<'v, T: Ord + Copy>(mut first: &'v [T], mut second: &'v [T], out: &mut [T]) {
    for slot in out {
        let from = match (first.first(), second.first()) {
            (Some(a), Some(b)) if b < a => &mut second,
            (None, _) => &mut second,
            _ => &mut first,
        };
        if let Some((&least, rest)) = from.split_first() {
            (*slot, *from) = (least, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn values_come_out_in_order_however_many() {
        let mut rng = Rng::new(3);
        for (len, count) in [(0, 1), (1000, 1), (PIECE + 1, 1), (5 * PIECE + 7, 2)] {
            let threads = Threads::exactly(count, None).unwrap();
            let mut values: Vec<_> = (0..len as u32).map(|i| (rng.below(len), i)).collect();
            let mut expected = values.clone();
            expected.sort();
            sort(&mut values, &threads, "numbers").unwrap();
            assert!(values == expected, "{len} values");
        }
    }
}
