//! The arithmetic that every instruction set has: sixteen values of f32 at a time.

/// Values that are computed together: one AVX-512 register, two of AVX, four of NEON.
pub const LANES: usize = 16;

/// How far [`Simd::store_codes`] shifts 8-bit codes, so that instructions which take them unsigned can.
pub const CODE_OFFSET: u8 = 128;

/// Arithmetic on sixteen values of f32. Each method does the same in the same order everywhere, except that
/// [`Simd::mul_add`] rounds once where the processor has an instruction for it.
///
/// A value of such a type is the proof that the processor has the instructions (see [`crate::InstructionSet`]), so methods
/// are safe but for those that take pointers.
pub trait Simd: Copy + Eq + std::fmt::Debug + Send + Sync + 'static {
    /// Sixteen values.
    type Lanes: Copy;
    /// How many times sixteen values fit the registers.
    const REGISTERS: usize;

    /// Sixteen times `value`.
    fn splat(self, value: f32) -> Self::Lanes;
    /// The sixteen values at `from`.
    ///
    /// # Safety
    /// `from` must be valid for reading sixteen values.
    unsafe fn load(self, from: *const f32) -> Self::Lanes;
    /// Puts sixteen values at `to`.
    ///
    /// # Safety
    /// `to` must be valid for writing sixteen values.
    unsafe fn store(self, to: *mut f32, value: Self::Lanes);
    /// `a · b + c`: rounded once in the vector instruction sets, twice in [`crate::Scalar`].
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;
    /// `a + b`
    fn add(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a − b`
    fn sub(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a · b`
    fn mul(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a / b`
    fn div(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// The smaller of each pair. Where `b` is NaN, so is the result; where only `a` is, it is either.
    fn min(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// The larger of each pair. Where `b` is NaN, so is the result; where only `a` is, it is either.
    fn max(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a` where `x` > 0, else 0.
    fn where_positive(self, x: Self::Lanes, a: Self::Lanes) -> Self::Lanes;
    /// To the nearest whole number, ties to even, for |a| < 2²².
    fn round(self, a: Self::Lanes) -> Self::Lanes;
    /// `a · 2ⁿ` for whole `n` with |n| ≤ 126.
    fn scale(self, a: Self::Lanes, n: Self::Lanes) -> Self::Lanes;
    /// |a|
    fn abs(self, a: Self::Lanes) -> Self::Lanes;
    /// The larger of each pair of magnitudes (what [`Simd::abs`] gave), or NaN where one of them is NaN.
    fn max_magnitude(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// The largest of sixteen magnitudes, or NaN where one of them is NaN.
    fn largest_magnitude(self, a: Self::Lanes) -> f32;
    /// The largest of the sixteen, of which none is NaN.
    fn largest(self, a: Self::Lanes) -> f32;
    /// Sixteen values in [−127, 127], to the nearest whole number, ties to even, and shifted by [`CODE_OFFSET`], as bytes.
    ///
    /// # Safety
    /// `to` must be valid for writing sixteen bytes.
    unsafe fn store_codes(self, to: *mut u8, a: Self::Lanes);
    /// As [`Simd::store_codes`], 64 values.
    ///
    /// # Safety
    /// `to` must be valid for writing 64 bytes.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "an iterator over an array of vectors keeps them in memory")]
    unsafe fn store_codes_of_four(self, to: *mut u8, a: [Self::Lanes; 4]) {
        for index in 0..4 {
            // SAFETY: the caller gives 64 bytes.
            unsafe { self.store_codes(to.add(index * LANES), a[index]) }
        }
    }
    /// Sixteen values as bfloat16, to the nearest, ties to even. A NaN must be one that arithmetic makes, of which the upper
    /// half alone is one.
    ///
    /// # Safety
    /// `to` must be valid for writing sixteen values.
    unsafe fn store_bf16(self, to: *mut u16, a: Self::Lanes);
    /// Sixteen pairs of bfloat16 as f32: the low halves of the words, and the high ones.
    ///
    /// # Safety
    /// `from` must be valid for reading sixteen words.
    unsafe fn load_bf16(self, from: *const u32) -> [Self::Lanes; 2];
    /// Asks for the cache line at `at`, which need not be valid.
    fn prefetch(self, at: *const u32);

    /// The sixteen values of an array.
    #[inline(always)]
    fn load_from(self, from: &[f32; LANES]) -> Self::Lanes {
        // SAFETY: the array holds sixteen values.
        unsafe { self.load(from.as_ptr()) }
    }
    /// Puts sixteen values into an array.
    #[inline(always)]
    fn store_to(self, to: &mut [f32; LANES], value: Self::Lanes) {
        // SAFETY: the array holds sixteen values.
        unsafe { self.store(to.as_mut_ptr(), value) }
    }
}

/// The bfloat16 nearest to `value`, ties to even.
pub fn bf16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}
