//! What sound models need beyond Burn's own operations, written once for every device: convolutions over time whose gradients
//! can be differentiated again, recurrent layers over whole sequences, and the softmax's loss.
//!
//! [`Operations`] is a backend that has them. By default they are made of Burn's operations ([`default`]); the CPU's backend
//! has our kernels in their place ([`flex`]); automatic differentiation is over whatever the backend inside has
//! ([`differentiable`]). A family is generic over `B: Operations` and calls [`functions`] on its tensors.

pub mod default;
pub mod differentiable;
pub mod flex;
pub mod functions;
pub mod operations;
mod primitive;
pub mod recurrent;

pub use functions::{conv_transpose1d, conv1d, gru, lstm, softmax_loss};
pub use operations::Operations;
pub use recurrent::{Gru, Lstm};

pub use crate::kernels::convolution::Convolution;
