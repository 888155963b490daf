//! What every implementation provides, and the choice among them.

use super::packed::{BLOCK, Block, PackedMatrix, floats};

/// What happens to the sum of a product before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    /// `y = sum`
    Store,
    /// `y = max(sum, 0)`
    Relu,
    /// `y = y + sum`
    AddTo,
}

/// The arguments of a product, checked: raw so that all implementations share one signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    /// Weights of the matrix, in groups of up to [`super::packed::GROUP`] blocks.
    pub weights: *const f32,
    /// Bias, one value per padded row; null for none.
    pub bias: *const f32,
    /// Blocks of 16 rows.
    pub blocks: usize,
    /// Inputs per row.
    pub inputs: usize,
    /// First column of the input.
    pub x: *const f32,
    /// Floats from one input column to the next.
    pub x_stride: usize,
    /// First column of the output.
    pub y: *mut f32,
    /// Floats from one output column to the next.
    pub y_stride: usize,
    /// Number of columns.
    pub columns: usize,
    /// What happens to each sum.
    pub epilogue: Epilogue,
    /// Whether to ask for weights ahead of their use, because they come from beyond the caches.
    pub ahead: bool,
}

/// The two primitives of one instruction set.
#[derive(Debug)]
pub(super) struct Primitives {
    pub name: &'static str,
    pub supported: fn() -> bool,
    /// # Safety
    /// The instruction set is there, and the pointers reach what [`Product`] says.
    pub product: unsafe fn(&Product),
    /// `z = tanh(h₀) · sigmoid(h₁)` over `blocks` pairs of 16 values: `h` has 32 floats per pair, `z` 16.
    ///
    /// # Safety
    /// The instruction set is there; `h` reaches 32 · `blocks` floats and `z` 16 · `blocks`.
    pub gate: unsafe fn(h: *const f32, z: *mut f32, blocks: usize),
    /// Asks for `length` floats at `from` ahead of their use.
    ///
    /// # Safety
    /// The instruction set is there.
    pub fetch: unsafe fn(from: *const f32, length: usize),
}

/// The implementations compiled into this program, fastest first; the last runs everywhere.
static ALL: &[Primitives] = &[
    #[cfg(target_arch = "x86_64")]
    super::x86::AVX512,
    #[cfg(target_arch = "x86_64")]
    super::x86::AVX2,
    #[cfg(target_arch = "aarch64")]
    super::neon::NEON,
    super::scalar::SCALAR,
];

/// An implementation that this processor can run. Only such ones can be had, which makes its methods safe.
#[derive(Debug, Clone, Copy)]
pub struct Kernel(&'static Primitives);

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Kernel {}

impl Kernel {
    /// All implementations that this processor can run, fastest first; never empty.
    pub fn available() -> impl Iterator<Item = Self> {
        ALL.iter().filter(|primitives| (primitives.supported)()).map(Self)
    }

    /// The fastest implementation that this processor can run.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self(&super::scalar::SCALAR))
    }

    /// The implementation of this name, where the processor can run it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().find(|kernel| kernel.name() == name)
    }

    /// The name of the instruction set, for example `AVX-512`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// `y[c] = epilogue(W · x[c] + bias)` for every column `c`.
    ///
    /// `x` holds `columns` vectors of `matrix.inputs()` values, `x_stride` floats apart; `y` holds `columns` vectors of
    /// `matrix.blocks()` blocks each.
    ///
    /// # Panics
    /// If a slice is shorter than that, which is a mistake in the caller and never in a file.
    pub(super) fn product(
        self,
        matrix: PackedMatrix<'_>,
        columns: usize,
        (x, x_stride): (&[f32], usize),
        y: &mut [Block],
        epilogue: Epilogue,
    ) {
        if columns == 0 || matrix.blocks == 0 {
            return;
        }
        let (inputs, blocks) = (matrix.inputs, matrix.blocks);
        assert!(matrix.weights.len() == blocks * inputs, "weights of a product");
        assert!(matrix.bias.is_none_or(|bias| bias.len() == blocks), "bias of a product");
        assert!(columns == 1 || x_stride >= inputs, "columns of a product overlap");
        assert!(x.len() >= (columns - 1) * x_stride + inputs, "input of a product");
        assert!(y.len() == columns * blocks, "output of a product");
        let product = Product {
            weights: floats(matrix.weights).as_ptr(),
            bias: matrix.bias.map_or(std::ptr::null(), |bias| floats(bias).as_ptr()),
            blocks,
            inputs,
            x: x.as_ptr(),
            x_stride,
            y: y.as_mut_ptr().cast(),
            y_stride: blocks * BLOCK,
            columns,
            epilogue,
            ahead: matrix.far,
        };
        // SAFETY: a `Kernel` exists only where its instruction set does; the lengths were just checked.
        unsafe { (self.0.product)(&product) }
    }

    /// Asks for values ahead of their use.
    pub(super) fn fetch(self, values: &[f32]) {
        // SAFETY: as above.
        unsafe { (self.0.fetch)(values.as_ptr(), values.len()) }
    }

    /// `z = tanh(h₀) · sigmoid(h₁)`: even blocks of `h` are `h₀`, odd ones `h₁`; `z` gets 16 values per pair.
    ///
    /// # Panics
    /// If `z` is too short, which is a mistake in the caller.
    pub(super) fn gate(self, h: &[Block], z: &mut [f32]) {
        let pairs = h.len() / 2;
        assert!(z.len() >= pairs * BLOCK, "output of a gate");
        // SAFETY: as above; `h` holds 2 · `pairs` blocks and `z` 16 · `pairs` floats.
        unsafe { (self.0.gate)(floats(h).as_ptr(), z.as_mut_ptr(), pairs) }
    }
}
