//! What recurrent layers read, and the gradients of that.

/// What an LSTM reads, or the gradients of that.
#[derive(Debug, Clone)]
pub struct Lstm<T> {
    /// The inputs, `[steps, batch, inputs]`.
    pub x: T,
    /// The outputs before the first step, `[batch, units]`.
    pub hidden: T,
    /// The cells before the first step, `[batch, units]`.
    pub cells: T,
    /// Weights of the inputs, `[4 · units, inputs]`: input, forget, cell and output gate, as in PyTorch's `weight_ih`.
    pub input_weight: T,
    /// Weights of the state, `[4 · units, units]`, as in PyTorch's `weight_hh`.
    pub state_weight: T,
    /// `[4 · units]`: the sum of PyTorch's `bias_ih` and `bias_hh`, which have the same gradient.
    pub bias: T,
}

impl<T> From<[T; 6]> for Lstm<T> {
    fn from([x, hidden, cells, input_weight, state_weight, bias]: [T; 6]) -> Self {
        Self { x, hidden, cells, input_weight, state_weight, bias }
    }
}

impl<T> From<Lstm<T>> for [T; 6] {
    fn from(all: Lstm<T>) -> Self {
        [all.x, all.hidden, all.cells, all.input_weight, all.state_weight, all.bias]
    }
}

/// What a GRU reads, or the gradients of that.
#[derive(Debug, Clone)]
pub struct Gru<T> {
    /// The inputs, `[steps, batch, inputs]`.
    pub x: T,
    /// The state before the first step, `[batch, units]`.
    pub hidden: T,
    /// Weights of the inputs, `[3 · units, inputs]`: reset, update and new gate, as in PyTorch's `weight_ih`.
    pub input_weight: T,
    /// Weights of the state, `[3 · units, units]`, as in PyTorch's `weight_hh`.
    pub state_weight: T,
    /// `[3 · units]`, as PyTorch's `bias_ih`.
    pub input_bias: T,
    /// `[3 · units]`, as PyTorch's `bias_hh`; the new gate's part is inside the product with the reset gate.
    pub state_bias: T,
}

impl<T> From<[T; 6]> for Gru<T> {
    fn from([x, hidden, input_weight, state_weight, input_bias, state_bias]: [T; 6]) -> Self {
        Self { x, hidden, input_weight, state_weight, input_bias, state_bias }
    }
}

impl<T> From<Gru<T>> for [T; 6] {
    fn from(all: Gru<T>) -> Self {
        [all.x, all.hidden, all.input_weight, all.state_weight, all.input_bias, all.state_bias]
    }
}
