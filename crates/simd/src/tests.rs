//! Every instruction set does what the trait says, and nothing else than the others.
#![allow(clippy::unwrap_used)]

use crate::{CODE_OFFSET, InstructionSet, LANES, Operation, Scalar, Simd, bf16_bits, math};

/// Makes a test of each of these functions of an instruction set, for every one that is compiled into this program. A
/// processor without it says so and does not count as a pass in silence.
macro_rules! suite {
    ($($test:ident),+ $(,)?) => {
        suite!(@ scalar, Scalar, $($test),+);
        #[cfg(target_arch = "x86_64")]
        suite!(@ avx2, Avx2, $($test),+);
        #[cfg(target_arch = "x86_64")]
        suite!(@ avx2_vnni, Avx2Vnni, $($test),+);
        #[cfg(target_arch = "x86_64")]
        suite!(@ avx512, Avx512, $($test),+);
        #[cfg(target_arch = "x86_64")]
        suite!(@ avx512_vnni, Avx512Vnni, $($test),+);
        #[cfg(target_arch = "x86_64")]
        suite!(@ avx512_vnni_bf16, Avx512VnniBf16, $($test),+);
        #[cfg(target_arch = "aarch64")]
        suite!(@ neon, Neon, $($test),+);
    };
    (@ $module:ident, $set:ident, $($test:ident),+) => {
        mod $module {
            use crate::InstructionSet as _;

            $(
                #[test]
                fn $test() {
                    match crate::$set::detect() {
                        Some(set) => super::$test(set),
                        None => eprintln!("not run: this processor has no {}", crate::$set::NAME),
                    }
                }
            )+
        }
    };
}

suite! {
    arithmetic_is_the_reference_s,
    rounding_and_scaling_are_the_reference_s,
    what_is_not_a_number_stays_so,
    codes_are_the_nearest_whole_numbers,
    bfloat16_goes_there_and_back,
    functions_are_within_their_bounds,
    tanh_keeps_its_relative_precision_towards_zero,
    the_softmax_s_exponential_has_the_same_bits_everywhere,
}

/// Sixteen values of each of two operands, and what becomes of them.
struct Binary<F>(F, [f32; LANES], [f32; LANES]);

/// What takes two operands to a result, over any arithmetic.
trait Function {
    fn of<S: Simd>(&self, s: S, a: S::Lanes, b: S::Lanes) -> S::Lanes;
}

impl<F: Function> Operation for Binary<F> {
    type Output = [f32; LANES];

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        s.store_to(&mut out, self.0.of(s, s.load_from(&self.1), s.load_from(&self.2)));
        out
    }
}

/// Declares functions of two operands, each a type of its own.
macro_rules! functions {
    ($($name:ident = |$s:ident, $a:ident, $b:ident| $body:expr;)+) => {
        $(
            struct $name;

            impl Function for $name {
                #[inline(always)]
                fn of<S: Simd>(&self, $s: S, $a: S::Lanes, $b: S::Lanes) -> S::Lanes {
                    $body
                }
            }
        )+
    };
}

functions! {
    Add = |s, a, b| s.add(a, b);
    Sub = |s, a, b| s.sub(a, b);
    Mul = |s, a, b| s.mul(a, b);
    Div = |s, a, b| s.div(a, b);
    Min = |s, a, b| s.min(a, b);
    Max = |s, a, b| s.max(a, b);
    WherePositive = |s, a, b| s.where_positive(a, b);
    Round = |s, a, _b| s.round(a);
    Scale = |s, a, b| s.scale(a, b);
    Abs = |s, a, _b| s.abs(a);
    MaxMagnitude = |s, a, b| s.max_magnitude(s.abs(a), s.abs(b));
    MulAdd = |s, a, b| s.mul_add(a, b, s.splat(0.125));
    Exp = |s, a, _b| math::exp(s, a);
    ExpSameEverywhere = |s, a, _b| math::exp_same_everywhere(s, a);
    Sigmoid = |s, a, _b| math::sigmoid(s, a);
    Tanh = |s, a, _b| math::tanh(s, a);
    Gate = |s, a, b| math::gate(s, a, b);
    CoarseGate = |s, a, b| math::coarse_gate(s, a, b, 127.0);
}

/// Numbers of every kind, in whole vectors.
fn numbers() -> Vec<[f32; LANES]> {
    let mut all = vec![0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 1e-30, -1e-30, 1e-4, 3e38, -3e38, f32::MIN_POSITIVE];
    all.extend((0..210).map(|step| (step as f32 * 0.77).sin() * 10f32.powi(step % 7 - 3)));
    all.as_chunks().0.to_vec()
}

fn check<I: InstructionSet, F: Function + Copy>(set: I, function: F, a: [f32; LANES], b: [f32; LANES]) {
    let expected = Scalar.run(Binary(function, a, b));
    let found = set.run(Binary(function, a, b));
    let bits = |values: [f32; LANES]| values.map(f32::to_bits);
    assert_eq!(bits(found), bits(expected), "{} of {a:?} and {b:?}", std::any::type_name::<F>());
}

impl<F: Function> Function for &F {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, a: S::Lanes, b: S::Lanes) -> S::Lanes {
        (*self).of(s, a, b)
    }
}

fn arithmetic_is_the_reference_s(set: impl InstructionSet) {
    let numbers = numbers();
    for (a, b) in numbers.iter().zip(numbers.iter().rev()) {
        check(set, &Add, *a, *b);
        check(set, &Sub, *a, *b);
        check(set, &Mul, *a, *b);
        check(set, &Div, *a, b.map(|b| if b == 0.0 { 3.0 } else { b }));
        // Zeros of both signs are equal, and either may come back.
        let [a, b] = [a, b].map(|values| values.map(|value| value + 0.0));
        check(set, &Min, a, b);
        check(set, &Max, a, b);
        check(set, &WherePositive, a, b);
        check(set, &Abs, a, b);
        check(set, &MaxMagnitude, a, b);
        // Rounded once or twice.
        let [once, twice] = [set.run(Binary(&MulAdd, a, b)), Scalar.run(Binary(&MulAdd, a, b))];
        for lane in 0..LANES {
            let exact = f64::from(a[lane]) * f64::from(b[lane]) + 0.125;
            let close =
                |value: f32| (f64::from(value) - exact).abs() <= 2e-7 * (exact.abs() + 0.25) || exact.abs() > 3e38;
            assert!(close(once[lane]) && close(twice[lane]), "{} · {}", a[lane], b[lane]);
        }
    }
}

fn rounding_and_scaling_are_the_reference_s(set: impl InstructionSet) {
    for step in -40..40 {
        let a: [f32; LANES] = std::array::from_fn(|lane| step as f32 * 1.25 + lane as f32 * 0.5);
        let found = set.run(Binary(&Round, a, a));
        for (found, a) in found.iter().zip(a) {
            assert!((found - a.round_ties_even()).abs() < f32::EPSILON, "{a}: {found}");
        }
    }
    for n in -126..=126 {
        let a = std::array::from_fn(|lane| 0.75 + lane as f32 * 0.06);
        let found = set.run(Binary(&Scale, a, [n as f32; LANES]));
        for (found, a) in found.iter().zip(a) {
            let expected = (f64::from(a) * 2f64.powi(n)) as f32;
            assert_eq!(found.to_bits(), expected.to_bits(), "{a} · 2^{n}");
        }
    }
}

fn what_is_not_a_number_stays_so(set: impl InstructionSet) {
    struct LargestMagnitude([f32; LANES]);
    impl Operation for LargestMagnitude {
        type Output = f32;

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> f32 {
            s.largest_magnitude(s.abs(s.load_from(&self.0)))
        }
    }
    for nan in [f32::NAN, -f32::NAN, f32::from_bits(u32::MAX), f32::from_bits(0x7f80_0001)] {
        for lane in 0..LANES {
            let mut bad = [1.0; LANES];
            bad[lane] = nan;
            let good = [-2.0; LANES];
            let is_found = |values: [f32; LANES]| {
                values.iter().enumerate().all(|(index, value)| value.is_nan() == (index == lane))
            };
            // Whatever it is clamped with comes first.
            assert!(is_found(set.run(Binary(&Min, good, bad))) && is_found(set.run(Binary(&Max, good, bad))));
            assert!(is_found(set.run(Binary(&MaxMagnitude, good, bad))));
            assert!(is_found(set.run(Binary(&MaxMagnitude, bad, good))));
            assert!(set.run(LargestMagnitude(bad)).is_nan());
            assert!(is_found(set.run(Binary(&Exp, bad, good))) && is_found(set.run(Binary(&Tanh, bad, good))));
            assert!(is_found(set.run(Binary(&Sigmoid, bad, good))));
            assert!(is_found(set.run(Binary(&Gate, bad, good))) && is_found(set.run(Binary(&Gate, good, bad))));
            assert!(is_found(set.run(Binary(&CoarseGate, bad, good))));
            assert!(is_found(set.run(Binary(&CoarseGate, good, bad))));
        }
    }
    let largest = set.run(LargestMagnitude(std::array::from_fn(|lane| lane as f32 - 12.0)));
    assert!((largest - 12.0).abs() < f32::EPSILON);
    assert!(set.run(LargestMagnitude([f32::NEG_INFINITY; LANES])) > f32::MAX);
}

fn codes_are_the_nearest_whole_numbers(set: impl InstructionSet) {
    struct Codes([f32; 4 * LANES], bool);
    impl Operation for Codes {
        type Output = [u8; 4 * LANES];

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> [u8; 4 * LANES] {
            let mut out = [0; 4 * LANES];
            let vectors = self.0.as_chunks::<LANES>().0;
            let four = [0, 1, 2, 3].map(|index| s.load_from(&vectors[index]));
            // SAFETY: there are 64 bytes.
            unsafe {
                if self.1 {
                    s.store_codes_of_four(out.as_mut_ptr(), four);
                } else {
                    s.store_codes(out.as_mut_ptr(), four[0]);
                }
            }
            out
        }
    }
    for shift in [-127.0, -64.5, -0.5, 0.0, 63.0] {
        let values = std::array::from_fn(|index| shift + index as f32 * 0.999);
        let code = |value: f32| (value.round_ties_even() as i32 + i32::from(CODE_OFFSET)) as u8;
        assert_eq!(set.run(Codes(values, true)), values.map(code));
        assert_eq!(set.run(Codes(values, false))[..LANES], values.map(code)[..LANES]);
    }
}

fn bfloat16_goes_there_and_back(set: impl InstructionSet) {
    struct There([f32; LANES]);
    impl Operation for There {
        type Output = [u16; LANES];

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> [u16; LANES] {
            let mut out = [0; LANES];
            // SAFETY: there are sixteen places.
            unsafe { s.store_bf16(out.as_mut_ptr(), s.load_from(&self.0)) };
            out
        }
    }
    struct Back([u32; LANES]);
    impl Operation for Back {
        type Output = [[f32; LANES]; 2];

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> [[f32; LANES]; 2] {
            let mut out = [[0.0; LANES]; 2];
            // SAFETY: there are sixteen words.
            let [low, high] = unsafe { s.load_bf16(self.0.as_ptr()) };
            s.store_to(&mut out[0], low);
            s.store_to(&mut out[1], high);
            out
        }
    }
    let mut all = numbers();
    all.push([
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1.0,
        -1.0,
        1e-40,
        -1e-40,
        0.0,
        -0.0,
        1.0,
        2.0,
        3.0,
        4.0,
        5.0,
        6.0,
        7.0,
    ]);
    for values in all {
        let there = set.run(There(values));
        assert_eq!(there, values.map(bf16_bits), "{values:?}");
        let words: [u32; LANES] = std::array::from_fn(|lane| u32::from(there[lane]) | u32::from(!there[lane]) << 16);
        let [low, high] = set.run(Back(words));
        for lane in 0..LANES {
            assert_eq!(low[lane].to_bits(), u32::from(there[lane]) << 16);
            assert_eq!(high[lane].to_bits(), u32::from(!there[lane]) << 16);
        }
    }
}

fn functions_are_within_their_bounds<I: InstructionSet>(set: I) {
    // The scalar reference rounds twice where the others round once.
    let slack = if I::NAME == Scalar::NAME { 2.0 } else { 1.0 };
    let exact_sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for step in -1100..1100 {
        let a: [f32; LANES] = std::array::from_fn(|lane| (step * 16 + lane as i32) as f32 * 0.005);
        let b = a.map(|a| -0.7 * a + 0.3);
        let exp = set.run(Binary(&Exp, a, a));
        let [sigmoid, tanh] = [set.run(Binary(&Sigmoid, a, a)), set.run(Binary(&Tanh, a, a))];
        let [gate, coarse] = [set.run(Binary(&Gate, a, b)), set.run(Binary(&CoarseGate, a, b))];
        for lane in 0..LANES {
            let [x, y] = [a[lane], b[lane]].map(f64::from);
            let near = |found: f32, expected: f64, bound: f64, what: &str| {
                let error = (f64::from(found) - expected).abs();
                assert!(error < bound * slack, "{what} of {x}: {found} for {expected}, off by {error:e}");
            };
            near(exp[lane], x.clamp(-87.0, 87.0).exp(), 2e-7 * x.clamp(-87.0, 87.0).exp(), "exp");
            near(sigmoid[lane], exact_sigmoid(x), 2e-7, "sigmoid");
            near(tanh[lane], x.tanh(), 5e-7 * x.tanh().abs() + 1e-30, "tanh");
            near(gate[lane], x.tanh() * exact_sigmoid(y), 5e-7, "gate");
            near(coarse[lane], 127.0 * x.tanh() * exact_sigmoid(y), 127.0 * 5e-6, "coarse gate");
        }
    }
}

fn tanh_keeps_its_relative_precision_towards_zero(set: impl InstructionSet) {
    for step in 1..4000 {
        let x = step as f32 * step as f32 * 1e-6;
        let found = set.run(Binary(&Tanh, [x; LANES], [x; LANES]))[7];
        let error = f64::from(found) / f64::from(x).tanh() - 1.0;
        assert!(error.abs() < 5e-7, "at {x}: {error:e}");
    }
}

fn the_softmax_s_exponential_has_the_same_bits_everywhere(set: impl InstructionSet) {
    for step in 0..5_000 {
        let x: [f32; LANES] = std::array::from_fn(|lane| (step * 16 + lane) as f32 / -930.0);
        check(set, &ExpSameEverywhere, x, x);
        for (found, x) in set.run(Binary(&ExpSameEverywhere, x, x)).iter().zip(x) {
            let error = f64::from(*found) / f64::from(x).exp() - 1.0;
            assert!(error.abs() < 3e-7, "at {x}: {error:e}");
        }
    }
}

#[test]
fn bfloat16_rounds_to_nearest_even() {
    let back = |value: f32| f32::from_bits(u32::from(bf16_bits(value)) << 16);
    for exact in [0.0f32, -0.0, 1.0, -2.5, 3.0e38, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(back(exact).to_bits() == exact.to_bits() || (back(exact) - exact).abs() <= exact.abs() / 256.0);
    }
    // Half-way between 1 and the next bfloat16 goes to the even one, 1; a little above goes up.
    assert_eq!(bf16_bits(1.0 + 1.0 / 256.0), bf16_bits(1.0));
    assert_eq!(bf16_bits(1.0 + 1.1 / 256.0), bf16_bits(1.0) + 1);
    assert_eq!(bf16_bits(1.0 + 3.0 / 256.0), bf16_bits(1.0) + 2);
    assert!(back(f32::NAN).is_nan());
}
