//! Which device computes.
//!
//! Burn panics where a driver is missing or a device fails. So drivers are asked first ([`cuda`], [`wgpu`]), and what Burn is
//! called for afterwards runs inside a guard ([`guard`]) that turns its panics into errors.

pub mod adapter;
pub mod cores;
pub mod cuda;
pub mod find;
pub mod guard;
pub mod wgpu;

pub use find::{Device, DeviceError};
