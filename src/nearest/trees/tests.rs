//! Against brute force by canonical distances.

use super::*;
use crate::clusters::Clusters;
use crate::kernels::accumulate::Sign;
use crate::kernels::exact::squared_distance;
use crate::rng::Rng;
use ndarray::ArrayView2;

/// Rows × dims values of one kind.
fn data(kind: &str, rows: usize, dims: usize) -> Vec<f32> {
    let mut rng = Rng::new(dims as u64);
    let mut values: Vec<f32> = (0..rows * dims)
        .map(|i| {
            let unit = rng.unit();
            (match kind {
                "uniform" => unit,
                "blobs" => unit + rng.unit() + 5.0 * ((i / dims) % 9) as f64,
                "grid" => (unit * 4.0).floor(),
                "offset" => 1e4 + unit,
                "tiny" => unit * 1e-42,
                "outliers" => 10f64.powf(unit * 60.0 - 30.0),
                _ => unreachable!(),
            }) as f32
        })
        .collect();
    if kind == "outliers" {
        values[..dims].fill(-3e38);
    }
    values
}

fn brute_force(values: &[f32], centroids: Centroids<'_>) -> (Vec<u32>, f64) {
    let mut inertia = 0.0;
    let labels = values.chunks(centroids.dims).map(|row| {
        let (mut best, mut least) = (0, f64::INFINITY);
        for j in 0..centroids.len() {
            let distance = squared_distance(row, centroids.row(j));
            if distance < least {
                (best, least) = (j as u32, distance);
            }
        }
        inertia += least;
        best
    });
    (labels.collect(), inertia)
}

fn grid(points: &Points<'_>) -> Grid {
    let ranges = points.check_ranges(&Threads::exactly(1, None).unwrap());
    Grid::of_rows(&ranges.unwrap(), points.rows()).unwrap()
}

/// Assigns three times, to centroids that move; checks everything.
fn check(kind: &str, dims: usize, isa: Isa, threads: &Threads<'_>) -> Vec<Totals> {
    let (rows, k) = (3001, 40);
    let values = data(kind, rows, dims);
    let points = Points::from(ArrayView2::from_shape((rows, dims), &values).unwrap());
    let mut sorted = sort(&points, k, isa, grid(&points), threads)
        .unwrap()
        .unwrap();
    let mut labels = vec![UNASSIGNED; rows];
    (0..3)
        .map(|step| {
            // Rows as centroids, one of them twice.
            let mut centroids = values[step * dims..][..k * dims].to_vec();
            centroids.copy_within(3 * dims..4 * dims, 20 * dims);
            let mut totals = Totals::new(grid(&points), k).unwrap();
            let centroids = Centroids::new(&centroids, dims);
            let pass = sorted.assign(centroids, threads, &mut totals).unwrap();
            let before = labels.clone();
            sorted.write_labels(&mut labels, threads).unwrap();
            let (expected, inertia) = brute_force(&values, centroids);
            assert_eq!(labels, expected, "{kind} {dims} {isa:?}");
            let changed = labels.iter().zip(&before).filter(|(a, b)| a != b).count();
            assert_eq!(pass.changed, changed);
            let found = sorted.inertia(centroids, threads).unwrap().value();
            assert!(
                (found - inertia).abs() <= 1e-12 * inertia,
                "{found} {inertia}"
            );

            let mut plain = totals.clone();
            plain.clear();
            let clusters = Clusters::from_labels(&labels, 1, k, threads).unwrap();
            plain.add(&points, &clusters, Sign::Plus, threads).unwrap();
            let means = |totals: &Totals| {
                let mut means = vec![0.0; k * dims];
                totals.write_centroids(&mut means, threads).unwrap();
                (means, totals.counts.clone())
            };
            assert_eq!(means(&totals), means(&plain), "{kind} {dims}");
            totals
        })
        .collect()
}

#[test]
fn equals_brute_force_on_every_instruction_set() {
    let threads = Threads::exactly(1, None).unwrap();
    for dims in 1..=MAX_DIMS {
        for kind in ["uniform", "blobs", "grid", "offset", "tiny", "outliers"] {
            let all = Isa::available();
            let all: Vec<_> = all.map(|isa| check(kind, dims, isa, &threads)).collect();
            for totals in &all[1..] {
                for (a, b) in totals.iter().zip(&all[0]) {
                    assert!(a == b, "{kind} {dims}");
                }
            }
        }
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    for dims in [2, 5] {
        let on = |count| {
            let threads = Threads::exactly(count, None).unwrap();
            check("blobs", dims, Isa::detect(), &threads)
        };
        let one = on(1);
        for other in [on(2), on(8)] {
            for (a, b) in one.iter().zip(&other) {
                assert!(a == b);
            }
        }
    }
}

#[test]
fn forgets_labels_when_told() {
    let values = data("blobs", 2500, 2);
    let points = Points::from(ArrayView2::from_shape((2500, 2), &values).unwrap());
    let threads = Threads::exactly(1, None).unwrap();
    let mut sorted = sort(&points, 9, Isa::detect(), grid(&points), &threads)
        .unwrap()
        .unwrap();
    let centroids = Centroids::new(&values[..18], 2);
    let mut totals = Totals::new(grid(&points), 9).unwrap();
    for expected in [2500, 0] {
        let pass = sorted.assign(centroids, &threads, &mut totals).unwrap();
        assert_eq!(pass.changed, expected);
    }
    sorted.reset();
    let pass = sorted.assign(centroids, &threads, &mut totals).unwrap();
    assert_eq!(pass.changed, 2500);
}

#[test]
fn clustered_rows_need_few_distances() {
    let values = data("blobs", 40_000, 2);
    let points = Points::from(ArrayView2::from_shape((40_000, 2), &values).unwrap());
    let threads = Threads::exactly(1, None).unwrap();
    let mut sorted = sort(&points, 18, Isa::detect(), grid(&points), &threads)
        .unwrap()
        .unwrap();
    let centroids = Centroids::new(&values[..36], 2);
    let mut totals = Totals::new(grid(&points), 18).unwrap();
    let pass = sorted.assign(centroids, &threads, &mut totals).unwrap();
    assert!(pass.distances < 40_000 * 18 / 8, "{}", pass.distances);
}

#[test]
fn few_rows_few_centroids_and_many_dimensions_are_left_alone() {
    let useful = |rows: usize, dims: usize, k: usize| {
        let values = vec![0.0f32; rows * dims];
        let points = Points::from(ArrayView2::from_shape((rows, dims), &values).unwrap());
        bytes(&points, k).is_some()
    };
    assert!(useful(MIN_ROWS, MAX_DIMS, MIN_CENTROIDS));
    assert!(!useful(MIN_ROWS - 1, MAX_DIMS, MIN_CENTROIDS));
    assert!(!useful(MIN_ROWS, MAX_DIMS + 1, MIN_CENTROIDS));
    assert!(!useful(MIN_ROWS, MAX_DIMS, MIN_CENTROIDS - 1));
}
