//! Products whose factors are rounded to bfloat16, with sums in f32.
//!
//! A word holds a pair: two neighbours of the depth that is summed over, so that one instruction (`vdpbf16ps`) adds two
//! products. A row of `A` gives such pairs as it lies ([`Along`]); `B`, and an `A` that is read with its strides swapped, need
//! the same column of two rows in one word ([`Across`]). Then it is the micro-kernel of [`super::gemm`].

#[cfg(target_arch = "x86_64")]
use continuo_simd::{Avx512, Avx512VnniBf16, InstructionSet as _, Work};
use continuo_simd::{LANES, Operation, Simd};

use super::Level;
use super::gemm::{Gemm, Terms};

/// What multiplies pairs of bfloat16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bf16 {
    /// An instruction of the processor.
    #[cfg(target_arch = "x86_64")]
    Native(Avx512VnniBf16),
    /// f32's arithmetic on the rounded factors: the reference, and slower than f32 alone.
    Widened(Level),
}

impl Bf16 {
    /// What multiplies faster than f32's arithmetic does, where this processor has such a thing.
    pub fn native() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Avx512VnniBf16::detect().map(Self::Native);
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// Everything that this processor can run.
    pub fn available() -> Vec<Self> {
        Self::native().into_iter().chain(Level::available().into_iter().map(Self::Widened)).collect()
    }

    /// Computes `C (+)= A · B`. `A` and `B` are in words of two: their depth is half of what is summed over.
    ///
    /// # Panics
    /// If the matrices do not lie in their slices.
    pub fn run(self, product: Gemm<'_, u32>) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Native(set) => set.enable(NativeProduct { set, product }),
            Self::Widened(level) => level.run(WidenedProduct(product)),
        }
    }
}

/// Pairs of bfloat16, multiplied by the processor. It rounds in its own way and takes subnormals for zero.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Native(Avx512VnniBf16);

#[cfg(target_arch = "x86_64")]
impl Terms<Avx512> for Native {
    type Word = u32;
    type Value = std::arch::x86_64::__m512bh;
    type Across = std::arch::x86_64::__m512bh;

    #[inline(always)]
    unsafe fn value(self, _: Avx512, from: *const u32) -> Self::Value {
        use std::arch::x86_64::{__m512bh, __m512i, _mm512_set1_epi32};
        // SAFETY: `self` holds the proof of the instruction set; the pointer is the caller's; both types are 64 bytes of any
        // content.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(from.read().cast_signed())) }
    }
    #[inline(always)]
    unsafe fn across(self, _: Avx512, from: *const u32) -> Self::Across {
        use std::arch::x86_64::{__m512bh, __m512i, _mm512_loadu_si512};
        // SAFETY: as above.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(from.cast())) }
    }
    #[inline(always)]
    fn add(
        self,
        _: Avx512,
        sum: <Avx512 as Simd>::Lanes,
        value: Self::Value,
        across: Self::Across,
    ) -> <Avx512 as Simd>::Lanes {
        // SAFETY: `self` holds the proof of the instruction set.
        unsafe { std::arch::x86_64::_mm512_dpbf16_ps(sum, across, value) }
    }
}

#[cfg(target_arch = "x86_64")]
struct NativeProduct<'a> {
    set: Avx512VnniBf16,
    product: Gemm<'a, u32>,
}

#[cfg(target_arch = "x86_64")]
impl Work for NativeProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.product.multiply(self.set.simd(), Native(self.set));
    }
}

/// Pairs of bfloat16, multiplied as f32.
#[derive(Clone, Copy)]
struct Widened;

impl<S: Simd> Terms<S> for Widened {
    type Word = u32;
    type Value = [S::Lanes; 2];
    type Across = [S::Lanes; 2];

    #[inline(always)]
    unsafe fn value(self, s: S, from: *const u32) -> [S::Lanes; 2] {
        // SAFETY: the caller's.
        let word = unsafe { *from };
        [s.splat(f32::from_bits(word << 16)), s.splat(f32::from_bits(word & 0xffff_0000))]
    }
    #[inline(always)]
    unsafe fn across(self, s: S, from: *const u32) -> [S::Lanes; 2] {
        // SAFETY: the caller's.
        unsafe { s.load_bf16(from) }
    }
    #[inline(always)]
    fn add(self, s: S, sum: S::Lanes, value: [S::Lanes; 2], across: [S::Lanes; 2]) -> S::Lanes {
        let high = s.mul_add(value[1], across[1], sum);
        s.mul_add(value[0], across[0], high)
    }
}

struct WidenedProduct<'a>(Gemm<'a, u32>);

impl Operation for WidenedProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.0.multiply(s, Widened);
    }
}

/// Rounds to pairs of neighbours in memory.
#[derive(Debug)]
pub struct Along<'a> {
    /// As many whole vectors.
    pub from: &'a [f32],
    /// Half as many words.
    pub to: &'a mut [u32],
}

impl Operation for Along<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (vectors, rest) = self.from.as_chunks::<LANES>();
        assert!(rest.is_empty() && self.to.len() * 2 == self.from.len(), "whole vectors, and half as many words");
        for (from, to) in vectors.iter().zip(self.to.chunks_exact_mut(LANES / 2)) {
            // SAFETY: `to` is eight words, which is sixteen halves.
            unsafe { s.store_bf16(to.as_mut_ptr().cast(), s.load_from(from)) };
        }
    }
}

/// Rounds to pairs of the same column in two rows: `[rows, width]` to `[⌈rows / 2⌉, width]`. Behind an odd last row are
/// zeros.
#[derive(Debug)]
pub struct Across<'a> {
    /// `[rows, width]`.
    pub from: &'a [f32],
    /// A multiple of [`LANES`].
    pub width: usize,
    /// `[⌈rows / 2⌉, width]`.
    pub to: &'a mut [u32],
}

impl Operation for Across<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Across { from, width, to } = self;
        assert!(width.is_multiple_of(LANES) && from.len().is_multiple_of(width.max(1)), "rows of whole vectors");
        assert_eq!(to.len(), (from.len() / width.max(1)).div_ceil(2) * width, "a word per pair");
        for (rows, to) in from.chunks(2 * width).zip(to.chunks_exact_mut(width)) {
            let (low, high) = rows.split_at(width);
            for (index, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let at = index * LANES..(index + 1) * LANES;
                let mut halves = [[0_u16; LANES]; 2];
                // SAFETY: both halves hold sixteen values, and the slices are whole vectors.
                unsafe {
                    s.store_bf16(halves[0].as_mut_ptr(), s.load(low[at.clone()].as_ptr()));
                    if !high.is_empty() {
                        s.store_bf16(halves[1].as_mut_ptr(), s.load(high[at].as_ptr()));
                    }
                }
                for lane in 0..LANES {
                    to[lane] = u32::from(halves[0][lane]) | u32::from(halves[1][lane]) << 16;
                }
            }
        }
    }
}

/// Words that [`Across`] needs for so many rows.
pub fn words_across(rows: usize, width: usize) -> usize {
    rows.div_ceil(2) * width
}
