//! Networks as every family has them: named tensors in one flat vector, an optimiser, a learning rate's course and an
//! average of the weights; and the operations that networks are written in ([`ops`]).

pub mod network;
pub mod on_device;
pub mod ops;
pub mod optimiser;
pub mod precision;
pub mod schedule;
pub mod tensors;

pub use network::{Diverged, Network, Unmoved};
pub use on_device::{DeviceNetwork, Moved};
pub use optimiser::{Adam, AdamSettings, Optimiser, RmsProp, RmsPropSettings, Rule, Sgd};
pub use precision::{LossScale, Precision};
pub use schedule::{Decay, Schedule};
pub use tensors::{NamedTensor, TensorLayout, Tensors};
