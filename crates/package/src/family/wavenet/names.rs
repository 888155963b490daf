//! Names of the tensors in a WaveNet graph.

/// Input, int64 `[B, T]`: codes of the newest frames.
pub const CODES: &str = "codes";
/// Output, f32 `[B, Q, T]`: unnormalised log-probabilities of the frame after each input frame.
pub const LOGITS: &str = "logits";
/// Input of a model of real values, f32 `[B, T]`: the newest frames.
pub const VALUES: &str = "values";
/// Output of a model of real values, f32 `[B, 1, T]`: the frame after each input frame.
pub const NEXT_VALUE: &str = "next_value";
/// Input of a model with classes, int64 `[B]`: which kind of recording is asked for.
pub const CLASS: &str = "class";
/// Input of a WaveNet that is told something from outside at every frame, f32 `[B, L·2D, T]`: what is added to the dilated
/// convolutions of all layers, one layer's rows after another's, for the frame that is predicted.
pub const CONDITIONING: &str = "conditioning";
/// State, `[B, F − 1]`: the codes before `codes` (int64) or the frames before `values` (f32). Initially silence.
pub const STATE_CAUSAL: &str = "state.causal";
/// Bias `[R]` of the causal convolution.
pub const CAUSAL_BIAS: &str = "causal.bias";

/// Weight `[Q, R]` of one tap of the causal convolution (`[1, R]` for real values); the last tap is the newest frame.
pub fn causal_tap(tap: usize) -> String {
    format!("causal.tap{tap}.weight")
}

/// State, f32 `[B, R, d·(F − 1)]`: the inputs of a layer before the newest frames. Initially zero.
pub fn state_layer(layer: usize) -> String {
    format!("state.layer.{layer}")
}

/// The output that becomes the state of this name.
pub fn next(state: &str) -> String {
    format!("next_{state}")
}

/// Weight `[2D, R, F]` of a layer's dilated convolution: the first `D` rows for tanh, the others for the sigmoid.
pub fn dilated_weight(layer: usize) -> String {
    format!("layer.{layer}.dilated.weight")
}

/// Bias `[2D]` of a layer's dilated convolution.
pub fn dilated_bias(layer: usize) -> String {
    format!("layer.{layer}.dilated.bias")
}

/// Per class what is added to a layer's dilated convolution, `[G, 2D]`.
pub fn class_bias(layer: usize) -> String {
    format!("layer.{layer}.class.bias")
}

/// Weight `[R, D, 1]` of a layer's residual path. The last layer has none.
pub fn residual_weight(layer: usize) -> String {
    format!("layer.{layer}.residual.weight")
}

/// Bias `[R]` of a layer's residual path.
pub fn residual_bias(layer: usize) -> String {
    format!("layer.{layer}.residual.bias")
}

/// Weight `[S, D, 1]` of a layer's skip path.
pub fn skip_weight(layer: usize) -> String {
    format!("layer.{layer}.skip.weight")
}

/// Bias `[S]` of a layer's skip path.
pub fn skip_bias(layer: usize) -> String {
    format!("layer.{layer}.skip.bias")
}

/// Weight of the last 1×1 convolutions: `end(0)` is `[E, S, 1]`, `end(1)` is `[Q, E, 1]`.
pub fn end_weight(index: usize) -> String {
    format!("end.{index}.weight")
}

/// Bias of the last 1×1 convolutions: `[E]` and `[Q]`.
pub fn end_bias(index: usize) -> String {
    format!("end.{index}.bias")
}
