#![allow(clippy::unwrap_used)]

use continuo_simd::bf16_bits;

use super::activations::{Gate, Relu};
use super::bf16::{Across, Along, Bf16, words_across};
use super::gemm::{Gemm, Strided};
use super::matrix::{Left, NOWHERE, Panels, Places, Product, Run, Segment, TILE, every};
use super::softmax_loss::SoftmaxLoss;
use super::transpose::Transpose;
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

/// Rows of `A`: two segments that overlap, in two runs with a gap between.
fn packed_product(
    level: Level,
    rows: usize,
    depth: usize,
    columns: usize,
    accumulate: bool,
    threads: usize,
) -> (f64, f64) {
    let mut rng = Random::new(7, Purpose::named("test"), (rows * depth * columns) as u64);
    let (stride, gap) = (depth / 2 + 1, 3);
    let (first, second) = (depth / 3, depth - depth / 3);
    let runs = [Run { offset: 1, depth: first }, Run { offset: 1 + first + gap, depth: second }];
    let c_stride = columns + 5;
    let segments = [
        Segment { from: 2, to: 1, rows: rows / 2 },
        Segment { from: 0, to: 1 + rows / 2 * c_stride, rows: rows - rows / 2 },
    ];
    let a = noise(2 + rows * stride + depth + gap + 1, &mut rng);
    // B lies column by column; its last row is nowhere, so zero.
    let b = noise(columns * depth, &mut rng);
    let mut places = every(1, depth);
    places[depth - 1] = NOWHERE;
    let panels = Panels::pack(level, Places { data: &b, rows: &places, columns: &every(depth, columns) });
    assert_eq!((panels.depth(), panels.columns()), (depth, columns));
    let before = noise(1 + rows * c_stride, &mut rng);
    let mut c = before.clone();
    let left = Left { data: &a, stride, segments: &segments, runs: &runs };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| Product { a: left, b: &panels, c: &mut c, c_stride, accumulate }.run(level));
    let (mut worst, mut touched) = (0.0f64, 0.0f64);
    for row in 0..rows {
        let from = if row < rows / 2 { 2 + row * stride } else { (row - rows / 2) * stride };
        for column in 0..c_stride.min(c.len() - 1 - row * c_stride) {
            let at = 1 + row * c_stride + column;
            if column >= columns {
                touched = touched.max(f64::from((c[at] - before[at]).abs()));
                continue;
            }
            let product = |p: usize| {
                let place = from + 1 + p + if p < first { 0 } else { gap };
                f64::from(a[place]) * f64::from(b[column * depth + p])
            };
            let start = if accumulate { f64::from(before[at]) } else { 0.0 };
            let expected = start + (0..depth - 1).map(product).sum::<f64>();
            worst = worst.max((f64::from(c[at]) - expected).abs());
        }
    }
    (worst, touched)
}

#[test]
fn packed_products_of_any_size_are_right_at_every_level() {
    let sizes = [
        (1, 1, 1),
        (2, 3, 17),
        (7, 300, 48),
        (13, 5, 64),
        (96, 33, 112),
        (25, 700, 83),
        (TILE * 2 + 7, 20, 130),
        (500, 130, 70),
    ];
    for level in Level::available() {
        for (rows, depth, columns) in sizes {
            for (accumulate, threads) in [(false, 1), (true, 3)] {
                let (worst, touched) = packed_product(level, rows, depth, columns, accumulate, threads);
                assert!(worst < 1e-4, "{level} {rows}×{depth}×{columns}: {worst}");
                assert!(touched == 0.0, "{level} {rows}×{depth}×{columns}: what lies between rows stays");
            }
        }
    }
}

#[test]
#[should_panic(expected = "segments of C overlap")]
fn a_product_never_writes_a_row_twice() {
    let (a, b, mut c) = ([0.0; 16], [0.0; 16], [0.0; 64]);
    let level = Level::detect();
    let b = Panels::pack(level, Places { data: &b, rows: &[0], columns: &every(1, 16) });
    let segment = Segment { from: 0, to: 0, rows: 2 };
    let (segments, runs) = ([segment, Segment { to: 16, ..segment }], [Run { offset: 0, depth: 1 }]);
    let a = Left { data: &a, stride: 1, segments: &segments, runs: &runs };
    Product { a, b: &b, c: &mut c, c_stride: 16, accumulate: false }.run(level);
}

#[test]
fn a_transpose_exchanges_rows_and_columns() {
    let mut rng = Random::new(8, Purpose::named("test"), 0);
    for level in Level::available() {
        for (rows, columns) in [(1, 1), (16, 8), (17, 9), (40, 33), (3, 100)] {
            let from = noise(rows * (columns + 2), &mut rng);
            for bias in [vec![], noise(columns, &mut rng)] {
                let mut to = vec![0.5; columns * (rows + 1)];
                level.run(Transpose {
                    from: &from,
                    from_stride: columns + 2,
                    rows,
                    columns,
                    bias: &bias,
                    to: &mut to,
                    to_stride: rows + 1,
                });
                for column in 0..columns {
                    let bias = bias.get(column).unwrap_or(&0.0);
                    for row in 0..rows {
                        assert_eq!(
                            to[column * (rows + 1) + row].to_bits(),
                            (from[row * (columns + 2) + column] + bias).to_bits()
                        );
                    }
                    assert_eq!(to[column * (rows + 1) + rows].to_bits(), 0.5f32.to_bits());
                }
            }
        }
    }
}

#[test]
fn products_of_bfloat16_are_those_of_the_rounded_factors() {
    let rounded = |x: f32| f64::from(f32::from_bits(u32::from(bf16_bits(x)) << 16));
    let mut rng = Random::new(9, Purpose::named("test"), 0);
    for bf16 in Bf16::available() {
        for level in Level::available() {
            // An odd number of frames is followed by zeros.
            for (frames, width, columns) in [(1, 16, 16), (7, 32, 48), (96, 64, 112), (25, 272, 80)] {
                let (tile, weights) = (noise(frames * width, &mut rng), noise(width * columns, &mut rng));
                let gradient = noise(frames * columns, &mut rng);
                let words = |len: usize| vec![0_u32; len];
                let (mut along, mut across) = (words(tile.len() / 2), words(words_across(frames, width)));
                level.run(Along { from: &tile, to: &mut along });
                level.run(Across { from: &tile, width, to: &mut across });
                let mut pairs = words(words_across(width, columns));
                level.run(Across { from: &weights, width: columns, to: &mut pairs });
                let mut gradients = words(words_across(frames, columns));
                level.run(Across { from: &gradient, width: columns, to: &mut gradients });

                let mut out = vec![0.5; frames * columns];
                bf16.run(Gemm {
                    rows: frames,
                    depth: width / 2,
                    columns,
                    a: Strided::rows(&along, width / 2),
                    b: &pairs,
                    b_stride: columns,
                    c: &mut out,
                    c_stride: columns,
                    accumulate: true,
                });
                for (index, &found) in out.iter().enumerate() {
                    let (frame, column) = (index / columns, index % columns);
                    let term = |k: usize| rounded(tile[frame * width + k]) * rounded(weights[k * columns + column]);
                    let expected = 0.5 + (0..width).map(term).sum::<f64>();
                    assert!((f64::from(found) - expected).abs() < 1e-4, "{bf16:?}: {found} is not {expected}");
                }

                let mut out = vec![f32::NAN; width * columns];
                bf16.run(Gemm {
                    rows: width,
                    depth: frames.div_ceil(2),
                    columns,
                    a: Strided::columns(&across, width),
                    b: &gradients,
                    b_stride: columns,
                    c: &mut out,
                    c_stride: columns,
                    accumulate: false,
                });
                for (index, &found) in out.iter().enumerate() {
                    let (row, column) = (index / columns, index % columns);
                    let term = |t: usize| rounded(tile[t * width + row]) * rounded(gradient[t * columns + column]);
                    let expected = (0..frames).map(term).sum::<f64>();
                    assert!((f64::from(found) - expected).abs() < 1e-4, "{bf16:?}: {found} is not {expected}");
                }
            }
        }
    }
}
