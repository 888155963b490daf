//! How a line of weights meets a word of inputs, by precision: what an instruction set gives to products.

use super::arguments::Product;
use super::coding::{Coding, Floats, Pairs};
use continuo_simd::{InstructionSet, Simd};
use std::marker::PhantomData;

/// Sixteen values of a way to multiply.
pub(crate) type Lanes<D> = <<D as Dot>::Simd as Simd>::Lanes;

/// How sixteen rows of weights of one precision are multiplied with inputs and summed. A value of such a type is the proof
/// that the processor has the instructions for it.
pub(crate) trait Dot: Copy {
    /// The smallest instruction set that has these products: what is compiled once serves every larger one.
    type Set: InstructionSet;
    /// The arithmetic around the products.
    type Simd: Simd;
    /// How this precision's activations are written down.
    type Coding: Coding;
    /// How many sums go on at once.
    type Tiles: Tiles;
    /// Sixteen sums.
    type Sum: Copy;
    /// A line of weights.
    type Weights: Copy;
    /// A word of inputs, for all rows.
    type Input: Copy;
    /// Whether sums are of codes, which are still to be multiplied with the scales of their row and column.
    const SCALED: bool;

    /// The proof of the instruction set.
    fn set(self) -> Self::Set;
    /// The arithmetic.
    fn simd(self) -> Self::Simd;
    /// The empty sum.
    fn zero(self) -> Self::Sum;
    /// The empty sum for inputs that are shifted; only called where [`Dot::SCALED`] is true.
    ///
    /// # Safety
    /// `offsets` reaches sixteen of them.
    #[inline(always)]
    unsafe fn start(self, offsets: *const i32) -> Self::Sum {
        let _ = offsets;
        self.zero()
    }
    /// A line of weights.
    ///
    /// # Safety
    /// `from` reaches sixteen words.
    unsafe fn weights(self, from: *const u32) -> Self::Weights;
    /// A word of inputs.
    ///
    /// # Safety
    /// `from` can be read.
    unsafe fn input(self, from: *const u32) -> Self::Input;
    /// The sum with the products of a line and a word added.
    fn dot(self, sum: Self::Sum, weights: Self::Weights, input: Self::Input) -> Self::Sum;
    /// The sums as floats.
    fn finish(self, sum: Self::Sum) -> Lanes<Self>;
}

/// How many sums a product holds in registers; implemented by [`super::product::Tiling`].
pub(crate) trait Tiles: Copy {
    /// `y = W · x` for every column, and the gate of `y` where one is wanted.
    ///
    /// # Safety
    /// The pointers reach what [`Product`] says.
    unsafe fn product<D: Dot>(dot: D, product: &Product);

    /// As [`Tiles::product`], of one column.
    ///
    /// # Safety
    /// The pointers reach what [`Product`] says.
    unsafe fn product_of_one<D: Dot>(dot: D, product: &Product);

    /// As many sums as can be under way at once, of registers alone, so many times. Gives back how many lines of weights
    /// met a word each time.
    fn peak<D: Dot>(dot: D, rounds: u64) -> u64;
}

/// An operation that multiplies: written once, and compiled for every instruction set and precision.
pub(crate) trait ProductOperation {
    /// What it gives back.
    type Output;

    /// Does the work with this way to multiply. Must be `#[inline(always)]`: see [`crate::kernels`].
    fn run<D: Dot>(self, dot: D) -> Self::Output;
}

/// How an instruction set multiplies in each precision.
pub(super) trait Products: InstructionSet {
    /// [`super::Precision::F32`]
    type F32: Dot;
    /// [`super::Precision::Bf16`]
    type Bf16: Dot;
    /// [`super::Precision::Int8`]
    type Int8: Dot;

    /// f32 weights and inputs.
    fn f32(self) -> Self::F32;
    /// bfloat16 weights and inputs.
    fn bf16(self) -> Self::Bf16;
    /// 8-bit weights and inputs.
    fn int8(self) -> Self::Int8;
}

/// f32 weights and inputs.
#[derive(Clone, Copy)]
pub(super) struct FloatDot<S, T>(S, PhantomData<T>);

impl<S, T> FloatDot<S, T> {
    #[inline(always)]
    pub fn new(simd: S) -> Self {
        Self(simd, PhantomData)
    }
}

impl<S: Simd + InstructionSet, T: Tiles> Dot for FloatDot<S, T> {
    type Set = S;
    type Simd = S;
    type Coding = Floats;
    type Tiles = T;
    type Sum = S::Lanes;
    type Weights = S::Lanes;
    type Input = S::Lanes;
    const SCALED: bool = false;

    #[inline(always)]
    fn set(self) -> S {
        self.0
    }
    #[inline(always)]
    fn simd(self) -> S {
        self.0
    }
    #[inline(always)]
    fn zero(self) -> S::Lanes {
        self.0.splat(0.0)
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const u32) -> S::Lanes {
        // SAFETY: the trait's contract.
        unsafe { self.0.load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn input(self, from: *const u32) -> S::Lanes {
        // SAFETY: the trait's contract.
        self.0.splat(f32::from_bits(unsafe { *from }))
    }
    #[inline(always)]
    fn dot(self, sum: S::Lanes, weights: S::Lanes, input: S::Lanes) -> S::Lanes {
        self.0.mul_add(weights, input, sum)
    }
    #[inline(always)]
    fn finish(self, sum: S::Lanes) -> S::Lanes {
        sum
    }
}

/// bfloat16 weights and inputs on instruction sets without them: widened to f32, which is exact, and multiplied there.
#[derive(Clone, Copy)]
pub(super) struct WideDot<S, T>(S, PhantomData<T>);

impl<S, T> WideDot<S, T> {
    #[inline(always)]
    pub fn new(simd: S) -> Self {
        Self(simd, PhantomData)
    }
}

impl<S: Simd + InstructionSet, T: Tiles> Dot for WideDot<S, T> {
    type Set = S;
    type Simd = S;
    type Coding = Pairs;
    type Tiles = T;
    type Sum = S::Lanes;
    type Weights = [S::Lanes; 2];
    type Input = [S::Lanes; 2];
    const SCALED: bool = false;

    #[inline(always)]
    fn set(self) -> S {
        self.0
    }
    #[inline(always)]
    fn simd(self) -> S {
        self.0
    }
    #[inline(always)]
    fn zero(self) -> S::Lanes {
        self.0.splat(0.0)
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const u32) -> [S::Lanes; 2] {
        // SAFETY: the trait's contract.
        unsafe { self.0.load_bf16(from) }
    }
    #[inline(always)]
    unsafe fn input(self, from: *const u32) -> [S::Lanes; 2] {
        // SAFETY: the trait's contract.
        let word = unsafe { *from };
        [self.0.splat(f32::from_bits(word << 16)), self.0.splat(f32::from_bits(word & 0xffff_0000))]
    }
    #[inline(always)]
    fn dot(self, sum: S::Lanes, weights: [S::Lanes; 2], input: [S::Lanes; 2]) -> S::Lanes {
        self.0.mul_add(weights[1], input[1], self.0.mul_add(weights[0], input[0], sum))
    }
    #[inline(always)]
    fn finish(self, sum: S::Lanes) -> S::Lanes {
        sum
    }
}
