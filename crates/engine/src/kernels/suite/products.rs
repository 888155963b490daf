//! Products, whatever their size and however they are cut, and the gate behind them.

use crate::kernels::arguments::{Epilogue, Gated, Inputs};
use crate::kernels::kernel::{Kernel, Multiply};
use crate::kernels::packed::{Arena, BLOCK, Block, PackedMatrix, Rows, blocks_for, floats, floats_mut};
use crate::kernels::precision::{MOST_CODE, Precision, row_codes};
use crate::kernels::suite::{from_bf16, suite};
use crate::support::graph::Random;
use continuo_simd::bf16_bits;
use proptest::prelude::*;

suite! {
    products_of_named_sizes_are_right,
    products_of_any_size_are_right,
    the_loudest_codes_do_not_saturate,
    segments_and_shares_make_the_product,
    a_product_and_its_gate_are_the_same_in_one,
}

/// A product of all segments of a matrix.
fn product(
    kernel: Kernel,
    matrix: PackedMatrix<'_>,
    columns: usize,
    x: Inputs<'_>,
    y: &mut [Block],
    epilogue: Epilogue,
    gate: Option<Gated<'_>>,
) {
    let segments = 0..matrix.segments;
    kernel.multiply(Multiply { matrix, segments, columns, x, y, epilogue, gate });
}

/// What a product of one precision reads of a column's segment: the values that its words stand for.
fn rounded(precision: Precision, values: &[f32]) -> Vec<f64> {
    match precision {
        Precision::F32 => values.iter().copied().map(f64::from).collect(),
        Precision::Bf16 => values.iter().map(|&value| f64::from(from_bf16(bf16_bits(value)))).collect(),
        Precision::Int8 => {
            let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
            let inverse = if largest > 1e-30 { MOST_CODE / largest } else { 0.0 };
            let scale = f64::from(largest * (1.0 / MOST_CODE));
            values.iter().map(|&value| f64::from((value * inverse).round_ties_even()) * scale).collect()
        }
    }
}

/// Encodes columns of `segments` vectors of `inputs` values, as a pass does.
fn encoded(kernel: Kernel, precision: Precision, x: &[Vec<Vec<f32>>], slack: usize) -> (Vec<u32>, usize, Vec<f32>) {
    let (segments, inputs) = (x[0].len(), x[0][0].len());
    let width = precision.words(inputs);
    let stride = segments * width + slack;
    let (mut words, mut scales) = (vec![0; x.len() * stride], Vec::new());
    for (column, words) in x.iter().zip(words.chunks_exact_mut(stride)) {
        for (segment, to) in column.iter().zip(words.chunks_exact_mut(width.max(1))) {
            let mut values = vec![Block::default(); blocks_for(inputs)];
            floats_mut(&mut values)[..inputs].copy_from_slice(segment);
            let mut whole = vec![0; precision.words(values.len() * BLOCK)];
            let scale = kernel.encode(precision, &values, &mut whole);
            to[..width].copy_from_slice(&whole[..width]);
            if precision == Precision::Int8 {
                scales.push(scale);
            }
        }
    }
    (words, stride, scales)
}

/// One product against the sum of what its words stand for, in double precision.
fn check_product(kernel: Kernel, precision: Precision, sizes: [usize; 4], rng_seed: u64) {
    let [rows, segments, inputs, columns] = sizes;
    let mut random = Random(rng_seed);
    let all_inputs = segments * inputs;
    let weights: Vec<f32> = (0..rows * all_inputs).map(|_| random.signed()).collect();
    let bias: Vec<f32> = (0..rows).map(|_| random.signed()).collect();
    // Segments of very different loudness, so that a scale in the wrong place shows.
    let x: Vec<Vec<Vec<f32>>> = (0..columns)
        .map(|column| {
            let loudness = |segment: usize| 10f32.powi((column + segment) as i32 % 3 - 1);
            (0..segments).map(|segment| (0..inputs).map(|_| random.signed() * loudness(segment)).collect()).collect()
        })
        .collect();
    let mut arena = Arena::with_capacity(precision, 0);
    let all: Vec<_> = (0..rows).map(Some).collect();
    let shape = Rows { rows: &all, segments, inputs, scaled: true };
    let place = arena.push(shape, |row, input| weights[row * all_inputs + input], Some(|row: usize| bias[row]));
    let (words, stride, scales) = encoded(kernel, precision, &x, 3);
    let blocks = rows.div_ceil(BLOCK);
    for epilogue in [Epilogue::Store, Epilogue::Relu, Epilogue::AddTo] {
        let mut y = vec![Block([0.25; BLOCK]); blocks * columns];
        let seen = Inputs { words: &words, stride, scales: &scales };
        product(kernel, arena.matrix(place), columns, seen, &mut y, epilogue, None);
        for (column, x) in x.iter().enumerate() {
            let x: Vec<f64> = x.iter().flat_map(|segment| rounded(precision, segment)).collect();
            let loudest = x.iter().fold(1f64, |loudest, x| loudest.max(x.abs()));
            for row in 0..blocks * BLOCK {
                let sum = if row < rows {
                    let row_weights = &weights[row * all_inputs..][..all_inputs];
                    let terms = read_back(precision, row_weights).into_iter().zip(&x).map(|(weight, x)| weight * x);
                    f64::from(bias[row]) + terms.sum::<f64>()
                } else {
                    0.0
                };
                let expected = match epilogue {
                    Epilogue::Store => sum,
                    Epilogue::Relu => sum.max(0.0),
                    Epilogue::AddTo => sum + 0.25,
                };
                let found = f64::from(floats(&y)[column * blocks * BLOCK + row]);
                let close = (found - expected).abs() < 1e-5 * loudest * (1.0 + all_inputs as f64).sqrt();
                assert!(
                    close,
                    "{} in {precision}: {rows}×{segments}×{inputs}, column {column} of {columns}, row {row}: {found} for \
                     {expected}",
                    kernel.name()
                );
            }
        }
    }
}

/// A product that is made one segment after another, by rows of several threads, is the product.
fn segments_and_shares_make_the_product(kernel: Kernel, precision: Precision) {
    let mut random = Random(23);
    let (rows, segments, inputs, columns) = (300, 6, 12, 3);
    let weights: Vec<f32> = (0..rows * segments * inputs).map(|_| random.signed()).collect();
    let all: Vec<_> = (0..rows).map(Some).collect();
    let x: Vec<Vec<Vec<f32>>> =
        (0..columns).map(|_| (0..segments).map(|_| (0..inputs).map(|_| random.signed()).collect()).collect()).collect();
    let blocks = blocks_for(rows);
    // A scale for each segment, and one for all.
    for scaled in [true, false] {
        let mut arena = Arena::with_capacity(precision, 0);
        let shape = Rows { rows: &all, segments, inputs, scaled };
        let weight = |row: usize, input: usize| weights[row * segments * inputs + input];
        let matrix = arena.push(shape, weight, Some(|row: usize| row as f32 * 0.01));
        let matrix = arena.matrix(matrix);
        let (words, stride, _) = encoded(kernel, precision, &x, 0);
        let each = if scaled { segments } else { 1 };
        let scales: Vec<f32> = (0..columns * each).map(|place| 0.5 + place as f32).collect();
        let mut expected = vec![Block::default(); columns * blocks];
        let seen = Inputs { words: &words, stride, scales: &scales };
        product(kernel, matrix, columns, seen, &mut expected, Epilogue::Relu, None);
        for (cuts, steps) in [
            (vec![0.0, 1.0], vec![0, 1, 2, 3, 4, 5, 6]),
            (vec![0.0, 0.1, 1.0], vec![0, 4, 6]),
            (vec![0.0, 0.4, 0.7, 1.0], vec![0, 1, 3, 6]),
        ] {
            for column in 0..columns {
                let mut y = vec![Block::default(); blocks];
                for cut in cuts.windows(2) {
                    let (first, share) = matrix.share(cut[0], cut[1]);
                    for step in steps.windows(2) {
                        let width = stride / segments;
                        let words = &words[column * stride + step[0] * width..][..(step[1] - step[0]) * width];
                        let scales = &scales[column * each + if scaled { step[0] } else { 0 }..];
                        let seen = Inputs { words, stride: width, scales };
                        let y = &mut y[first..first + share.blocks];
                        let (segments, epilogue) = (step[0]..step[1], Epilogue::Relu);
                        kernel.multiply(Multiply {
                            matrix: share,
                            segments,
                            columns: 1,
                            x: seen,
                            y,
                            epilogue,
                            gate: None,
                        });
                    }
                }
                assert!(
                    y == expected[column * blocks..][..blocks],
                    "{precision}, column {column}, {cuts:?}, {steps:?}"
                );
            }
        }
    }
}

/// A row of weights as it is packed.
fn read_back(precision: Precision, row: &[f32]) -> Vec<f64> {
    match precision {
        Precision::F32 => row.iter().copied().map(f64::from).collect(),
        Precision::Bf16 => row.iter().map(|&weight| f64::from(from_bf16(bf16_bits(weight)))).collect(),
        Precision::Int8 => {
            let (scale, codes) = row_codes(row);
            codes.into_iter().map(|code| f64::from(code) * f64::from(scale)).collect()
        }
    }
}

fn products_of_named_sizes_are_right(kernel: Kernel, precision: Precision) {
    for sizes in [
        [1, 1, 1, 1],
        [16, 1, 5, 1],
        [17, 2, 3, 2],
        [64, 1, 64, 3],
        [65, 3, 7, 4],
        [128, 2, 33, 5],
        [130, 1, 8, 8],
        [300, 1, 20, 11],
        [256, 1, 1_100, 16],
        [48, 1, 0, 2],
    ] {
        check_product(kernel, precision, sizes, 11);
    }
}

fn products_of_any_size_are_right(kernel: Kernel, precision: Precision) {
    let sizes = (1usize..200, 1usize..4, 1usize..70, 1usize..18, any::<u64>());
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((rows, segments, inputs, columns, seed) in sizes)| {
        check_product(kernel, precision, [rows, segments, inputs, columns], seed);
    });
}

/// The largest sum that codes can make still fits: no instruction on the way may saturate.
fn the_loudest_codes_do_not_saturate(kernel: Kernel, precision: Precision) {
    let inputs = 64;
    let all: Vec<_> = (0..32).map(Some).collect();
    for (weight, x) in [(1.0f32, 1.0f32), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
        let mut arena = Arena::with_capacity(precision, 0);
        let shape = Rows { rows: &all, segments: 1, inputs, scaled: false };
        let place = arena.push(shape, |_, _| weight, None::<fn(usize) -> f32>);
        let (words, stride, scales) = encoded(kernel, precision, &[vec![vec![x; inputs]]], 0);
        let mut y = vec![Block::default(); 2];
        let seen = Inputs { words: &words, stride, scales: &scales };
        product(kernel, arena.matrix(place), 1, seen, &mut y, Epilogue::Store, None);
        for &found in floats(&y) {
            assert!((found - weight * x * inputs as f32).abs() < 1e-4, "{}: {found}", kernel.name());
        }
    }
}

/// The gate behind a product is the gate of what the product would store.
fn a_product_and_its_gate_are_the_same_in_one(kernel: Kernel, precision: Precision) {
    let mut random = Random(5);
    let (pairs, inputs, columns) = (3, 24, 5);
    let weights: Vec<f32> = (0..pairs * 2 * BLOCK * inputs).map(|_| random.signed()).collect();
    let all: Vec<_> = (0..pairs * 2 * BLOCK).map(Some).collect();
    let mut arena = Arena::with_capacity(precision, 0);
    let shape = Rows { rows: &all, segments: 1, inputs, scaled: false };
    let place = arena.push(shape, |row, input| weights[row * inputs + input], None::<fn(usize) -> f32>);
    let x: Vec<_> = (0..columns).map(|_| vec![(0..inputs).map(|_| random.signed()).collect()]).collect();
    let (words, stride, scales) = encoded(kernel, precision, &x, 0);
    let mut h = vec![Block::default(); columns * pairs * 2];
    let wide = precision.words(pairs * BLOCK);
    let mut z = vec![0; columns * (wide + 2)];
    let gate = Gated { words: &mut z, stride: wide + 2 };
    let seen = Inputs { words: &words, stride, scales: &scales };
    product(kernel, arena.matrix(place), columns, seen, &mut h, Epilogue::Store, Some(gate));
    // What goes into a gate need not be stored.
    product(kernel, arena.matrix(place), columns, seen, &mut h, Epilogue::Store, None);
    for (h, z) in h.chunks_exact(pairs * 2).zip(z.chunks_exact(wide + 2)) {
        let mut expected = vec![0; wide];
        kernel.gate(precision, h, &mut expected);
        assert_eq!(z[..wide], expected);
        assert_eq!(z[wide..], [0, 0], "beyond the gate");
    }
}
