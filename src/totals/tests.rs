//! Against sums of float64 numbers that know no rounding, in other orders and
//! other groups.

use super::*;
use crate::kernels::dispatch::{self, Work};
use crate::kernels::exact_sparse::Vector;
use crate::kernels::isa::Isa;
use crate::kernels::lanes::{LANES, Lanes};
use crate::metric::Metric;
use crate::ranges::Range;
use crate::rng::Rng;
use ndarray::ArrayView2;

const KINDS: [&str; 8] = [
    "bytes", "uniform", "offset", "outlier", "scales", "denormal", "any", "zeros",
];

fn data(kind: &str, rows: usize, dims: usize) -> Vec<f32> {
    let mut rng = Rng::new(7);
    let mut values: Vec<f32> = (0..rows * dims)
        .map(|_| {
            let unit = rng.unit() - 0.5;
            match kind {
                "bytes" => rng.below(256) as f32,
                "uniform" | "outlier" => unit as f32,
                "offset" => (1e7 + 100.0 * unit) as f32,
                "scales" => (unit * 10f64.powi(-(rng.below(30) as i32))) as f32,
                "denormal" => (unit * 1e-42) as f32,
                "any" => f32::from_bits((rng.next() >> 32) as u32),
                _ => 0.0,
            }
        })
        .map(|value| if value.is_finite() { value } else { 1.0 })
        .collect();
    if kind == "outlier" {
        values[dims] = 1e30;
        values[2 * dims] = -1e30;
        values[3 * dims] = 3e38;
    }
    values
}

fn on(count: usize) -> Threads<'static> {
    Threads::exactly(count, None).unwrap()
}

fn grid(points: &Points<'_>, metric: Metric) -> Grid {
    let (ranges, rows) = (points.check_ranges(&on(1)).unwrap(), points.rows());
    match metric {
        Metric::Euclidean => Grid::of_rows(&ranges, rows).unwrap(),
        Metric::Cosine => Grid::of_unit_rows(points.cols(), rows).unwrap(),
    }
}

/// The unit row of cosine, or the row, in float64 before any sum.
fn numbers(row: &[f32], metric: Metric) -> Vec<f64> {
    let wide: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
    if metric == Metric::Euclidean {
        return wide;
    }
    let scale = crate::kernels::exact::inverse_norm(row);
    let step = 2f64.powi(-43);
    let units = wide.iter().map(|v| (v * scale / step).round_ties_even());
    units.map(|v| v * step).collect()
}

fn labels(rows: usize, k: u32) -> Vec<u32> {
    let mut rng = Rng::new(rows as u64);
    // Unequal sizes; the last cluster stays empty.
    let mut label = || rng.below(k as usize - 1).min(rng.below(k as usize - 1)) as u32;
    (0..rows).map(|_| label()).collect()
}

fn summed(points: &Points<'_>, metric: Metric, labels: &[u32], k: usize) -> Totals {
    let threads = on(1);
    let mut totals = Totals::new(grid(points, metric), k).unwrap();
    let clusters = Clusters::from_labels(labels, 1, k, &threads).unwrap();
    totals.add(points, &clusters, Sign::Plus, &threads).unwrap();
    totals
}

/// One column of what is read eight at a time, with every instruction set.
fn read(grid: &Grid, sum: &[i64], t: usize, count: i64) -> (f64, f64) {
    struct Read<'r>(&'r Grid, &'r [i64], usize, i64);
    impl Work for Read<'_> {
        type Output = ([f64; LANES], [f64; LANES]);

        #[inline(always)]
        fn run<L: Lanes>(self, _: L) -> Self::Output {
            self.0.read(self.1, self.2, self.3)
        }
    }
    let read = |isa| dispatch::work_on(isa, Read(grid, sum, t - t % LANES, count));
    let (values, rests) = read(Isa::Portable);
    Isa::available().for_each(|isa| assert_eq!(read(isa), (values, rests), "{isa:?}"));
    (values[t % LANES], rests[t % LANES])
}

#[test]
fn sums_are_exact_and_rounded_once() {
    for kind in KINDS {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            for (rows, dims, k) in [(3000, 3, 5), (500, 17, 40), (9, 8, 2)] {
                let values = data(kind, rows, dims);
                let view = ArrayView2::from_shape((rows, dims), &values).unwrap();
                let points = Points::from(view);
                let labels = labels(rows, k as u32);
                let totals = summed(&points, metric, &labels, k);
                let mut expected = vec![ExactSum::default(); k * dims];
                for (row, &label) in values.chunks(dims).zip(&labels) {
                    let sums = expected[label as usize * dims..].iter_mut();
                    for (sum, value) in sums.zip(numbers(row, metric)) {
                        sum.add(value);
                    }
                }
                for (j, expected) in expected.chunks_mut(dims).enumerate() {
                    let count = labels.iter().filter(|&&l| l == j as u32).count();
                    assert_eq!(totals.counts[j], count);
                    for (t, expected) in expected.iter_mut().enumerate() {
                        let (value, rest) = read(&totals.grid, totals.sum(j), t, count as i64);
                        assert_eq!(value, expected.value(), "{kind} {metric:?}");
                        // Together they are as good as twice the digits.
                        expected.add(-value);
                        let left = expected.value();
                        assert!((rest - left).abs() <= left.abs() * 1e-9, "{rest} {left}");
                    }
                }
            }
        }
    }
}

#[test]
fn means_are_exact_sums_divided() {
    for kind in KINDS {
        let (rows, dims, k) = (2000, 4, 6);
        let values = data(kind, rows, dims);
        let points = Points::from(ArrayView2::from_shape((rows, dims), &values).unwrap());
        let labels = labels(rows, k as u32);
        let totals = summed(&points, Metric::Euclidean, &labels, k);
        let mut centroids = vec![7.0f32; k * dims];
        assert!(totals.write_centroids(&mut centroids, &on(1)).unwrap());
        assert!(!totals.write_centroids(&mut centroids, &on(1)).unwrap());
        for j in 0..k {
            for t in 0..dims {
                let members = (0..rows).filter(|&i| labels[i] == j as u32);
                let sum: ExactSum = members.map(|i| f64::from(values[i * dims + t])).collect();
                let mean = match totals.counts[j] {
                    0 => 7.0,
                    count => (sum.value() / count as f64) as f32,
                };
                assert_eq!(centroids[j * dims + t], mean, "{kind}");
            }
        }
    }
}

#[test]
fn order_groups_and_rows_that_come_and_go_change_no_bit() {
    let (rows, dims, k) = (4000, 9, 7);
    for kind in KINDS {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let values = data(kind, rows, dims);
            let points = Points::from(ArrayView2::from_shape((rows, dims), &values).unwrap());
            let labels = labels(rows, k as u32);
            let expected = summed(&points, metric, &labels, k);

            let mut rng = Rng::new(1);
            let mut order: Vec<usize> = (0..rows).collect();
            for i in (1..rows).rev() {
                order.swap(i, rng.below(i + 1));
            }
            let mut totals = Totals::new(grid(&points, metric), k).unwrap();
            let row = |i: usize| &values[i * dims..][..dims];
            for group in order.chunks(81) {
                let mut changes = Changes::new(&totals).unwrap();
                let mut foreign = Vec::new();
                for &i in group {
                    let (other, cluster) = (rng.below(rows), rng.below(k) as u32);
                    changes.add(&totals.grid, (row(other), 1.0), cluster, Sign::Plus);
                    foreign.push((other, cluster));
                    changes.add(&totals.grid, (row(i), 1.0), labels[i], Sign::Plus);
                }
                totals.apply(&changes);
                changes.clear();
                for (other, cluster) in foreign {
                    changes.add(&totals.grid, (row(other), 1.0), cluster, Sign::Minus);
                }
                totals.apply(&changes);
            }
            assert!(totals == expected, "{kind} {metric:?}");

            let all = Clusters::from_labels(&labels, 1, k, &on(1)).unwrap();
            totals.add(&points, &all, Sign::Minus, &on(1)).unwrap();
            assert!(totals.sums.iter().all(|&sum| sum == 0));
        }
    }
}

#[test]
fn threads_and_tasks_change_no_bit() {
    // Clusters of several tasks, tasks of several clusters, empty clusters.
    let (rows, dims, k) = (3 * TASK_ROWS.end() + 500, 3, 90);
    let values = data("uniform", rows, dims);
    let points = Points::from(ArrayView2::from_shape((rows, dims), &values).unwrap());
    let labels: Vec<u32> = (0..rows as u32)
        .map(|i| if i % 3 > 0 { 40 } else { i * 7 % 80 })
        .collect();
    let clusters = Clusters::from_labels(&labels, 1, k, &on(1)).unwrap();
    let totals = [1, 2, 3].map(|count| {
        let threads = on(count);
        let mut totals = Totals::new(grid(&points, Metric::Euclidean), k).unwrap();
        totals
            .add(&points, &clusters, Sign::Plus, &threads)
            .unwrap();
        totals
    });
    assert!(totals[0] == totals[1] && totals[0] == totals[2]);
    let mut changes = Changes::new(&totals[0]).unwrap();
    for (row, &label) in values.chunks(dims).zip(&labels) {
        changes.add(&totals[0].grid, (row, 1.0), label, Sign::Plus);
    }
    let mut one_by_one = Totals::new(grid(&points, Metric::Euclidean), k).unwrap();
    one_by_one.apply(&changes);
    assert!(one_by_one == totals[0]);
}

#[test]
fn centroids_and_inertia_are_the_same_at_any_number_of_threads() {
    // Several tasks of clusters, the last one smaller.
    let (rows, dims, k) = (4000, 40, 1100);
    let values = data("uniform", rows, dims);
    let points = Points::from(ArrayView2::from_shape((rows, dims), &values).unwrap());
    let labels = labels(rows, k as u32);
    let totals = summed(&points, Metric::Euclidean, &labels, k);
    assert!(k > 2 * totals.clusters_of_task());
    let origin = vec![0.25; dims];
    let mut two = [(); 2].map(|()| Changes::new(&totals).unwrap());
    for (i, &label) in labels.iter().enumerate() {
        let row = (&values[i * dims..][..dims], 1.0);
        two[i % 2].add(&totals.grid, row, label, Sign::Plus);
    }
    let found = [1, 2, 3, 8].map(|count| {
        let threads = on(count);
        let mut added = Totals::new(totals.grid.clone(), k).unwrap();
        added.apply_all(&two.each_ref(), &threads).unwrap();
        assert!(added == totals);
        let mut centroids = vec![7.0f32; k * dims];
        assert!(totals.write_centroids(&mut centroids, &threads).unwrap());
        let inertia = totals.inertia(&centroids, (&origin, 1e6), &threads);
        (centroids, inertia.unwrap().to_bits())
    });
    found.iter().for_each(|other| assert!(*other == found[0]));
}

#[test]
fn the_number_of_rows_changes_limbs_but_no_sum() {
    let values = data("uniform", 400, 6);
    for (metric, range) in [
        (Metric::Euclidean, Range { low: -70, high: 0 }),
        (Metric::Cosine, Range { low: -43, high: 0 }),
    ] {
        let sums = [400, 1 << 20, u32::MAX as usize - 1].map(|rows| {
            let grid = Grid::new(metric, std::iter::repeat_n(range, 6), rows).unwrap();
            let mut sum = vec![0; grid.width()];
            for row in values.chunks(6) {
                grid.add_rows(&mut sum, [row], Sign::Plus);
            }
            let values: Vec<_> = (0..6).map(|t| read(&grid, &sum, t, 400)).collect();
            (grid.limbs(), values)
        });
        assert!(sums[0].0 < sums[2].0);
        assert_eq!(sums[0].1, sums[1].1);
        assert_eq!(sums[0].1, sums[2].1);
    }
}

#[test]
fn the_largest_sums_do_not_overflow() {
    // As many rows as there may be, each as large as can be: doubled up.
    for (range, value) in [
        (Range { low: 0, high: 31 }, 2f32.powi(31).next_down()),
        (
            Range {
                low: -149,
                high: 128,
            },
            f32::MAX,
        ),
    ] {
        let rows = u32::MAX as usize - 1;
        let grid = Grid::new(Metric::Euclidean, std::iter::once(range), rows).unwrap();
        for value in [value, -value] {
            let mut power = vec![0; grid.width()];
            grid.add_rows(&mut power, [&[value]], Sign::Plus);
            let mut sum = vec![0; grid.width()];
            for bit in 0..32 {
                if rows >> bit & 1 == 1 {
                    add_to(&mut sum, &power);
                }
                let twice = power.clone();
                add_to(&mut power, &twice);
            }
            let mut exact = ExactSum::default();
            exact.add_product(f64::from(value), rows as f64);
            assert_eq!(read(&grid, &sum, 0, rows as i64).0, exact.value());
        }
    }
}

fn weighted_grid(points: &Points<'_>, metric: Metric) -> Grid {
    let (rows, weights) = (points.rows(), points.weight_range().unwrap());
    match metric {
        Metric::Euclidean => {
            let ranges = points.check_ranges(&on(1)).unwrap();
            Grid::of_weighted_rows(&ranges, weights, rows).unwrap()
        }
        Metric::Cosine => Grid::of_weighted_unit_rows(points.cols(), weights, rows).unwrap(),
    }
}

#[test]
fn a_row_of_weight_two_is_a_row_that_is_there_twice() {
    for kind in KINDS {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let (rows, dims, k) = (300, 11, 5);
            let values = data(kind, rows, dims);
            let weights: Vec<f32> = (0..rows).map(|i| (1 + i * 7 % 5) as f32).collect();
            let labels = labels(rows, k as u32);
            let view = ArrayView2::from_shape((rows, dims), &values).unwrap();
            let points = Points::from(view).with_weights(&weights[..]).unwrap();
            let grid = weighted_grid(&points, metric);
            let mut weighted = Totals::new(grid, k).unwrap();
            let clusters = Clusters::from_labels(&labels, 1, k, &on(1)).unwrap();
            weighted
                .add(&points, &clusters, Sign::Plus, &on(1))
                .unwrap();
            // One by one, with rows that come and go.
            let mut changes = Changes::new(&weighted).unwrap();
            let row = |i: usize| (&values[i * dims..][..dims], points.weight(i));
            for (i, &label) in labels.iter().enumerate() {
                changes.add(&weighted.grid, row(rows - 1 - i), 2, Sign::Plus);
                changes.add(&weighted.grid, row(i), label, Sign::Plus);
                changes.add(&weighted.grid, row(rows - 1 - i), 2, Sign::Minus);
            }
            let mut one_by_one = Totals::new(weighted.grid.clone(), k).unwrap();
            one_by_one.apply(&changes);
            assert!(one_by_one == weighted);

            let times = |i: usize| std::iter::repeat_n(i, weights[i] as usize);
            let many: Vec<usize> = (0..rows).flat_map(times).collect();
            let rows_of = |i: &usize| row(*i).0.iter().copied();
            let repeated: Vec<f32> = many.iter().flat_map(rows_of).collect();
            let many_labels: Vec<u32> = many.iter().map(|&i| labels[i]).collect();
            let view = ArrayView2::from_shape((many.len(), dims), &repeated).unwrap();
            let plain = summed(&view.into(), metric, &many_labels, k);
            for j in 0..k {
                let (count, many) = (weighted.counts[j] as i64, plain.counts[j] as i64);
                assert_eq!(weighted.weight(j), many as f64);
                for t in 0..dims {
                    let sum = read(&weighted.grid, weighted.sum(j), t, count);
                    assert_eq!(sum, read(&plain.grid, plain.sum(j), t, many), "{kind}");
                }
            }
            let (mut means, mut plain_means) = (vec![1.0; k * dims], vec![1.0; k * dims]);
            weighted.write_centroids(&mut means, &on(1)).unwrap();
            plain.write_centroids(&mut plain_means, &on(1)).unwrap();
            assert_eq!(means, plain_means);
            let origin = &means[..dims];
            assert_eq!(
                weighted.inertia(&means, (origin, 2.0), &on(1)).unwrap(),
                plain.inertia(&means, (origin, 2.0), &on(1)).unwrap()
            );
        }
    }
}

#[test]
fn weighted_sums_are_exact_whatever_the_weights() {
    let mut rng = Rng::new(4);
    for kind in KINDS {
        for spread in [3.0, 80.0, 1300.0] {
            for metric in [Metric::Euclidean, Metric::Cosine] {
                let (rows, dims) = (400, 9);
                let values = data(kind, rows, dims);
                let mut weight = || rng.unit() * 2f64.powf((rng.unit() - 0.5) * spread);
                let weights: Vec<f64> = (0..rows).map(|_| weight()).collect();
                let view = ArrayView2::from_shape((rows, dims), &values).unwrap();
                let points = Points::from(view).with_weights(&weights[..]).unwrap();
                let grid = weighted_grid(&points, metric);
                let mut sum = vec![0; grid.width()];
                let mut expected = vec![ExactSum::default(); dims];
                for (row, &weight) in values.chunks(dims).zip(&weights) {
                    grid.add_row(&mut sum, row, weight, Sign::Plus);
                    for (expected, number) in expected.iter_mut().zip(numbers(row, metric)) {
                        expected.add_product(number, weight);
                    }
                }
                for (t, expected) in expected.iter_mut().enumerate() {
                    let (value, rest) = read(&grid, &sum, t, rows as i64);
                    assert_eq!(value, expected.value(), "{kind} {spread} {metric:?}");
                    expected.add(-value);
                    assert_eq!(rest, expected.value(), "{kind} {spread} {metric:?}");
                }
                let total: ExactSum = weights.iter().copied().collect();
                assert_eq!(grid.read_weight(&sum, rows as i64).0, total.value());
            }
        }
    }
}

#[test]
fn sparse_rows_add_up_to_what_their_dense_copies_do() {
    let (rows, dims, k) = (300, 7, 4);
    for kind in KINDS {
        let mut values = data(kind, rows, dims);
        let zeros = values
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| at * 7 % 5 > 1);
        zeros.for_each(|(_, value)| *value = 0.0);
        let view = ArrayView2::from_shape((rows, dims), &values).unwrap();
        let (mut kept, mut indices, mut indptr) = (Vec::new(), Vec::new(), vec![0u32]);
        for row in values.chunks(dims) {
            for (column, &value) in (0u32..).zip(row).filter(|(_, value)| **value != 0.0) {
                kept.push(value);
                indices.push(column);
            }
            indptr.push(kept.len() as u32);
        }
        let sparse = Points::csr(&kept, &indices[..], &indptr[..], dims).unwrap();
        let (labels, threads) = (labels(rows, k as u32), on(2));
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let dense = summed(&view.into(), metric, &labels, k);
            let mut found = summed(&sparse, metric, &labels, k);
            assert_eq!(found, dense, "{kind}");

            let grid = dense.grid();
            let mut sums = [(); 2].map(|()| SparseSum::new(grid).unwrap());
            for j in 0..k {
                for i in (0..rows).filter(|&i| labels[i] == j as u32) {
                    let places = indptr[i] as usize..indptr[i + 1] as usize;
                    let row = Vector {
                        columns: &indices[places.clone()],
                        values: &kept[places],
                    };
                    let scale = match metric {
                        Metric::Euclidean => 1.0,
                        Metric::Cosine => row.inverse_norm(),
                    };
                    sums[i % 2].add(grid, row, scale, 1.0);
                }
                let [sum, mut other] = sums;
                other.merge(&sum);
                let count = dense.counts[j] as i64;
                let expected = |t| grid.read_one(dense.sum(j), t, count).0;
                assert!((0..dims).all(|t| other.read(grid, t) == expected(t)));
                let mut seen = Vec::new();
                let see = |column, sum| {
                    seen.push((column, sum));
                    Ok(())
                };
                other.take(grid, see).unwrap();
                assert!(seen.is_sorted_by_key(|&(column, _)| column));
                assert!(seen.iter().all(|&(t, sum)| sum == expected(t as usize)));
                assert!((0..dims).all(|t| other.read(grid, t) == 0.0));
                sums = [other, SparseSum::new(grid).unwrap()];
            }

            let clusters = Clusters::from_labels(&labels, 1, k, &threads).unwrap();
            let all = (&clusters, Sign::Minus, &threads);
            found.add(&sparse, all.0, all.1, all.2).unwrap();
            assert!(found.sums.iter().all(|&sum| sum == 0));
        }
    }
}
