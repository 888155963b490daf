#![allow(clippy::unwrap_used)]

use super::activations::{Gate, Relu, SoftmaxLoss};
use super::gemm::{Gemm, Strided};
use super::*;
use crate::random::{Purpose, Random};

fn noise(len: usize, rng: &mut Random) -> Vec<f32> {
    (0..len).map(|_| 2.0 * rng.uniform() - 1.0).collect()
}

#[test]
fn products_of_any_size_are_right_at_every_level() {
    let mut rng = Random::new(1, Purpose::named("test"), 0);
    let sizes = [(1, 1, 16), (2, 3, 32), (7, 130, 48), (13, 5, 64), (96, 33, 112), (25, 300, 80), (3, 0, 16)];
    for level in Level::available() {
        for (rows, depth, columns) in sizes {
            for (transposed, accumulate) in [(false, false), (false, true), (true, true)] {
                let a = noise(rows * depth, &mut rng);
                let b = noise(depth * columns, &mut rng);
                let before = noise(rows * columns, &mut rng);
                let mut c = before.clone();
                let a = if transposed { Strided::columns(&a, rows) } else { Strided::rows(&a, depth) };
                level.run(Gemm {
                    rows,
                    depth,
                    columns,
                    a,
                    b: &b,
                    b_stride: columns,
                    c: &mut c,
                    c_stride: columns,
                    accumulate,
                });
                for row in 0..rows {
                    for column in 0..columns {
                        let place = row * columns + column;
                        let product = |p: usize| {
                            f64::from(a.data[row * a.row_stride + p * a.column_stride])
                                * f64::from(b[p * columns + column])
                        };
                        let start = if accumulate { f64::from(before[place]) } else { 0.0 };
                        let expected = start + (0..depth).map(product).sum::<f64>();
                        let found = f64::from(c[place]);
                        assert!(
                            (found - expected).abs() < 1e-4,
                            "{level} {rows}×{depth}×{columns}: {found} {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "B is too short")]
fn a_product_never_reads_outside_its_slices() {
    let (a, b, mut c) = ([0.0; 4], [0.0; 31], [0.0; 32]);
    Level::detect().run(Gemm {
        rows: 2,
        depth: 2,
        columns: 16,
        a: Strided::rows(&a, 2),
        b: &b,
        b_stride: 16,
        c: &mut c,
        c_stride: 16,
        accumulate: false,
    });
}

#[test]
fn the_gate_is_tanh_times_sigmoid() {
    for level in Level::available() {
        for step in 0..600 {
            let x = (step as f32 - 300.0) * 0.1;
            let mut h = [x; 32];
            h[16..].fill(-0.7 * x);
            let mut z = [0.0; 16];
            level.run(Gate { h: &mut h, z: &mut z, half: 16 });
            let (a, s) = (f64::from(x).tanh(), 1.0 / (1.0 + (-f64::from(-0.7 * x)).exp()));
            for (found, expected) in [(h[0], a), (h[15], a), (h[16], s), (h[31], s), (z[7], a * s)] {
                assert!((f64::from(found) - expected).abs() < 3e-7, "{level} at {x}: {found} is not {expected}");
            }
        }
    }
}

#[test]
fn tanh_keeps_its_relative_precision_towards_zero() {
    for level in Level::available() {
        for step in 1..4000 {
            let x = step as f32 * step as f32 * 1e-6;
            let (mut h, mut z) = ([x; 32], [0.0; 16]);
            level.run(Gate { h: &mut h, z: &mut z, half: 16 });
            let error = f64::from(h[3]) / f64::from(x).tanh() - 1.0;
            assert!(error.abs() < 5e-7, "{level} at {x}: {error:e}");
        }
    }
}

#[test]
fn what_is_no_number_stays_none() {
    for level in Level::available() {
        let (mut h, mut z) = ([f32::NAN; 32], [0.0; 16]);
        level.run(Gate { h: &mut h, z: &mut z, half: 16 });
        assert!(h.iter().chain(&z).all(|x| x.is_nan()), "{level}");
        let mut x = [f32::NAN; 16];
        level.run(Relu(&mut x));
        assert!(x.iter().all(|x| x.is_nan()), "{level}");
    }
}

#[test]
fn the_loss_is_the_cross_entropy_and_its_gradient_sums_to_nothing() {
    let mut rng = Random::new(2, Purpose::named("test"), 0);
    for level in Level::available() {
        // 19 logits in rows of 32, far from zero so that the shift matters.
        let mut logits: Vec<f32> = noise(64, &mut rng).iter().map(|x| 300.0 + 9.0 * x).collect();
        let targets = [18, 3];
        let rows: Vec<Vec<f64>> =
            logits.chunks(32).map(|row| row[..19].iter().map(|&x| f64::from(x)).collect()).collect();
        let expected: f64 = rows
            .iter()
            .zip(&targets)
            .map(|(row, &target)| row.iter().map(|x| (x - row[usize::from(target)]).exp()).sum::<f64>().ln())
            .sum();
        let loss = level.run(SoftmaxLoss {
            logits: &mut logits,
            pull: 0.0,
            scratch: &mut [0.0; 32],
            width: 32,
            levels: 19,
            targets: &targets,
        });
        assert!((loss - expected).abs() < 1e-4, "{level}: {loss} is not {expected}");
        for (row, &target) in logits.chunks(32).zip(&targets) {
            assert!(row.iter().sum::<f32>().abs() < 1e-5);
            assert!(row[usize::from(target)] < 0.0 && row[19..].iter().all(|&x| x == 0.0));
        }
    }
}
