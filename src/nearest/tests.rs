//! Every engine and instruction set against brute force: equal labels, bit
//! for bit.

use super::*;
use crate::clusters::{Clusters, UNASSIGNED};
use crate::kernels::accumulate::Sign;
use crate::kernels::codes::Products;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use crate::kernels::codes::products::amx_runs;
use crate::kernels::isa::Isa;
use crate::nearest::engine::{Engine, MAX_TILE_DIMS, Setting};
use crate::nearest::tasks::{BLOCK_ROWS, TASK_ROWS, block_rows};
use crate::points::BLOCK_BYTES;
use crate::rng::Rng;
use ndarray::Array2;

/// A search problem.
struct Case {
    name: String,
    rows: Array2<f32>,
    centroids: Array2<f32>,
    bias: Option<Vec<f64>>,
}

impl Case {
    fn new(name: &str, rows: Array2<f32>, centroids: Array2<f32>) -> Self {
        Case {
            name: format!("{name}, {:?} by {:?}", rows.dim(), centroids.dim()),
            rows,
            centroids,
            bias: None,
        }
    }
}

fn normal(rng: &mut Rng) -> f32 {
    // Sum of uniforms: near enough to a normal distribution.
    ((0..12).map(|_| rng.unit()).sum::<f64>() - 6.0) as f32
}

fn random(rng: &mut Rng, rows: usize, dims: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, dims), || normal(rng))
}

/// `count` rows of `rows`, spread evenly.
fn some_rows(rows: &Array2<f32>, count: usize) -> Array2<f32> {
    let n = rows.nrows();
    Array2::from_shape_fn((count, rows.ncols()), |(j, t)| rows[[j * n / count, t]])
}

/// Rows, dimensions and centroids of a case; fewer where `KENTRO_TEST_WORK` says how many
/// multiply-adds all pairs may be at most, for emulated machines.
fn shape(rows: usize, dims: usize, centroids: usize) -> (usize, usize, usize) {
    let Ok(most) = std::env::var("KENTRO_TEST_WORK") else {
        return (rows, dims, centroids);
    };
    let most: usize = most.parse().unwrap();
    // Finding principal directions is work, whatever the rows.
    let dims = dims.min(100);
    let centroids = centroids.min((most / dims).isqrt());
    (rows.min(most / (dims * centroids)), dims, centroids)
}

fn cases() -> Vec<Case> {
    let mut rng = Rng::new(42);
    let rng = &mut rng;
    let mut cases = Vec::new();
    for (n, d, k) in [
        (1, 1, 1),
        (5, 3, 2),
        (100, 7, 13),
        (300, 16, 100),
        (333, 31, 48),
        (200, 65, 49),
        (150, 200, 33),
        (60, 1000, 17),
        (203, 64, 16),
        (101, 33, 32),
        (70, 257, 3),
    ] {
        let (n, d, k) = shape(n, d, k);
        let rows = random(rng, n, d);
        cases.push(Case::new("random", rows.clone(), random(rng, k, d)));
        let offset = rows.mapv(|v| v + 1e4);
        let start = some_rows(&offset, k);
        cases.push(Case::new("offset", offset, start));
        let mut biased = Case::new("bias", rows.clone(), some_rows(&rows, k));
        biased.bias = Some((0..k).map(|_| rng.unit() * d as f64).collect());
        cases.push(biased);
        for (name, factor) in [("huge", 1e30f32), ("tiny", 1e-30), ("denormal", 1e-40)] {
            let rows = rows.mapv(|v| v * factor);
            cases.push(Case::new(name, rows.clone(), some_rows(&rows, k)));
        }
    }
    let (n, d, k) = shape(400, 40, 60);
    let rows = random(rng, n, d);

    // Integers: many exact ties.
    let ties = Array2::from_shape_simple_fn((n, 4), || rng.below(3) as f32);
    cases.push(Case::new("ties", ties.clone(), some_rows(&ties, k)));
    cases.push(Case::new(
        "all equal",
        Array2::ones((n, d)),
        Array2::ones((k, d)),
    ));
    cases.push(Case::new(
        "all zero",
        Array2::zeros((n, d)),
        Array2::zeros((k, d)),
    ));

    let mut twice = some_rows(&rows, k);
    for j in k / 2..k {
        let copy = twice.row(j - k / 2).to_owned();
        twice.row_mut(j).assign(&copy);
    }
    cases.push(Case::new("duplicates", rows.clone(), twice.clone()));
    let mut near = twice;
    for j in k / 2..k {
        near[[j, 0]] = f32::from_bits(near[[j, 0]].to_bits() ^ 1);
    }
    cases.push(Case::new("last bits", rows.clone(), near));

    let mut zeros = rows.clone();
    for i in (0..n).step_by(3) {
        zeros.row_mut(i).fill(0.0);
    }
    cases.push(Case::new("zero rows", zeros.clone(), some_rows(&zeros, k)));

    for (name, value) in [
        ("outlier", 1e6f32),
        ("far outlier", 1e18),
        ("largest", f32::MAX),
    ] {
        let mut rows = rows.clone();
        rows[[17, 3]] = value;
        rows[[n / 2, 5]] = -value;
        cases.push(Case::new(name, rows.clone(), some_rows(&rows, k)));
        cases.push(Case::new(name, rows.clone(), rows));
    }

    let mut wide = rows.clone();
    wide.column_mut(7).mapv_inplace(|v| v * 1e5);
    wide.column_mut(8).fill(3.0);
    cases.push(Case::new(
        "one huge dimension",
        wide.clone(),
        some_rows(&wide, k),
    ));

    let mut norms = rows.clone();
    for mut row in norms.rows_mut() {
        let factor = 10f32.powi(rng.below(60) as i32 - 30);
        row.mapv_inplace(|v| v * factor);
    }
    cases.push(Case::new("wild norms", norms.clone(), some_rows(&norms, k)));

    // Far apart, tightly packed: float32 scores can't tell neighbours.
    let packed = Array2::from_shape_fn((n, d), |(i, t)| {
        1e4 * ((i % 5 * (t + 1)) % 7) as f32 + 0.01 * rows[[i, t]]
    });
    cases.push(Case::new(
        "tight clusters",
        packed.clone(),
        some_rows(&packed, k),
    ));
    let (n, d, k) = shape(2500, d, 50);
    let clustered = Array2::from_shape_fn((n, d), |(i, t)| {
        ((i % 50 * (t + 3)) % 11) as f32 + 0.3 * normal(rng)
    });
    cases.push(Case::new(
        "clusters",
        clustered.clone(),
        some_rows(&clustered, k),
    ));
    cases
}

/// Instruction sets that have codes, with each way to multiply these: in vectors with all, in
/// tiles with the best and the least of them. AMX goes with the best, by the CPU or
/// by what stands for it.
pub(super) fn coded_ways() -> Vec<(Isa, Products)> {
    let coded: Vec<_> = Isa::available().filter(|isa| isa.has_codes()).collect();
    let vectors = coded.iter().map(|&isa| (isa, Products::Vectors));
    let (Some(&least), Some(&best)) = (coded.first(), coded.last()) else {
        return Vec::new();
    };
    let mut tiles = vec![(best, Products::Emulated)];
    if least != best {
        tiles.push((least, Products::Emulated));
    }
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    tiles.extend(amx_runs().then_some((best, Products::Amx)));
    vectors.chain(tiles).collect()
}

fn settings() -> Vec<Setting> {
    let on = |engine: Engine| {
        Isa::available().map(move |isa| Setting {
            engine: Some(engine),
            isa,
            tiles: isa,
            products: Some(Products::Vectors),
        })
    };
    let engines = [Engine::Float32, Engine::FewCentroids, Engine::Principal];
    let mut settings: Vec<Setting> = engines.into_iter().flat_map(on).collect();
    settings.push(Setting {
        engine: Some(Engine::Principal),
        isa: Isa::detect(),
        tiles: Isa::Portable,
        products: Some(Products::Vectors),
    });
    settings.extend(coded_ways().into_iter().map(|(isa, products)| Setting {
        engine: Some(Engine::EightBit),
        isa,
        tiles: isa,
        products: Some(products),
    }));
    settings
}

/// Runs `check` on each case with both metrics; centroids are made to suit.
pub(super) fn for_each_case(check: impl Fn(&str, &Points<'_>, Metric, Centroids<'_>)) {
    for mut case in cases() {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let dims = case.rows.ncols();
            let values = case.centroids.as_slice_mut().unwrap();
            for centroid in values.chunks_exact_mut(dims) {
                metric.normalize(centroid);
            }
            let mut centroids = Centroids::new(values, dims);
            if let Some(bias) = &case.bias {
                centroids = centroids.with_bias(bias);
            }
            let points = Points::from(case.rows.view());
            check(
                &format!("{}, {metric:?}", case.name),
                &points,
                metric,
                centroids,
            );
        }
    }
}

const REFERENCE: Setting = Setting {
    engine: Some(Engine::BruteForce),
    isa: Isa::Portable,
    tiles: Isa::Portable,
    products: Some(Products::Vectors),
};

#[test]
fn every_engine_finds_the_labels_of_brute_force() {
    let threads = Threads::exactly(1, None).unwrap();
    for_each_case(|name, points, metric, centroids| {
        let run = |setting: Setting, distances: Option<&mut [f64]>| {
            let mut labels = vec![UNASSIGNED; points.rows()];
            let shared = Shared::with_setting(points, metric, None, setting).unwrap();
            let changed = shared
                .nearest(points, 1)
                .search(
                    Request::nearest(centroids, &mut labels, distances),
                    &threads,
                )
                .unwrap();
            assert_eq!(changed, labels.len(), "{name}");
            labels
        };
        let mut distances = vec![0.0; points.rows()];
        let expected = run(REFERENCE, Some(&mut distances));
        for setting in settings() {
            assert_eq!(run(setting, None), expected, "{name}, {setting:?}");
            let mut own = vec![0.0; points.rows()];
            run(setting, Some(&mut own));
            assert_eq!(own, distances, "{name}, {setting:?}");
        }
    });
}

#[test]
fn every_engine_finds_the_nearest_few_of_brute_force() {
    let threads = Threads::exactly(1, None).unwrap();
    for_each_case(|name, points, metric, centroids| {
        for count in [1, 2, 8, 20].map(|count: usize| count.min(centroids.len())) {
            let run = |setting: Setting| {
                let mut labels = vec![UNASSIGNED; points.rows() * count];
                let mut distances = vec![0.0; labels.len()];
                let shared = Shared::with_setting(points, metric, None, setting).unwrap();
                let request = Request::few(centroids, count, &mut labels, Some(&mut distances));
                shared.nearest(points, 1).search(request, &threads).unwrap();
                (labels, distances)
            };
            let expected = run(REFERENCE);
            for setting in settings() {
                assert_eq!(run(setting), expected, "{name}, top {count}, {setting:?}");
            }
        }
    });
}

#[test]
fn threads_change_nothing() {
    let mut rng = Rng::new(5);
    let rows = random(&mut rng, 5000, 20);
    let centroids = some_rows(&rows, 70);
    let points = Points::from(rows.view());
    let run = |count: usize| {
        let threads = Threads::exactly(count, None).unwrap();
        let mut labels = vec![UNASSIGNED; 5000];
        let mut distances = vec![0.0; 5000];
        let centroids = Centroids::new(centroids.as_slice().unwrap(), 20);
        let shared = Shared::new(&points, Metric::Euclidean, None).unwrap();
        shared
            .nearest(&points, 1)
            .search(
                Request::nearest(centroids, &mut labels, Some(&mut distances)),
                &threads,
            )
            .unwrap();
        (labels, distances)
    };
    let expected = run(1);
    assert_eq!(run(2), expected);
    assert_eq!(run(8), expected);
}

/// Centroids as they go in K-means: ever smaller moves, and now and then one
/// that jumps, repeats another, vanishes or lies far off.
#[test]
fn searches_that_follow_each_other_find_the_labels_of_brute_force() {
    let (n, d, k) = (2100, 40, 100);
    let mut rng = Rng::new(11);
    let rows = Array2::from_shape_fn((n, d), |(i, t)| {
        ((i % 90 * (t + 3)) % 11) as f32 + 0.8 * normal(&mut rng)
    });
    let points = Points::from(rows.view());
    let threads = Threads::exactly(2, None).unwrap();
    for metric in [Metric::Euclidean, Metric::Cosine] {
        for setting in settings() {
            let shared = Shared::with_setting(&points, metric, None, setting).unwrap();
            let mut nearest = shared.nearest(&points, 24);
            let mut labels = vec![UNASSIGNED; n];
            let mut centroids = some_rows(&rows, k);
            let mut bounded = 0;
            for step in 0..24 {
                for value in &mut centroids {
                    *value += 0.5 * normal(&mut rng) / (1 + step * step) as f32;
                }
                let (from, to) = (step % k, (step * 7 + 3) % k);
                let from = centroids.row(from).to_owned();
                match step {
                    9 => centroids.row_mut(to).assign(&rows.row(5)),
                    12 => centroids.row_mut(to).assign(&from),
                    15 => centroids.row_mut(to).fill(0.0),
                    18 => centroids.row_mut(to).fill(1e30),
                    21 => centroids.row_mut(to).assign(&rows.row(77)),
                    _ => (),
                }
                let mut now = centroids.clone();
                for centroid in now.as_slice_mut().unwrap().chunks_exact_mut(d) {
                    metric.normalize(centroid);
                }
                let now = Centroids::new(now.as_slice().unwrap(), d);
                // Others may move rows between two searches, and back.
                if step % 4 > 1 {
                    for label in labels.iter_mut().step_by(5 + step) {
                        *label = (*label + [1, k as u32 - 1][step % 2]) % k as u32;
                    }
                }
                nearest
                    .search(Request::nearest(now, &mut labels, None), &threads)
                    .unwrap();
                bounded += usize::from(nearest.bounds.is_some());
                let mut expected = vec![UNASSIGNED; n];
                let reference = Shared::with_setting(&points, metric, None, REFERENCE).unwrap();
                reference
                    .nearest(&points, 1)
                    .search(Request::nearest(now, &mut expected, None), &threads)
                    .unwrap();
                assert_eq!(labels, expected, "step {step}, {metric:?}, {setting:?}");
            }
            let coded = match setting.engine {
                Some(Engine::Principal) => true,
                Some(Engine::EightBit) => !setting.products().in_tiles(),
                _ => false,
            };
            let expected = coded && setting.isa.has_codes();
            assert_eq!(bounded > 15, expected, "{metric:?}, {setting:?}");
        }
    }
}

#[test]
fn blocks_are_small_and_enough_for_all_threads() {
    for threads in [1, 3].map(|count| Threads::exactly(count, None).unwrap()) {
        for dims in [1, 3, 64, 1000, 5000, MAX_TILE_DIMS, 300_000] {
            for clusters in [1, 2, 100, 10_000] {
                let rows = block_rows(1 << 20, (dims, clusters), &threads);
                assert!(TASK_ROWS.is_multiple_of(rows));
                let least = if dims > MAX_TILE_DIMS { 1 } else { BLOCK_ROWS };
                assert!(rows == least || 4 * rows * dims <= BLOCK_BYTES);
            }
        }
    }
    let many = Threads::exactly(80, None).unwrap();
    let rows = 100_000;
    assert!(rows / block_rows(rows, (384, 1000), &many) > 10 * many.count());
}

/// Labels and totals, whoever follows them.
#[test]
fn totals_are_those_of_the_labels_whatever_is_searched() {
    let mut rng = Rng::new(6);
    // In trees; in sums that are small and in large ones.
    for (n, d, k) in [(5000, 2, 20), (5000, 40, 30), (3000, 64, 700)] {
        let rows = random(&mut rng, n, d);
        let points = Points::from(rows.view());
        let shared = Shared::new(&points, Metric::Euclidean, None).unwrap();
        let threads = Threads::exactly(2, None).unwrap();
        let mut nearest = shared.nearest(&points, 9);
        let mut followed = nearest.unassigned(k, &threads).unwrap();
        let bias: Vec<f64> = (0..k).map(|_| rng.unit()).collect();
        let mut before = vec![UNASSIGNED; n];
        for step in 0..6 {
            let centroids = random(&mut rng, k, d);
            let mut centroids = Centroids::new(centroids.as_slice().unwrap(), d);
            if step == 3 {
                centroids = centroids.with_bias(&bias);
            }
            let (mut expected, mut distances) = (vec![UNASSIGNED; n], vec![0.0; n]);
            let reference = Shared::with_setting(&points, Metric::Euclidean, None, REFERENCE);
            let reference = reference.unwrap();
            let request = Request::nearest(centroids, &mut expected, Some(&mut distances));
            let mut other = reference.nearest(&points, 1);
            other.search(request, &threads).unwrap();

            let mut inertia = 0.0;
            let request = match step {
                1 => Request::inertia(centroids, &mut followed, &mut inertia),
                _ => Request::totals(centroids, &mut followed),
            };
            let changed = nearest.search(request, &threads).unwrap();
            if step != 1 {
                let fresh = Clusters::from_labels(&expected, 1, k, &threads).unwrap();
                let mut totals = followed.totals().clone();
                totals.clear();
                totals.add(&points, &fresh, Sign::Plus, &threads).unwrap();
                assert!(&totals == followed.totals(), "{d}, step {step}");
                inertia = nearest
                    .inertia(&followed, centroids, &threads)
                    .unwrap()
                    .value();
            }
            let sum: f64 = distances.iter().sum();
            assert!((inertia - sum).abs() < 1e-9 * sum, "{d}, step {step}");
            let moved = expected.iter().zip(&before).filter(|(to, from)| to != from);
            assert_eq!(changed, moved.count(), "{d}, step {step}");
            if step != 0 {
                let labels = nearest.labels(&mut followed, &threads).unwrap();
                assert_eq!(labels, &expected, "{d}, step {step}");
            }
            before = expected;
        }
    }
}

#[test]
fn rows_in_trees_that_did_not_pay_are_not_put_there_again() {
    let mut rng = Rng::new(7);
    let rows = random(&mut rng, 5000, 2);
    let points = Points::from(rows.view());
    let setting = Setting {
        engine: None,
        ..REFERENCE
    };
    let shared = Shared::with_setting(&points, Metric::Euclidean, None, setting).unwrap();
    let room = shared.budget().room();
    let threads = Threads::exactly(1, None).unwrap();
    let near = some_rows(&rows, 20);
    let near = Centroids::new(near.as_slice().unwrap(), 2);
    let mut nearest = shared.nearest(&points, 9);
    let search = |nearest: &mut Nearest<'_>, centroids| {
        let mut followed = nearest.unassigned(20, &threads).unwrap();
        let request = Request::totals(centroids, &mut followed);
        assert_eq!(nearest.search(request, &threads).unwrap(), 5000);
        std::mem::take(nearest.labels(&mut followed, &threads).unwrap())
    };
    search(&mut nearest, near);
    assert!(nearest.trees.can_serve(near) && shared.budget().room() < room);
    // Among far-off centroids every row is as near to all.
    let far = vec![1e9; 40];
    let far = Centroids::new(&far, 2);
    assert_eq!(search(&mut nearest, far), [0; 5000]);
    search(&mut nearest, near);
    assert!(!nearest.trees.can_serve(near));
    assert_eq!(shared.budget().room(), room);
    // What other rows do is another matter.
    let mut other = shared.nearest(&points, 9);
    search(&mut other, near);
    assert!(other.trees.can_serve(near));
    // With a bias, they would only take memory.
    let bias = [0.0; 20];
    search(&mut other, near.with_bias(&bias));
    assert_eq!(shared.budget().room(), room);
}
