use kentro::*;
use ndarray::Array2;
use std::time::Instant;
fn npy(path: &str) -> Array2<f32> {
    let b = std::fs::read(path).unwrap();
    let hl = u16::from_le_bytes([b[8], b[9]]) as usize;
    let h = String::from_utf8_lossy(&b[10..10 + hl]).to_string();
    let sh = h
        .split("'shape': (")
        .nth(1)
        .unwrap()
        .split(')')
        .next()
        .unwrap();
    let d: Vec<usize> = sh
        .split(',')
        .filter_map(|s| s.trim().parse().ok())
        .collect();
    let v: Vec<f32> = b[10 + hl..]
        .chunks_exact(4)
        .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
        .collect();
    Array2::from_shape_vec((d[0], d[1]), v).unwrap()
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    let _ = s;
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (x, c) = (npy(&a[1]), npy(&a[2]));
    let iters: usize = a[3].parse().unwrap();
    let threads: usize = a[4].parse().unwrap();
    let reps: usize = a.get(5).map_or(5, |s| s.parse().unwrap());
    let points = Points::from(x.view());
    for _ in 0..reps {
        let mut km = KMeans::new(c.nrows())
            .with_euclidean(true)
            .with_iterations(iters)
            .with_init(Init::Centroids(c.clone()));
        let (w, p) = (Instant::now(), cpu());
        km.fit(
            &points,
            RunOptions {
                num_threads: Some(threads),
                observer: None,
            },
        )
        .unwrap();
        println!(
            "cpu {:.4} wall {:.4} n_iter {} inertia {:.9e}",
            cpu() - p,
            w.elapsed().as_secs_f64(),
            km.n_iter().unwrap(),
            km.inertia().unwrap()
        );
    }
}
